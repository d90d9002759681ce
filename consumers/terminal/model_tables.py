"""Snapshots of the model as tables for people."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.terminal.cohort_tables import facts
from consumers.terminal.format import ago, clock, moment, percent

__all__ = ["show_model", "show_versions", "taken_over"]

BAR = 20


def show_versions(found: dict[str, Any]) -> None:
    """Print the snapshots that are kept."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("version", "made", "size", "by cohort", "one by one", ""):
        table.add_column(name, justify="left" if name in ("made", "") else "right", no_wrap=True)
    for model in found["models"]:
        chosen = ", pinned" if model["version"] == found["pinned"] else ""
        table.add_row(
            str(model["version"]),
            clock(model["created_at"]),
            f"{model['bytes'] / 1e6:,.1f} MB",
            *_lifts(model["foresight"]),
            f"[green]serves[/]{chosen}" if model["serves"] else "",
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "[dim]by cohort, one by one: how many times more often than by chance those who then discovered an "
        "artist had been among the 5 % ranked best for it[/]"
    )
    if found["sweep"]:
        console.print(f"\n{taken_over(found['sweep'])}")
    if found["pinned"] is not None:
        console.print("[dim]`refrain model use newest` lets the newest serve again[/]")


def _lifts(foresight: dict[str, float]) -> tuple[str, str]:
    if not foresight:
        return "-", "-"
    return f"{foresight['lift_cohort']:.1f} x", f"{foresight['lift_listener']:.1f} x"


def taken_over(sweep: dict[str, Any]) -> str:
    """Return how far the sweep is.

    Examples
    --------
    >>> taken_over({"version": 4, "met": 1250, "listeners": 5000, "began_at": 0.0, "done": 0})
    '━━━━━───────────────  1,250 of 5,000 listeners are taken over to model 4'
    >>> taken_over({"version": 4, "met": 5000, "listeners": 5000, "began_at": 0.0, "done": 4})
    'all 5,000 listeners are taken over to model 4'
    """
    if sweep["done"] == sweep["version"]:
        return f"all {sweep['listeners']:,} listeners are taken over to model {sweep['version']}"
    full = round(BAR * sweep["met"] / max(sweep["listeners"], 1))
    return (
        f"{'━' * full}{'─' * (BAR - full)}  {sweep['met']:,} of {sweep['listeners']:,} listeners are taken "
        f"over to model {sweep['version']}"
    )


def _foresaw(foresight: dict[str, float]) -> str:
    if not foresight:
        return "nothing yet: nobody has discovered an artist since a model serves"
    by_cohort, one_by_one = _lifts(foresight)
    return (
        f"lift at 5 % {by_cohort} by cohort, {one_by_one} one by one; "
        f"AUC {foresight['auc_cohort']:.2f}, {foresight['auc_listener']:.2f}; "
        f"{foresight['discoveries']:,.0f} discoveries"
    )


def show_model(found: dict[str, Any]) -> None:
    """Print one snapshot."""
    console = Console(highlight=False)
    console.print(f"[bold]model {found['version']}[/]" + ("  [green]serves[/]" if found["serves"] else ""))
    how = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in found["settings"].items()
    )
    console.print(
        facts(
            {
                "made": moment(found["created_at"]),
                "from": f"{found['clicks']:,} clicks, a sample of {found['listeners']:,} listeners",
                "holds": f"{found['artists']:,} artists in {found['dims']} dimensions, "
                f"{len(found['cohorts'])} cohorts",
                "learned": how,
                "foresaw": _foresaw(found["foresight"]),
                "checksum": "right",
            }
        )
    )
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    table.add_column("cohort", no_wrap=True)
    table.add_column("what sets it apart", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("of the sample", justify="right", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    for cohort in sorted(found["cohorts"], key=lambda entry: -entry["sample"]):
        table.add_row(
            cohort["cohort_id"],
            Text(cohort["label"]),
            percent(cohort["sample"] / max(found["listeners"], 1)),
            ago(time.time() - cohort["born"]),
        )
    console.print()
    console.print(table)
