"""How a model is held as bytes: a NumPy ``.npz`` archive, whose entry ``header`` is JSON.

Each array goes with its dtype and shape. Models are made of a header and arrays, and give both (`to_arrays`).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["pack_arrays", "unpack_arrays"]

Arrays = dict[str, npt.NDArray[Any]]

HEADER = "header"


def pack_arrays(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return a header that JSON can hold, and arrays, none of which is called "header", as bytes.

    Examples
    --------
    >>> unpack_arrays(pack_arrays({"version": 1}, {"centres": np.zeros(2)}))
    ({'version': 1}, {'centres': array([0., 0.])})
    """
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(dict(header), ensure_ascii=False).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **{HEADER: text}, **arrays)
    return buffer.getvalue()


def unpack_arrays(packed: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays.

    Raises
    ------
    ValueError
        Where the bytes are no such archive, or only a part of one.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            arrays: Arrays = {name: archive[name] for name in archive.files}
        return json.loads(arrays.pop(HEADER).tobytes()), arrays
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        # A RuntimeError where a damaged entry seems to be encrypted, or packed in a way that is not known.
        raise ValueError(str(error) or type(error).__name__) from error
