"""docs/contract.md is held to the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.stores import keys
from stream.wire.events import EVENTS, Reason, json_schemas
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
}
"""What the contract writes for an argument of a key."""
WORDS = {"cohorts", "models", "decay", "history", "processes", "segment", "segments"}
"""Keys that are words of other meanings, too."""

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS])
def test_every_topic_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}`", CONTRACT, re.MULTILINE)


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
    """Key and type of each row of the contract's tables of keys; a row may hold two keys and two types."""
    section = CONTRACT.partition("## Redis keys")[2].partition("\n## ")[0]
    for cells in re.findall(r"^\| (`.*?`) \| (.*?) \|", section, re.MULTILINE):
        names, types = (cell.split(", ") for cell in cells)
        for name, kind in zip(names, types if len(types) == len(names) else types * len(names), strict=True):
            yield name.strip("`"), kind


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
def test_every_field_of_an_event_is_documented(topic: str) -> None:
    (row,) = re.findall(rf"^\| `{topic}`.*$", CONTRACT, re.MULTILINE)
    for kind in EVENTS[topic]:
        for field in kind.__annotations__:
            name = "from" if field == "origin" else field
            assert f"`{name}`" in row or field == "model_config"


def test_the_json_schemas_are_those_of_the_code() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert kept == json_schemas()
