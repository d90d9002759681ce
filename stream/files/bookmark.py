"""How far a replay has come: kept in a file, so that one that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from stream.errors import NotWritten
from stream.files.sources import is_remote, source

__all__ = ["HEADER", "Bookmark"]

HEADER = "replay"
"""The header that each replayed event carries: which replay it is of, and its number in it."""


@dataclass(frozen=True)
class Bookmark:
    """How far a replay has come.

    Attributes
    ----------
    path
        Where it is kept.
    sources
        The files' paths, sizes and times of change: a file that has changed is another history.
    run
        A name no other replay has.
    started
        Unix seconds; what is now to ``--spread``, to ``--since`` and to times in the future, also when the
        replay goes on later.
    events
        All events before this number are in Kafka.
    offsets
        Partition -> where to look in Kafka for events from `events` on.
    finished
        Whether there is nothing left to send.
    topic_id
        Where the events go; "" where it was not noted.
    selection
        Which rows of the files, as which events; "" where it was not noted.
    """

    path: Path
    sources: list[list[str | int]]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = 0.0
    events: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    finished: bool = False
    topic_id: str = ""
    selection: str = ""

    @classmethod
    def find(
        cls, folder: Path, topic_id: str, files: Sequence[Path], options: str, selection: str = ""
    ) -> tuple[Bookmark, bool]:
        """Return the bookmark of a replay, and whether it is an old one.

        Parameters
        ----------
        folder
            Where bookmarks are kept.
        topic_id, files, options
            What makes a replay another one: the topic (a new one of the same name is another), the files, and
            every option that changes which events there are, or their order.
        selection
            Those of the options that say which rows are meant, and as which events.
        """
        paths = _resolved(files)
        identity = json.dumps([topic_id, [str(path) for path in paths], options])
        path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"
        try:
            return replace(cls._read(path), topic_id=topic_id, selection=selection), True
        except FileNotFoundError:
            return cls(path, _sources(paths), topic_id=topic_id, selection=selection), False

    @classmethod
    def _read(cls, path: Path) -> Bookmark:
        held = json.loads(path.read_text(encoding="utf-8"))
        offsets = {int(partition): offset for partition, offset in held.pop("offsets").items()}
        return cls(path, offsets=offsets, **held)

    def others_of(self, files: Iterable[Path]) -> list[tuple[Bookmark, list[str]]]:
        """Return other replays of the same selection into the same topic, and the files that both have.

        A path is enough: of a file that has changed, too, events have been sent.
        """
        paths = [str(path) for path in _resolved(files)]
        others = [self._read(path) for path in sorted(self.path.parent.glob("*.json")) if path != self.path]
        found = []
        for other in others:
            if (other.topic_id, other.selection) == (self.topic_id, self.selection):
                theirs = {path for path, *_ in other.sources}
                found.append((other, [path for path in paths if path in theirs]))
        return [(other, both) for other, both in found if both]

    @property
    def changed(self) -> str | None:
        """The file that is not what it was any more, None where all are."""
        now = _sources([source(str(path)) for path, *_ in self.sources])
        return next((str(old[0]) for old, new in zip(self.sources, now, strict=True) if old != new), None)

    def header(self, number: int) -> bytes:
        """Return the value of an event's header.

        Examples
        --------
        >>> Bookmark(Path("b"), [], run="1f").header(7)
        b'1f:7'
        """
        return b"%s:%d" % (self.run.encode(), number)

    def number(self, header: bytes) -> int | None:
        """Return the number in a header, None where it is of another replay."""
        run, _, number = header.partition(b":")
        return int(number) if run == self.run.encode() else None

    def anew(self, now: float) -> Bookmark:
        """Return a bookmark at the begin of the same replay."""
        return Bookmark(
            self.path,
            _sources([source(str(path)) for path, *_ in self.sources]),
            started=now,
            topic_id=self.topic_id,
            selection=self.selection,
        )

    def at(self, events: int, offsets: dict[int, int], *, finished: bool = False) -> Bookmark:
        """Return it, farther on."""
        return replace(self, events=events, offsets=dict(offsets), finished=finished)

    def save(self) -> None:
        """Write it; a reader sees all of it or the one before.

        Raises
        ------
        NotWritten
            Where there is no room, say. The one before stands.
        """
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        draft = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(content), encoding="utf-8")
            os.replace(draft, self.path)  # noqa: PTH105  -- says what matters: over what is there
        except OSError as error:
            raise NotWritten(
                f"{self.path} cannot be written: {error.strerror}",
                hint="It says how far the replay has come. Make room, and the same with --resume goes on.",
            ) from error


def _resolved(files: Iterable[Path]) -> list[Path]:
    return [file if is_remote(file) else file.resolve() for file in files]


def _sources(paths: Sequence[Path]) -> list[list[str | int]]:
    states = [(path, path.stat()) for path in paths]
    return [[str(path), state.st_size, int(state.st_mtime * 1e9)] for path, state in states]
