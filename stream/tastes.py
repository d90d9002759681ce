"""How a taste is held in ``user:{ID}:taste``: the model that made it, an exponent, the vector.

The sums of `models.taste` are in the stored scale, which grows by a power of two every half-life and would
leave single precision within years; the exponent takes that up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["head", "pack", "size", "unpack", "version"]

FORMAT = 1


def _layout(dims: int) -> np.dtype[np.void]:
    return np.dtype(
        [("format", "<u2"), ("dims", "<u2"), ("version", "<u4"), ("exponent", "<i4"), ("vector", "<f4", dims)]
    )


def head(version: int, dims: int) -> bytes:
    """Return the bytes that every taste of this model starts with."""
    return np.array([(FORMAT, dims, version)], dtype="<u2,<u2,<u4").tobytes()


def size(dims: int) -> int:
    """Return how many bytes a taste has."""
    return _layout(dims).itemsize


def version(taste: bytes) -> int:
    """Return the version of the model that made a taste."""
    return int.from_bytes(taste[4:8], "little")


def pack(tastes: npt.NDArray[np.float64], version: int) -> list[bytes]:
    """Pack the rows of a matrix (n, d) of raw sums.

    Examples
    --------
    >>> raw = np.array([[3.0, -4.0], [0.0, 2.0**600]])
    >>> bool((unpack(pack(raw, version=7), dims=2) == raw).all())
    True
    """
    rows, dims = tastes.shape
    packed = np.zeros(rows, dtype=_layout(dims))
    _, exponents = np.frexp(np.abs(tastes).max(axis=1, initial=0.0))
    packed["format"], packed["dims"], packed["version"] = FORMAT, dims, version
    packed["exponent"] = exponents
    packed["vector"] = np.ldexp(tastes, -exponents[:, None])
    return [row.tobytes() for row in packed]


def unpack(packed: Sequence[bytes], dims: int) -> npt.NDArray[np.float64]:
    """Return the matrix (n, d) of raw sums; every taste must have `dims` dimensions."""
    rows = np.frombuffer(b"".join(packed), dtype=_layout(dims))
    raw: npt.NDArray[np.float64] = rows["vector"].astype(np.float64)
    raw *= np.ldexp(1.0, rows["exponent"])[:, None]
    return raw
