"""How long to rest after a piece of work, so that all of it takes a share of a core."""

from __future__ import annotations

import pytest

from consumers.runtime.rests import LONGEST_REST, Rests


def test_all_of_the_work_takes_its_share_of_the_time() -> None:
    rests, rested = Rests(0.1), 0.0
    for number in [200, 200, 3] * 30:
        rested += rests.after(number / 1000, number)
    worked = 30 * 0.403
    assert worked / (worked + rested) == pytest.approx(0.1)


def test_for_how_long_a_piece_waited_is_not_rested() -> None:
    rests = Rests(0.1)
    rests.after(0.01, number=200)
    assert rests.after(3600.0, number=200) == pytest.approx(0.09)


def test_after_a_first_piece_that_waited_for_long_the_rest_is_short() -> None:
    assert Rests(0.1).after(3600.0, number=200) == LONGEST_REST


def test_where_pieces_differ_by_themselves_each_is_rested_for_alone() -> None:
    rests = Rests(0.5, remembered=1)
    assert [rests.after(took, number=200) for took in (0.1, 2.0, 3600.0)] == [0.1, 2.0, LONGEST_REST]


def test_after_nobody_there_is_no_rest() -> None:
    assert Rests(0.1).after(5.0, number=0) == 0.0
