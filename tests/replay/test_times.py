from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import WrongUse
from stream.files.name_time import time_in_name
from stream.files.times import seconds_of, span, time_reader, zone, zoned_time_reader

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
        ("auto", NOON * 1e6),
        ("auto", f"{NOON * 1e6:.0f}"),
        ("auto", int(NOON) * 10**9),
        ("auto", f" {NOON * 1e9:.0f} "),
        ("auto", "2024-07-01T12:00:00Z"),
        ("auto", "2024-07-01 12:00:00 UTC"),
        ("auto", "2024-07-01 12:00:00.000000 utc"),
        ("auto", "2024-07-01T12:00:00 GMT"),
        ("auto", " 2024-07-01 14:00\t"),
        ("auto", "2024-07-01 14:00:00+02:00"),
        ("auto", "2024-07-01 12:00:00 +0000"),
        ("auto", "2024-07-01 14:00:00.0 +02:00"),
        ("auto", "2024-07-01 14:00"),
        ("seconds", NOON),
        ("milliseconds", NOON * 1000),
        ("iso", "2024-07-01T14:00:00"),
        ("%d/%m/%Y %H:%M", "01/07/2024 14:00"),
        ("%d/%m/%Y %H:%M", " 01/07/2024 14:00 "),
        (" %d/%m/%Y %H:%M ", "01/07/2024 14:00"),
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


@pytest.mark.parametrize("digits", range(1, 13))
@pytest.mark.parametrize("zoned", ["", "Z", " UTC", "+00:00"])
def test_a_fraction_may_have_any_length(digits: int, zoned: str) -> None:
    read = time_reader("auto", UTC)(f"2024-07-01T12:00:00.{'3' * digits}{zoned}")
    assert read == pytest.approx(NOON + float(f"0.{'3' * min(digits, 6)}"), abs=1e-6)


@pytest.mark.parametrize("value", ["20240701", 20240701, 20240701.0, "20240701.0", " 20240701 "])
def test_eight_digits_that_begin_with_19_or_20_are_a_day(value: object) -> None:
    assert time_reader("auto", BERLIN)(value) == datetime(2024, 7, 1, tzinfo=BERLIN).timestamp()
    assert seconds_of("20240701", NOON, UTC) == NOON - 12 * 3600


@pytest.mark.parametrize("value", ["20240732", "20999999", "19000000"])
def test_eight_digits_of_no_day_are_refused_and_no_seconds(value: str) -> None:
    with pytest.raises(ValueError, match=r"month|day"):
        time_reader("auto", UTC)(value)


@pytest.mark.parametrize("seconds", [18_999_999, 21_000_000, 20_240_701.5, 2_024_070, 202_407_010])
def test_other_numbers_are_seconds(seconds: float) -> None:
    assert time_reader("auto", UTC)(str(seconds)) == seconds
    assert time_reader("seconds", UTC)(20240701) == 20_240_701.0


@pytest.mark.parametrize("value", ["2024", 2024, "2024.0", "2024-01", "2024-01-01", " 20240101 "])
def test_a_year_or_a_month_is_its_first_day_and_no_moment_of_1970(value: object) -> None:
    assert time_reader("auto", UTC)(value) == datetime(2024, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "pattern", "moment"),
    [
        ("20240701_play.log", "%Y%m%d_play.log", "2024-07-01"),
        ("20240701_play.log.gz", "%Y%m%d_play.log", "2024-07-01"),
        ("20240701_play.log.fn", "%Y%m%d_play.log", "2024-07-01"),
        ("clicks-2024-07-01T13.csv", "clicks-%Y-%m-%dT%H.csv", "2024-07-01T13:00"),
        ("01Jul24.tsv", "%d%b%y.tsv", "2024-07-01"),
        ("part-7-20240701.csv", "part-*-%Y%m%d.csv", "2024-07-01"),
        ("day=2024-07-01/part-0.csv", "day=%Y-%m-%d/*", "2024-07-01"),
        ("2024/07/01/part-0.csv", "%Y/%m/%d/*.csv", "2024-07-01"),
        ("100%20240701", "100%%%Y%m%d", "2024-07-01"),
    ],
)
def test_the_time_may_be_in_the_name_of_the_file(name: str, pattern: str, moment: str) -> None:
    found = time_in_name(Path("logs") / name, pattern, BERLIN)
    assert found == datetime.fromisoformat(moment).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("%Y-%m-%d.log", "is not named so"),
        ("%d%m%Y_play.log", "has no such time"),
        ("play.log", "has no time in it"),
        ("%Q_play.log", "%Q is not known"),
    ],
)
def test_a_name_that_has_no_such_time_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        time_in_name(Path("20240731_play.log"), pattern, UTC)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2024-07-01 14:00", "Europe/Berlin"),
        ("2024-07-01 14:00", "+02:00"),
        ("2024-07-01 14:00", "+2"),
        ("2024-07-01 17:30", "UTC+5:30"),
        ("2024-07-01 05:00", "-0700"),
        ("2024-07-01 12:00", "UTC"),
        ("2024-07-01 12:00", "Z"),
        (str(NOON), "Europe/Berlin"),
        ("2024-07-01 12:00Z", "Europe/Berlin"),
    ],
)
def test_a_time_may_stand_beside_its_zone(text: str, name: str) -> None:
    assert zoned_time_reader("auto")(text, name) == NOON


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "../passwd", "+99", "\0", "x" * 5000])
def test_a_zone_that_is_none_makes_the_time_unreadable(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zoned_time_reader("auto")("2024-07-01 14:00", name)


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
