"""Songs as they are learned: their vectors, and which of them a listener would play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

from models.directions import activity
from models.model import Model
from models.song_vectors import FANS
from models.taste import grown, unit

__all__ = ["FORMAT", "SongModel"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]

FORMAT = 1
PARTS = ("data", "indices", "indptr")
SPARSE = ("made_by", "beside")
LISTS = ("songs", "artists")


@dataclass(frozen=True, eq=False)
class SongModel:
    """Song vectors in the space of a model's artist vectors, as published. Holds no listener's id.

    Parameters
    ----------
    version
        Of the model whose space it is. Models are aligned, so that it serves beside the next ones too.
    created_at
        Unix seconds.
    n_listeners, plays
        What it was learned from: listeners in the sample, and pairs of listener and song.
    songs
        S song ids; row numbers of everything with S rows.
    directions
        Shape (S, d), half precision, unit length: `models.song_vectors.song_vectors`, and
    levels
        Shape (S,), single precision: how long these are, times `models.song_vectors.rarity`, which `beside`
        is multiplied by, too.
    listeners
        Shape (S,), how many in the sample have played each song.
    artists
        A artist ids.
    made_by
        Shape (S, A), 1 where an artist made a song.
    beside
        Shape (A, S), what playing an artist adds to a song's score (`models.song_vectors.artists_beside`).
    to_audience
        Shape (d, d), turns a song's vector to where its listeners are (`models.song_vectors.to_audience`).
    strength, activity, play_now
        The model's, which scores are relative to.

    Examples
    --------
    >>> songs = SongModel(
    ...     version=1, created_at=0.0, n_listeners=3, plays=3, songs=("s1", "s2"),
    ...     directions=np.eye(2, dtype="f2"), levels=np.array([2.0, 1.0], dtype="f4"),
    ...     listeners=np.array([2, 1]), artists=("ana", "bo"), made_by=csr_matrix(np.eye(2)),
    ...     beside=csr_matrix([[0.0, 0.5], [0.0, 0.0]]), to_audience=np.eye(2), strength=0.0, activity=0.5,
    ... )
    >>> songs.scores(np.array([1.0, 1.0]), songs.rows_of(["ana"])).round(2).tolist()
    [2.0, 1.5]
    >>> SongModel.from_arrays(*songs.to_arrays()).songs
    ('s1', 's2')
    """

    version: int
    created_at: float
    n_listeners: int
    plays: int
    songs: tuple[str, ...]
    directions: Halves
    levels: Singles
    listeners: npt.NDArray[np.integer]
    artists: tuple[str, ...]
    made_by: csr_matrix
    beside: csr_matrix
    to_audience: Floats
    strength: float
    activity: float
    play_now: float = 0.0

    @property
    def n_dims(self) -> int:
        """The number of dimensions d."""
        return int(self.directions.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Song id -> row."""
        return {song: row for row, song in enumerate(self.songs)}

    @cached_property
    def artist_index(self) -> dict[str, int]:
        """Artist id -> row of `beside`, column of `made_by`."""
        return {artist: row for row, artist in enumerate(self.artists)}

    @cached_property
    def vectors(self) -> Singles:
        """Shape (S, d), in single precision: made once, as half precision is slow to multiply."""
        return self.directions.astype(np.float32) * self.levels[:, None]

    def prepare(self) -> None:
        """Make what is made once of it and kept, so that nobody who asks later waits for that."""
        _ = self.index, self.artist_index, self.vectors, self._by_song

    def artists_of(self, song: str) -> tuple[str, ...]:
        """Return who made a song, of the artists that are known; nobody where the song is not."""
        row = self.index.get(song)
        return () if row is None else tuple(self.artists[at] for at in self.made_by[row].indices.tolist())

    def rows_of(self, artists: Sequence[str]) -> Ints:
        """Return the rows of artists in `beside`; -1 for those who are not there."""
        return np.array([self.artist_index.get(artist, -1) for artist in artists], dtype=np.int64)

    def scores(self, taste: Floats, rows: Ints) -> Floats:
        """Return how likely a listener is to play each song, shape (S,), up to a factor: for ranking.

        score = taste w_s + the sum of N[a, s] over the artists a that they play.

        Parameters
        ----------
        taste
            Shape (d,), a unit taste times `active`.
        rows
            Of the artists that the listener still plays (`Model.faded`), in `beside`.
        """
        beside = self.beside[rows]
        added = np.bincount(beside.indices, weights=beside.data, minlength=len(self.songs))
        found: Floats = np.add(self.vectors @ taste.astype(np.float32), added, dtype=np.float64)
        return found

    def active(self, strength: float, play_now: float = 0.0) -> float:
        """Return what a unit taste is multiplied by: `models.directions.activity` of its log2 length.

        Parameters
        ----------
        play_now
            Of the model that serves beside it (`Model.as_of`).
        """
        middle = self.strength + grown(self.play_now, play_now)
        return float(activity(np.array([strength]), middle, self.activity)[0])

    def added(self, song: int, rows: Ints) -> Floats:
        """Return what each of some artists, rows of `beside` or -1, adds to a song's score as in `scores`."""
        beside = self._by_song
        entries = slice(beside.indptr[song], beside.indptr[song + 1])
        artists, values = beside.indices[entries], np.append(beside.data[entries], 0.0)
        at = np.searchsorted(artists, rows)
        there = np.append(artists, -2)[at] == rows
        found: Floats = np.where(there, values[at], 0.0).astype(np.float64)
        return found

    @cached_property
    def _by_song(self) -> csc_matrix:
        by_song = self.beside.tocsc()
        by_song.sort_indices()
        return by_song

    def trust(self, song: int) -> float:
        """Return how far a song's own listeners say who plays it, 0 to 1: n / (n + `FANS`)."""
        n = float(self.listeners[song])
        return n / (n + FANS)

    def towards(self, song: int) -> Floats:
        """Return where a song's listeners are, shape (d,), at unit length."""
        return unit(self.to_audience @ self.directions[song].astype(np.float64))

    def fits(self, model: Model) -> bool:
        """Say whether tastes of a model can be multiplied by song vectors."""
        return self.n_dims == model.n_dims

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return a header that JSON can hold, and arrays: all there is to it."""
        header: dict[str, Any] = {"format": FORMAT}
        arrays: dict[str, npt.NDArray[Any]] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray):
                arrays[entry.name] = value
            elif entry.name in SPARSE:
                arrays |= {f"{entry.name}.{part}": getattr(value, part) for part in PARTS}
                arrays[f"{entry.name}.data"] = value.data.astype(np.float16)
            else:
                header[entry.name] = list(value) if isinstance(value, tuple) else value
        return header, arrays

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make a song model of what `to_arrays` gave.

        Raises
        ------
        ValueError
            When the format is another, or parts do not fit together.
        """
        if header.get("format") != FORMAT:
            found = header.get("format")
            raise ValueError(f"a song model of format {found!r}; this program reads format {FORMAT}")
        try:
            values: dict[str, Any] = {name: header[name] for name in header if name != "format"}
            values |= {name: tuple(values[name]) for name in LISTS}
            values |= {entry.name: arrays[entry.name] for entry in fields(cls) if entry.name in arrays}
            shape = len(values["songs"]), len(values["artists"])
            values["made_by"] = _sparse(arrays, "made_by", shape)
            values["beside"] = _sparse(arrays, "beside", shape[::-1])
            model = cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"a song model with parts missing or not known: {error}") from error
        for name in ("directions", "levels", "listeners"):
            if len(getattr(model, name)) != len(model.songs):
                raise ValueError(f"{len(getattr(model, name))} {name} for {len(model.songs)} songs")
        if model.to_audience.shape != (model.n_dims, model.n_dims):
            raise ValueError(f"to_audience of shape {model.to_audience.shape} for {model.n_dims} dimensions")
        return model


def _sparse(arrays: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, int]) -> csr_matrix:
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in PARTS)
    return csr_matrix((data.astype(np.float32), indices, indptr), shape=shape)
