"""Which rows a run of `refrain export` has met."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumers.export.met import Met

PIECES = st.lists(st.lists(st.integers(-20, 20), max_size=12), max_size=30)


@given(PIECES)
def test_a_key_is_met_for_the_first_time_once_whatever_pieces_it_comes_in(pieces: list[list[int]]) -> None:
    met, known = Met(), set[int]()
    for piece in pieces:
        expected = []
        for key in piece:
            expected.append(key not in known)
            known.add(key)
        assert met.add(np.array(piece, dtype=np.int64)).tolist() == expected
    assert met.all().tolist() == sorted(known)


def test_a_key_takes_eight_bytes() -> None:
    met, keys = Met(), np.random.default_rng(0).permutation(100_000)
    for at in range(0, len(keys), 500):
        met.add(keys[at : at + 500])
    assert sum(level.nbytes for level in met._levels) == 8 * len(keys)
