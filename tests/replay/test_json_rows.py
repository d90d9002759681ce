"""JSON in any shape."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import BadFile
from stream.files.json_values import CHUNK, JsonValues
from stream.files.options import Layout
from stream.files.tables import Bad, Row, Table
from stream.wire.dead_letter import Reason
from tests.replay.test_tables import values

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
PLAYS = [{"u": "1", "s": {"id": "a"}}, {"u": "2", "s": {"id": "b"}}]


def table(folder: Path, content: str, layout: Layout | None = None, name: str = "f.json") -> Table:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return Table(path, layout or Layout())


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (json.dumps(PLAYS), Layout()),
        (json.dumps(PLAYS, indent=2), Layout()),
        ("\n".join(map(json.dumps, PLAYS)), Layout()),
        ("\n".join(json.dumps(play, indent=1) for play in PLAYS), Layout()),
        (json.dumps(PLAYS[:1]) + "\n" + json.dumps(PLAYS[1:]), Layout()),
        (json.dumps({"n": [1, {"x": []}], "plays": PLAYS, "more": 1}), Layout(records="plays")),
        (json.dumps({"a": {"b": PLAYS}}), Layout(records="a.b")),
        (json.dumps({"k1": PLAYS[0], "k2": PLAYS[1]}), Layout(records="*")),
        (json.dumps({"x": 1, "by": {"k1": PLAYS[0], "k2": PLAYS[1]}}, indent=3), Layout(records="by.*")),
    ],
    ids=["list", "pretty", "lines", "behind", "lists", "records", "deep", "ids", "deep ids"],
)
def test_rows_of_json_may_stand_anywhere(tmp_path: Path, content: str, layout: Layout) -> None:
    assert values(table(tmp_path, content, layout), "u", "s.id") == [("1", "a"), ("2", "b")]


def test_the_name_of_a_row_among_others_is_a_column(tmp_path: Path) -> None:
    found = table(tmp_path, '{"u1": {"s": 1}, "u2": {"s": 2}}', Layout(records="*"))
    assert values(found, "*", "s") == [("u1", 1), ("u2", 2)]


def test_elements_of_lists_further_down_are_a_list(tmp_path: Path) -> None:
    found = table(tmp_path, '[{"t": {"artists": [{"name": "A"}, {"name": "B"}, {}]}}]')
    assert values(found, "t.artists.*.name", "t.artists.1.name") == [(["A", "B"], "B")]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (json.dumps({"x": {"tracks": PLAYS}}), "--records x.tracks"),
        (json.dumps({"n": 1, "plays": PLAYS}, indent=1), "--records plays"),
        (json.dumps({"u1": {"s": 1}, "u2": {"s": 1}}, indent=1), r"--records '\*'"),
    ],
)
def test_an_object_with_rows_in_it_says_how_to_name_them(tmp_path: Path, content: str, hint: str) -> None:
    with pytest.raises(BadFile, match="is one JSON object") as caught:
        table(tmp_path, content)
    assert hint.replace("\\", "") in caught.value.hint


@pytest.mark.parametrize(
    ("content", "layout", "said"),
    [
        ('[{"u": 1},\n {"u": 2},\n {"u"; 3}]', Layout(), r"behind line 3: Expecting ':' .* line 3, column"),
        ('[{"u": 1},\n {"u": 2}', Layout(), r"behind line 2: it breaks off"),
        ('{"a": {"b": 1}}', Layout(records="a.b"), r"no list; a\.b\.\* is all in it"),
        ('{"a": 1}', Layout(records="plays"), "there is no 'plays'"),
        ("[" * 100_000, Layout(), "behind line 1"),
    ],
)
def test_json_that_cannot_be_read_says_where(tmp_path: Path, content: str, layout: Layout, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        list(table(tmp_path, content, layout).rows())


def test_rows_before_a_fault_are_given(tmp_path: Path) -> None:
    rows = table(tmp_path, '[{"u": 1},\n {"u": 2}').rows()
    assert [next(rows), next(rows)] == [Row(1, {"u": 1}), Row(2, {"u": 2})]


def test_what_is_no_object_is_a_bad_row(tmp_path: Path) -> None:
    good, bad = table(tmp_path, '[{"u": NaN},\n7]').rows()
    assert isinstance(good, Row)
    assert bad == Bad(2, Reason.NOT_JSON, "a row must be a JSON object", 7)


def test_lines_nested_too_deep_or_too_long_cost_themselves_alone(tmp_path: Path) -> None:
    content = '{"u": 1}\n' + "[" * 100_000 + '\n{"u": "' + "x" * (1 << 24) + '"}\n{"u": 2}\n'
    rows = list(table(tmp_path, content, name="f.jsonl").rows())
    assert [type(row) for row in rows] == [Row, Bad, Bad, Row]
    assert (rows[1].reason, rows[2].reason) == (Reason.NOT_JSON, Reason.TOO_LARGE)
    assert rows[3].line == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 2]), st.integers(0, CHUNK))
def test_values_come_one_by_one_with_their_lines(items: list[Any], indent: int | None, before: int) -> None:
    text = " " * before + json.dumps(items, indent=indent)  # so that a value lies over the end of a chunk
    values = JsonValues(io.StringIO(text))
    lines = []
    found = []
    for value in values.below([]):
        found.append(value)
        lines.append(values.line)
    assert found == items
    if indent is None:
        assert set(lines) <= {1}
    else:
        assert len(set(lines)) == len(items)


@given(st.text(alphabet='{}[]",: \n1ab\\', max_size=40))
def test_any_text_is_rows_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "f.json"
    path.write_text(text, encoding="utf-8")
    for layout in (Layout(), Layout(format="json"), Layout(format="jsonl"), Layout(records="a.*")):
        try:
            rows = list(Table(path, layout).rows())
        except BadFile:
            continue
        assert all(isinstance(row, Row | Bad) for row in rows)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the folder of real files is not there")
@pytest.mark.parametrize(
    ("name", "layout", "rows", "column", "first"),
    [
        ("spotify_StreamingHistory0.json", Layout(), 400, "artistName", None),
        ("spotify_endsong_0.json", Layout(), 5, "master_metadata_track_name", None),
        ("edge/oneline.json", Layout(), 5, "master_metadata_track_name", "Got To Hurry"),
        ("maloja_export.json", Layout(records="scrobbles"), 2, "time", 1760532613),
        (
            "listenbrainz_timestamp_in_ns.json",
            Layout(records="payload"),
            1,
            "listened_at",
            1486449409000000000,
        ),
        ("hotstar_train.json", Layout(records="*"), 2, "*", "train-1"),
        ("edge/lastfm_api.json", Layout(records="recenttracks.track"), 1, "date.uts", "1577836800"),
        ("edge/spotify_api.jsonl", Layout(), 1, "track.artists.*.id", ["a1", "a2"]),
    ],
)
def test_a_real_file_is_read(name: str, layout: Layout, rows: int, column: str, first: Any) -> None:
    (found,) = Table.all_of(SAMPLES / name, layout)
    read = values(found, column)
    assert len(read) == rows
    assert first in {None, read[0][0]} if not isinstance(first, list) else read[0][0] == first
