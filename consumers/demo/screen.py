"""Where the demo shows itself: a live view on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Protocol

from rich.console import Console
from rich.live import Live

from consumers.demo.ledger import Ledger
from consumers.demo.view import Picture, in_words, one_line

__all__ = ["JsonScreen", "LiveScreen", "PlainScreen", "Screen", "figures", "open_screen"]

LINE_EVERY = 5.0  # seconds between two lines where there is no live view


class Screen(Protocol):
    """What the demo asks of a screen."""

    def say(self, line: str) -> None:
        """Tell something once."""

    def show(self, picture: Picture) -> None:
        """Show a moment. Called several times a second."""

    def end(self, last: Picture | None, words: list[str]) -> None:
        """Show the last moment there was, and what remains to be said."""


def open_screen(*, as_json: bool = False) -> Screen:
    """Return the screen that suits standard output."""
    console = Console(highlight=False, markup=False, emoji=False)
    if as_json:
        return JsonScreen(console)
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


class LiveScreen:
    """A view that is kept up to date, on the terminal's other page until the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def say(self, line: str) -> None:
        if self._live is None:
            self._console.print(line)

    def show(self, picture: Picture) -> None:
        if self._live is None:
            self._live = Live(picture, console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(picture, refresh=True)

    def end(self, last: Picture | None, words: list[str]) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if last is not None:
            self._console.print(last)
        for line in words:
            self._console.print(line, soft_wrap=True)


class PlainScreen:
    """A line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0

    def say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        if picture.seconds >= self._due:
            self._due = picture.seconds + LINE_EVERY
            self.say(one_line(picture))

    def end(self, last: Picture | None, words: list[str]) -> None:
        if last is not None:
            words = [*words, in_words(last.ledger)]
        for line in words:
            self.say(line)


class JsonScreen:
    """A JSON object a line: what is said, a moment now and then, and the last one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0

    def _print(self, value: object) -> None:
        self._console.file.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._console.file.flush()

    def say(self, line: str) -> None:
        self._print({"said": line})

    def show(self, picture: Picture) -> None:
        if picture.seconds >= self._due:
            self._due = picture.seconds + LINE_EVERY
            self._print({"now": figures(picture)})

    def end(self, last: Picture | None, words: list[str]) -> None:
        if last is not None:
            self._print({"summary": figures(last)})


def figures(picture: Picture) -> dict[str, object]:
    """Return a moment in figures, for programs."""
    ledger = picture.ledger
    latest = ledger.latest()
    return {
        "seconds": round(picture.seconds, 1),
        **asdict(picture.vitals),
        "releases": len(ledger.entries),
        "releases_in_waves": ledger.in_waves,
        "told": ledger.audience.told,
        "told_usual": ledger.usual.told,
        "told_by_taste": ledger.by_taste.told,
        **_ctrs(ledger),
        "first_audience_after": ledger.first_audience_after,
        "median_ms": ledger.median_ms,
        "left_out": dict(ledger.left_out),
        "ctr_of_last_releases": latest.audience.ctr,
        "last_releases": {"releases": len(latest.entries), "told": latest.audience.told, **_ctrs(latest)},
        "in_words": in_words(ledger),
    }


def _ctrs(ledger: Ledger) -> dict[str, float | None]:
    return {
        "ctr": ledger.audience.ctr,
        "ctr_usual": ledger.usual.ctr,
        "ctr_by_taste": ledger.by_taste.ctr,
        "ctr_at_random": ledger.at_random.ctr,
        "lift": ledger.lift,
    }
