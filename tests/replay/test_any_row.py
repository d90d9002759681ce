"""Whatever a row holds, it is an event by the rules of the wire, or a bad row with its line, and counted."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.files.kinds import KINDS, TIMES
from stream.files.options import ActionRule, Condition, FileOptions, Kind, Layout, replacements
from stream.files.reading import Reading
from stream.files.recipe import Recipe
from stream.files.tables import Table
from stream.files.text import is_text
from stream.wire.events import EVENTS
from stream.wire.parsing import parse, parse_clicks
from stream.wire.record import Record

SAID = st.sampled_from(
    [
        *(
            "",
            " ",
            "NULL",
            "(null)",
            "nan",
            "[object Object]",
            "['a', 'b']",
            '["a"',
            "[]",
            "1.0",
            "1.5E8",
            "-1",
        ),
        *(
            "2020-01-01",
            "20200101",
            "2020",
            "1e400",
            "inf",
            "%C3%A9",
            "%ff",
            "Clicked",
            "play",
            "\x00",
            "{a}",
        ),
        *("1577836800", "1577836800000", "9" * 400, "31/12/2020", "true", "u|v", "\u200b", "\ud800"),
    ]
)
TEXT = SAID | st.text(max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
OPTIONS = [
    FileOptions(),
    FileOptions(
        separator="|",
        timezone_column="zone",
        where=(Condition("zone", "never", "!="),),
        repeat="times",
        scale="log2",
    ),
]
OF_CLICKS = FileOptions(
    actions=(ActionRule.parse("skip:ms_played<5"),),
    values=replacements(["action:x=play", "ts:never=20200101", "ms_played:true=7"]),
    percent_encoded=("user_id", "query", "artist_ids"),
    extracts={"query": "(.+)", "artist_ids": "^(.*)$"},
    factors={"ms_played": 1000.0},
    distinct=True,
)


def reads_all(path: Path, kind: Kind, options: FileOptions, rows: int) -> None:
    if not TIMES & KINDS[kind].fields:
        options = replace(options, timezone_column="")  # it is refused
    reading = Reading([Table(path, Layout())], Recipe(kind, options), None, path.parent / "spare")
    events = list(reading.events())
    tally = reading.tally
    of_rows = len(events) + tally.joined + tally.repeated
    assert tally.rows == rows
    assert of_rows + tally.left_out + tally.bad.total() == rows, "no row is lost"
    lines = [json.loads(line) for file in tally.bad_files for line in file.read_text().splitlines()]
    assert len(lines) == tally.bad.total()
    assert all(bad["line"] >= 1 for bad in lines)
    assert sum(finding.count for finding in tally.unusable.values()) == tally.bad.total()
    topic = KINDS[kind].topic
    for number, event in enumerate(events):
        record = Record(topic, 0, number, event.key, event.value)
        if kind == "clicks":
            assert not parse_clicks([record], now=4e9)[1]
        else:
            assert isinstance(parse(EVENTS[topic][0], record), EVENTS[topic][0])
    for file in tally.bad_files:
        file.unlink()


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=40)
def test_any_row_of_json_is_an_event_or_a_bad_row(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, data: st.DataObject
) -> None:
    fields = st.sampled_from([*sorted(KINDS[kind].fields), "zone", "times", "other"])
    rows = data.draw(st.lists(st.dictionaries(fields, VALUE, max_size=8), min_size=1, max_size=4))
    options = data.draw(st.sampled_from([*OPTIONS, *([OF_CLICKS] if kind == "clicks" else [])]))
    path = tmp_path_factory.mktemp("any") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reads_all(path, kind, options, len(rows))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=40)
def test_any_row_of_text_is_an_event_or_a_bad_row(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, data: st.DataObject
) -> None:
    columns = [*sorted(KINDS[kind].fields), "zone", "times"]
    safe = TEXT.map(lambda text: text.encode("utf-8", "ignore").decode().replace("\0", ""))
    good = {"ts": "1577836800", "kind": "sent", "times": "1"}
    cells = st.tuples(*(safe | st.just(good.get(name, "x")) for name in columns))
    rows: list[tuple[Any, ...]] = data.draw(st.lists(cells, min_size=1, max_size=4))
    options = data.draw(st.sampled_from([*OPTIONS, *([OF_CLICKS] if kind == "clicks" else [])]))
    path = tmp_path_factory.mktemp("any") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    assume(is_text(path.read_text(encoding="utf-8")))  # what is not is refused as a whole
    reads_all(path, kind, options, len(rows))


def test_a_number_as_alias_is_its_text(tmp_path: Path) -> None:
    path = tmp_path / "aliases.json"
    path.write_text('[{"alias": 7, "artist_id": 1}]')
    recipe = Recipe("artist-aliases", FileOptions())
    [event] = Reading([Table(path, Layout())], recipe, None, tmp_path / "spare").events()
    assert (event.key, json.loads(event.value)) == (b"7", {"alias": "7", "artist_id": "1"})
