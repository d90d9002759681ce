"""Cohorts and listeners as tables for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.queries.cohort_why import words
from consumers.terminal.format import ago, moment, percent

__all__ = ["facts", "show_cohort", "show_cohorts", "show_user"]

BARS = 40
LINES = 10
EVENTS = {
    "born": "born, split from",
    "split": "split, giving",
    "merged": "joined by",
    "died": "gone, most went to",
    "": "",
}


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
                "born": _birth(found),
                "size so far": _spark(
                    [entry["size"] for entry in found["history"] if entry["event"] != "born"]
                ),
                "model": str(found["model_version"] or ""),
            }
        )
    )
    _show_history(console, found["history"])
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


def _birth(found: dict[str, Any]) -> str:
    if not found["born"]:
        return ""
    return moment(found["born"]) + (f", split from {found['parent']}" if found["parent"] else "")


def _spark(sizes: list[int]) -> str:
    """Return sizes over time as bars, the latest last; nothing where there are too few to compare."""
    latest = sizes[-BARS:]
    top = max(latest, default=0)
    if len(latest) < 2 or not top:  # noqa: PLR2004 - two can be compared
        return ""
    return "".join("▁▂▃▄▅▆▇█"[round(7 * size / top)] for size in latest) + f"  up to {top:,}"


def _show_history(console: Console, history: list[dict[str, Any]]) -> None:
    if not history:
        return
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    table.add_column("history", no_wrap=True)
    table.add_column("what happened", no_wrap=True)
    table.add_column("listeners", justify="right", no_wrap=True)
    table.add_column("called", ratio=1, overflow="ellipsis", no_wrap=True)
    # The first, which says where it came from, and the latest.
    for entry in history[:1] + history[1:][-LINES:]:
        words = EVENTS[entry["event"]]
        happened = f"{words} {', '.join(entry['others'])}" if entry["others"] else words.split(",")[0]
        table.add_row(
            f"{datetime.fromtimestamp(entry['at']).astimezone():%Y-%m-%d %H:%M}",
            happened,
            "" if entry["event"] == "born" else f"{entry['size']:,}",
            Text(entry["label"]),
        )
    console.print()
    console.print(table)


def show_user(found: dict[str, Any]) -> None:
    """Print one listener."""
    console = Console(highlight=False)
    console.print(found["user_id"], markup=False, style="bold")
    if found["bot"]:
        cohort = "none: clicks like a bot"
    else:
        cohort = f"{found['cohort']}  {found['label']}" if found["cohort"] else "none yet"
    seen = found["last_seen"] - found["first_seen"]
    console.print(
        facts(
            {
                "cohort": cohort,
                "why": "\n".join(words(found)),
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
