"""Artist vectors learned from the stream: who is played by the same listeners points the same way."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.taste import idf, root_rows, unit_rows

__all__ = ["ArtistVectors", "procrustes"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CHUNK = 65_536
NOISE = 1e-3
SMALLEST = 1e-12
POOR = 1e-7
COUNT_MEMORY = 10
RESCALE_BELOW = 1e-9
SUM_GRAM_EVERY = 128


def procrustes(x: npt.NDArray[np.floating], onto: npt.NDArray[np.floating], weights: Floats) -> Floats:
    """Return the rotation Q (d, d), Q'Q = I, that brings the rows of `x` nearest to those of `onto`.

    Parameters
    ----------
    x, onto
        Shape (A, d): the same artists in two versions.
    weights
        Shape (A,), how much each row counts.

    References
    ----------
    [^1]: Schönemann, P.H., 1966. A generalized solution of the orthogonal Procrustes problem. Psychometrika.

    Examples
    --------
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> procrustes(np.eye(2), np.eye(2) @ turn, np.ones(2)).round(6) + 0.0
    array([[ 0., -1.],
           [ 1.,  0.]])
    """
    left, _, right = np.linalg.svd(
        np.asarray(x, dtype=np.float64).T @ (weights[:, None] * np.asarray(onto, dtype=np.float64))
    )
    rotation: Floats = left @ right
    return rotation


class ArtistVectors:
    """Block power iteration on a stream of listeners.

    R holds a listener a row: the roots of the affinities times the roots of the artists' idf, at unit
    length. The vectors E (A, d) tend to the d leading right singular vectors of R. With every batch R_b

        M <- g M + R_b' (R_b E),   E <- M (M'M)^(-1/2).

    Only rows of M whose artists are in the batch are touched: the decay g is one number aside, and the Gram
    matrix M'M follows from the rows touched. Of all orthonormal bases of M, E is the one nearest to M, so
    that it turns little from batch to batch.

    Parameters
    ----------
    n_dims
        The number of dimensions d.
    memory
        Number of rows after which a batch has lost all but 1/e of its say.
    seed
        Of the noise from which new artists start.

    Attributes
    ----------
    n_rows
        The number of rows that count (faded like everything else).
    counts
        Shape (A,), how many of these hold the artist.

    References
    ----------
    [^1]: Mitliagkas, I., Caramanis, C. and Jain, P., 2013. Memory limited, streaming PCA. NeurIPS.

    Examples
    --------
    Two scenes of two artists each; the vectors of a scene come together.

    >>> rows = csr_matrix([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]] * 20)
    >>> artists = ArtistVectors(n_dims=2, seed=1)
    >>> artists.grow(4)
    >>> for _ in range(5):
    ...     artists.learn_many(rows)
    >>> vectors = artists.vectors()
    >>> (vectors @ vectors.T).round(2) + 0.0
    array([[0.5, 0.5, 0. , 0. ],
           [0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5],
           [0. , 0. , 0.5, 0.5]], dtype=float32)
    """

    def __init__(self, n_dims: int = 64, memory: float = 10_000.0, seed: int = 0) -> None:
        self.n_dims = n_dims
        self.memory = memory
        self.seed = seed
        self.n_rows = 0.0
        self._rng = np.random.default_rng(seed)
        self._size = 0
        self._m: Singles = np.zeros((0, n_dims), dtype=np.float32)
        self._counts: Floats = np.zeros(0)
        self._scale = self._count_scale = 1.0
        self._weight = 0.0
        self._gram: Floats = np.zeros((n_dims, n_dims))
        self._batches = 0

    def __len__(self) -> int:
        return self._size

    @property
    def counts(self) -> Floats:
        return self._counts[: self._size] * self._count_scale

    @property
    def spread(self) -> Floats:
        """Shape (d, d): the mean over listeners of t t', t a listener's taste along the vectors."""
        values, axes = self._eigen()
        spread: Floats = (axes * np.sqrt(values)) @ axes.T * (self._scale / max(self._weight, 1.0))
        return spread

    def grow(self, n_artists: int) -> None:
        """Make room for artists up to number `n_artists`; new ones start from next to nothing."""
        if n_artists <= self._size:
            return
        if n_artists > len(self._m):
            capacity = max(n_artists, 1024, len(self._m) + len(self._m) // 2)
            m = np.zeros((capacity, self.n_dims), dtype=np.float32)
            m[: self._size] = self._m[: self._size]
            self._m = m
            self._counts = np.concatenate([self._counts, np.zeros(capacity - len(self._counts))])
        new = self._rng.normal(0.0, NOISE, (n_artists - self._size, self.n_dims)) / self._scale
        self._m[self._size : n_artists] = new
        self._gram += new.T @ new
        self._size = n_artists

    def keep(self, artists: npt.NDArray[np.int64]) -> None:
        """Forget all artists but these, which are renumbered in the order given."""
        self._m = self._m[artists]
        self._counts = self._counts[artists]
        self._size = len(artists)
        self._sum_gram()

    def learn_many(self, rows: csr_matrix, count: bool = True) -> None:
        """Learn from n listeners.

        Parameters
        ----------
        rows
            Shape (n, A), stored affinities in any common scale for a row; A at most `len(self)`.
        count
            Whether the rows are news; rows that are gone through again refine the vectors uncounted.
        """
        rows = root_rows(rows)
        n = rows.shape[0]
        used, local = np.unique(rows.indices, return_inverse=True)
        if not len(used):
            return
        if count:
            self._count(used, local, rows.data, n)
        batch = unit_rows(
            csr_matrix((rows.data * self.weights(used)[local], local, rows.indptr), shape=(n, len(used)))
        )
        batch = batch.astype(np.float32)
        self._fade(n)
        values, axes = self._eigen()
        old = self._m[used]
        gain = batch.T @ (batch @ (old @ self._basis(values, axes)))
        if values[0] < values[-1] * POOR:
            # Fewer listeners than dimensions so far: what has no direction yet stays open for those to come.
            gain += self._rng.normal(0.0, NOISE, gain.shape) * np.abs(gain).max()
        new = old + (gain / self._scale).astype(np.float32)
        self._m[used] = new
        self._gram += _gram(new) - _gram(old)
        self._weight += n
        self._batches += 1
        if self._batches % SUM_GRAM_EVERY == 0:
            self._sum_gram()

    def vectors(self, artists: npt.NDArray[np.int64] | None = None) -> Singles:
        """Return the vectors of some artists, or of all, shape (A, d), whose columns are orthonormal."""
        rows = self._m[: self._size] if artists is None else self._m[artists]
        vectors: Singles = rows @ self._basis(*self._eigen())
        return vectors

    def factors(self, artists: npt.NDArray[np.int64]) -> Floats:
        """Return what the roots of affinities for some artists are multiplied by in a taste, shape (A, d)."""
        return self.vectors(artists).astype(np.float64) * self.weights(artists)[:, None]

    def weights(self, artists: npt.NDArray[np.int64]) -> Floats:
        """Return the roots of idf of some artists, shape (n,)."""
        return np.sqrt(idf(self._counts[artists] * self._count_scale, self.n_rows))

    def turn(self, rotation: Floats) -> None:
        """Rotate the basis: vectors become ``vectors @ rotation``."""
        for start in range(0, self._size, CHUNK):
            part = slice(start, min(start + CHUNK, self._size))
            self._m[part] = self._m[part] @ rotation.astype(np.float32)
        self._gram = rotation.T @ self._gram @ rotation

    @classmethod
    def resume(
        cls,
        vectors: npt.NDArray[np.floating],
        spread: Floats,
        counts: Floats,
        n_rows: float,
        memory: float = 10_000.0,
        seed: int = 0,
    ) -> Self:
        """Go on from vectors (A, d), their spread (d, d) and the counts that were published."""
        self = cls(vectors.shape[1], memory, seed)
        self._size = len(vectors)
        self._weight = self.n_rows = min(n_rows, memory)
        self._m = np.asarray(vectors, dtype=np.float32) @ (spread * self._weight).astype(np.float32)
        self._counts = np.asarray(counts, dtype=np.float64) * (self.n_rows / max(n_rows, 1.0))
        self._sum_gram()
        return self

    def _count(self, used: npt.NDArray[np.int64], local: npt.NDArray[np.int64], data: Floats, n: int) -> None:
        fade = float(np.exp(-n / (COUNT_MEMORY * self.memory)))
        self._count_scale *= fade
        self.n_rows = self.n_rows * fade + n
        self._counts[used] += np.bincount(local, weights=data > 0, minlength=len(used)) / self._count_scale
        if self._count_scale < RESCALE_BELOW:
            self._counts *= self._count_scale
            self._count_scale = 1.0

    def _fade(self, n: int) -> None:
        fade = float(np.exp(-n / self.memory))
        self._scale *= fade
        self._weight *= fade
        if self._scale < RESCALE_BELOW:
            self._m *= np.float32(self._scale)
            self._gram *= self._scale**2
            self._scale = 1.0

    def _basis(self, values: Floats, axes: Floats) -> Singles:
        basis: Singles = ((axes / np.sqrt(values)) @ axes.T).astype(np.float32)
        return basis

    def _eigen(self) -> tuple[Floats, Floats]:
        values, axes = np.linalg.eigh((self._gram + self._gram.T) / 2)
        return np.maximum(values, max(values[-1] * SMALLEST, np.finfo(np.float32).tiny)), axes

    def _sum_gram(self) -> None:
        self._gram = np.zeros((self.n_dims, self.n_dims))
        for start in range(0, self._size, CHUNK):
            self._gram += _gram(self._m[start : min(start + CHUNK, self._size)])


def _gram(rows: Singles) -> Floats:
    # In double precision: it is taken apart again, and its smallest eigenvalues are asked for.
    doubles = rows.astype(np.float64)
    gram: Floats = doubles.T @ doubles
    return gram
