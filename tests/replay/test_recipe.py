from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from stream.errors import WrongUse
from stream.files.columns import SCALES
from stream.files.kinds import KINDS
from stream.files.options import Condition, FileOptions, Layout
from stream.files.recipe import Event, LeftOut, Recipe
from stream.files.songs import SongFile
from stream.files.tables import Bad, Table
from stream.wire.dead_letter import Reason
from stream.wire.events import NO_SONG, ClickEvent
from stream.wire.parsing import MAX_EVENT_BYTES

CLICK = {"user_id": "u1", "song_id": "s1", "ts": 1.7e9}
CLICKS = TypeAdapter(ClickEvent)


def lines(folder: Path, *rows: dict[str, Any], name: str = "f.jsonl") -> Table:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Table(path, Layout())


def made(recipe: Recipe, table: Table, songs: SongFile | None = None) -> list[Event | LeftOut | Bad]:
    make = recipe.ready(table, songs)
    return [row if isinstance(row, Bad) else make(row) for row in table.rows()]


def one(recipe: Recipe, table: Table, songs: SongFile | None = None) -> dict[str, Any]:
    (event,) = made(recipe, table, songs)
    assert isinstance(event, Event), event
    value: dict[str, Any] = json.loads(event.value)
    return value


def test_an_event_in_the_contracts_own_shape_needs_no_options(tmp_path: Path) -> None:
    click = CLICK | {"artist_ids": ["a1"], "action": "like", "ms_played": 7, "event_id": "e"}
    assert one(Recipe("clicks"), lines(tmp_path, click)) == click
    assert one(Recipe("songs"), lines(tmp_path, {"song_id": "s", "artist_ids": ["a"], "title": "T"})) == {
        "song_id": "s",
        "artist_ids": ["a"],
        "artist_names": [],
        "genres": [],
        "title": "T",
    }


@pytest.mark.parametrize(
    ("kind", "key"), [("clicks", "user_id"), ("songs", "song_id"), ("releases", "release_id")]
)
def test_the_key_is_the_contracts(tmp_path: Path, kind: Any, key: str) -> None:
    row = CLICK | {"artist_ids": ["a"], "release_id": "r1"}
    (event,) = made(Recipe(kind), lines(tmp_path, row))
    assert isinstance(event, Event)
    assert event.key == row[key].encode()  # type: ignore[attr-defined]
    assert KINDS[kind].key == key


def test_columns_are_mapped_and_unknown_ones_left_behind(tmp_path: Path) -> None:
    table = lines(
        tmp_path, {"userId": 8, "song": "You Gotta Be", "artist": "Des'ree", "ts": 1541106106796, "x": 1}
    )
    recipe = Recipe(
        "clicks", FileOptions(mapping={"user_id": "userId", "song_id": "song", "artist_ids": "artist"})
    )
    assert one(recipe, table) == {
        "user_id": "8",
        "song_id": "You Gotta Be",
        "artist_ids": ["Des'ree"],
        "ts": 1541106106.796,
    }


def test_date_and_time_in_two_columns_are_one_time(tmp_path: Path) -> None:
    table = lines(tmp_path, CLICK | {"day": "01/07/2024", "clock": "14:00"})
    recipe = Recipe(
        "clicks",
        FileOptions(mapping={"ts": "day+clock"}, time_format="%d/%m/%Y %H:%M", timezone="Europe/Berlin"),
    )
    assert one(recipe, table)["ts"] == 1719835200.0


def test_a_constant_is_the_same_for_all(tmp_path: Path) -> None:
    found = one(
        Recipe("clicks", FileOptions(constants={"action": "like", "artist_ids": "a1"})),
        lines(tmp_path, CLICK),
    )
    assert (found["action"], found["artist_ids"]) == ("like", ["a1"])


def test_numbers_of_csv_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("user_id,song_id,ts,ms_played,utc_offset_min,artist_ids\nu,s,1.5,200,-60,a1|a2\n")
    assert one(Recipe("clicks", FileOptions(separator="|")), Table(path, Layout())) == {
        "user_id": "u",
        "song_id": "s",
        "ts": 1.5,
        "ms_played": 200,
        "utc_offset_min": -60,
        "artist_ids": ["a1", "a2"],
    }


@pytest.mark.parametrize(
    ("condition", "kept"),
    [("page=NextSong", [1, 3]), ("page!=NextSong", [2, 4]), ("page=", [4]), ("paid=true", [3]), ("n=5", [1])],
)
def test_rows_that_were_not_asked_for_are_left_out(tmp_path: Path, condition: str, kept: list[int]) -> None:
    table = lines(
        tmp_path,
        CLICK | {"page": "NextSong", "n": 5},
        CLICK | {"page": "Home"},
        CLICK | {"page": "NextSong", "paid": True},
        CLICK | {"page": None},
    )
    found = made(Recipe("clicks", FileOptions(where=(Condition.parse(condition),))), table)
    assert [at for at, event in enumerate(found, 1) if isinstance(event, Event)] == kept
    assert {type(event) for event in found} == {Event, LeftOut}


