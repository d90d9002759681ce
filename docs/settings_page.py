"""Writes the tables of docs/settings.md from the settings themselves. `python docs/settings_page.py`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from stream.settings import REMEMBERED_DAYS, Settings

PAGE = Path(__file__).with_name("settings.md")

HEAD = "| setting | default | may be | meaning |\n|---|---|---|---|\n"
HEADINGS = {
    "kafka": "Kafka",
    "schema_registry_url": "Schema Registry",
    "redis": "Redis",
    "data": "Starting",
    "group": "Topics and consumer groups",
    "half_life_days": "Clicks and listeners",
    "new_days": "Stages and churn",
    "cohorts": "Learning models",
    "max_audience": "Audiences and caps",
    "click_value": "CTR models and waves",
    "control": "Control groups and A/B tests",
    "recommended_minutes": "Memory and retention",
    "deliver_url": "Delivery",
    "web_host": "Page and API",
    "metrics_host": "Metrics and traces",
}
"""First setting of a group -> its heading; a group goes on to the next one."""
LIMITS = {"forget_dormant_days": f"0, or from {REMEMBERED_DAYS}"}
"""What may be, where a validator of its own says so."""
SIGNS = {Ge: ("ge", "from"), Gt: ("gt", "more than"), Le: ("le", "to"), Lt: ("lt", "less than")}


def page(text: str) -> str:
    """Return the page with its groups of settings, which follow all other text, rewritten."""
    tables = "".join(
        (f"\n## {HEADINGS[name]}\n\n{HEAD}" if name in HEADINGS else "") + _row(name, field)
        for name, field in Settings.model_fields.items()
    )
    return text[: text.index("\n## ")] + tables


def _row(name: str, field: FieldInfo) -> str:
    meaning = str(field.description)
    return (
        f"| `REFRAIN_{name.upper()}` | {_default(field)} | {LIMITS.get(name) or _allowed(field)} "
        f"| {meaning} |\n"
    )


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "the platform's folder for users' data"
    if field.default is None or str(field.default) == "":
        return "empty"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return _plain(field.default) if isinstance(field.default, int | float) else f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "`true`, `false`"
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
