"""The JSON Schema of every event: ``python -m stream.wire.json_schemas docs/schemas`` writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from stream.wire.events import EVENTS

__all__ = ["json_schemas"]


def json_schemas() -> dict[str, str]:
    """Return the JSON Schema of every event, by file name, as ``docs/schemas/`` holds it."""
    schemas = {}
    for topic, kinds in EVENTS.items():
        for kind in kinds:
            name = topic if len(kinds) == 1 else f"{topic}.{kind.__name__.lower()}"
            schema = TypeAdapter(kind).json_schema(by_alias=True)
            schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
            schemas[f"{name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return schemas


def _write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in json_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def _main(arguments: Sequence[str]) -> None:
    _write_schemas(Path(arguments[0]))


if __name__ == "__main__":
    _main(sys.argv[1:])
