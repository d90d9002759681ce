"""Listeners whose history is already summed up: a JSON object of them, read as rows of clicks or labels.

One entry is ``id: {"titles": "T:SECONDS,...", "genres": ..., "cities": ..., "tod": ..., "dow": ...,
"segment": "pos"}``: how long each title was watched or heard, and how these seconds spread over genres,
cities, hours of the day (0 to 23) and weekdays (1 Monday to 7 Sunday; 0 is Sunday, too).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from stream.errors import BadFile
from stream.files.json_values import JsonValues
from stream.files.options import Layout
from stream.files.sources import SIDE
from stream.files.tables import Bad, Row, Table
from stream.wire.dead_letter import Reason

__all__ = ["SEGMENT", "SPREADS", "ProfileTable", "clicks_of", "copies", "seconds_by_name"]

SEGMENT = "profile"
"""What the segment of the labels is called, where nothing else is said (``--set segment=NAME``)."""

SPREADS = ("genres", "cities", "tod", "dow")
"""The fields, beside the titles, that spread the same seconds over something."""

LABELS = {"pos": 1, "neg": 0}
PART = re.compile(r"(.*?):(\d+(?:\.\d+)?)(?:,|$)", re.DOTALL)
HOURS, DAYS = 24, 7


def seconds_by_name(text: str) -> dict[str, float]:
    """Read ``name:seconds,name:seconds``; names may have commas and colons.

    A number of seconds is what stands between a colon and a comma or the end. A name that looks so inside
    ("Area:51,Two") cannot be told from two.

    Raises
    ------
    ValueError
        Where it ends without seconds.

    Examples
    --------
    >>> seconds_by_name("India vs England, 3rd Test:5444,24: Live:454")
    {'India vs England, 3rd Test': 5444.0, '24: Live': 454.0}
    """
    found: dict[str, float] = {}
    end = 0
    for part in PART.finditer(text):
        if part.start() != end:
            break
        name, end = part[1].strip(), part.end()
        found[name] = found.get(name, 0.0) + float(part[2])
    if end != len(text):
        raise ValueError(f"{text[end : end + 80]!r} is not name:seconds")
    return found


def copies(seconds: float) -> int:
    """Return how many clicks so many seconds of one title become: ceil(log2(1 + minutes)), at least one.

    Time spent is heavy-tailed: in proportion, a series seen for 100 hours would drown all else.

    Examples
    --------
    >>> [copies(seconds) for seconds in (0, 23, 180, 3600, 360_000)]
    [0, 1, 2, 6, 13]
    """
    return max(1, math.ceil(math.log2(1 + seconds / 60))) if seconds > 0 else 0


class ProfileTable(Table):
    """A file of profiles, as the rows of clicks or labels that they become.

    Parameters
    ----------
    kind
        Which of the two.
    now
        Unix seconds: clicks are in the seven whole days (UTC) before, labels have this time.
    """

    def __init__(self, path: Path, layout: Layout, kind: Literal["clicks", "labels"], now: float) -> None:
        super().__init__(path, replace(layout, format="jsonl"))
        self._kind = kind
        self._now = now
        self.bad_rows = f"{path.name}.{kind}{SIDE}"  # the same file is read twice

    def parts(self) -> Iterator[Row | Bad]:
        """Go through the clicks or labels; an entry that cannot be used is a bad row, by its number.

        Raises
        ------
        BadFile
            Where the file is no JSON object, or breaks off.
        """
        for number, user, entry in self.entries():
            try:
                rows = self._clicks(user, entry) if self._kind == "clicks" else self._label(user, entry)
            except (ValueError, TypeError, AttributeError) as error:
                yield Bad(number, Reason.BAD_VALUE, f"{user}: {error}", {user: entry})
                continue
            if not rows and self._kind == "clicks":
                yield Bad(number, Reason.MISSING_FIELD, f"{user}: no titles with seconds", {user: entry})
            yield from (Row(number, row) for row in rows)

    def entries(self) -> Iterator[tuple[int, str, Any]]:
        """Go through the entries: number, id, and what stands there.

        Raises
        ------
        BadFile
            Where the file is no JSON object, or breaks off.
        """
        number = 0
        try:
            with self._opened() as text:
                for user, entry in JsonValues(text).below(["*"]):
                    number += 1
                    yield number, user, entry
        except (ValueError, EOFError, OSError) as error:
            raise BadFile(
                f"{self.path} cannot be read behind profile {number}: {error}",
                hint='Profiles are one JSON object: {"id": {"titles": "name:seconds,...", ...}, ...}.',
            ) from error
        self.read = self.size

    def _clicks(self, user: str, entry: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        return clicks_of(user, entry, self._now)

    def _label(self, user: str, entry: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        value = entry.get("segment")
        if value is None:
            return []
        made = {"user_id": user, "segment": SEGMENT, "value": LABELS.get(value, value), "ts": self._now}
        return [made]


def clicks_of(user: str, entry: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """Return the clicks that a profile becomes.

    Each title is a song, and an artist of its own; it is clicked `copies` times. Over all clicks of a
    listener hours, weekdays and cities spread as the seconds do; which title was on at which hour, a profile
    does not say.

    Raises
    ------
    ValueError
        Where a field is not name:seconds, or an hour or a weekday is none.

    Examples
    --------
    >>> profile = {"titles": "Ishqbaaz:400,Jolly:23", "tod": "1:23,17:400", "cities": "mumbai:423"}
    >>> [(click["song_id"], click["ts"] // 3600 % 24) for click in clicks_of("u1", profile, now=1.7e9)]
    [('Ishqbaaz', 17.0), ('Ishqbaaz', 17.0), ('Ishqbaaz', 17.0), ('Jolly', 17.0)]
    """
    titles = seconds_by_name(entry.get("titles", ""))
    hours = _within(seconds_by_name(entry.get("tod", "")), "tod", HOURS)
    days = _within(seconds_by_name(entry.get("dow", "")), "dow", DAYS + 1)
    cities = seconds_by_name(entry.get("cities", ""))
    clicked = [
        (title, spent / copies(spent)) for title, spent in titles.items() for _ in range(copies(spent))
    ]
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = []
    for at, (title, seconds) in enumerate(clicked):
        place = (at + 0.5) / len(clicked)
        hour = _at(hours, place, at % HOURS)
        weekday = _at(days, place, at % DAYS) % DAYS  # 0 is Sunday
        back = (today.isoweekday() - weekday - 1) % DAYS + 1
        moment = today - timedelta(days=back) + timedelta(hours=hour + place)
        click = {"user_id": user, "song_id": title, "artist_ids": [title], "ts": moment.timestamp()}
        click["ms_played"] = round(1000 * seconds)
        made.append(click | ({"city": _at(cities, place, "")} if cities else {}))
    return made


def _within(spread: Mapping[str, float], field: str, bound: int) -> dict[int, float]:
    found = {}
    for name, seconds in spread.items():
        if not (name.isdecimal() and int(name) < bound):
            raise ValueError(f"{field}: {name!r} is not one of 0 to {bound - 1}")
        found[int(name)] = seconds
    return found


def _at(spread: Mapping[Any, float], place: float, otherwise: Any) -> Any:
    """Return what stands at a place, 0 to 1, of a distribution, the largest part first."""
    left = place * sum(spread.values())
    for name, seconds in sorted(spread.items(), key=lambda pair: (-pair[1], pair[0])):
        left -= seconds
        if left < 0:
            return name
    return otherwise
