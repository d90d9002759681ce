"""docs/contract.md is held to the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.stores.catalogue import artist_key, genre_key, genres_key, label_key, song_key
from stream.stores.cohort_history import history_key
from stream.stores.cohorts import apart_key, cohort_key, members_key
from stream.stores.listeners import artists_key, taste_key, user_key
from stream.stores.releases import release_key
from stream.wire.events import EVENTS, Reason, json_schemas
from stream.wire.topics import TOPICS

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")
KEYS = [
    *(user_key("ID"), artists_key("ID"), taste_key("ID")),
    *(cohort_key("C"), members_key("C"), members_key(""), apart_key("C"), history_key("C")),
    *(
        song_key("S"),
        artist_key("A"),
        genres_key("A"),
        release_key("R"),
        release_key("R", "cohorts"),
        release_key("R", "counts"),
    ),
    label_key("L"),
    genre_key("g").replace("{g}", "{G}"),
]


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS])
def test_every_topic_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}`", CONTRACT, re.MULTILINE)


@pytest.mark.parametrize("reason", [reason.value for reason in Reason])
def test_every_reason_of_a_dead_letter_is_documented(reason: str) -> None:
    assert re.search(rf"^\| `{reason}`", CONTRACT, re.MULTILINE)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented_as_the_code_spells_it(key: str) -> None:
    assert f"`{key}`" in CONTRACT


@pytest.mark.parametrize("topic", EVENTS)
def test_every_field_of_an_event_is_documented(topic: str) -> None:
    (row,) = re.findall(rf"^\| `{topic}`.*$", CONTRACT, re.MULTILINE)
    for kind in EVENTS[topic]:
        for field in kind.__annotations__:
            name = "from" if field == "origin" else field
            assert f"`{name}`" in row or field == "model_config"


def test_the_json_schemas_are_those_of_the_code() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert kept == json_schemas()
