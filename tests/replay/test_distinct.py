"""The same click once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import WrongUse
from stream.files.distinct import Distinct
from stream.files.options import FileOptions, Layout
from stream.files.reading import Reading
from stream.files.recipe import Recipe
from stream.files.tables import Table

CLICK = {"user_id": "u", "song_id": "s", "ts": 1.7e9}


def sent(folder: Path, *files: list[dict[str, Any]]) -> tuple[Reading, list[dict[str, Any]]]:
    tables = []
    for number, rows in enumerate(files):
        path = folder / f"{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        tables.append(Table(path, Layout()))
    reading = Reading(tables, Recipe("clicks", FileOptions(distinct=True)), None)
    return reading, [json.loads(event.value) for event in reading.events()]


@pytest.mark.parametrize(
    "other",
    [{"user_id": "v"}, {"song_id": "t"}, {"ts": 1.7e9 + 1}, {"artist_ids": ["a"]}],
)
def test_what_differs_in_listener_song_or_time_is_another_click(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    reading, found = sent(tmp_path, [CLICK, CLICK | other, CLICK, CLICK | other])
    assert found == [CLICK, CLICK | other]
    assert (reading.tally.rows, reading.tally.repeated) == (4, 2)


def test_the_first_of_several_files_counts(tmp_path: Path) -> None:
    _, found = sent(
        tmp_path, [CLICK | {"device": "phone"}], [CLICK | {"device": "tv"}, CLICK | {"ts": 1.6e9}]
    )
    assert found == [CLICK | {"device": "phone"}, CLICK | {"ts": 1.6e9}]


def test_searches_without_a_song_go_by_their_words(tmp_path: Path) -> None:
    search = {"user_id": "u", "ts": 1.7e9, "action": "search"}
    rows = [search | {"query": "a"}, search | {"query": "b"}, search | {"query": "a"}]
    assert sent(tmp_path, rows)[1] == rows[:2]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    reading, found = sent(tmp_path, [CLICK, CLICK])
    assert [json.loads(event.value) for event in reading.events()] == found == [CLICK]


@given(st.lists(st.tuples(st.sampled_from("uv"), st.sampled_from("st"), st.integers(0, 2)), max_size=40))
def test_each_click_is_first_once(clicks: list[tuple[str, str, int]]) -> None:
    names = "user_id", "song_id", "ts"
    with Distinct() as distinct:
        first = [
            each
            for each in clicks
            if distinct.is_first(json.dumps(dict(zip(names, each, strict=True))).encode())
        ]
    assert first == list(dict.fromkeys(clicks))


def test_clicks_without_times_cannot_be_told_apart() -> None:
    with pytest.raises(WrongUse, match="--distinct goes by the events' own ts"):
        Recipe("clicks", FileOptions(distinct=True), spread=True)
