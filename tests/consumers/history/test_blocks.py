"""Clicks that come to Arrow as whole columns are those that come row by row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.history import blocks
from consumers.history.blocks import Gathered
from consumers.history.columns import CLICKS, EVENTS, of_events, unpack
from consumers.history.plan import history_files
from consumers.history.read import FileReader, Rows
from stream.files.options import FileOptions
from stream.files.reading import Reading
from stream.wire.parsing import FUTURE_SECONDS
from tests.replay.test_plain_clicks import COLUMNS, OBJECTS, OPTIONS, ROWS

NOW = 1_700_000_000.0
OF_TWO = {"user_id": "u1", "song_id": "s1", "ts": 1577836800, "artist_ids": ["a1", "Björk"]}
SIMPLE = "u1", "s1", "1577836800", "a1", "like", "31000", "Köln", "e1", ""


def read(paths: Sequence[Path], options: FileOptions, buckets: int = 2) -> tuple[list[dict[str, Any]], Rows]:
    """Return the clicks of files, in their order, and what became of the rows."""
    counted, packets = Rows(), list[bytes]()
    for file in history_files(paths, options, lambda own, _: own):
        rows = Rows()
        packets += [packed for _, packed in FileReader(NOW, paths[0].parent, buckets).packed(file, rows)]
        counted.add(rows)
    return unpack(packets).sort_by("place").to_pylist(), counted


def row_by_row(path: Path, options: FileOptions) -> tuple[list[dict[str, Any]], Reading]:
    """Return the clicks that the JSON of each row says."""
    [file] = history_files([path], options, lambda own, _: own)
    reading = file.reading(NOW, path.parent)
    events = [json.loads(value) for _, value in reading.pairs()]
    clicks = of_events(pa.Table.from_pylist(events, schema=EVENTS), np.arange(len(events))).to_pylist()
    return [click for click in clicks if click["ts"] <= NOW + FUTURE_SECONDS], reading


def put(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    path.write_text("".join(f"{','.join(row)}\n" for row in (COLUMNS, *rows)), newline="")
    return path


@settings(max_examples=150)
@given(ROWS, OPTIONS)
def test_clicks_of_whole_columns_are_those_that_the_json_of_each_row_says(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], options: FileOptions
) -> None:
    path = put(tmp_path_factory.mktemp("any") / "clicks.csv", rows)
    meant, reading = row_by_row(path, replace(options, distinct=False))
    found, counted = read([path], replace(options, distinct=False))
    assert found == meant
    assert (counted.rows, counted.bad) == (reading.tally.rows, reading.tally.bad)
    assert counted.clicks == len(meant)


@settings(max_examples=150)
@given(st.lists(OBJECTS | st.just(OF_TWO), max_size=20), OPTIONS)
def test_clicks_of_objects_are_those_that_the_json_of_each_says(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], options: FileOptions
) -> None:
    path = tmp_path_factory.mktemp("any") / "clicks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    options = replace(options, distinct=False, format="jsonl")
    meant, reading = row_by_row(path, options)
    found, counted = read([path], options)
    assert found == meant
    assert (counted.rows, counted.bad) == (reading.tally.rows, reading.tally.bad)


@pytest.mark.parametrize("options", [FileOptions(), FileOptions(constants={"device": 'a "b" ö'})])
def test_each_click_has_the_place_of_its_row_among_all_of_the_file(
    tmp_path: Path, options: FileOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "AT_ONCE", 300)
    monkeypatch.setattr("consumers.history.read.TOGETHER", 900)
    odd = "u2", "7.0", *SIMPLE[2:]  # looked at by itself
    rows = [odd if at % 7 == 3 else ("u1", f"s{at}", *SIMPLE[2:]) for at in range(3000)]
    found, _ = read([put(tmp_path / "clicks.csv", rows)], options)
    assert [click["place"] for click in found] == list(range(3000))
    assert [click["song_id"] for click in found] == ["7" if at % 7 == 3 else f"s{at}" for at in range(3000)]
    assert {click["device"] for click in found} == {options.constants.get("device", "")}


def test_files_of_other_columns_that_are_gathered_together_keep_their_fields(tmp_path: Path) -> None:
    gathered = Gathered(10, distinct=False)
    wide = put(tmp_path / "clicks.csv", [SIMPLE])
    narrow = tmp_path / "more.csv"
    narrow.write_text("user_id,song_id,ts\nu2,s2,1577836801\nu2,s3,1577836802\n")
    for file in history_files([wide, narrow], FileOptions(), lambda own, _: own):
        for part in file.reading(NOW, tmp_path).events_and_columns():
            gathered.add(part)
    assert len(gathered) == 3
    found = gathered.taken().sort_by("place").to_pylist()
    assert [(click["place"], click["song_id"], click["city"]) for click in found] == [
        (10, "s1", "Köln"),
        (11, "s2", ""),
        (12, "s3", ""),
    ]
    assert [click["artist_ids"] for click in found] == [["a1"], None, None]
    assert len(gathered) == 0


def test_where_the_same_click_counts_once_columns_say_which_are_the_same(tmp_path: Path) -> None:
    rows = [SIMPLE, ("u1", "s2", *SIMPLE[2:]), SIMPLE]
    found, _ = read([put(tmp_path / "clicks.csv", rows)], FileOptions(distinct=True))
    first, second, third = [click["same"] for click in found]
    assert first == third != second
    assert found[0].keys() == set(CLICKS.names)


def test_clicks_that_are_as_they_should_be_are_not_made_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.files.plain_clicks.BlockClicks.pairs", property(lambda _: 1 / 0))
    found, counted = read([put(tmp_path / "clicks.csv", [SIMPLE] * 5)], FileOptions())
    assert (len(found), counted.rows, counted.clicks) == (5, 5, 5)


def test_of_a_row_that_stands_for_very_many_clicks_no_more_than_of_others_are_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.history.read.TOGETHER", 10)
    monkeypatch.setattr("consumers.history.read.IN_A_PACKET", 1)
    path = tmp_path / "plays.csv"
    path.write_text("user_id,song_id,ts,plays\nu1,s1,1577836800,25\nu2,s1,1577836800,1\n")
    [file] = history_files([path], FileOptions(repeat="plays"), lambda own, _: own)
    packets = [unpack([packed]) for _, packed in FileReader(NOW, tmp_path, 1).packed(file, Rows())]
    assert sum(map(len, packets)) == 26
    assert max(map(len, packets)) <= 2 * 10
    assert sorted(place for each in packets for place in each["place"].to_pylist()) == list(range(26))