def test_what_is_missing_counts_as_nothing_in_a_condition(tmp_path: Path) -> None:
    table = lines(tmp_path, CLICK | {"page": "(null)"}, CLICK | {"page": "Home"})
    for condition, kept in (("page!=", [2]), ("page=(null)", [1]), ("page=", [1])):
        found = made(Recipe("clicks", FileOptions(where=(Condition.parse(condition),))), table)
        assert [at for at, event in enumerate(found, 1) if isinstance(event, Event)] == kept, condition


@pytest.mark.parametrize("marker", ["(null)", "\\N", "", None])
@pytest.mark.parametrize("field", ["song_id", "user_id", "ts"])
def test_a_marker_of_what_is_missing_is_no_value(tmp_path: Path, field: str, marker: Any) -> None:
    (bad,) = made(Recipe("clicks"), lines(tmp_path, CLICK | {field: marker}))
    assert isinstance(bad, Bad)
    assert bad.reason is Reason.MISSING_FIELD, bad.detail


def test_a_marker_in_a_list_is_left_out(tmp_path: Path) -> None:
    for artists in ("a1|(null)|a2", ["a1", "(null)", "a2"]):
        table = lines(tmp_path, CLICK | {"artist_ids": artists})
        assert one(Recipe("clicks", FileOptions(separator="|")), table)["artist_ids"] == ["a1", "a2"]


def test_null_in_words_is_a_name(tmp_path: Path) -> None:
    found = one(Recipe("clicks"), lines(tmp_path, CLICK | {"song_id": "NULL", "artist_ids": ["None"]}))
    assert (found["song_id"], found["artist_ids"]) == ("NULL", ["None"])


def test_all_conditions_must_hold(tmp_path: Path) -> None:
    table = lines(tmp_path, CLICK | {"a": "1", "b": "1"}, CLICK | {"a": "1", "b": "2"})
    both = (Condition("a", "1"), Condition("b", "2"))
    assert [type(event) for event in made(Recipe("clicks", FileOptions(where=both)), table)] == [
        LeftOut,
        Event,
    ]


@given(st.integers(0, 2**50))
def test_log2_is_the_ceiling_of_the_logarithm(plays: int) -> None:
    times = SCALES["log2"](plays)
    assert 2 ** (times - 1) < 1 + plays <= 2**times or plays == times == 0


@pytest.mark.parametrize(("scale", "expected"), [("linear", [0, 1, 9, 100]), ("log2", [0, 1, 4, 7])])
def test_a_row_is_so_many_events(tmp_path: Path, scale: Any, expected: list[int]) -> None:
    table = lines(tmp_path, *(CLICK | {"plays": plays} for plays in (0, "1", 9.0, 100)))
    found = made(Recipe("clicks", FileOptions(repeat="plays", scale=scale)), table)
    assert [event.copies if isinstance(event, Event) else 0 for event in found] == expected


def test_between_two_whole_numbers_log2_rounds_up() -> None:
    assert SCALES["log2"](1.5) == math.ceil(math.log2(2.5))


def test_a_spread_event_has_no_time_yet(tmp_path: Path) -> None:
    assert "ts" not in one(Recipe("clicks", spread=True), lines(tmp_path, CLICK))
    feedback = {"release_id": "r", "user_id": "u", "kind": "sent"}
    assert one(Recipe("feedback", spread=True), lines(tmp_path, feedback)) == feedback


