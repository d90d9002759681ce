"""The model: what a snapshot holds, and what ingesters and workers serve from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

from models.cohorts import settle, standing_out
from models.directions import ACTIVITY
from models.neighbours import FADED
from models.play_rate import PROPORTIONAL
from models.taste import grown, idf, unit

__all__ = ["FORMAT", "HEIRS", "Model"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]

FORMAT = 1
PARTS = ("data", "indices", "indptr")
SPARSE = ("holders", "neighbours")
LISTS = ("artists", "cohort_ids", "labels", "parents", "genres")
HEIRS = 256
TRUST = 2.0


@dataclass(frozen=True, eq=False)
class Model:
    """Artist vectors and cohorts, as published. Holds no listener's id or name.

    Parameters
    ----------
    version
        1, 2, ...: larger is later.
    created_at
        Unix seconds.
    clicks, listeners
        What it was learned from: clicks seen; listeners in the sample that `sizes` and `holders` count.
    artists
        The vocabulary, A artist ids; row numbers of everything with A rows.
    vectors
        Shape (A, d), single precision, columns orthonormal, turned onto the version before.
    spread
        Shape (d, d), the mean of t t' over listeners, t a listener's taste along the vectors.
    counts
        Shape (A,), how many of `n_rows` listeners (faded, hence fractions) play each artist.
    centers
        Shape (k, d), means of unit tastes.
    cohort_ids
        "c1", "c2", ..., a row of `centers` each; an id is never used for another cohort again.
    next_cohort
        The number of the next cohort to be born.
    sizes
        Shape (k,), members in the sample.
    holders
        Shape (k, A), how many members in the sample play each artist.
    labels
        A name for people, per cohort.
    born
        Shape (k,), Unix seconds when each cohort first appeared.
    settings
        How it was learned.
    parents
        For each cohort the one that it was split from; "" for one that was not. Empty in snapshots of old.
    heirs
        Cohorts that are gone, the last `HEIRS`, -> where most of their members went; "" for nowhere.
    named_after
        For each cohort the artists in its label.
    genres
        For each cohort the genre in its label, or "".
    directions
        Shape (A, d), half precision, unit length: where the listeners of each artist are
        (`models.directions.directions`). Empty in snapshots of old.
    strength
        log2 of the length of the raw taste of a listener in the middle of the sample: who is more active has
        a longer one. NaN in snapshots of old.
    activity
        How much more active listeners score higher (`models.directions.activity`).
    means
        Shape (k, d): the mean over members in the sample of unit tastes times `models.directions.activity`.
    neighbours
        Shape (A, A): what playing one artist adds to a listener's score for another
        (`models.neighbours.neighbours`). Empty in snapshots of old.
    play_now
        The stored weight of one play at the time of the newest click that was learned from; 0 in snapshots of
        old.
    play_rate
        Shape (2, 21): how many times likelier than the average listener to take an artist up those are whose
        score, or whose cohort's score, is so many times the mean (`models.play_rate.LEVELS`).
    validation
        How well the models before it predicted what listeners discovered
        (`models.quality.validation.Validation.figures`); empty where nobody has discovered anything yet.

    Examples
    --------
    >>> import numpy as np
    >>> model = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.array([2.0, 1.0]), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
    ... )
    >>> model.assign(np.array([[0.1, 3.0], [2.0, 0.0]]))
    array([1, 0])
    >>> header, arrays = model.to_arrays()
    >>> Model.from_arrays(header, arrays).labels
    ('Ana', 'Bo')
    """

    version: int
    created_at: float
    clicks: int
    listeners: int
    artists: tuple[str, ...]
    vectors: Singles
    spread: Floats
    counts: Floats
    n_rows: float
    centers: Floats
    cohort_ids: tuple[str, ...]
    next_cohort: int
    sizes: Ints
    holders: csr_matrix
    labels: tuple[str, ...]
    born: Floats
    settings: Mapping[str, float | str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    heirs: Mapping[str, str] = field(default_factory=dict)
    named_after: tuple[tuple[str, ...], ...] = ()
    genres: tuple[str, ...] = ()
    directions: Halves = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float16))
    strength: float = math.nan
    activity: float = ACTIVITY
    means: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    neighbours: csr_matrix = field(default_factory=lambda: csr_matrix((0, 0), dtype=np.float32))
    play_now: float = 0.0
    play_rate: Floats = field(default_factory=lambda: np.array([PROPORTIONAL, PROPORTIONAL]))
    validation: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Snapshots that were made before there were these fields go on being read.
        empty: tuple[tuple[str, Any], ...] = (("parents", ""), ("named_after", ()), ("genres", ""))
        if not len(self.means):
            object.__setattr__(self, "means", self.centers)
        if not self.neighbours.shape[0]:
            none = csr_matrix((len(self.artists), len(self.artists)), dtype=np.float32)
            object.__setattr__(self, "neighbours", none)
        for name, nothing in empty:
            if not getattr(self, name):
                object.__setattr__(self, name, (nothing,) * len(self.cohort_ids))

    @property
    def n_dims(self) -> int:
        """The number of dimensions d."""
        return int(self.vectors.shape[1])

    @property
    def faded(self) -> float:
        """Stored weight up to which an artist that a listener plays is nobody's neighbour any more."""
        return FADED * self.play_now

    def as_of(self, play_now: float) -> Self:
        """Return the model as it serves later: its listener in the middle has gone on as before.

        Stored weights grow for ever, and with them all raw tastes of who goes on listening. A model that
        serves for months would find all of them more active from month to month, and nothing faded. What is
        relative to the middle, as `means` are, stays.

        Parameters
        ----------
        play_now
            The stored weight of one play at the time of the newest click; where that is no later than the
            newest that was learned from, or either is not known (0), the model stays as it is.

        Examples
        --------
        >>> model = Model(
        ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
        ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.array([2.0, 1.0]), n_rows=3.0,
        ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
        ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
        ...     strength=3.0, play_now=8.0,
        ... )
        >>> later = model.as_of(32.0)
        >>> later.strength, later.faded
        (4.0, 4.0)
        """
        if not 0 < self.play_now < play_now:
            return self
        later = object.__new__(type(self))
        changed = {"strength": self.strength + grown(self.play_now, play_now), "play_now": play_now}
        vars(later).update(vars(self) | changed)  # with what was made of the model once and is kept
        return later

    @cached_property
    def index(self) -> dict[str, int]:
        """Artist id -> row."""
        return {artist: row for row, artist in enumerate(self.artists)}

    @cached_property
    def factors(self) -> Singles:
        """Shape (A, d): what the root of an affinity is multiplied by in a taste sum."""
        weights = np.sqrt(idf(self.counts, self.n_rows))
        factors: Singles = self.vectors * weights[:, None].astype(np.float32)
        return factors

    @cached_property
    def reach(self) -> Floats:
        """Shape (d, d): turns an artist's vector to where its listeners are, the root of the spread.

        Of artists whom nobody in the sample plays, nothing better is known.
        """
        values, axes = np.linalg.eigh(self.spread)
        reach: Floats = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
        return reach

    def towards(self, rows: Ints) -> Floats:
        """Return unit vectors (n, d) towards the listeners of artists, given by their rows."""
        if len(self.directions):
            return unit(self.directions[rows])
        return unit(self.vectors[rows] @ self.reach)

    def similarity(self, tastes: Floats) -> Floats:
        """Return how near listeners are to cohorts, shape (n, k).

        x.c - |c|^2/2 for unit taste x and centre c: largest where the Euclidean distance is smallest.

        Parameters
        ----------
        tastes
            Shape (n, d), raw taste sums in any scale.
        """
        near: Floats = unit(tastes) @ self.centers.T - (self.centers**2).sum(axis=1) / 2
        return near

    def assign(self, tastes: Floats, current: Ints | None = None, margin: float = 0.0) -> Ints:
        """Return cohort rows, shape (n,), of raw taste sums (n, d); `settle` says of `current`, `margin`."""
        if current is None:
            current = np.full(len(tastes), -1, dtype=np.int64)
        return settle(self.similarity(tastes), current, margin)

    def known(self, artists: Sequence[str]) -> Ints:
        """Return the rows of those artists that the model has heard of."""
        found = [self.index[artist] for artist in dict.fromkeys(artists) if artist in self.index]
        rows = np.array(found, dtype=np.int64)
        return rows[self.trust(rows) > 0]

    def trust(self, rows: Ints) -> Floats:
        """Return how far a vector can be trusted, 0 to 1, by how many listeners it was learned from."""
        return self.counts[rows] / (self.counts[rows] + TRUST)

    def heard_by(self, rows: Ints) -> Floats:
        """Return how many listeners in the sample play each of these artists."""
        return self._sample_counts[rows]

    @cached_property
    def usual_share(self) -> float:
        """The share of listeners in the sample who play an artist: the mean of artists that anybody plays."""
        played = self._sample_counts[self._sample_counts > 0]
        return float(played.mean()) / max(self.listeners, 1) if len(played) else 0.0

    def standing_out(self, top: int) -> list[dict[str, float]]:
        """Return for each cohort the `top` artists that set it apart -> how many times more it plays them."""
        ratio = standing_out(
            self.holders, self.sizes.astype(np.float64), self._sample_counts, float(self.listeners)
        )
        found = []
        for cohort in range(len(self.cohort_ids)):
            part = slice(ratio.indptr[cohort], ratio.indptr[cohort + 1])
            columns, values = ratio.indices[part], ratio.data[part]
            best = np.lexsort((columns, -values))[:top]
            found.append({self.artists[columns[i]]: float(values[i]) for i in best if values[i] > 1})
        return found

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return a header that JSON can hold, and arrays: all there is to the model."""
        header: dict[str, Any] = {"format": FORMAT}
        arrays: dict[str, npt.NDArray[Any]] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray):
                arrays[entry.name] = value
            elif entry.name in SPARSE:
                arrays |= {f"{entry.name}.{part}": getattr(value, part) for part in PARTS}
            else:
                header[entry.name] = list(value) if isinstance(value, tuple) else value
        arrays["neighbours.data"] = arrays["neighbours.data"].astype(np.float16)
        header |= {
            "settings": dict(self.settings),
            "heirs": dict(self.heirs),
            "validation": dict(self.validation),
        }
        return header, arrays

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make a model of what `to_arrays` gave.

        Raises
        ------
        ValueError
            When the format is another, or parts do not fit together.
        """
        if header.get("format") != FORMAT:
            found = header.get("format")
            raise ValueError(f"a model of format {found!r}; this program reads format {FORMAT}")
        try:
            values = {entry.name: header[entry.name] for entry in fields(cls) if entry.name in header}
            values |= {entry.name: arrays[entry.name] for entry in fields(cls) if entry.name in arrays}
            values |= {name: tuple(values[name]) for name in LISTS if name in values}
            values["named_after"] = tuple(map(tuple, values.get("named_after", ())))
            n_artists = len(values["artists"])
            values["holders"] = _sparse(arrays, "holders", (len(values["cohort_ids"]), n_artists))
            if "neighbours.data" in arrays:
                values["neighbours"] = _sparse(arrays, "neighbours", (n_artists, n_artists))
            model = cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"a model with parts missing or not known: {error}") from error
        model._check()
        return model

    def add_neighbours(self, rows: Ints, adds: Floats) -> tuple[Floats, float]:
        """Return what neighbours add to the score of a listener on average: of each cohort (k,), and of all.

        Parameters
        ----------
        rows, adds
            Artists, and what playing each of them adds.
        """
        by_cohort = np.asarray(self._holders_by_artist[:, rows] @ adds, dtype=np.float64)
        sizes = np.maximum(self.sizes, 1)
        return by_cohort / sizes, float(by_cohort.sum() / max(self.sizes.sum(), 1))

    @cached_property
    def _holders_by_artist(self) -> csc_matrix:
        return self.holders.tocsc()

    @cached_property
    def _sample_counts(self) -> Floats:
        return np.asarray(self.holders.sum(axis=0), dtype=np.float64).ravel()

    def _check(self) -> None:
        n, d, k = len(self.artists), self.n_dims, len(self.cohort_ids)
        expected = {"vectors": (n, d), "spread": (d, d), "counts": (n,)}
        if len(self.directions):
            expected |= {"directions": (n, d), "means": (k, d)}
        expected |= {"centers": (k, d), "sizes": (k,), "born": (k,)}
        expected |= {"play_rate": (2, len(PROPORTIONAL))}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"a model whose {name} have shape {getattr(self, name).shape}, not {shape}")
        for name in ("labels", "parents", "named_after", "genres"):
            if len(getattr(self, name)) != k:
                raise ValueError(f"a model with {len(getattr(self, name))} {name} for {k} cohorts")


def _sparse(arrays: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, int]) -> csr_matrix:
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in PARTS)
    if data.dtype == np.float16:
        data = data.astype(np.float32)  # sparse matrices of half precision cannot be multiplied
    return csr_matrix((data, indices, indptr), shape=shape)
