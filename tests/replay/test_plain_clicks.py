"""Clicks made of whole columns are those that a look at each row makes."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.replay.plan import Plan
from stream.errors import BadFile
from stream.files import plain
from stream.files.options import Condition, FileOptions, Layout
from stream.files.plain_clicks import Clicks, Pairs
from stream.files.reading import Reading
from stream.files.recipe import Recipe
from stream.files.row_events import RowEvents
from stream.files.tables import Block, Row, Table

COLUMNS = ("user_id", "song_id", "ts", "artist_ids", "action", "ms_played", "city", "event_id", "other")
ODD = (
    *("", " ", "null", "NaN", "(null)", "\\N", "7.0", "1.5E8", "a.b", "[a]", "['a', 'b']", "{a}", "a|b", "%"),
    *("Björk", "Bjo\u0308rk", "\u200b", "\u2800", "\u3164", "a\u00a0", "x" * 257, "é" * 200, "a\\b", "\x7f"),
)
AHEAD = re.compile(r"\d+ s ahead of the clock")  # the second may turn between two looks
IDS = st.sampled_from(("u1", "u2", "AC DC", "17", "0")) | st.sampled_from(ODD)
TIMES = st.sampled_from(
    (
        *(
            "1577836800",
            "1577836801.25",
            "1577836800000",
            "2020-01-01",
            "2020-01-01T10:00:00+02:00",
            "20200101",
        ),
        *(
            "0999999999",
            "999999999",
            "946684799",
            "4102444800",
            "-1577836800",
            "nan",
            "inf",
            "1e9",
            "1_577836800",
            "",
        ),
    )
)
NUMBERS = st.sampled_from(
    ("0", "31000", "007", "-1", "1.5", "", "x", "9007199254740993", "1" * 15, "1" * 16, "٣")
)
CELLS = {
    "ts": TIMES,
    "action": st.sampled_from(("play", "Like", "skip", "", "search", "bogus", "null")),
    "ms_played": NUMBERS,
    "other": st.sampled_from(("", "a", "'")),
}
ROWS = st.lists(
    st.tuples(*(CELLS.get(name, IDS) for name in COLUMNS))
    | st.just(("u1", "s1", "1577836800", "a1", *[""] * 5)),
    max_size=30,
)
OPTIONS = st.sampled_from(
    (
        FileOptions(),
        FileOptions(separator="|", constants={"action": "like"}, where=(Condition("other", "a", "!="),)),
        FileOptions(constants={"user_id": "me %s", "artist_ids": "a1"}, time_format="seconds"),
        FileOptions(
            mapping={"song_id": "song_id", "ts": "ts"}, time_format="%Y%m%d", timezone="Europe/Berlin"
        ),
        FileOptions(constants={"action": "bogus"}),
        FileOptions(
            extracts={"song_id": "^(.)", "artist_ids": "[a-z]+", "ts": "^[0-9.]+"},
            factors={"ms_played": 1000.0},
        ),
        FileOptions(values={"ts": {"0": "1577836800", "1e9": "19700101"}}),
        FileOptions(extracts={"user_id": "[a-z]+.*"}),
        FileOptions(percent_encoded=("user_id",)),
        FileOptions(mapping={"song_id": "other|song_id", "artist_ids": "artist_ids|other"}),
        FileOptions(constants={"ts": "1999-01-01"}, percent_encoded=("artist_ids",), distinct=True),
    )
)


def found(table: Table, options: FileOptions, since: float | None, show: int) -> tuple[Any, ...]:
    reading = Reading([table], Recipe("clicks", options, since=since), None, table.path.parent, show)
    events = [(event.key, event.value) for event in reading.events()]
    side = table.path.parent / table.bad_rows
    tally = reading.tally
    lines = side.read_text() if side.exists() else ""
    told = AHEAD.sub("", f"{tally.unusable}{tally.remarks}{lines}")
    return events, tally.rows, tally.left_out, tally.repeated, tally.bad, told


@settings(max_examples=150)
@given(ROWS, OPTIONS, st.sampled_from((None, 1577836801.0)), st.sampled_from((",", "\t", "::")))
def test_columns_of_csv_become_what_a_look_at_each_row_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    options: FileOptions,
    since: float | None,
    delimiter: str,
) -> None:
    path = tmp_path_factory.mktemp("any") / "clicks.csv"
    path.write_text("".join(f"{delimiter.join(row)}\n" for row in (COLUMNS, *rows)), newline="")
    table = Table(path, Layout(delimiter=delimiter))
    assert found(table, options, since, show=0) == found(table, options, since, show=1)


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from((*ODD, None, "u1")), min_size=5, max_size=5),
    st.sampled_from(([7, 8, None, 0, -3], [7.0, 7.5, None, 2.0**60, 1.0], ["u", "v", "w", "x", "y"])),
    st.sampled_from(([1577836800] * 5, [1577836800.5] * 5, [1577836800000, None, 0, 1577836800, 2**60])),
    OPTIONS,
)
def test_columns_of_parquet_become_what_a_look_at_each_row_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory,
    songs: list[Any],
    users: list[Any],
    times: list[Any],
    options: FileOptions,
) -> None:
    pa = pytest.importorskip("pyarrow")
    path = tmp_path_factory.mktemp("any") / "clicks.parquet"
    columns = {
        "user_id": users,
        "song_id": songs,
        "ts": times,
        "ms_played": [1, 2, None, -1, 5],
        "other": ["b"] * 5,
        "artist_ids": [["a1"], ["a1", "Björk"], None, [], ["a.b", "a1"]],
    }
    pa.parquet = __import__("pyarrow.parquet").parquet
    pa.parquet.write_table(pa.table(columns), path)
    table = Table(path, Layout())
    assert found(table, options, None, show=0) == found(table, options, None, show=1)


LISTS = st.lists(st.sampled_from(("a1", "a2", "17", 7, None, 7.0, True, *ODD)), max_size=3)
NUMBERS_OF_TS = st.sampled_from((1577836800.0, 1577836801.5, 999999999.5, math.nan, math.inf))
OBJECTS = st.fixed_dictionaries(
    {"user_id": st.sampled_from(("u1", "u2", 7)) | st.sampled_from(ODD)},
    optional={
        "song_id": st.sampled_from(("s1", 17, None, {"id": "s1"})) | st.sampled_from(ODD),
        "ts": st.sampled_from((1577836800, 1577836800000, None, True, 1e300)) | NUMBERS_OF_TS | TIMES,
        "artist_ids": LISTS | st.sampled_from(("a1", 7, None, ["a"] * 33, [["a"]], {"a": 1})) | IDS,
        "action": st.sampled_from(("play", "Like", "skip", None, 7, "bogus")),
        "ms_played": st.sampled_from((0, 31000, -1, 1.0, None, True, 2**60, "17")),
        "utc_offset_min": st.sampled_from((0, 330, None, 2000, "60", 1.5)),
        "city": st.sampled_from(("Pune", "", None, 7, "x" * 300)),
        "event_id": st.sampled_from(("e1", "e2", None)) | st.sampled_from(ODD),
        "other": st.sampled_from(("", "a", None)),
    },
)


@settings(max_examples=300)
@given(
    st.lists(OBJECTS | st.just({"user_id": "u1", "song_id": "s1", "ts": 1577836800}), max_size=30), OPTIONS
)
def test_objects_a_line_become_what_a_look_at_each_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], options: FileOptions
) -> None:
    path = tmp_path_factory.mktemp("any") / "clicks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = Table(path, Layout(format="jsonl"))
    assert found(table, options, None, show=0) == found(table, options, None, show=1)


@pytest.mark.parametrize("line", ["[1]", "7", "{", '{"user_id": "u9"} {"user_id": "u8"}', "", " ", "{}\r{}"])
def test_a_line_that_is_no_object_costs_itself_alone_wherever_it_stands(tmp_path: Path, line: str) -> None:
    path = tmp_path / "clicks.jsonl"
    click = '{"user_id": "u1", "song_id": "s1", "ts": 1577836800}'
    path.write_text(f"{click}\n{click}\n{line}\n{click}\n")
    table = Table(path, Layout(format="jsonl"))
    events, rows, *rest = found(table, FileOptions(), None, show=0)
    assert (events, rows, *rest) == found(table, FileOptions(), None, show=1)
    assert len(events) == 3


def test_a_time_that_is_no_number_is_found_among_others(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    times = (1577836800.5, math.nan, 1577836801.5)
    path.write_text(
        "".join(f"{json.dumps({'user_id': 'u', 'song_id': 's', 'ts': each})}\n" for each in times)
    )
    table = Table(path, Layout())
    events, *rest = found(table, FileOptions(), None, show=0)
    assert (events, *rest) == found(table, FileOptions(), None, show=1)
    assert len(events) == 2


def test_clicks_in_objects_that_are_as_they_should_be_are_made_of_whole_columns(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    click = {"user_id": "u1", "song_id": "s1", "ts": 1577836800.5, "artist_ids": ["a", "Björk"]}
    others = [{**click, "artist_ids": ["b"], "event_id": "e1", "ms_played": 7}, {**click, "action": "like"}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in (click, *others)))
    table, event_of = ready(path, FileOptions())
    (block,) = table.parts()
    assert isinstance(block, Block)
    assert all(isinstance(part, Clicks) for part in event_of.of_block(block))


def pairs_of(part: Clicks | Row) -> Pairs:
    assert isinstance(part, Clicks)
    return part.pairs


def ready(path: Path, options: FileOptions) -> tuple[Table, RowEvents]:
    table = Table(path, Layout())
    return table, Recipe("clicks", options).ready(table)


@pytest.mark.parametrize("show", [0, 1])
@pytest.mark.parametrize("constants", [{}, {"ts": "1577837100"}, {"ts": "1577837101"}])
def test_what_is_in_the_future_goes_by_the_time_that_a_reading_has_for_now(
    tmp_path: Path, constants: dict[str, str], show: int
) -> None:
    times = ["1577837100", "1577837101", "1577837100.5"]
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts\n" + "".join(f"u,s,{ts}\n" for ts in times))
    reading = Plan("clicks", (path,), FileOptions(constants=constants)).reading(1577836800.0, None, show=show)
    said = [constants.get("ts", ts) for ts in times]
    assert len(list(reading.events())) == said.count("1577837100")


def test_clicks_that_are_as_they_should_be_are_made_of_whole_columns(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts\n" + "u 1 , s1,1577836800\n" * 3000)
    table, event_of = ready(path, FileOptions())
    blocks = [part for part in table.parts() if isinstance(part, Block)]
    made = [pairs_of(part) for block in blocks for part in event_of.of_block(block)]
    pair = b"u 1", b'{"user_id":"u 1","song_id":"s1","ts":1577836800.0}'
    assert made == [[pair] * len(block.columns[0]) for block in blocks]
    assert [block.line for block in blocks] == [
        2 + sum(len(before.columns[0]) for before in blocks[:number]) for number in range(len(blocks))
    ]
    assert sum(map(len, made)) == 3000
    assert len(blocks) > 1


@pytest.mark.parametrize(
    ("song", "ts"),
    [("Björk", "1577836800"), ("東京事変", "2020-01-01T01:00:00+01:00"), ("s", "2020-01-01")],
)
def test_letters_of_any_script_and_times_in_text_are_read_by_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, song: str, ts: str
) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts\n" + f"u,{song},{ts}\n" * 3)
    monkeypatch.setattr(plain, "_told", None)  # reads one by one
    table, event_of = ready(path, FileOptions())
    [block] = table.parts()
    assert isinstance(block, Block)
    [made] = event_of.of_block(block)
    value = f'{{"user_id":"u","song_id":"{song}","ts":1577836800.0}}'.encode()
    assert pairs_of(made) == [(b"u", value)] * 3


@pytest.mark.parametrize("song", ["Bjo\u0308rk", "a\u3164", "\ufe0f", "é" * 129, "a\u00a0b"])
def test_a_name_that_the_check_of_a_row_changes_or_refuses_is_looked_at(tmp_path: Path, song: str) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(f"user_id,song_id,ts\nu,é,1577836800\nu,{song},1577836800\n")
    table = Table(path, Layout())
    assert found(table, FileOptions(), None, show=0) == found(table, FileOptions(), None, show=1)


def test_rows_are_counted_as_their_events_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts\n" + "u,s,1577836800\n" * 9 + "u,,1\n")
    reading = Reading([Table(path, Layout())], Recipe("clicks", FileOptions()), None, tmp_path)
    for go_through in (reading.events, reading.pairs):
        assert len(list(itertools.islice(go_through(), 4))) == 4
        assert (reading.tally.rows, reading.tally.bad.total()) == (4, 0)


def test_pairs_are_the_keys_and_values_of_the_events_as_often_as_each_goes(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts,n\nu,s,1577836800,2\nu,t,1577836800,0\nu,7.0,1577836801,1\n")
    for options in (FileOptions(repeat="n"), FileOptions(), FileOptions(distinct=True)):
        reading = Reading([Table(path, Layout())], Recipe("clicks", options), None, tmp_path)
        meant = [(event.key, event.value) for event in reading.events() for _ in range(event.copies)]
        tally = reading.tally
        assert (list(reading.pairs()), reading.tally) == (meant, tally)


def test_only_the_rows_that_need_a_look_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("user_id,song_id,ts\nu1,s1,1577836800\nu2,7.0,1577836800\nu3,s3,1577836800\n")
    table, event_of = ready(path, FileOptions())
    [block] = table.parts()
    assert isinstance(block, Block)
    first, second, third = event_of.of_block(block)
    assert isinstance(first, Clicks)
    assert isinstance(third, Clicks)
    assert (len(first), second, len(third)) == (1, Row(3, ["u2", "7.0", "1577836800"]), 1)


def test_lines_before_the_place_where_a_packed_file_breaks_off_are_read(tmp_path: Path) -> None:
    whole = gzip.compress(
        "".join(["user_id,song_id,ts\n", *(f"u{n},s{n},1577836800\n" for n in range(9999))]).encode()
    )
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    lines = []
    with pytest.raises(BadFile, match=r"breaks off after line [1-9]") as error:
        for row in Table(path, Layout()).rows():
            lines.append(row.line)
    assert f"after line {lines[-1]}:" in str(error.value)
    assert lines == list(range(2, len(lines) + 2))
    assert len(lines) > 1000


def test_a_line_that_is_too_long_costs_itself_alone_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    row = "u,s,1577836800\n"
    path.write_text(f"user_id,song_id,ts\n{row * 3}u,{'s' * 300_000},1577836800\n{row * 400}")
    reading = Reading([Table(path, Layout())], Recipe("clicks", FileOptions()), None, tmp_path)
    assert len(list(reading.events())) == 403
    assert reading.tally.rows == 404
    assert [(finding.line, finding.count) for finding in reading.tally.unusable.values()] == [(5, 1)]