def test_what_was_before_since_is_left_out(tmp_path: Path) -> None:
    table = lines(tmp_path, CLICK | {"ts": 99.0}, CLICK | {"ts": 100.0})
    assert [type(event) for event in made(Recipe("clicks", since=100.0), table)] == [LeftOut, Event]


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"user_id": None}, {}, Reason.MISSING_FIELD),
        ({"user_id": ""}, {}, Reason.MISSING_FIELD),
        ({"song_id": "a\x19b"}, {}, Reason.BAD_ID),
        ({"song_id": "{a}"}, {}, Reason.BAD_ID),
        ({"user_id": 7.5}, {}, Reason.BAD_ID),
        ({"user_id": True}, {}, Reason.BAD_ID),
        ({"user_id": "x" * 257}, {}, Reason.BAD_ID),
        ({"user_id": "\udcff"}, {}, Reason.BAD_ID),
        ({"ts": "soon"}, {}, Reason.BAD_TIME),
        ({"ts": -5}, {}, Reason.BAD_TIME),
        ({"ts": "nan"}, {}, Reason.BAD_TIME),
        ({"ts": time.time() + 3600}, {}, Reason.FUTURE),
        ({"action": "sing"}, {}, Reason.BAD_VALUE),
        ({"n": "many"}, {"repeat": "n"}, Reason.BAD_VALUE),
        ({"n": -1}, {"repeat": "n"}, Reason.BAD_VALUE),
        ({"n": 1.5}, {"repeat": "n"}, Reason.BAD_VALUE),
        ({"n": "inf"}, {"repeat": "n", "scale": "log2"}, Reason.BAD_VALUE),
        ({"artist_ids": ["é" * 100] * 400}, {}, Reason.BAD_VALUE),
    ],
)
def test_a_row_that_cannot_be_used_says_why(
    tmp_path: Path, change: dict[str, Any], options: dict[str, Any], reason: Reason
) -> None:
    (bad,) = made(Recipe("clicks", FileOptions(**options)), lines(tmp_path, CLICK | change))
    assert isinstance(bad, Bad)
    assert (bad.line, bad.reason) == (1, reason), bad.detail


def test_an_event_that_is_too_large_is_refused_here(tmp_path: Path) -> None:
    table = lines(tmp_path, {"song_id": "s", "artist_ids": ["a"], "title": "x" * MAX_EVENT_BYTES})
    (bad,) = made(Recipe("songs"), table)
    assert isinstance(bad, Bad)
    assert bad.reason is Reason.TOO_LARGE


@given(
    st.fixed_dictionaries(
        {"user_id": st.text() | st.integers(), "song_id": st.text(), "ts": st.floats() | st.text()},
        optional={
            "artist_ids": st.lists(st.text()) | st.text(),
            "action": st.text(),
            "ms_played": st.integers(),
        },
    )
)
def test_whatever_becomes_an_event_is_one_by_the_rules_of_the_wire(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]
) -> None:
    (event,) = made(Recipe("clicks"), lines(tmp_path_factory.mktemp("any"), row))
    if isinstance(event, Event):
        assert CLICKS.validate_json(event.value)["user_id"].encode() == event.key


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "plays"}, "there are no 'plays'"),
        (
            {"options": FileOptions(mapping={"user": "x"})},
            "clicks have no field 'user'; they have action, artist_ids",
        ),
        ({"options": FileOptions(constants={"likes": "1"})}, "no field 'likes'"),
        (
            {"options": FileOptions(mapping={"ts": "t"}, constants={"ts": "1"})},
            "both a column and a constant",
        ),
        ({"options": FileOptions(mapping={"ts": "t"}), "spread": True}, "--spread gives events their ts"),
        ({"kind": "songs", "spread": True}, "--spread gives events their ts"),
        ({"spread": True, "since": 1.0}, "--since goes by the events' own ts"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Recipe(**{"kind": "clicks"} | options)


@pytest.mark.parametrize("text", ["page", "=x", "!=x"])
def test_a_condition_has_a_column_and_a_value(text: str) -> None:
    with pytest.raises(WrongUse, match="write column=value"):
        Condition.parse(text)


def songs(folder: Path, on: dict[str, str]) -> SongFile:
    rows = (
        {"song_id": "S1", "title": "Soul Deep", "name": "The Box Tops", "artist_id": "A1"},
        {"song_id": "S2", "title": "Soul Deep", "name": "Another", "artist_id": "A2|A3"},
        {"song_id": "S3", "title": "Nobody's", "name": "", "artist_id": ""},
        {"song_id": "S4", "title": "Soul Deep", "name": "The Box Tops", "artist_id": "A9"},
    )
    table = lines(folder, *rows, name="songs.jsonl")
    return SongFile([table], {"artist_ids": "artist_id"}, on, "|")


def test_a_song_file_gives_clicks_their_artists(tmp_path: Path) -> None:
    found = songs(tmp_path, {})
    assert (len(found), found.unusable) == (3, 1)
    clicks = lines(tmp_path, CLICK | {"song_id": "S2"}, CLICK | {"song_id": "S3"})
    event, bad = made(Recipe("clicks"), clicks, found)
    assert isinstance(event, Event)
    assert json.loads(event.value)["artist_ids"] == ["A2", "A3"]
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.detail) == (Reason.UNKNOWN_SONG, "no song with song_id 'S3' in songs.jsonl")


def test_a_click_without_a_song_is_not_taken_for_one_of_an_unknown_song(tmp_path: Path) -> None:
    clicks = lines(tmp_path, CLICK | {"song_id": "(null)"})
    (bad,) = made(Recipe("clicks"), clicks, songs(tmp_path, {}))
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.detail) == (Reason.MISSING_FIELD, NO_SONG)


