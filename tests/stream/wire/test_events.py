from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from models.affinity import ACTION_WEIGHTS
from stream.wire.dead_letter import MAX_DEAD_LETTER, DeadLetter, Reason
from stream.wire.events import (
    NO_SONG,
    ArtistAlias,
    CohortChange,
    Feedback,
    Merge,
    Page,
    Release,
    Song,
    Summary,
    encode,
)
from stream.wire.fields import ID_PATTERN
from stream.wire.parsing import FUTURE_SECONDS, MAX_EVENT_BYTES, parse, parse_clicks
from stream.wire.record import Record

NOW = 1_700_000_000.0
CLICK: dict[str, Any] = {"user_id": "u1", "song_id": "s1", "ts": NOW - 5}


def record(value: bytes | None, offset: int = 0, partition: int = 0, topic: str = "clicks") -> Record:
    return Record(topic, partition, offset, b"key", value)


def as_json(**fields: Any) -> bytes:
    return json.dumps(CLICK | fields).encode()


def reason_of(value: bytes | None) -> tuple[Reason, str]:
    clicks, (dead,) = parse_clicks([record(value)], NOW)
    assert clicks == []
    return dead.reason, dead.detail


def accepted(**fields: Any) -> bool:
    return bool(parse_clicks([record(as_json(**fields))], NOW)[0])


# Why a click cannot be used


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"\xff\xfe", b"user_id=u1", b'{"user_id": "u\xff"}', b"[" * 60_000, b"\xef\xbb\xbf", None],
)
def test_what_is_not_json_is_called_so(value: bytes | None) -> None:
    assert reason_of(value)[0] == Reason.NOT_JSON


def test_json_with_half_a_character_is_not_json() -> None:
    assert reason_of(b'{"user_id": "\\ud800", "song_id": "s", "ts": 1}')[0] == Reason.NOT_JSON


@pytest.mark.parametrize("value", [b"[]", b"null", b"5", b'"click"'])
def test_json_that_is_no_object_has_a_bad_value(value: bytes) -> None:
    assert reason_of(value) == (Reason.BAD_VALUE, "Input should be an object")


@pytest.mark.parametrize("field", ["user_id", "song_id", "ts"])
def test_a_missing_field_is_named(field: str) -> None:
    fields = {name: value for name, value in CLICK.items() if name != field}
    reason, detail = reason_of(json.dumps(fields).encode())
    assert reason == Reason.MISSING_FIELD
    assert detail.startswith(f"{field}: ")


