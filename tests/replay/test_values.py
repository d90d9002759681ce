"""What the values of a row mean: ids, words, conditions, and fields that a row can do without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.errors import WrongUse
from stream.files.fields import Remark
from stream.files.kinds import CHOICES, KINDS
from stream.files.options import (
    ActionRule,
    Condition,
    FileOptions,
    Kind,
    Layout,
    factors,
    patterns,
    replacements,
)
from stream.files.recipe import Event, LeftOut, Recipe
from stream.files.tables import Bad, Table
from stream.wire.dead_letter import Reason

CLICK = {"user_id": "u1", "song_id": "s1", "ts": 1.7e9}
FEEDBACK = {"release_id": "r1", "user_id": "u1", "kind": "opened", "ts": 1.7e9}
SONG = {"song_id": "s1", "artist_ids": ["a1"]}


def made(folder: Path, kind: Kind, options: FileOptions, *rows: dict[str, Any]) -> list[Any]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = Table(path, Layout())
    make = Recipe(kind, options).ready(table)
    return [row if isinstance(row, Bad) else make(row) for row in table.rows()]


def event(folder: Path, kind: Kind, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    (found,) = made(folder, kind, FileOptions(**options), row)
    assert isinstance(found, Event), found
    value: dict[str, Any] = json.loads(found.value)
    return value


def refused(folder: Path, kind: Kind, row: dict[str, Any], **options: Any) -> Bad:
    (found,) = made(folder, kind, FileOptions(**options), row)
    assert isinstance(found, Bad), found
    return found


@pytest.mark.parametrize(
    ("kind", "row", "field", "value"),
    [
        ("clicks", CLICK, "ms_played", "330.5"),
        ("clicks", CLICK, "ms_played", -1),
        ("clicks", CLICK, "ms_played", float("nan")),
        ("clicks", CLICK, "event_id", {"id": 7}),
        ("clicks", CLICK, "event_id", ["e1"]),
        ("clicks", CLICK, "city", "x" * 257),
        ("clicks", CLICK, "utc_offset_min", 25200),
        ("clicks", CLICK, "device", ["phone"]),
        ("clicks", CLICK, "query", "x" * 1025),
        ("songs", SONG, "title", 7),
        ("songs", SONG, "artist_names", [{"name": "A"}]),
        ("songs", SONG, "genres", [["pop"]]),
        ("songs", SONG, "label", "{}"),
        ("songs", SONG, "duration_ms", "3:30"),
        ("songs", SONG, "released_at", "in spring"),
        ("releases", SONG | {"release_id": "r"}, "title", 7),
        ("releases", SONG | {"release_id": "r"}, "genres", [None, {}]),
        ("releases", SONG | {"release_id": "r"}, "label", ""),
    ],
)
def test_a_field_that_only_adds_something_does_not_cost_the_row(
    tmp_path: Path, kind: Kind, row: dict[str, Any], field: str, value: Any
) -> None:
    (found,) = made(tmp_path, kind, FileOptions(), row | {field: value})
    assert isinstance(found, Event), found
    assert not json.loads(found.value).get(field)
    dropped = [(note.remark, note.field) for note in found.notes]
    assert dropped == ([(Remark.DROPPED, field)] if value else [])


def test_several_fields_are_dropped_at_once_and_the_others_stay(tmp_path: Path) -> None:
    row = CLICK | {"ms_played": "long", "city": 7, "device": "phone"}
    (found,) = made(tmp_path, "clicks", FileOptions(), row)
    assert json.loads(found.value) == CLICK | {"device": "phone"}
    assert [note.field for note in found.notes] == ["city", "ms_played"]


def test_a_row_with_a_bad_id_is_bad_for_the_id_whatever_else_is_wrong(tmp_path: Path) -> None:
    bad = refused(tmp_path, "clicks", CLICK | {"user_id": "{}", "ms_played": "x"})
    assert (bad.reason, bad.detail[:7]) == (Reason.BAD_ID, "user_id")


@pytest.mark.parametrize(
    ("kind", "row", "change"),
    [
        ("clicks", CLICK, {"action": "sing"}),
        ("clicks", CLICK, {"artist_ids": [{}]}),
        ("releases", SONG | {"release_id": "r"}, {"max_audience": 0}),
        ("releases", SONG | {"release_id": "r"}, {"where": "churn"}),
        ("releases", SONG | {"release_id": "r"}, {"min_ctr": 2}),
        ("feedback", FEEDBACK | {"kind": "opted_out"}, {"artist_ids": [{}]}),
        ("labels", {"user_id": "u", "segment": "rap", "ts": 1.7e9}, {"value": 0.5}),
        ("merges", {"user_id": "u", "into": "v", "ts": 1.7e9}, {"undo": "perhaps"}),
    ],
)
def test_a_field_that_decides_what_an_event_means_is_never_dropped(
    tmp_path: Path, kind: Kind, row: dict[str, Any], change: dict[str, Any]
) -> None:
    assert refused(tmp_path, kind, row | change).detail.startswith(next(iter(change)))


def test_only_fields_of_the_kind_can_be_dropped() -> None:
    assert all(shape.droppable < shape.fields - {shape.key} for shape in KINDS.values() if shape.droppable)


@pytest.mark.parametrize(
    "written", [154422682.0, "154422682.0", "154422682.000", "1.54422682E8", "1.54422682e+8"]
)
@pytest.mark.parametrize("field", ["user_id", "song_id", "event_id"])
def test_an_id_written_as_a_float_is_the_whole_number_and_is_counted(
    tmp_path: Path, field: str, written: Any
) -> None:
    (found,) = made(tmp_path, "clicks", FileOptions(), CLICK | {field: written})
    assert json.loads(found.value)[field] == "154422682"
    assert [(note.remark, note.field) for note in found.notes] == [(Remark.FLOAT_ID, field)]


def test_artists_written_as_floats_are_whole_numbers(tmp_path: Path) -> None:
    found = event(tmp_path, "clicks", CLICK | {"artist_ids": [7.0, "8.0", "a"]})
    assert found["artist_ids"] == ["7", "8", "a"]
    assert event(tmp_path, "clicks", CLICK | {"artist_ids": "7.0|8"}, separator="|")["artist_ids"] == [
        "7",
        "8",
    ]


@pytest.mark.parametrize("text", ["1e5", "7.5", "1.2.0", "v2.0", "10.0.0.0", "1.5E0", "1e400"])
def test_what_only_looks_like_a_float_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert event(tmp_path, "clicks", CLICK | {"user_id": text, "song_id": text})["user_id"] == text


def test_a_float_that_may_be_several_ids_is_none(tmp_path: Path) -> None:
    assert refused(tmp_path, "clicks", CLICK | {"user_id": 2.0**53 + 2}).reason is Reason.BAD_ID


NOTHING = (
    "null",
    "NULL",
    "(null)",
    "nan",
    "NaN",
    "none",
    "None",
    "undefined",
    "[object Object]",
    "\\N",
    "<NA>",
)


@pytest.mark.parametrize("text", NOTHING)
@pytest.mark.parametrize(
    ("kind", "row", "field"),
    [("clicks", CLICK, "user_id"), ("feedback", FEEDBACK, "release_id"), ("feedback", FEEDBACK, "user_id")],
)
def test_what_programs_write_for_nothing_is_no_id_of_a_listener_or_a_release(
    tmp_path: Path, kind: Kind, row: dict[str, Any], field: str, text: str
) -> None:
    bad = refused(tmp_path, kind, row | {field: text})
    assert (bad.reason, bad.detail.split(":")[0]) == (Reason.MISSING_FIELD, field)


@pytest.mark.parametrize("text", NOTHING)
def test_an_event_id_that_is_nothing_is_left_out(tmp_path: Path, text: str) -> None:
    assert event(tmp_path, "clicks", CLICK | {"event_id": text}) == CLICK


@pytest.mark.parametrize("name", ["NULL", "None", "nan", "undefined", "Nil"])
def test_a_song_or_an_artist_may_be_called_nothing(tmp_path: Path, name: str) -> None:
    found = event(tmp_path, "clicks", CLICK | {"song_id": name, "artist_ids": [name]})
    assert (found["song_id"], found["artist_ids"]) == (name, [name])


@pytest.mark.parametrize("value", [["u1"], {"id": "u1"}, "['u1']", '["u1", "u2"]'])
@pytest.mark.parametrize("field", ["user_id", "song_id"])
def test_a_list_or_an_object_is_no_id(tmp_path: Path, field: str, value: Any) -> None:
    bad = refused(tmp_path, "clicks", CLICK | {field: value})
    assert (bad.reason, bad.detail.split(":")[0]) == (Reason.BAD_ID, field)


def test_a_song_in_square_brackets_is_a_song(tmp_path: Path) -> None:
    assert event(tmp_path, "clicks", CLICK | {"song_id": "[Intro]"})["song_id"] == "[Intro]"


@pytest.mark.parametrize("text", ["['Simon', \"Sinéad O'Connor\"]", '["Simon", "Sinéad O\'Connor"]'])
def test_the_text_of_a_list_of_artists_is_the_list(tmp_path: Path, text: str) -> None:
    found = event(tmp_path, "clicks", CLICK | {"artist_ids": text})
    assert found["artist_ids"] == ["Simon", "Sinéad O'Connor"]


@pytest.mark.parametrize(
    "text", ['["a" "b', '["a", [["b"]]]', "['a', __import__('os')]", '["' + "[" * 9999 + '"]']
)
def test_the_text_of_what_is_no_list_of_ids_is_refused_or_an_id(tmp_path: Path, text: str) -> None:
    (found,) = made(tmp_path, "clicks", FileOptions(), CLICK | {"artist_ids": text})
    assert isinstance(found, Event | Bad)


WORDS = replacements(["kind:open=opened,unsubscribe=opted_out", "kind:bounce="])


@pytest.mark.parametrize(
    ("word", "kind"),
    [("open", "opened"), ("OPEN", "opened"), (" Unsubscribe ", "opted_out"), ("Clicked", "clicked")],
)
def test_words_of_a_file_mean_words_of_the_contract_in_any_case(tmp_path: Path, word: str, kind: str) -> None:
    assert event(tmp_path, "feedback", FEEDBACK | {"kind": word}, values=WORDS)["kind"] == kind


def test_a_word_that_means_nothing_is_no_value(tmp_path: Path) -> None:
    assert refused(tmp_path, "feedback", FEEDBACK | {"kind": "bounce"}, values=WORDS).reason is (
        Reason.MISSING_FIELD
    )


def test_a_word_that_nothing_is_said_of_stays(tmp_path: Path) -> None:
    bad = refused(tmp_path, "feedback", FEEDBACK | {"kind": "spam"}, values=WORDS)
    assert (bad.reason, "spam" in str(bad.row)) == (Reason.BAD_VALUE, True)


def test_values_of_any_field_may_be_replaced_also_in_lists_and_numbers(tmp_path: Path) -> None:
    words = replacements(["artist_ids:7=a7,va=", "city:MUC=Munich", "action:true=skip"])
    row = CLICK | {"artist_ids": [7, "VA", "a8"], "city": "muc", "action": True}
    found = event(tmp_path, "clicks", row, values=words)
    assert found == CLICK | {"artist_ids": ["a7", "a8"], "city": "Munich", "action": "skip"}


@pytest.mark.parametrize("text", ["kind", "kind:", ":a=b", "kind:open"])
def test_a_replacement_has_a_field_and_two_values(text: str) -> None:
    with pytest.raises(WrongUse, match=r"--value .*: write"):
        replacements([text])


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("ms>=30000", [2, 3]),
        ("ms > 30000", [3]),
        ("ms<30000", [1, 4]),
        ("ms<=3e4", [1, 2, 4]),
    ],
)
def test_rows_are_asked_for_by_number(tmp_path: Path, condition: str, kept: list[int]) -> None:
    rows = [CLICK | {"ms": ms} for ms in (29_999, "30000", 3.1e4, -1, None, "many", True, [9e9], "nan")]
    del rows[6]["ms"]
    found = made(tmp_path, "clicks", FileOptions(where=(Condition.parse(condition),)), *rows)
    assert [at for at, each in enumerate(found, 1) if isinstance(each, Event)] == kept
    assert {type(each) for each in found} == {Event, LeftOut}


@pytest.mark.parametrize("text", ["ms>=many", "ms<", "ms>nan", ">5", "ms>=inf"])
def test_a_condition_of_numbers_has_a_number(text: str) -> None:
    with pytest.raises(WrongUse, match="--where"):
        Condition.parse(text)


def test_a_click_is_what_the_first_condition_that_holds_says(tmp_path: Path) -> None:
    rules = ("skip:skipped=true", "complete:ms>=200000", "like:loved!=")
    options = FileOptions(actions=tuple(map(ActionRule.parse, rules)))
    rows = [
        CLICK | {"skipped": True, "ms": 300_000},
        CLICK | {"skipped": False, "ms": 300_000, "action": "download"},
        CLICK | {"ms": 5, "loved": 1},
        CLICK | {"ms": 5, "action": "download"},
        CLICK,
    ]
    found = [json.loads(each.value).get("action") for each in made(tmp_path, "clicks", options, *rows)]
    assert found == ["skip", "complete", "like", "download", None]


@pytest.mark.parametrize("text", ["skip", "skip:skipped", "skip:=true"])
def test_an_action_rule_has_a_condition(text: str) -> None:
    with pytest.raises(WrongUse, match="--action"):
        ActionRule.parse(text)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("clicks", {"actions": (ActionRule.parse("sing:a=b"),)}, "--action sing: there are play"),
        ("feedback", {"actions": (ActionRule.parse("skip:a=b"),)}, "go with clicks"),
        ("songs", {"distinct": True}, "go with clicks"),
        ("clicks", {"values": {"kind": {}}}, "no field 'kind'"),
        ("clicks", {"percent_encoded": ("kind",)}, "no field 'kind'"),
    ],
)
def test_options_that_do_not_go_with_the_kind_are_refused(
    kind: Kind, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(WrongUse, match=said):
        Recipe(kind, FileOptions(**options))


def test_ids_in_urls_are_decoded_where_that_is_asked_for(tmp_path: Path) -> None:
    row = CLICK | {"song_id": "Beyonc%C3%A9", "artist_ids": "a%7Cb|c+d", "query": "a+b%2Bc", "user_id": "%41"}
    fields = ("song_id", "artist_ids", "query")
    found = event(tmp_path, "clicks", row, percent_encoded=fields, separator="|")
    assert found["user_id"] == "%41"
    assert (found["song_id"], found["artist_ids"], found["query"]) == ("Beyoncé", ["a|b", "c+d"], "a b+c")


def test_what_is_no_text_when_it_is_decoded_is_refused_or_dropped(tmp_path: Path) -> None:
    bad = refused(tmp_path, "clicks", CLICK | {"song_id": "%ff"}, percent_encoded=("song_id",))
    assert (bad.reason, "song_id" in bad.detail) == (Reason.BAD_ID, True)
    assert event(tmp_path, "clicks", CLICK | {"query": "%ff"}, percent_encoded=("query",)) == CLICK


def test_the_choices_are_those_of_the_contract() -> None:
    assert CHOICES["action"] == ("play", "complete", "like", "download", "search", "skip")
    assert "opted_out" in CHOICES["kind"]


PARTS = {"artist_ids": "^(.+?) - ", "song_id": "^.+? - (.+)"}


def test_a_part_of_a_column_is_taken_by_a_pattern(tmp_path: Path) -> None:
    row = {"user_id": "u1", "ts": 1.7e9, "what": "A & B - Song - Live", "when": "from 20230501 on"}
    both = {"artist_ids": "what", "song_id": "what"}
    found = event(tmp_path, "clicks", row, mapping=both, extracts=PARTS, separator=" & ")
    assert (found["artist_ids"], found["song_id"]) == (["A", "B"], "Song - Live")
    found = event(tmp_path, "clicks", row, mapping=both | {"ts": "when"}, extracts=PARTS | {"ts": r"\d{8}"})
    assert found["ts"] == 1682899200


def test_what_a_pattern_does_not_match_is_missing(tmp_path: Path) -> None:
    bad = refused(tmp_path, "clicks", CLICK | {"what": "Song"}, mapping={"song_id": "what"}, extracts=PARTS)
    assert bad.reason is Reason.MISSING_FIELD


def test_a_pattern_takes_its_part_out_of_each_of_a_list(tmp_path: Path) -> None:
    row = CLICK | {"artist_ids": ["A - Topic", "B", None]}
    found = event(tmp_path, "clicks", row, extracts={"artist_ids": "^(.+?)(?: - Topic)?$"})
    assert found["artist_ids"] == ["A", "B"]


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [(305, 305_000), ("5013.12", 5_013_120), (0.0004, 0), (None, None), ("x", None)],
)
def test_a_number_is_multiplied_and_rounded(tmp_path: Path, value: Any, milliseconds: int | None) -> None:
    row = CLICK | {"seconds": value}
    found = event(tmp_path, "clicks", row, mapping={"ms_played": "seconds"}, factors={"ms_played": 1000.0})
    assert found.get("ms_played") == milliseconds


@pytest.mark.parametrize(
    ("row", "user"),
    [
        ({"userId": "u", "anonymousId": "a"}, "u"),
        ({"userId": None, "anonymousId": "a"}, "a"),
        ({"userId": "", "anonymousId": "a"}, "a"),
        ({"anonymousId": "a"}, "a"),
        ({"userId|anonymousId": "x", "userId": "u"}, "x"),
    ],
)
def test_of_columns_that_stand_for_each_other_the_first_with_something_counts(
    tmp_path: Path, row: dict[str, Any], user: str
) -> None:
    row = {"song_id": "s", "ts": 1.7e9, **row}
    assert event(tmp_path, "clicks", row, mapping={"user_id": "userId|anonymousId"})["user_id"] == user


def test_of_columns_that_stand_for_each_other_one_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("b,song_id,ts\nu,s,1700000000\n")
    recipe = Recipe("clicks", FileOptions(mapping={"user_id": "a|b"}))
    (found,) = map(recipe.ready(Table(path, Layout())), Table(path, Layout()).rows())
    assert isinstance(found, Event)
    with pytest.raises(WrongUse, match="no column 'a'"):
        Recipe("clicks", FileOptions(mapping={"user_id": "a|c"})).ready(Table(path, Layout()))


def test_a_member_may_be_named_by_its_beginning(tmp_path: Path) -> None:
    row = CLICK | {"event_other_1": None, "event_song_1": {"id": "x"}}
    assert event(tmp_path, "clicks", row, mapping={"song_id": "event_*.id"})["song_id"] == "x"


@pytest.mark.parametrize("written", [True, "true", "True", "TRUE"])
def test_truth_is_the_same_however_it_is_written(tmp_path: Path, written: Any) -> None:
    where = (Condition.parse("private!=true"),)
    (found,) = made(tmp_path, "clicks", FileOptions(where=where), CLICK | {"private": written})
    assert isinstance(found, LeftOut)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (FileOptions(extracts={"nothing": "x"}), "have no field 'nothing'"),
        (FileOptions(factors={"nothing": 2.0}), "have no field 'nothing'"),
        (FileOptions(extracts={"song_id": "x"}, constants={"song_id": "s"}), "go with a column"),
    ],
)
def test_a_part_of_no_column_is_wrong_use(options: FileOptions, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Recipe("clicks", options)


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (patterns, "song_id", "write FIELD:PATTERN"),
        (patterns, "song_id:(", "missing \\)"),
        (patterns, "song_id:(a)(b)", "has 2 groups"),
        (factors, "ms_played:much", "'much' is no number"),
        (factors, "ms_played:inf", "'inf' is no number"),
    ],
)
def test_a_pattern_or_factor_that_is_none_is_wrong_use(read: Any, text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        read([text])
