from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import WrongUse
from stream.files.times import seconds_of, span, time_reader, zone

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2024, 7, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("auto", NOON),
        ("auto", int(NOON)),
        ("auto", str(NOON)),
        ("auto", NOON * 1000),
        ("auto", f"{NOON * 1000:.0f}"),
        ("auto", "2024-07-01T12:00:00Z"),
        ("auto", "2024-07-01 14:00:00+02:00"),
        ("auto", "2024-07-01 14:00"),
        ("seconds", NOON),
        ("milliseconds", NOON * 1000),
        ("iso", "2024-07-01T14:00:00"),
        ("%d/%m/%Y %H:%M", "01/07/2024 14:00"),
        ("%d/%m/%Y %H:%M %z", "01/07/2024 12:00 +0000"),
    ],
)
def test_a_time_is_read(pattern: str, value: object) -> None:
    assert time_reader(pattern, BERLIN)(value) == NOON


@pytest.mark.parametrize("pattern", ["auto", "seconds", "milliseconds", "iso", "%Y"])
@pytest.mark.parametrize("value", ["", "soon", None, True, [], {}, "32/13/2024"])
def test_what_is_no_time_is_refused(pattern: str, value: object) -> None:
    with pytest.raises(ValueError):
        time_reader(pattern, UTC)(value)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))
def test_one_moment_is_the_same_in_every_writing(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    read = time_reader("auto", UTC)
    seconds = moment.timestamp()
    assert read(seconds) == read(seconds * 1000) == read(moment.isoformat()) == seconds


def test_an_unknown_format_or_zone_is_named() -> None:
    with pytest.raises(WrongUse, match="no time format 'unix'"):
        time_reader("unix", UTC)
    with pytest.raises(WrongUse, match="no time zone 'Europe/Atlantis'"):
        zone("Europe/Atlantis")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON),
        ("90s", NOON - 90),
        ("1.5h", NOON - 5400),
        ("30d", NOON - timedelta(days=30).total_seconds()),
        ("2w", NOON - timedelta(weeks=2).total_seconds()),
        ("2024-07-01", NOON - 12 * 3600),
        ("1719835200", NOON),
    ],
)
def test_a_moment_can_be_typed(text: str, expected: float) -> None:
    assert seconds_of(text, NOON, UTC) == expected


def test_what_is_no_moment_is_told_what_is() -> None:
    with pytest.raises(WrongUse, match="'tomorrow' is no time: use ISO 8601"):
        seconds_of("tomorrow", NOON, UTC)


def test_a_span_has_two_ends() -> None:
    assert span("1d", NOON, UTC) == (NOON - 86_400, NOON)
    assert span("2024-07-01T10:00..now", NOON, UTC) == (NOON - 7200, NOON)
    with pytest.raises(WrongUse, match="ends before it begins"):
        span("2025-01-01..2024-01-01", NOON, UTC)