BAD_IDS = [
    "", "a\nb", "a\x7f", "a\x85b", "{", "u}", "x" * 257, "ü" * 129, None, True, 1.5, 2.0**60, 10**300, ["u"],
    {"id": 1}, " ", "\t", "\u200b", "\ufeff \u00a0", "\u2060\u200d", "\u3164",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("field", ["user_id", "song_id", "event_id", "artist_ids"])
def test_a_bad_id_is_named(field: str, bad: object) -> None:
    reason, detail = reason_of(as_json(**{field: [bad] if field == "artist_ids" else bad}))
    assert reason == Reason.BAD_ID
    assert detail.startswith(field)


@pytest.mark.parametrize(
    "good", ["x", "x" * 256, "ü" * 128, "a:b", "Sigur Rós", "🎧", "-1", " a", "a\u200d", "0"]
)
def test_any_other_name_may_serve_as_an_id(good: str) -> None:
    assert accepted(user_id=good, song_id=good, artist_ids=[good])


@pytest.mark.parametrize("bad", [True, 1.5, ["u"], {"id": 1}, None])
def test_an_id_that_is_neither_text_nor_an_integer_is_quoted(bad: object) -> None:
    assert reason_of(as_json(user_id=bad))[1] == f"user_id: {bad!r} is no id, which is text or an integer"
    assert reason_of(as_json(artist_ids=["a", bad]))[1].startswith(f"artist_ids.1: {bad!r} is no id")


@pytest.mark.parametrize(
    ("number", "text"), [(5, "5"), (-3, "-3"), (0, "0"), (154422682.0, "154422682"), (2**80, str(2**80))]
)
def test_an_id_that_is_an_integer_is_its_text(number: float, text: str) -> None:
    (click,), _ = parse_clicks([record(as_json(user_id=number, song_id=number, artist_ids=[number]))], NOW)
    assert (click.user_id, click.song_id, click.artist_ids) == (text, text, (text,))


def test_other_events_take_numbers_for_ids_too() -> None:
    song = parse(Song, record(b'{"song_id": 7, "artist_ids": [1, "b", 3.0], "label": 9}'))
    assert isinstance(song, Song)
    assert (song.song_id, song.artist_ids, song.label) == ("7", ["1", "b", "3"], "9")


@pytest.mark.parametrize("blank", [" ", "\u200b", "\ufeff \u00a0"])
def test_an_id_that_nobody_sees_is_said_to_be_blank(blank: str) -> None:
    assert reason_of(as_json(user_id=blank)) == (Reason.BAD_ID, f"user_id: {blank!r} is blank")


APART, TOGETHER = "Beyonce\N{COMBINING ACUTE ACCENT}", "Beyonc\N{LATIN SMALL LETTER E WITH ACUTE}"


def test_ids_and_cities_of_clicks_are_composed() -> None:
    fields = {"user_id": APART, "song_id": APART, "artist_ids": [APART, TOGETHER], "city": APART}
    (click,), _ = parse_clicks([record(as_json(**fields))], now=NOW)
    assert (click.user_id, click.song_id, click.artist_ids, click.city) == (
        TOGETHER,
        TOGETHER,
        (TOGETHER,),
        TOGETHER,
    )


def test_ids_names_genres_and_segments_of_other_events_are_composed() -> None:
    song = {"song_id": APART, "artist_ids": [APART], "artist_names": [APART], "genres": [APART]}
    found = parse(Song, record(json.dumps(song).encode()))
    assert isinstance(found, Song)
    assert {found.song_id, *found.artist_ids, *found.artist_names, *found.genres} == {TOGETHER}
    where = {f"segment:{APART}": {"min": 0.5}}
    asked = {"release_id": "r", "artist_ids": [APART], "where": where}
    release = parse(Release, record(json.dumps(asked).encode()))
    assert isinstance(release, Release)
    assert release.where is not None
    assert (release.artist_ids, release.where.traits) == ([TOGETHER], (f"segment:{TOGETHER}",))


def test_a_click_names_at_most_32_artists() -> None:
    assert accepted(artist_ids=[str(number) for number in range(32)])
    reason = reason_of(as_json(artist_ids=[str(number) for number in range(33)]))
    assert reason == (Reason.BAD_VALUE, "artist_ids: 33 ids; there may be 32")


def test_a_click_that_names_no_artists_in_a_list_is_one_that_has_no_list() -> None:
    (with_list, without), _ = parse_clicks([record(as_json(artist_ids=[])), record(as_json())], NOW)
    assert with_list == without


def test_a_byte_order_mark_before_the_json_does_no_harm() -> None:
    mark = b"\xef\xbb\xbf"
    (click,), _ = parse_clicks([record(mark + as_json())], NOW)
    assert click.user_id == "u1"
    assert isinstance(parse(Song, record(mark + b'{"song_id": "s", "artist_ids": ["a"]}')), Song)
    assert reason_of(mark + b"{}")[0] == Reason.MISSING_FIELD


FRAME = b"\x00\x00\x00\x00\x2a"


def test_json_framed_for_a_schema_registry_is_read() -> None:
    (click,), _ = parse_clicks([record(FRAME + as_json())], NOW)
    assert click.user_id == "u1"
    assert isinstance(parse(Song, record(FRAME + b'{"song_id": "s", "artist_ids": ["a"]}')), Song)


def test_framed_json_that_lacks_a_field_says_which() -> None:
    assert reason_of(FRAME + b"{}") == (Reason.MISSING_FIELD, "user_id: Field required")


@pytest.mark.parametrize("payload", [b"\x04u1\x04s1\xf6\x80", b"\x00\x0a\x02u1", b"\xff"])
def test_framed_avro_and_protobuf_are_called_so_with_the_schema_and_the_way_out(payload: bytes) -> None:
    reason, detail = reason_of(FRAME + payload)
    assert reason == Reason.SCHEMA_REGISTRY
    assert "schema id 42" in detail
    assert "JSON Schema serializer" in detail
    letter = parse(Release, record(FRAME + payload, topic="releases"))
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.value) == (Reason.SCHEMA_REGISTRY, FRAME + payload)


@pytest.mark.parametrize("value", [b"\x00", FRAME])
def test_a_zero_byte_with_nothing_behind_a_schema_id_is_no_json(value: bytes) -> None:
    assert reason_of(value)[0] == Reason.NOT_JSON


