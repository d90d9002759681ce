"""Ids of artists that stand for another one, as a table for people."""

from __future__ import annotations

from rich.text import Text

from consumers.queries.aliases import AllAliases
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted
from consumers.terminal.tables import Column, listing

__all__ = ["show_aliases"]


def show_aliases(found: AllAliases) -> None:
    """Print all aliases."""
    console = Terminal()
    if not found.aliases:
        console.print("no id stands for another artist; `refrain alias ALIAS ARTIST` lets one")
        return
    table = listing(Column("alias"), Column("stands for"), Column("name"), Column("by way of", wide=True))
    for each in found.aliases:
        way = each.said if each.said != each.artist_id else ""
        name = each.name if each.name != each.artist_id else ""
        table.add_row(Text(each.alias), Text(each.artist_id), Text(name), Text(way, "dim"))
    console.print(table)
    stand = "stands" if found.count == 1 else "stand"
    console.print(f"{counted(found.count, 'id')} {stand} for {counted(found.artists, 'artist')}", style="dim")
