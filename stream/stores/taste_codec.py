"""How a taste is held in ``user:{ID}:taste``: the model that made it, an exponent, two vectors.

The sums of `models.taste` are in the stored scale, which grows by a power of two every half-life and would
leave any float's range within years; the exponent takes that up. Behind the taste stands the short-term one
(`models.short_term`), which has no scale. Both are in half precision: who writes a taste sums it from
affinities, so roundings do not add up, and a cosine is right to 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["length", "pack", "short_term", "size", "sums", "unpack", "version"]

Floats = npt.NDArray[np.float64]

FORMAT = 3
OLDER_FORMAT = 2
HEAD = 12


@cache
def _layout(dims: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("format", "<u2"),
            ("dims", "<u2"),
            ("version", "<u4"),
            ("exponent", "<i4"),
            ("taste", "<f2", dims),
            ("short_term", "<f2", dims),
        ]
    )


@cache
def size(dims: int) -> int:
    """Return how many bytes the head and the taste take, without the short-term one."""
    return HEAD + 2 * dims


def length(dims: int) -> int:
    """Return how many bytes are held."""
    return HEAD + 4 * dims


def version(packed: bytes) -> int:
    """Return the version of the model that made a taste; 0 where it is none, or of another format."""
    if len(packed) < HEAD or int.from_bytes(packed[:2], "little") != FORMAT:
        return 0
    return int.from_bytes(packed[4:8], "little")


def pack(
    tastes: npt.NDArray[np.floating],
    exponents: npt.NDArray[np.integer],
    short: npt.NDArray[np.floating],
    version: int,
) -> list[bytes]:
    """Pack tastes (n, d), which are ``tastes * 2 ** exponents``, and short-term tastes (n, d).

    Parameters
    ----------
    tastes
        Shape (n, d), the largest of each row between 0.5 and 1.

    Examples
    --------
    >>> held = np.array([[0.75, -1.0], [0.0, 0.5]])
    >>> packed = pack(held, np.array([2, 601]), np.array([[0.5, 0.0], [0.0, 0.0]]), version=7)
    >>> bool((unpack(packed, dims=2) == [[3.0, -4.0], [0.0, 2.0**600]]).all())
    True
    >>> short_term(packed[0]).tolist(), version(packed[0])
    ([0.5, 0.0], 7)
    """
    rows, dims = tastes.shape
    packed = np.empty(rows, dtype=_layout(dims))
    packed["format"], packed["dims"], packed["version"] = FORMAT, dims, version
    packed["exponent"], packed["taste"], packed["short_term"] = exponents, tastes, short
    joined, step = packed.tobytes(), length(dims)
    return [joined[at : at + step] for at in range(0, rows * step, step)]


def unpack(packed: Sequence[bytes], dims: int) -> Floats:
    """Return the matrix (n, d) of raw sums; every taste must have `dims` dimensions."""
    first = size(dims)
    return sums(b"".join(taste[:first] for taste in packed), dims)


def sums(joined: bytes, dims: int) -> Floats:
    """Return the matrix (n, d) of raw sums of tastes one after the other, without the short-term ones."""
    rows = np.frombuffer(joined, dtype=np.dtype(_layout(dims).descr[:-1]))
    raw: Floats = rows["taste"].astype(np.float64)
    raw *= np.ldexp(1.0, rows["exponent"])[:, None]
    return raw


def short_term(packed: bytes) -> Floats | None:
    """Return the short-term taste (d,), whichever model made it; None where there is none."""
    if len(packed) < HEAD:
        return None
    form, dims = np.frombuffer(packed, dtype="<u2", count=2).tolist()
    # An earlier version wrote single precision.
    kind = {FORMAT: "<f2", OLDER_FORMAT: "<f4"}.get(form)
    if kind is None:
        return None
    last: Floats = np.frombuffer(packed, dtype=kind)[-dims:].astype(np.float64)
    return last