BAD_TIMES = [
    None, True, [], "", "abc", -5, -0.5, "5", "1577836800", "-5", "1577836800000", "2020-01-01",
    "2020-01-01T00:00:00", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2020-13-01T00:00:00Z", "P1D",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_a_bad_time_is_quoted(bad: object) -> None:
    reason, detail = reason_of(as_json(ts=bad))
    assert reason == Reason.BAD_TIME
    assert detail.startswith("ts: ")


@pytest.mark.parametrize("bad", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_time_that_is_no_number_is_bad(bad: bytes) -> None:
    assert reason_of(b'{"user_id": "u", "song_id": "s", "ts": ' + bad + b"}")[0] == Reason.BAD_TIME


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (0, 0.0),
        (1577836800, 1577836800.0),
        (1577836800.25, 1577836800.25),
        ("2020-01-01T00:00:00Z", 1577836800.0),
        ("2020-01-01T01:00:00.250+01:00", 1577836800.25),
        ("2020-01-01 00:00:00-00:30", 1577838600.0),
    ],
)
def test_a_time_is_read_as_seconds(ts: float | str, expected: float) -> None:
    (click,), _ = parse_clicks([record(as_json(ts=ts))], NOW)
    assert click.ts == expected


def test_a_click_may_be_five_minutes_ahead_and_no_more() -> None:
    assert accepted(ts=NOW + FUTURE_SECONDS)
    assert reason_of(as_json(ts=NOW + FUTURE_SECONDS + 0.5))[0] == Reason.FUTURE
    ahead = datetime.fromtimestamp(NOW + FUTURE_SECONDS + 1, UTC).isoformat()
    assert reason_of(as_json(ts=ahead))[0] == Reason.FUTURE


def test_milliseconds_are_suspected_where_a_time_is_far_ahead() -> None:
    reason, detail = reason_of(as_json(ts=NOW * 1000))
    assert reason == Reason.FUTURE
    assert "milliseconds" in detail


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "dance"},
        {"action": 5},
        {"ms_played": -1},
        {"ms_played": 10**400},
        {"utc_offset_min": 2000},
        {"city": "x" * 257},
    ],
)
def test_a_value_that_is_not_allowed_is_named(fields: dict[str, Any]) -> None:
    reason, detail = reason_of(as_json(**fields))
    assert reason == Reason.BAD_VALUE
    assert detail.startswith(next(iter(fields)))


def test_an_event_has_at_most_so_many_bytes() -> None:
    room = MAX_EVENT_BYTES - len(as_json(pad=""))
    assert accepted(pad="x" * room)
    reason, detail = reason_of(as_json(pad="x" * (room + 1)))
    assert reason == Reason.TOO_LARGE
    assert str(MAX_EVENT_BYTES) in detail


# What a good click holds


def test_a_click_keeps_what_it_says_and_where_it_stood() -> None:
    value = as_json(artist_ids=["b", "a", "b"], action="like", ms_played=5, event_id="e", unknown={"a": [1]})
    (click,), dead = parse_clicks([record(value, offset=9, partition=3)], NOW)
    assert dead == []
    assert click == ("u1", "3", 9, NOW - 5, "s1", ("b", "a"), "like", False, None, 5, "", "", "e", False)
    (click,), _ = parse_clicks([record(as_json(utc_offset_min=-300, city="Pune", device="ar"))], NOW)
    assert (click.utc_offset_min, click.ms_played, click.city, click.device) == (-300, None, "Pune", "ar")


def test_a_search_may_come_without_a_song() -> None:
    search = {"user_id": "u1", "ts": NOW - 5, "action": "search", "query": "rap"}
    (click,), dead = parse_clicks([record(json.dumps(search).encode())], NOW)
    assert (click.song_id, click.artist_ids, dead) == ("", (), [])


def test_only_a_search_may_come_without_a_song() -> None:
    play = json.dumps({"user_id": "u1", "ts": NOW - 5}).encode()
    assert reason_of(play) == (Reason.MISSING_FIELD, NO_SONG)


def test_a_click_is_a_play_where_it_says_nothing_else() -> None:
    (click,), _ = parse_clicks([record(as_json())], NOW)
    assert (click.action, click.artist_ids) == ("play", ())


def test_every_action_has_a_weight() -> None:
    for action in ACTION_WEIGHTS:
        assert accepted(action=action)
    assert not accepted(action="other")


def test_offsets_of_a_topic_made_anew_are_others() -> None:
    clicks, _ = parse_clicks([record(as_json(), partition=3)], NOW, epoch=2)
    assert clicks[0].partition == "3.2"


