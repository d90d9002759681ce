"""Listeners as tables for people."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence

from rich.text import Text

from consumers.queries.listener import ListenerView
from consumers.queries.listeners import ListedListener, ListenerPage
from consumers.queries.opt_outs import OptOut
from consumers.terminal.activity_words import activity_in_words
from consumers.terminal.console import Terminal
from consumers.terminal.format import ago, clock, counted, moment
from consumers.terminal.placement_words import why_in_words
from consumers.terminal.tables import Column, facts, listing
from consumers.terminal.trait_words import traits_in_words

__all__ = ["show_listener", "show_listeners", "show_opt_outs"]

BAR = 16
SHOWN = 20  # opt-outs
DECIMALS = 8  # of a weight; one that is smaller is written with an exponent


def show_listener(listener: ListenerView) -> None:
    """Print one listener."""
    console = Terminal()
    console.print(Text(listener.user_id, "bold"))
    if listener.bot:
        cohort = "none: clicks like a bot"
    else:
        cohort = f"{listener.cohort}  {listener.label}" if listener.cohort else "none yet"
    console.print(
        facts(
            {
                "other ids": ", ".join(listener.ids),
                "cohort": cohort,
                "why": "\n".join(why_in_words(listener)),
                "since": moment(listener.cohort_since) if listener.cohort_since else "",
                "clicks": f"{listener.clicks:,}, from {clock(listener.first_seen)}"
                if listener.first_seen is not None
                else "none yet of songs that are known",
                "last click": moment(listener.last_seen) if listener.last_seen is not None else "",
                "activity": "\n".join(activity_in_words(listener.activity)) if listener.activity else "",
                **(traits_in_words(listener.traits) if listener.traits else {}),
                "releases": "has opted out: is told of none" if listener.opted_out else "",
            }
        )
    )
    _show_artists(console, listener)


def show_listeners(page: ListenerPage, cohort: str | None) -> None:
    """Print a page of listeners, and how the next one is asked for.

    Parameters
    ----------
    cohort
        The cohort that was asked for, if one was.
    """
    console = Terminal()
    plays = Column("plays most", wide=True)
    table = listing(
        Column("listener"), Column("cohort"), Column("clicks", right=True), Column("last", right=True), plays
    )
    now = time.time()
    for listener in page.listeners:
        table.add_row(
            Text(listener.user_id),
            listener.cohort or "none",
            f"{listener.clicks:,}",
            "" if listener.last_seen is None else f"{ago(now - listener.last_seen)} ago",
            Text(_remarks(listener)),
        )
    if page.listeners:
        console.print(table)
    of = f"{len(page.listeners):,} of {counted(page.total, 'listener')}"
    if page.after is None:
        console.print(of, style="dim")
        return
    options = ["--cohort", cohort] if cohort else []
    following = shlex.join(["refrain", "users", *options, "--after", page.after])
    console.print(f"{of}; the next: {following}", style="dim")


def show_opt_outs(found: Sequence[OptOut]) -> None:
    """Print the first of those who have opted out, and how many there are."""
    console = Terminal()
    if not found:
        console.print("nobody has opted out")
        return
    table = listing(Column("listener"), Column("wants to hear of no release", wide=True))
    for each in found[:SHOWN]:
        table.add_row(
            Text(each.user_id), Text(f"of {', '.join(each.artist_ids)}" if each.artist_ids else "at all")
        )
    console.print(table)
    everything = sum(not each.artist_ids for each in found)
    console.print(
        f"{counted(everything, 'listener')} of no release at all, {len(found) - everything:,} of some artists"
        "; `refrain opt-outs --csv` prints all",
        style="dim",
    )


def _remarks(listener: ListedListener) -> str:
    """Return the artists; instead of a bot's, and before those of who has opted out, that they are so."""
    if listener.bot:
        return "(clicks like a bot)"
    artists = ", ".join(listener.artists)
    return f"(opted out) {artists}" if listener.opted_out else artists


def _show_artists(console: Terminal, listener: ListenerView) -> None:
    if not listener.artists:
        return
    strongest = max(artist.weight for artist in listener.artists)
    if strongest <= 0:
        strongest = 1.0
    decimals = max(2, 2 - math.floor(math.log10(strongest)))  # three digits of the strongest
    written = f".{decimals}f" if decimals <= DECIMALS else ".2e"
    shown = f"{len(listener.artists)} of {listener.artists_kept} artists"
    table = listing(Column(shown), Column("id"), Column("weight now", right=True), Column(""))
    for artist in listener.artists:
        bar = "▇" * round(BAR * max(artist.weight, 0.0) / strongest)
        table.add_row(
            Text(artist.name),
            Text(artist.artist_id, "dim"),
            f"{artist.weight:{written}}",
            Text(bar, "cyan"),
        )
    console.print()
    console.print(table)
