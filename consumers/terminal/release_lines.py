"""A release that is published, and its audience as it comes: a line each, in words or in JSON."""

from __future__ import annotations

import json
from shlex import quote

from rich.text import Text

from consumers.queries.release import KnownRelease
from consumers.terminal.console import Terminal
from consumers.terminal.format import clock, counted
from consumers.terminal.json_output import print_json
from stream.wire.events import Page, Release, Summary, encode

__all__ = ["ReleaseJson", "ReleaseLines"]


class ReleaseLines:
    """Prints lines for people."""

    def __init__(self) -> None:
        self._console = Terminal()

    def published(self, release: Release, before: KnownRelease | None) -> None:
        """Print that it is published, and what became of it where it was published before."""
        self._console.print(Text.assemble("published ", (release.release_id, "bold")))
        if before is None or not before.done:
            return
        if before.audience:
            self._console.print(
                f"as before, for {counted(before.audience, 'listener')}: nobody is told twice", style="yellow"
            )
        else:
            self._console.print(f"it reached nobody before ({before.reason}): tried again")

    def page(self, page: Page, seconds: float) -> None:
        """Print a page that came so many seconds after the release was published."""
        told = counted(len(page.user_ids), "listener")
        cohorts = counted(len(set(page.cohort_ids)), "cohort")
        self._console.print(
            Text.assemble(
                _after(seconds),
                f"  page {page.page:<3} {told:>15} of {cohorts + ',':<12}"
                f"scores {page.scores[0]:.2f} to {page.scores[-1]:.2f}",
            )
        )

    def paused(self, known: KnownRelease, release_id: str) -> None:
        """Print what of it is out, and what follows."""
        if known.wave:
            wave = f"wave {known.wave} is out", "bold"
            self._console.print(Text.assemble(wave, "; more are told where it is clicked"))
        if known.held:
            who = counted(known.held, "listener")
            self._console.print(f"{who} told when their quiet hours end, from {clock(known.held_until)} on")
        name = quote(release_id)
        self._console.print(f"`refrain release show {name}` shows it, `refrain release stop {name}` ends it")

    def summary(self, summary: Summary, relied_on: str, seconds: float) -> None:
        """Print the summary, and what the audience goes by."""
        if not summary.users:
            self._console.print(Text.assemble(_after(seconds), f"  nobody to tell: {summary.reason}"))
            self._left_out(summary)
            return
        by = f", going by {relied_on.replace('_', ' ')}" if relied_on else ""
        self._console.print(
            Text.assemble(
                _after(seconds),
                "  ",
                (counted(summary.users, "listener"), "bold"),
                f" in {counted(summary.pages, 'page')}, of {counted(summary.cohorts, 'cohort')}{by}",
            )
        )
        self._left_out(summary)

    def _left_out(self, summary: Summary) -> None:
        if summary.left_out:
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in summary.left_out.items())
            self._console.print(f"{'':12}left out: {reasons}")


class ReleaseJson:
    """Prints JSON for programs, one object a line."""

    def published(self, release: Release, before: KnownRelease | None) -> None:
        """Print the event, and what Redis knew of the release before."""
        known = dict(before.fields) if before else None
        print_json({"published": json.loads(encode(release)), "before": known})

    def page(self, page: Page, seconds: float) -> None:
        """Print a page."""
        print_json(json.loads(encode(page)) | {"after_ms": _milliseconds(seconds)})

    def paused(self, known: KnownRelease, release_id: str) -> None:
        """Print what of it is out, and what follows."""
        print_json({"release_id": release_id, "state": "paused", "wave": known.wave, "held": known.held})

    def summary(self, summary: Summary, relied_on: str, seconds: float) -> None:
        """Print the summary."""
        more = {"relied_on": relied_on, "after_ms": _milliseconds(seconds)}
        print_json(json.loads(encode(summary)) | more)


def _after(seconds: float) -> tuple[str, str]:
    return f"{1000 * seconds:7,.0f} ms", "dim"


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
