"""A bounded sample of recent listeners, for what needs more than one look."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from models.directions import activity
from models.model import Model
from models.taste import log_length, root_rows, taste, unit

__all__ = ["Reservoir", "Row", "Sampled"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Row = tuple[Sequence[str], Sequence[float]]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Listeners whom a model was made from, in its space.

    Attributes
    ----------
    listeners
        n listeners with a taste.
    held
        Shape (n, A), 1 where a listener plays an artist of the model.
    tastes
        Shape (n, d), unit tastes times `models.directions.activity`.
    """

    listeners: tuple[Hashable, ...]
    held: csr_matrix
    tastes: Floats

    @classmethod
    def of(cls, model: Model, listeners: Sequence[Hashable], rows: Sequence[Row]) -> Self:
        """Place listeners in a model's space who were not in the sample that it was made from.

        Those of whom the model knows nothing are left out.

        Parameters
        ----------
        rows
            For each listener, artist ids and stored affinities.
        """
        ends, columns, stored = [0], list[int](), list[float]()
        for artists, weights in rows:
            for artist, weight in zip(artists, weights, strict=True):
                if weight > 0 and artist in model.index:
                    columns.append(model.index[artist])
                    stored.append(weight)
            ends.append(len(columns))
        shape, played = (len(rows), len(model.artists)), np.array(columns, dtype=np.int64)
        held = csr_matrix((np.ones(len(played)), played, ends), shape=shape)
        affinities = csr_matrix((np.array(stored, dtype=np.float64), played, ends), shape=shape)
        raw = taste(affinities, model.factors)
        active = unit(raw) * activity(log_length(raw), model.strength, model.activity)[:, None]
        placed = np.flatnonzero(raw.any(axis=1))
        return cls(tuple(listeners[row] for row in placed.tolist()), held[placed], active[placed])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return all listeners of some samples, who are different in each."""
        listeners = tuple(chain.from_iterable(part.listeners for part in parts))
        held = vstack([part.held for part in parts], format="csr")
        return cls(listeners, held, np.vstack([part.tastes for part in parts]))


class Reservoir:
    """The latest row of each of up to `capacity` listeners.

    A listener who is there is brought up to date. A new one takes a free place, or else that of one drawn at
    random, so that those not seen for long give way little by little.

    Parameters
    ----------
    capacity
        Listeners held at most.
    seed
        Of the draw.

    Examples
    --------
    >>> reservoir = Reservoir(capacity=2, seed=0)
    >>> reservoir.add(["ana", "bo", "ana"], csr_matrix([[1.0, 0.0], [0.0, 9.0], [1.0, 1.0]]))
    >>> reservoir.rows(2).toarray().round(6)
    array([[0.5, 0.5],
           [0. , 1. ]])
    """

    def __init__(self, capacity: int = 50_000, seed: int = 0) -> None:
        self.capacity = capacity
        self._rng = np.random.default_rng(seed)
        self._places: dict[Hashable, int] = {}
        self._listeners: list[Hashable] = []
        self._columns: list[npt.NDArray[np.int32]] = []
        self._values: list[npt.NDArray[np.float32]] = []
        self._log_lengths: list[float] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, listeners: Sequence[Hashable], rows: csr_matrix) -> None:
        """Take in listeners' rows (n, A) of stored affinities."""
        with np.errstate(divide="ignore"):
            lengths = (np.log2(np.asarray(rows.maximum(0).sum(axis=1)).ravel()) / 2).tolist()
        rows = root_rows(rows)
        columns, values = rows.indices.astype(np.int32), rows.data.astype(np.float32)
        ends = rows.indptr.tolist()
        for listener, begin, end, length in zip(listeners, ends[:-1], ends[1:], lengths, strict=True):
            place = self._place(listener)
            self._log_lengths[place] = length
            played = values[begin:end] > 0
            self._columns[place] = columns[begin:end][played]
            self._values[place] = values[begin:end][played]

    def rows(self, n_artists: int) -> csr_matrix:
        """Return all rows as affinities that sum to 1 (n, A)."""
        ends = np.cumsum([0, *(len(columns) for columns in self._columns)])
        columns = np.concatenate([np.zeros(0, dtype=np.int32), *self._columns])
        values = np.concatenate([np.zeros(0, dtype=np.float32), *self._values]).astype(np.float64)
        return csr_matrix((values**2, columns, ends), shape=(len(self), n_artists))

    @property
    def listeners(self) -> tuple[Hashable, ...]:
        """Who is in it, in the order of `rows`."""
        return tuple(self._listeners)

    @property
    def log_lengths(self) -> Floats:
        """Shape (n,): log2 of the length of each row of roots, before it was scaled."""
        return np.array(self._log_lengths, dtype=np.float64)

    def keep(self, renumbered: Ints) -> None:
        """Follow a change of the vocabulary: artist -> its new number, or -1 for one that is forgotten."""
        for place, columns in enumerate(self._columns):
            new = renumbered[columns]
            self._columns[place] = new[new >= 0].astype(np.int32)
            self._values[place] = self._values[place][new >= 0]

    def _place(self, listener: Hashable) -> int:
        place = self._places.get(listener)
        if place is not None:
            return place
        if len(self._listeners) < self.capacity:
            place = len(self._listeners)
            self._listeners.append(listener)
            self._columns.append(np.zeros(0, dtype=np.int32))
            self._values.append(np.zeros(0, dtype=np.float32))
            self._log_lengths.append(0.0)
        else:
            place = int(self._rng.integers(self.capacity))
            del self._places[self._listeners[place]]
            self._listeners[place] = listener
        self._places[listener] = place
        return place
