"""The clicks that an evaluation goes through, on disk: memory holds listeners and artists, not clicks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.evaluate.lowest_hashes import LowestHashes
from models.affinity import ACTION_WEIGHTS
from models.click_columns import NO_MS
from stream.errors import RefrainError

__all__ = ["ACTIONS", "ClickLog", "Records"]

Records = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RECORD = np.dtype([("ts", "f8"), ("listener", "i4"), ("credit", "i4"), ("action", "i1"), ("ms_played", "i4")])
MOST_MS = 2**31 - 1
ACTIONS = tuple(ACTION_WEIGHTS)
WEIGHTS = np.array([ACTION_WEIGHTS[action] for action in ACTIONS])
BUFFER = 1 << 16
BUCKET = 1 << 20  # clicks put in order at once
MOST_FILES = 200


@contextmanager
def _set_aside() -> Iterator[None]:
    """Tell of a disk that is full, and the like, where clicks are written."""
    try:
        yield
    except OSError as error:
        raise RefrainError(
            f"clicks are set aside in {tempfile.gettempdir()}, and that failed: {error}. TMPDIR names "
            "another folder for them; a click takes 50 bytes there"
        ) from error


class ClickLog:
    """Clicks of a sample of listeners, in the order of their times, or in random order.

    Where more listeners come than fit, those of the lowest hashes stay (`LowestHashes`).

    Parameters
    ----------
    max_listeners
        Listeners held at most.

    Attributes
    ----------
    artists
        Their ids; their numbers are their places here.
    share
        Of all listeners, how many are in the sample.
    first, last
        The earliest and the latest time, Unix seconds; of all clicks, also of those not in the sample.

    Raises
    ------
    RefrainError
        Where clicks cannot be written: the disk is full, mostly. So do `put` and `arrange`.

    Examples
    --------
    >>> with ClickLog(max_listeners=10) as log:
    ...     log.put("u1", {"ts": 5.0, "artist_ids": ["ana", "bo"]}, copies=2)
    ...     log.put("u2", {"ts": 3.0, "artist_ids": ["ana"], "action": "like"})
    ...     log.arrange(None)
    ...     [records["listener"].tolist() for records in log.records()], log.plays(until=4.0).toarray()
    ([[1, 0, 0]], array([[0., 0.],
           [3., 0.]]))
    """

    @_set_aside()
    def __init__(self, max_listeners: int) -> None:
        self.artists: list[str] = []
        self.first, self.last = float("inf"), float("-inf")
        self.clicks = 0
        self._sample = LowestHashes(max_listeners)
        self._artists: dict[str, int] = {}
        self._credits: dict[tuple[str, ...], int] = {}
        self._ends, self._made_by = np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._buffer: list[tuple[float, int, int, int, int]] = []
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="refrain-evaluate-"))
        self._folder = Path(folder)
        self._raw = self._stack.enter_context((self._folder / "raw").open("wb"))

    @property
    def n_listeners(self) -> int:
        """Listeners in the sample."""
        return len(self._sample)

    @property
    def listeners(self) -> tuple[str, ...]:
        """Their ids, by their numbers, once it is arranged."""
        return self._sample.listeners

    @property
    def share(self) -> float:
        return self._sample.share

    def put(self, listener: str, click: Mapping[str, Any], copies: int = 1) -> None:
        """Write a click down, as often as it happened. Where clicks have no times, all have time 0."""
        ts = float(click.get("ts", 0.0))
        self.first, self.last = min(self.first, ts), max(self.last, ts)
        number = self._sample.number(listener)
        if number is None:
            return
        credit = self._credits.setdefault(tuple(click["artist_ids"]), len(self._credits))
        action, ms = ACTIONS.index(click.get("action", "play")), click.get("ms_played")
        record = (ts, number, credit, action, NO_MS if ms is None else min(ms, MOST_MS))
        for _ in range(copies):
            self._buffer.append(record)
            if len(self._buffer) == BUFFER:
                self._flush()

    @_set_aside()
    def arrange(self, chance: np.random.Generator | None) -> None:
        """Put what was written in order: of the times, or drawn by chance; then all have the last time.

        Nothing is put after that.
        """
        self._flush()
        self._raw.close()
        renumbered = self._sample.renumbered()
        bounds = np.zeros(0) if chance else self._bounds()
        n_buckets = self._n_buckets()
        with ExitStack() as stack:
            paths = [self._folder / str(number) for number in range(n_buckets)]
            files = [stack.enter_context(path.open("wb")) for path in paths]
            for written in self._read("raw"):
                written["listener"] = renumbered[written["listener"]]
                part = written[written["listener"] >= 0]
                if chance:
                    part["ts"] = self.last
                where = (
                    chance.integers(n_buckets, size=len(part))
                    if chance
                    else np.searchsorted(bounds, part["ts"], side="right")
                )
                for number in np.unique(where):
                    files[number].write(part[where == number].tobytes())
        with (self._folder / "ordered").open("wb") as ordered:
            for path in paths:
                part = np.fromfile(path, dtype=RECORD)
                path.unlink()
                order = chance.permutation(len(part)) if chance else np.argsort(part["ts"], kind="stable")
                ordered.write(part[order].tobytes())
                self.clicks += len(part)
        (self._folder / "raw").unlink()
        self._number_artists()

    def records(self, size: int = BUFFER) -> Iterator[Records]:
        """Go through the clicks in order, `size` at a time, each with the fields of `RECORD`."""
        return self._read("ordered", size)

    def before(self, until: float) -> int:
        """Return how many clicks there are before a time (Unix seconds), where they are in order of times."""
        ordered = np.memmap(self._folder / "ordered", dtype=RECORD, mode="r")
        return int(np.searchsorted(ordered["ts"], until))

    def time_before_last(self, share: float) -> float:
        """Return the time after which the last `share` of clicks came."""
        ordered = np.memmap(self._folder / "ordered", dtype=RECORD, mode="r")
        return float(ordered["ts"][int((1 - share) * (len(ordered) - 1))])

    def credited(self, records: Records) -> tuple[Ints, Ints]:
        """Return artist by artist which of the records it belongs to, and which artist it is."""
        begin, end = self._ends[records["credit"]], self._ends[records["credit"] + 1]
        owner = np.repeat(np.arange(len(records)), end - begin)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
        return owner, self._made_by[np.repeat(begin, end - begin) + within]

    def plays(self, until: float = float("inf"), since: float = float("-inf")) -> csr_matrix:
        """Return how much of whom each listener played, shape (n, A), by clicks with since <= ts < until.

        Skips are taken off. Where nothing is left, there is no entry.
        """
        total = csr_matrix((self.n_listeners, len(self.artists)))
        for records in self.records(BUCKET):
            part = records[(records["ts"] < until) & (records["ts"] >= since)]
            owner, artists = self.credited(part)
            weights = WEIGHTS[part["action"][owner]]
            total = total + csr_matrix((weights, (part["listener"][owner], artists)), shape=total.shape)
        total.data[total.data < 0] = 0
        total.eliminate_zeros()
        return total

    def _number_artists(self) -> None:
        self._artists = {
            name: at for at, name in enumerate(dict.fromkeys(a for c in self._credits for a in c))
        }
        self.artists = list(self._artists)
        self._ends = np.cumsum([0, *(len(credit) for credit in self._credits)])
        self._made_by = np.array(
            [self._artists[a] for credit in self._credits for a in credit], dtype=np.int64
        )

    def _bounds(self) -> Floats:
        raw = np.memmap(self._folder / "raw", dtype=RECORD, mode="r")
        some = np.array(raw["ts"][:: max(1, len(raw) // BUCKET)])
        n_buckets = self._n_buckets()
        bounds: Floats = np.quantile(some, np.arange(1, n_buckets) / n_buckets)
        return bounds

    def _n_buckets(self) -> int:
        size = (self._folder / "raw").stat().st_size
        return min(-(-size // (BUCKET * RECORD.itemsize)), MOST_FILES)

    def _read(self, name: str, size: int = BUFFER) -> Iterator[Records]:
        with (self._folder / name).open("rb") as file:
            while len(part := np.fromfile(file, dtype=RECORD, count=size)):
                yield part

    @_set_aside()
    def _flush(self) -> None:
        self._raw.write(np.array(self._buffer, dtype=RECORD).tobytes())
        self._buffer.clear()

    def __enter__(self) -> ClickLog:
        return self

    @_set_aside()
    def __exit__(self, *_: object) -> None:
        self._stack.close()
