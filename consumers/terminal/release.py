"""What is said of a release and its audience."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.commands.frame import print_json
from consumers.terminal.cohort_tables import facts
from consumers.terminal.format import counted, percent
from stream.wire.events import Page, Release, Summary, encode

__all__ = ["Teller", "show_audience"]


class Teller:
    """Tells of a release as things come, in words or in JSON, one object a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False)

    def published(self, release: Release, known: dict[str, str]) -> None:
        """Tell that it is published, and what became of it where that was done before."""
        if self._as_json:
            print_json({"published": json.loads(encode(release)), "before": known or None})
            return
        self._console.print(Text.assemble("published ", (release.release_id, "bold")))
        if known.get("state") != "done":
            return
        if users := int(known.get("audience", 0)):
            self._console.print(
                f"as before, for {counted(users, 'listener')}: nobody is told twice", style="yellow"
            )
        else:
            self._console.print(f"it reached nobody before ({known.get('reason')}): tried again")

    def page(self, part: Page | Summary, seconds: float, relied_on: str | None = None) -> None:
        """Tell of a page, or of the summary and what the audience goes by."""
        after = f"[dim]{1000 * seconds:7,.0f} ms[/]"
        if self._as_json:
            more = {} if relied_on is None else {"relied_on": relied_on}
            print_json(json.loads(encode(part)) | more | {"after_ms": round(1000 * seconds, 1)})
        elif isinstance(part, Page):
            told = counted(len(part.user_ids), "listener")
            self._console.print(
                f"{after}  page {part.page:<3} {told:>15} of {part.cohort_id:<6} "
                f"scores {part.scores[0]:.2f} to {part.scores[-1]:.2f}"
            )
        elif part.users:
            by = f", going by {relied_on.replace('_', ' ')}" if relied_on else ""
            self._console.print(
                f"{after}  [bold]{counted(part.users, 'listener')}[/] in {counted(part.pages, 'page')}, "
                f"of {counted(part.cohorts, 'cohort')}{by}"
            )
        else:
            self._console.print(f"{after}  nobody to tell: {part.reason}")


def show_audience(found: dict[str, Any]) -> None:
    """Print the audience that a release would have."""
    console = Console(highlight=False)
    if not found["listeners"]:
        console.print(f"nobody to tell: {found['reason']}")
        return
    console.print(
        facts(
            {
                "audience": f"{counted(found['listeners'], 'listener')} in "
                f"{counted(found['pages'], 'page')}, of {counted(len(found['cohorts']), 'cohort')}",
                "predicted CTR": percent(found["predicted_ctr"]),
                "goes by": found["relied_on"].replace("_", " "),
                "model": f"{found['model_version']}, {found['planned_in_ms']:.0f} ms to plan it",
            }
        )
    )
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    table.add_column("cohort", no_wrap=True)
    table.add_column("what sets it apart", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("told", "of", "predicted CTR"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in found["cohorts"]:
        table.add_row(
            entry["cohort_id"],
            Text(entry["label"]),
            f"{entry['told']:,}",
            f"{entry['size']:,}",
            percent(entry["predicted_ctr"]),
        )
    console.print()
    console.print(table)
    if found["first"]:
        best = Table(box=None, header_style="dim", pad_edge=False)
        best.add_column("first listeners", no_wrap=True, overflow="ellipsis")
        best.add_column("cohort", no_wrap=True)
        best.add_column("score", justify="right", no_wrap=True)
        for entry in found["first"]:
            best.add_row(Text(entry["user_id"]), entry["cohort_id"], f"{entry['score']:.3f}")
        console.print()
        console.print(best)
