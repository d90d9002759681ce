"""Cohorts and listeners as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.commands.words import ago, moment, percent

__all__ = ["facts", "show_cohort", "show_cohorts", "show_user"]


def facts(pairs: dict[str, str]) -> Table:
    """Return a table of facts, a line each; those that are empty are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            table.add_row(name, Text(value))
    return table


def show_cohorts(found: dict[str, Any]) -> None:
    """Print the list of cohorts."""
    everyone = max(found["listeners"] + found["in_no_cohort"], 1)
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    table.add_column("cohort", no_wrap=True)
    table.add_column("what sets it apart", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("size", "share", "sent", "CTR"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in found["cohorts"]:
        table.add_row(
            entry["cohort_id"],
            Text(entry["label"]),
            f"{entry['size']:,}",
            percent(entry["size"] / everyone),
            f"{entry['sent']:,}" if entry["sent"] else "",
            percent(entry["ctr"]),
        )
    console = Console(highlight=False)
    console.print(table)
    waiting = (
        f", {found['in_no_cohort']:,} in none (they wait for one, or are bots)"
        if found["in_no_cohort"]
        else ""
    )
    console.print(
        f"[dim]{len(found['cohorts'])} cohorts, {found['listeners']:,} listeners in them{waiting}[/]"
    )


def show_cohort(found: dict[str, Any]) -> None:
    """Print one cohort."""
    console = Console(highlight=False)
    console.print(f"[bold]{found['cohort_id']}[/]", end="  ")
    console.print(found["label"], markup=False, style="bold")
    told = (
        f"{found['sent']:,} told, {found['opened']:,} opened, {found['clicked']:,} clicked"
        if found["sent"]
        else ""
    )
    console.print(
        facts(
            {
                "listeners": f"{found['size']:,}"
                + ("" if found["living"] else " (the model has given it up)"),
                "releases": told or "nobody here has been told of one yet",
                "CTR": percent(found["ctr"]),
                "born": moment(found["born"]) if found["born"] else "",
                "model": str(found["model_version"] or ""),
            }
        )
    )
    if not found["artists"]:
        return
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    table.add_column("artists that set it apart", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("id", no_wrap=True, style="dim", overflow="ellipsis")
    table.add_column("plays it", justify="right", no_wrap=True)
    for artist in found["artists"]:
        table.add_row(
            Text(artist["name"]), Text(artist["artist_id"]), f"{artist['times_more']:.1f} x as much"
        )
    console.print()
    console.print(table)


def show_user(found: dict[str, Any]) -> None:
    """Print one listener."""
    console = Console(highlight=False)
    console.print(found["user_id"], markup=False, style="bold")
    if found["bot"]:
        cohort = "none: clicks like a bot, so in no audience"
    elif found["cohort"]:
        cohort = f"{found['cohort']}  {found['label']}"
    else:
        cohort = "none yet: waits for a model"
    seen = found["last_seen"] - found["first_seen"]
    console.print(
        facts(
            {
                "cohort": cohort,
                "since": moment(found["cohort_since"]) if found["cohort_since"] else "",
                "clicks": f"{found['clicks']:,} within {ago(seen)}",
                "first": moment(found["first_seen"]),
                "last": moment(found["last_seen"]),
                "told": "of nothing: has opted out" if found["opted_out"] else "",
            }
        )
    )
    if not found["artists"]:
        return
    strongest = max(artist["weight"] for artist in found["artists"]) or 1.0
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(
        f"{len(found['artists'])} of {found['artists_kept']} artists", overflow="ellipsis", no_wrap=True
    )
    table.add_column("id", no_wrap=True, style="dim", overflow="ellipsis")
    table.add_column("weight now", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for artist in found["artists"]:
        bar = "▇" * round(16 * max(artist["weight"], 0.0) / strongest)
        table.add_row(
            Text(artist["name"]), Text(artist["artist_id"]), f"{artist['weight']:.2f}", f"[cyan]{bar}[/]"
        )
    console.print()
    console.print(table)
