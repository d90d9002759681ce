"""How a taste is held in ``user:{ID}:taste``: the model that made it, an exponent, two vectors.

The sums of `models.taste` are in the stored scale, which grows by a power of two every half-life and would
leave single precision within years; the exponent takes that up. Behind the taste stands what the listener
played lately (`models.short_term`), which has no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["head", "lately", "length", "pack", "size", "sums", "unpack", "version"]

Floats = npt.NDArray[np.float64]

FORMAT = 2


@cache
def _layout(dims: int) -> np.dtype[np.void]:
    return np.dtype(
        [("format", "<u2"), ("dims", "<u2"), ("version", "<u4"), ("exponent", "<i4"), ("vector", "<f4", dims)]
    )


def head(version: int, dims: int) -> bytes:
    """Return the bytes that every taste of this model starts with."""
    return np.array([(FORMAT, dims, version)], dtype="<u2,<u2,<u4").tobytes()


@cache
def size(dims: int) -> int:
    """Return how many bytes a taste has, without what was played lately."""
    return _layout(dims).itemsize


def length(dims: int) -> int:
    """Return how many bytes are held."""
    return size(dims) + 4 * dims


def version(taste: bytes) -> int:
    """Return the version of the model that made a taste."""
    return int.from_bytes(taste[4:8], "little")


def pack(tastes: Floats, lately: Floats, version: int) -> list[bytes]:
    """Pack the rows of a matrix (n, d) of raw sums, and of what was played lately (n, d).

    Examples
    --------
    >>> raw, last = np.array([[3.0, -4.0], [0.0, 2.0**600]]), np.array([[0.5, 0.0], [0.0, 0.0]])
    >>> packed = pack(raw, last, version=7)
    >>> bool((unpack(packed, dims=2) == raw).all()), lately(packed, dims=2).tolist()
    (True, [[0.5, 0.0], [0.0, 0.0]])
    """
    rows, dims = tastes.shape
    packed = np.zeros(rows, dtype=_layout(dims))
    _, exponents = np.frexp(np.abs(tastes).max(axis=1, initial=0.0))
    packed["format"], packed["dims"], packed["version"] = FORMAT, dims, version
    packed["exponent"] = exponents
    packed["vector"] = np.ldexp(tastes, -exponents[:, None])
    last = lately.astype("<f4")
    return [row.tobytes() + behind.tobytes() for row, behind in zip(packed, last, strict=True)]


def unpack(packed: Sequence[bytes], dims: int) -> Floats:
    """Return the matrix (n, d) of raw sums; every taste must have `dims` dimensions."""
    first = size(dims)
    return sums(b"".join(taste[:first] for taste in packed), dims)


def sums(joined: bytes, dims: int) -> Floats:
    """Return the matrix (n, d) of raw sums of tastes one after the other, without what was played lately."""
    rows = np.frombuffer(joined, dtype=_layout(dims))
    raw: Floats = rows["vector"].astype(np.float64)
    raw *= np.ldexp(1.0, rows["exponent"])[:, None]
    return raw


def lately(packed: Sequence[bytes], dims: int) -> Floats:
    """Return what was played lately (n, d), whichever models made the tastes; all of these dimensions."""
    rows = np.frombuffer(b"".join(packed), dtype="<f4").reshape(len(packed), length(dims) // 4)
    last: Floats = rows[:, -dims:].astype(np.float64)
    return last