def test_a_good_click_in_a_bad_batch_is_kept() -> None:
    values = [b"{", as_json(), None, as_json(user_id="u2"), b"x" * (MAX_EVENT_BYTES + 1), as_json(ts="x")]
    clicks, dead = parse_clicks([record(value, at) for at, value in enumerate(values)], NOW)
    assert [(click.user_id, click.offset) for click in clicks] == [("u1", 1), ("u2", 3)]
    assert [(letter.record.offset, letter.reason) for letter in dead] == [
        (0, Reason.NOT_JSON),
        (2, Reason.NOT_JSON),
        (4, Reason.TOO_LARGE),
        (5, Reason.BAD_TIME),
    ]


text = st.text(max_size=300)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
noise = st.binary(max_size=80) | st.dictionaries(
    st.sampled_from(["user_id", "song_id", "ts", "artist_ids", "action", "ms_played", "x"]), anything
).map(lambda event: json.dumps(event, ensure_ascii=False).encode(errors="replace"))


@given(st.lists(noise | st.just(as_json()) | st.none(), max_size=8))
def test_whatever_comes_is_a_click_or_a_dead_letter_in_order(values: list[bytes | None]) -> None:
    clicks, dead = parse_clicks([record(value, at) for at, value in enumerate(values)], NOW)
    kept, left = [click.offset for click in clicks], [letter.record.offset for letter in dead]
    assert sorted(kept + left) == list(range(len(values)))
    assert kept == sorted(kept)
    assert left == sorted(left)
    for letter in dead:
        assert letter.record.value == values[letter.record.offset]
        assert all(isinstance(value, bytes) and len(value) <= 1024 for _, value in letter.headers)
    for click in clicks:
        assert 0 <= click.ts <= NOW + FUTURE_SECONDS
        assert 0 < len(click.user_id.encode()) <= 256


# The other events

