"""docs/schemas/ against the code: the files are the generated ones, and they say what the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.wire.dead_letter import DeadLetter
from stream.wire.events import EVENTS, encode
from stream.wire.json_schemas import json_schemas
from stream.wire.parsing import parse, parse_clicks
from stream.wire.record import Record
from stream.wire.topics import TOPICS
from tests.stream.wire.test_events import EVENTS as STRATEGIES
from tests.stream.wire.test_events import ids

FOLDER = Path(__file__).parents[3] / "docs" / "schemas"
FILES = {"Song": "songs", "Release": "releases", "Page": "audiences.page", "Summary": "audiences.summary"}
FILES |= {"Feedback": "feedback", "CohortChange": "cohort-changes"}


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def test_the_schemas_in_the_docs_are_those_of_the_code() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert files == json_schemas(), "run: python -m stream.wire.json_schemas docs/schemas"


def test_every_topic_but_the_dead_letters_has_its_events() -> None:
    assert set(EVENTS) == {topic.name for topic in TOPICS} - {"dead-letters"}


@pytest.mark.parametrize("file", sorted(json_schemas()))
def test_a_schema_is_one(file: str) -> None:
    Draft202012Validator.check_schema(json.loads(json_schemas()[file]))


@given(st.one_of(*STRATEGIES.values()))
def test_what_refrain_writes_is_as_the_schema_says(event: Any) -> None:
    validator(FILES[type(event).__name__]).validate(json.loads(encode(event)))


clicks = st.fixed_dictionaries(
    {
        "user_id": ids | st.integers(-(2**70), 2**70),
        "song_id": ids,
        "ts": st.integers(0, 1_700_000_000)
        | st.floats(min_value=0, max_value=1.7e9)
        | st.datetimes().map(lambda at: at.replace(year=2020).isoformat() + "Z"),
    },
    optional={
        "artist_ids": st.lists(ids, max_size=32),
        "action": st.sampled_from(["play", "complete", "like", "download", "search", "skip"]),
        "ms_played": st.integers(0, 10**7),
        "event_id": ids,
        "city": st.text(max_size=60),
        "utc_offset_min": st.integers(-1440, 1440),
        "device": st.text(max_size=60),
        "anything": st.integers() | st.text(),
    },
)


@given(clicks)
def test_a_click_as_the_schema_says_is_accepted(click: dict[str, Any]) -> None:
    validator("clicks").validate(click)
    record = Record("clicks", 0, 0, None, json.dumps(click).encode())
    assert parse_clicks([record], now=1.7e9)[1] == []


BAD = {
    "clicks": [
        {},
        {"user_id": "{u}", "song_id": "s", "ts": 1},
        {"user_id": "u", "song_id": "s", "ts": -1},
        {"user_id": "u", "song_id": "s", "ts": 1, "action": "dance"},
        {"user_id": "u", "song_id": "s", "ts": 1, "artist_ids": ["a"] * 33},
        {"user_id": "\u200b ", "song_id": "s", "ts": 1},
        {"user_id": 1.5, "song_id": "s", "ts": 1},
        {"user_id": True, "song_id": "s", "ts": 1},
        {"user_id": "u", "song_id": "s", "ts": None},
    ],
    "songs": [{"song_id": "s"}, {"song_id": "s", "artist_ids": ["a"], "duration_ms": -1}],
    "releases": [
        {"release_id": "r", "artist_ids": ["a"], "max_audience": 0},
        {"release_id": "r", "artist_ids": ["a"], "min_ctr": 1.5},
    ],
    "feedback": [
        {"release_id": "r", "user_id": "u", "kind": "loved", "ts": 1},
        {"release_id": "r", "user_id": "u", "kind": "sent"},
    ],
}


@pytest.mark.parametrize(("topic", "event"), [(topic, event) for topic, bad in BAD.items() for event in bad])
def test_schema_and_code_refuse_the_same(topic: str, event: dict[str, Any]) -> None:
    assert not validator(topic).is_valid(event)
    record = Record(topic, 0, 0, None, json.dumps(event).encode())
    if topic == "clicks":
        assert parse_clicks([record], now=1.7e9)[0] == []
    else:
        assert isinstance(parse(EVENTS[topic][0], record), DeadLetter)
