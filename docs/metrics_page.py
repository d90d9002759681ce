"""Writes the table of metrics of docs/operating.md from what is declared. `python docs/metrics_page.py`"""

from __future__ import annotations

import sys
from pathlib import Path

from stream.metrics import declared

PAGE = Path(__file__).with_name("operating.md")

HEAD = "| metric | kind | labels | of | meaning |\n|---|---|---|---|---|\n"


def table() -> str:
    """Return the table, a line a metric."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(each.labels)} | {', '.join(each.processes)} "
        f"| {each.meaning} |\n"
        for each in declared()
    ]
    return HEAD + "".join(rows)


def page(text: str) -> str:
    """Return the page with the table rewritten."""
    head, tail = text.split(HEAD, 1)
    return head + table() + tail[tail.index("\n\n") + 1 :]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
