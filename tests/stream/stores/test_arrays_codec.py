"""Bytes that are no archive of arrays, or a part of one, are refused in one way."""

from __future__ import annotations

import numpy as np
import pytest

from stream.stores.arrays_codec import pack_arrays, unpack_arrays

WHOLE = pack_arrays({"name": "naïve"}, {"a": np.arange(50), "b": np.zeros((2, 3), dtype=np.float16)})


def test_what_is_packed_comes_back() -> None:
    header, arrays = unpack_arrays(WHOLE)
    assert header == {"name": "naïve"}
    assert arrays["a"].tolist() == list(range(50))
    assert (arrays["b"].shape, arrays["b"].dtype) == ((2, 3), np.float16)


@pytest.mark.parametrize("packed", [b"", b"PK", b"no archive", WHOLE[:100], WHOLE[:-30], WHOLE[30:]])
def test_what_is_damaged_is_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unpack_arrays(packed)


def test_an_archive_without_a_header_is_a_value_error() -> None:
    packed = WHOLE.replace(b"header", b"headed")
    with pytest.raises(ValueError, match="header"):
        unpack_arrays(packed)


@pytest.mark.parametrize("field", [8, 10])  # whether an entry is encrypted; how it is packed
def test_an_entry_that_seems_to_be_written_otherwise_is_a_value_error(field: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[WHOLE.index(b"PK\x01\x02") + field] |= 0b11
    with pytest.raises(ValueError, match=r"\w"):
        unpack_arrays(bytes(damaged))
