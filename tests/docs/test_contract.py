"""docs/contract.md and docs/internals.md are held to the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from models.traits.activity import DAY
from stream.stores import activity_codec, keys
from stream.stores.releases import State
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import EVENTS, CohortChange
from stream.wire.json_schemas import json_schemas
from stream.wire.record import Record, Undecodable
from stream.wire.topics import TOPICS

PLACEHOLDERS = {
    "digest": "D",
    "stage": "S",
    "shard": "NN",
    "user_id": "ID",
    "cohort_id": "C",
    "song_id": "S",
    "artist_id": "A",
    "genre": "G",
    "label": "L",
    "release_id": "R",
    "version": "VERSION",
    "name": "NAME",
    "number": "NUMBER",
    "segment": "S",
    "value": "V",
    "begins": "EVENT",
}
"""What the contract writes for an argument of a key."""
WORDS = {"cohorts", "models", "decay", "history", "processes", "segment", "segments"}
"""Keys that are words of other meanings, too."""

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")
INTERNALS = (DOCS / "internals.md").read_text(encoding="utf-8")
Rows = list[list[str]]


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS])
def test_every_topic_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}`", CONTRACT, re.MULTILINE)
    assert f"](#{name}) |" in CONTRACT, "the row leads to the fields"


@pytest.mark.parametrize("reason", [reason.value for reason in Reason])
def test_every_reason_of_a_dead_letter_is_documented(reason: str) -> None:
    assert re.search(rf"^\| `{reason}`", CONTRACT, re.MULTILINE)


def test_the_redis_keys_and_their_types_are_those_of_the_code() -> None:
    assert sorted(_documented_keys()) == sorted(_keys_of_the_code())


def test_no_key_is_spelled_outside_of_the_one_file() -> None:
    starts = {key[: key.find("{") + 1] or key for key, _ in _keys_of_the_code()}
    names = {start for start in starts if ":" not in start}
    prefixes = tuple(starts - names)
    spelled = [
        f"{path.relative_to(ROOT)}:{node.lineno} spells {node.value!r}"
        for package in ("stream", "consumers", "benchmarks")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path != Path(keys.__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(prefixes) or node.value in names - WORDS
    ]
    assert spelled == []


def _documented_keys() -> Iterator[tuple[str, str]]:
    """Key and type of each row of the tables of keys on both pages; a row may hold two keys and two types."""
    for page in (CONTRACT, INTERNALS):
        for row in _rows(page, "key", "type", "holds"):
            names, types = (cell.split(", ") for cell in row[:2])
            for name, kind in zip(
                names, types if len(types) == len(names) else types * len(names), strict=True
            ):
                yield name.strip("`"), kind


def _rows(text: str, *head: str) -> Rows:
    """Return the rows of all tables with these heads."""
    return [row for table in _tables(text, *head) for row in table]


def _tables(text: str, *head: str) -> Iterator[Rows]:
    """Return the rows of each table with this head."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        first, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines())
        if first == list(head):
            yield rows


def _section(heading: str) -> str:
    """Return what stands under a heading of the contract, up to the next one."""
    _, found, behind = CONTRACT.partition(f"\n{heading}\n")
    assert found
    return re.split(r"^##", behind, maxsplit=1, flags=re.MULTILINE)[0]


def _keys_of_the_code() -> Iterator[tuple[str, str]]:
    """Key, with the contract's placeholders, and type, which a docstring starts with."""
    body = ast.parse(Path(keys.__file__).read_text(encoding="utf-8")).body
    for node, behind in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            key = getattr(keys, node.name)(*(PLACEHOLDERS[argument.arg] for argument in node.args.args))
            yield key.replace("{g}", "{G}"), _type(ast.get_docstring(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assert isinstance(behind, ast.Expr)
            assert isinstance(behind.value, ast.Constant)
            yield getattr(keys, node.targets[0].id), _type(str(behind.value.value))


def _type(docstring: str | None) -> str:
    kind, colon, _ = (docstring or "").partition(": ")
    assert colon
    return kind.lower()


@pytest.mark.parametrize("topic", EVENTS)
def test_every_field_of_an_event_is_documented_and_whether_it_may_be_missing(topic: str) -> None:
    tables = _tables(_section(f"### {topic}"), "field", "type", "meaning")
    for kind, rows in zip(EVENTS[topic], tables, strict=True):
        schema = TypeAdapter(kind).json_schema(by_alias=True)
        assert {field.strip("`"): "optional" in kind_of for field, kind_of, _ in rows} == {
            name: name not in schema["required"] and "const" not in about
            for name, about in schema["properties"].items()
        }


def test_the_headers_of_a_dead_letter_are_documented() -> None:
    letter = DeadLetter(Record("clicks", 0, 1, None, Undecodable(1, 2, "")), Reason.UNDECODABLE, "")
    rows = _rows(_section("### dead-letters"), "header", "meaning")
    assert [name.strip("`") for row in rows for name in row[0].split(", ")] == [
        name for name, _ in letter.headers
    ]


def test_the_reasons_of_a_change_of_cohort_are_documented() -> None:
    rows = _rows(_section("### cohort-changes"), "`reason`", "why")
    assert [reason.strip("`") for reason, _ in rows] == list(
        get_args(CohortChange.model_fields["reason"].annotation)
    )


def test_the_states_of_a_release_are_documented() -> None:
    rows = _rows(_section("### Release"), "`state`", "meaning")
    assert {state.strip("`") for state, _ in rows} == set(State)


def test_the_layout_of_activity_is_documented() -> None:
    head, day = _tables(_section("### Activity"), "field", "type", "meaning")
    assert list(_fields(head)) == list(_layout(activity_codec.HEAD))
    assert list(_fields(day)) == list(_layout(DAY))
    assert f"head of {activity_codec.HEAD.itemsize} bytes" in _section("### Activity")
    assert f"{DAY.itemsize} bytes for each day" in _section("### Activity")


def _fields(rows: Rows) -> Iterator[tuple[str, str]]:
    for names, kind, _ in rows:
        for name in names.split(", "):
            yield name.strip("`"), kind.removesuffix(" each")


def _layout(packed: np.dtype[np.void]) -> Iterator[tuple[str, str]]:
    for name in packed.names or ():
        base, shape = packed[name].base, packed[name].shape
        kind = f"{base.kind}{8 * base.itemsize}"
        yield name, f"{shape[0]} x {kind}" if shape else kind


def test_the_json_schemas_are_those_of_the_code() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert kept == json_schemas()
