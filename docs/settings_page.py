"""Writes the table of docs/settings.md from the settings themselves. `python docs/settings_page.py`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from stream.settings import Settings

PAGE = Path(__file__).with_name("settings.md")

RULE = "|---|---|---|---|\n"
SIGNS = {Ge: ("ge", "from"), Gt: ("gt", "more than"), Le: ("le", "to"), Lt: ("lt", "less than")}


def page(text: str) -> str:
    """Return the page with the rows of its table written anew."""
    rows = "".join(_row(name, field) for name, field in Settings.model_fields.items())
    head, tail = text.split(RULE, 1)
    return head + RULE + rows + tail[tail.index("\n\n") + 1 :]


def _row(name: str, field: FieldInfo) -> str:
    meaning = str(field.description)
    return f"| `REFRAIN_{name.upper()}` | {_default(field)} | {_allowed(field)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "the platform's folder for users' data"
    if field.default is None or str(field.default) == "":
        return "empty"
    return _plain(field.default) if isinstance(field.default, int | float) else f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    choices = [choice for choice in get_args(field.annotation) if choice is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in choices)
    if choices:
        return "; or ".join(_allowed(FieldInfo.from_annotation(choice)) for choice in choices)
    limits: list[str] = []
    for rule in field.metadata:
        for kind, (attribute, word) in SIGNS.items():
            if isinstance(rule, kind):
                limits.append(f"{word} {_plain(getattr(rule, attribute))}")
    return ", ".join(limits)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