ids = st.text(
    st.characters(blacklist_characters="{}", blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=60
).filter(lambda name: re.search(ID_PATTERN, name) is not None)
names = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
times = st.floats(min_value=-1e10, max_value=1e10)
some_ids = st.lists(ids, min_size=1, max_size=5)
shares = st.floats(min_value=0, max_value=1)
numbers = st.integers(min_value=0, max_value=10**9)

EVENTS = {
    Song: st.builds(
        Song,
        song_id=ids,
        artist_ids=some_ids,
        title=st.none() | names,
        artist_names=st.lists(names, max_size=3),
        genres=st.lists(names, max_size=3),
        duration_ms=st.none() | numbers,
        released_at=st.none() | times,
    ),
    Release: st.builds(
        Release,
        release_id=ids,
        artist_ids=some_ids,
        song_id=st.none() | ids,
        title=st.none() | names,
        genres=st.lists(names, max_size=3),
        featuring=st.lists(ids, max_size=3),
        similar_to=st.lists(ids, max_size=3),
        max_audience=st.none() | st.integers(min_value=1, max_value=10**9),
        min_ctr=st.none() | shares,
        ts=st.none() | times,
    ),
    Page: st.builds(
        Page,
        release_id=ids,
        page=numbers,
        user_ids=some_ids,
        cohort_ids=some_ids,
        scores=st.lists(shares, max_size=5),
        model_version=numbers,
        emitted_at=times,
    ),
    Summary: st.builds(
        Summary,
        release_id=ids,
        done=st.just(True),
        pages=numbers,
        users=numbers,
        cohorts=numbers,
        reason=names,
    ),
    Feedback: st.builds(
        Feedback,
        release_id=ids,
        user_id=ids,
        kind=st.sampled_from(["sent", "opened", "clicked", "dismissed", "opted_out"]),
        ts=times,
    ),
    CohortChange: st.builds(
        CohortChange,
        user_id=ids,
        origin=names,
        to=names,
        reason=st.sampled_from(["click", "refresh", "rebirth"]),
        model_version=numbers,
        ts=times,
    ),
}  # fmt: skip


@given(st.one_of(*EVENTS.values()))
def test_what_is_written_is_read(event: BaseModel) -> None:
    assert parse(type(event), record(encode(event))) == event


@given(st.sampled_from(list(EVENTS)), noise)
def test_whatever_comes_is_an_event_or_a_dead_letter(kind: type[BaseModel], value: bytes) -> None:
    found = parse(kind, record(value))
    assert isinstance(found, kind | DeadLetter)


def test_an_event_of_another_kind_is_a_dead_letter_with_the_field_that_is_missing() -> None:
    found = parse(Release, record(b'{"user_id": "u1"}', topic="releases"))
    assert isinstance(found, DeadLetter)
    assert found.reason == Reason.MISSING_FIELD


@pytest.mark.parametrize("value", [None, b"x" * (MAX_EVENT_BYTES + 1)])
def test_an_event_without_a_usable_value_is_a_dead_letter(value: bytes | None) -> None:
    assert isinstance(parse(Song, record(value)), DeadLetter)


@pytest.mark.parametrize("kind", [ArtistAlias, Merge])
@pytest.mark.parametrize(
    ("written", "undo"),
    [
        *((yes, True) for yes in (True, 1, 1.0, "true", "True", " TRUE ", "1")),
        *((no, None) for no in (False, 0, "false", "False", "0", "", None)),
    ],
)
def test_undo_is_read_as_tables_write_yes_and_no(kind: type[Any], written: object, undo: bool | None) -> None:
    target = {} if undo else {"artist_id": "a2", "into": "u2"}
    event = {"alias": "a1", "user_id": "u1", "ts": NOW, **target, "undo": written}
    assert parse(kind, record(json.dumps(event).encode())).undo is undo


@pytest.mark.parametrize("kind", [ArtistAlias, Merge])
@pytest.mark.parametrize("written", ["perhaps", 2, 0.5, [], {}])
def test_an_undo_that_is_neither_yes_nor_no_is_refused(kind: type[Any], written: object) -> None:
    event = {"alias": "a1", "user_id": "u1", "ts": NOW, "undo": written}
    dead = parse(kind, record(json.dumps(event).encode()))
    assert (dead.reason, "undo" in dead.detail) == (Reason.BAD_VALUE, True)


def test_a_song_may_be_older_than_unix() -> None:
    for released_at in (-327456000, "1959-08-17T00:00:00Z"):
        value = json.dumps({"song_id": "s", "artist_ids": ["a"], "released_at": released_at}).encode()
        song = parse(Song, record(value))
        assert isinstance(song, Song)
        assert song.released_at == -327456000.0


def test_a_cohort_change_says_from_on_the_wire() -> None:
    change = CohortChange(user_id="u", origin="c1", to="c2", reason="click", model_version=3, ts=1.0)
    assert json.loads(encode(change)) == {
        "user_id": "u", "from": "c1", "to": "c2", "reason": "click", "model_version": 3, "ts": 1.0
    }  # fmt: skip


def test_a_dead_letter_says_where_it_stood_and_why() -> None:
    place = record(b"\xff", offset=42, partition=3, topic="feedback")
    letter = DeadLetter(place, Reason.NOT_JSON, "no JSON: ü")
    assert letter.headers == [
        ("reason", b"not-json"),
        ("detail", "no JSON: ü".encode()),
        ("topic", b"feedback"),
        ("partition", b"3"),
        ("offset", b"42"),
    ]


def test_a_dead_letter_keeps_the_headers_of_the_producer_but_those_of_our_names() -> None:
    given_headers = (("trace", b"1"), ("reason", b"mine"), ("trace", b"2"), ("none", None))
    letter = DeadLetter(record(b"{")._replace(headers=given_headers), Reason.NOT_JSON, "no JSON")
    assert letter.headers[:3] == [("trace", b"1"), ("trace", b"2"), ("none", None)]
    assert [value for name, value in letter.headers if name == "reason"] == [b"not-json"]


def test_a_dead_letter_has_room_for_its_headers_however_large_they_are() -> None:
    given_headers = [("large", b"x" * 30_000)] * 4 + [("small", b"y")]
    place = record(b"v" * 3 * MAX_DEAD_LETTER)._replace(headers=given_headers)
    letter = DeadLetter(place, Reason.TOO_LARGE, "d" * 5000)
    assert [name for name, _ in letter.headers[:3]] == ["large", "large", "small"]
    held = sum(len(name) + len(value or b"") for name, value in letter.headers)
    assert 60_000 < held < MAX_DEAD_LETTER - len(letter.value) - len(place.key or b"")


def test_a_dead_letter_of_an_event_with_a_key_of_any_length_has_its_beginning_and_the_value() -> None:
    place = record(b"{")._replace(key=b"k" * 2 * MAX_DEAD_LETTER)
    letter = DeadLetter(place, Reason.NOT_JSON, "no JSON")
    assert (letter.key, letter.value) == (b"k" * 64 * 1024, b"{")
    assert DeadLetter(place._replace(key=None), Reason.NOT_JSON, "no JSON").key is None


def test_a_page_of_one_cohort_that_an_earlier_version_fixed_is_read() -> None:
    page = {"release_id": "r1", "cohort_id": "c3", "page": 0, "user_ids": ["ana", "bo"], "scores": [0.9, 0.5]}
    read = Page.model_validate_json(json.dumps(page | {"model_version": 7, "emitted_at": 1.0}))
    assert read.cohort_ids == ["c3", "c3"]
