"""Times as files have them, read as Unix seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from functools import lru_cache
from operator import attrgetter
from zoneinfo import ZoneInfo

from stream.errors import WrongUse

__all__ = [
    "MILLISECONDS_FROM",
    "PATTERNS",
    "iso_times_reader",
    "seconds_of",
    "span",
    "time_reader",
    "utc_text",
    "zone",
    "zoned_time_reader",
]

MILLISECONDS_FROM = 1e11
"""A number from here on is milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""

_PARTS = (1e17, 1e9), (1e14, 1e6), (MILLISECONDS_FROM, 1e3)
"""A number from the first on has so many parts to the second: nanoseconds, microseconds, milliseconds. Each
begins in 1973."""

_DAYS = 19_000_000, 21_000_000
"""Whole numbers from the one to the other are days, ``yyyymmdd``: as seconds they would be in August 1970."""

_YEARS = 1900, 2100
"""Whole numbers from the one to the other are years: as seconds they would be the first hour of 1970."""

PATTERNS = (
    *("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y"),
    *("%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S"),
    *("%Y/%m/%d %H:%M", "%Y/%m/%d", "%d %b %Y %H:%M:%S", "%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%d %b %Y"),
    *("%d %B %Y %H:%M", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y %I:%M %p", "%b %d, %Y", "%B %d, %Y"),
    *("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z", "%d-%b-%Y %H:%M:%S"),
    *("%Y%m%d%H%M%S", "%Y%m%d_%H%M%S", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y"),
)
"""How times that are not ISO 8601 are often written: tried, to say which ``--time-format`` would read one."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_ZULU = re.compile(r"(.*\d)\s*(?:UTC|GMT|Z)", re.IGNORECASE)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?([0-5]\d))?")
_BEFORE_OFFSET = re.compile(r"(?<=\d)\s+(?=[+-]\d\d:?\d\d$)")
_MONTH = re.compile(r"\d{4}(-\d\d)?")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def zone(name: str) -> tzinfo:
    """Return a time zone by its name, or by how far it is from UTC.

    Raises
    ------
    WrongUse
        Where there is none of that name.

    Examples
    --------
    >>> str(zone("+05:30")), str(zone("UTC-5")), str(zone("Europe/Berlin"))
    ('UTC+05:30', 'UTC-05:00', 'Europe/Berlin')
    """
    try:
        if offset := _OFFSET.fullmatch(name):
            sign, hours, minutes = offset.groups()
            ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return fixed_zone(ahead if sign == "+" else -ahead)
        return UTC if name in ("UTC", "Z") else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise WrongUse(f"no time zone {name!r}; use a name like Europe/Berlin, or +05:30") from error


def time_reader(pattern: str, timezone: tzinfo) -> Callable[[object], float]:
    """Return what reads a column's times.

    Parameters
    ----------
    pattern
        ``seconds``, ``milliseconds``, ``iso``; ``auto`` (a number of eight digits that begin with 19 or 20
        is a day, ``20180801``, one of four a year; any other is seconds, or milliseconds from
        `MILLISECONDS_FROM` on, microseconds from 1e14, nanoseconds from 1e17; else ISO 8601,
        or that with ``UTC`` behind it); or a pattern of ``strptime``, as ``%d/%m/%Y %H:%M``. Blanks around a
        time do not matter.
    timezone
        Of times that name none.

    Returns
    -------
    A function that raises ValueError for what is no such time.

    Examples
    --------
    >>> read = time_reader("auto", UTC)
    >>> read("1541106106796") == read(1541106106.796) == read("2018-11-01T21:01:46.796")
    True
    >>> read("2018-11-01 21:01:46.796 UTC") == read("1541106106796000") == read("1541106106796")
    True
    >>> read("20181101") == read(20181101) == read("2018-11-01")
    True
    >>> time_reader("%d/%m/%Y %H:%M", ZoneInfo("Europe/Berlin"))("01/01/2020 01:00")
    1577836800.0
    """
    if pattern == "seconds":
        return _number
    if pattern == "milliseconds":
        return lambda value: _number(value) / 1000
    if pattern == "iso":
        return lambda value: _iso(value, timezone)
    if pattern == "auto":
        return lambda value: _auto(value, timezone)
    if "%" not in pattern:
        raise WrongUse(
            f"no time format {pattern!r}: use auto, seconds, milliseconds, iso, or a pattern as "
            "'%d/%m/%Y %H:%M'"
        )
    return lambda value: _zoned(datetime.strptime(_text(value), pattern.strip()), timezone)


def iso_times_reader(timezone: tzinfo) -> Callable[[Sequence[str]], list[float]]:
    """Return what reads many times by ISO 8601 at once: as `time_reader` reads each, where they are of today.

    Parameters
    ----------
    timezone
        Of times that name none.

    Returns
    -------
    A function that raises ValueError or OverflowError where it cannot read all of them.

    Examples
    --------
    >>> iso_times_reader(UTC)(["2020-01-01T01:00:00+01:00", "2020-01-01"])
    [1577836800.0, 1577836800.0]
    """

    def read(texts: Sequence[str]) -> list[float]:
        moments = list(map(datetime.fromisoformat, texts))
        if all(map(attrgetter("tzinfo"), moments)):
            return list(map(datetime.timestamp, moments))
        return [_zoned(moment, timezone) for moment in moments]

    return read


def zoned_time_reader(pattern: str) -> Callable[[object, str], float]:
    """Return what reads times that stand beside the name of their time zone.

    Parameters
    ----------
    pattern
        As of `time_reader`.

    Returns
    -------
    A function that raises ValueError for what is no such time, or no time zone.

    Examples
    --------
    >>> read = zoned_time_reader("auto")
    >>> read("2020-01-01 01:00", "Europe/Berlin") == read("2020-01-01 05:30", "+05:30")
    True
    """

    @lru_cache(maxsize=1024)
    def reader(name: str) -> Callable[[object], float]:
        try:
            return time_reader(pattern, zone(name))
        except WrongUse as error:
            raise ValueError(str(error)) from error

    return lambda value, name: reader(name)(value)


def utc_text(seconds: float) -> str:
    """Return a moment for people.

    Examples
    --------
    >>> utc_text(1577836800.0)
    '2020-01-01 00:00:00 UTC'
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} seconds after 1970"


def seconds_of(text: str, now: float, timezone: tzinfo) -> float:
    """Return a moment that a person typed: a time, ``now``, or how long ago, as ``30d``.

    Raises
    ------
    WrongUse
        Where it is none.

    Examples
    --------
    >>> seconds_of("2h", now=7200.0, timezone=UTC)
    0.0
    """
    if text == "now":
        return now
    if length := _LENGTH.fullmatch(text):
        return now - float(length[1]) * _UNITS[length[2]]
    try:
        return _auto(text, timezone)
    except ValueError as error:
        raise WrongUse(
            f"{text!r} is no time: use ISO 8601 (2024-05-01 or 2024-05-01T12:00+02:00), Unix seconds, now, "
            "or how long ago (90s, 45m, 12h, 30d, 4w)"
        ) from error


def span(text: str, now: float, timezone: tzinfo) -> tuple[float, float]:
    """Return the two ends of ``30d`` (that long, up to now) or ``FROM..TO``.

    Raises
    ------
    WrongUse
        Where it is none, or runs backwards.

    Examples
    --------
    >>> span("1d", now=86400.0, timezone=UTC)
    (0.0, 86400.0)
    >>> span("1970-01-02..1970-01-03", now=0.0, timezone=UTC)
    (86400.0, 172800.0)
    """
    first, _, last = text.partition("..")
    begin, end = seconds_of(first, now, timezone), seconds_of(last or "now", now, timezone)
    if begin >= end:
        raise WrongUse(f"the span {text!r} ends before it begins")
    return begin, end


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError(f"{value!r} is no text")


def _number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{value!r} is no number")


def _auto(value: object, timezone: tzinfo) -> float:
    if isinstance(value, str) and value[4:5] == "-" and value[:4].isdecimal():  # most that are no numbers
        return _iso(value, timezone)
    try:
        number = _number(value)
    except ValueError:
        return _iso(value, timezone)
    if _DAYS[1] <= number < MILLISECONDS_FROM:  # most are
        return number
    for least, parts in _PARTS:
        if abs(number) >= least:
            return number / parts
    if any(first <= number < end for first, end in (_DAYS, _YEARS)) and number.is_integer():
        return _iso(f"{number:.0f}", timezone)
    return number


def _iso(value: object, timezone: tzinfo) -> float:
    text = _text(value)
    try:
        return _zoned(datetime.fromisoformat(text), timezone)
    except ValueError:  # or in one of the ways that are near it
        pass
    if universal := _ZULU.fullmatch(text):
        text = f"{universal[1]}Z"
    elif month := _MONTH.fullmatch(text):
        text += "-01" if month[1] else "-01-01"
    else:
        text = _BEFORE_OFFSET.sub("", text)
    return _zoned(datetime.fromisoformat(text), timezone)


def _zoned(moment: datetime, timezone: tzinfo) -> float:
    if not moment.tzinfo:  # replace() takes three times as long
        moment = datetime.combine(moment.date(), moment.time(), timezone)
    return moment.timestamp()