def test_a_song_of_several_rows_has_the_artists_of_all(tmp_path: Path) -> None:
    rows = [
        {"song_id": song, "artist_ids": artist}
        for song, artist in (("S1", "A1"), ("S2", "A9"), ("S1", "A2"), ("S1", "A1"))
    ]
    file = SongFile([lines(tmp_path, *rows, name="songs.jsonl")], {}, {})
    clicks = lines(tmp_path, CLICK | {"song_id": "S1"}, CLICK | {"song_id": "S2"})
    found = [json.loads(event.value) for event in made(Recipe("clicks"), clicks, file)]  # type: ignore[union-attr]
    assert [click["artist_ids"] for click in found] == [["A1", "A2"], ["A9"]]


def test_a_song_in_several_files_has_the_artists_of_all(tmp_path: Path) -> None:
    first = lines(tmp_path, {"song_id": "S1", "artist_ids": "A1"}, name="1.jsonl")
    second = [{"song_id": "S2", "artist_ids": "A9"}, {"song_id": "S1", "artist_ids": "A2"}]
    file = SongFile([first, lines(tmp_path, *second, name="2.jsonl")], {}, {})
    clicks = lines(tmp_path, *(CLICK | {"song_id": song} for song in ("S1", "S2", "S3")))
    *found, bad = made(Recipe("clicks"), clicks, file)
    events = [json.loads(event.value) for event in found]  # type: ignore[union-attr]
    assert [click["artist_ids"] for click in events] == [["A1", "A2"], ["A9"]]
    assert isinstance(bad, Bad)
    assert bad.detail == "no song with song_id 'S3' in 1.jsonl or 2.jsonl"


APART, TOGETHER = "Beyonce\N{COMBINING ACUTE ACCENT}", "Beyonc\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.mark.parametrize("on", [{}, {"song_id": "song_id"}])
@pytest.mark.parametrize(("typed", "held"), [(APART, TOGETHER), (TOGETHER, APART)])
def test_a_song_is_found_in_whichever_unicode_form_it_is_named(
    tmp_path: Path, typed: str, held: str, on: dict[str, str]
) -> None:
    file = SongFile([lines(tmp_path, {"song_id": held, "artist_ids": held}, name="songs.jsonl")], {}, on)
    event = one(Recipe("clicks"), lines(tmp_path, CLICK | {"song_id": typed}), file)
    assert (event["song_id"], event["artist_ids"]) == (TOGETHER, [TOGETHER])


def test_conditions_and_ids_of_files_are_the_same_in_both_unicode_forms(tmp_path: Path) -> None:
    recipe = Recipe("clicks", FileOptions(where=(Condition("user_id", APART),)))
    table = lines(tmp_path, CLICK | {"user_id": TOGETHER}, CLICK | {"user_id": APART})
    events = [json.loads(event.value) for event in made(recipe, table)]  # type: ignore[union-attr]
    assert [event["user_id"] for event in events] == [TOGETHER, TOGETHER]


def test_songs_of_one_title_do_not_share_their_artists(tmp_path: Path) -> None:
    rows = [
        {"song_id": song, "title": "T", "artist_ids": artist} for song, artist in (("S1", "A1"), ("S2", "A2"))
    ]
    file = SongFile([lines(tmp_path, *rows, name="songs.jsonl")], {}, {"title": "title"})
    assert one(Recipe("clicks"), lines(tmp_path, CLICK | {"title": "T"}), file)["artist_ids"] == ["A1"]


def test_a_song_is_found_by_title_and_name_the_first_of_two_alike(tmp_path: Path) -> None:
    found = songs(tmp_path, {"song": "title", "artist": "name"})
    row = {"user_id": "u", "ts": 1.0, "song": "Soul Deep"}
    clicks = lines(tmp_path, row | {"artist": "The Box Tops"}, row | {"artist": "Nobody"})
    event, bad = made(Recipe("clicks"), clicks, found)
    assert isinstance(event, Event)
    assert json.loads(event.value) == {"user_id": "u", "ts": 1.0, "song_id": "S1", "artist_ids": ["A1"]}
    assert isinstance(bad, Bad)
    assert "song 'Soul Deep', artist 'Nobody'" in bad.detail


def test_a_click_with_artists_of_its_own_keeps_them_where_the_file_knows_no_better(tmp_path: Path) -> None:
    clicks = lines(tmp_path, CLICK | {"song_id": "S9", "artist_ids": ["own"]})
    assert one(Recipe("clicks"), clicks, songs(tmp_path, {}))["artist_ids"] == ["own"]
