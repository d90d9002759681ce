"""When listeners are not to be disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from models.quiet_hours import QuietHours

DAY = 86_400.0
NOON = 1000 * DAY + DAY / 2  # in Greenwich


def until(written: str, now: float, *utc_offset_min: float) -> list[float]:
    found = QuietHours.parse(written).until(now, np.array(utc_offset_min))
    return [at - now if at else 0.0 for at in found.tolist()]


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("22-8", (1320, 480)), ("22:30 - 07:05", (1350, 425)), ("0-6", (0, 360)), ("18-24", (1080, 0))],
)
def test_hours_are_read_as_people_write_them(written: str, minutes: tuple[int, int]) -> None:
    found = QuietHours.parse(written)
    assert (found.begin, found.end) == minutes


@pytest.mark.parametrize(
    "written", ["", "22", "22-", "8-8", "0-24", "25-6", "24:30-6", "22:60-6", "-1-6", "a-b", "1-2-3"]
)
def test_what_is_no_part_of_a_day_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="write it like 22-7"):
        QuietHours.parse(written)


def test_quiet_hours_are_those_of_each_listeners_own_clock() -> None:
    assert until("22-8", NOON, 0, -300, -240, 720, 599, 600) == [0.0, 3600.0, 0.0, 8 * 3600.0, 0.0, 36_000.0]


def test_they_begin_with_their_first_minute_and_are_over_with_their_last() -> None:
    assert until("12-13", NOON - 1, 0) == [0.0]
    assert until("12-13", NOON, 0) == [3600.0]
    assert until("12-13", NOON + 3599, 0) == [pytest.approx(1.0)]
    assert until("12-13", NOON + 3600, 0) == [0.0]


def test_whose_clock_is_not_known_may_be_disturbed() -> None:
    assert until("0-23", NOON, np.nan) == [0.0]
