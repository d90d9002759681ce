"""What came of releases, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from consumers.queries.ab_test import AbReport
from consumers.queries.release_report import Difference, PolicyReport, ReleaseReport, WaveReport
from consumers.queries.releases import ReleaseSummary
from consumers.queries.unfinished import UnfinishedRelease
from consumers.terminal.console import Terminal
from consumers.terminal.format import clock, counted, moment, percent
from consumers.terminal.tables import Column, facts, listing, rows_that_fit
from models.click_rate import MIN_SENT
from models.quality.anytime import Uplift

__all__ = [
    "about",
    "between",
    "in_points_of_ctr",
    "no_ctr",
    "no_uplift",
    "show_ab_report",
    "show_release_report",
    "show_releases",
]

AROUND = 14  # lines around the cohorts: the command, facts, the header
STATES = {
    "new": "is being planned",
    "started": "is going out",
    "paused": "is going out",
    "planned": "is going out",
    "done": "is out",
}

ENDED = {
    "stopped": "was stopped",
    "clicked too seldom": "ended early, as it was clicked too seldom",
    "nobody knows these artists yet": "ended early, as another model serves that does not know the artists",
}


def show_release_report(report: ReleaseReport) -> None:
    """Print what came of a release."""
    console = Terminal()
    console.print(Text(f"{report.release_id}  {report.title}".rstrip(), "bold"))
    console.print(facts(about(report)))
    _show_parts(console, "wave", [(str(each.wave), each) for each in report.waves])
    _show_parts(console, "policy", [(each.policy, each) for each in report.policies])
    _show_cohorts(console, report)


def about(report: ReleaseReport) -> dict[str, str]:
    """Return what there is to say of a release as a whole; nothing where a fact is not there."""
    return {
        "audience": _audience(report),
        "planned": moment(report.planned_at) if report.planned_at else "",
        "goes by": report.relied_on.replace("_", " ") if report.audience else "",
        "left out": "\n".join(f"{number:,} {reason}" for reason, number in report.left_out.items()),
        "notified": _notified(report) if report.audience or report.sent else "",
        "clicked": _clicked(report) if report.sent else "",
        "played": _played(report) if report.audience else "",
        "predicted": _predicted(report) if report.expected_ctr else "",
        "next wave": _next_wave(report) if report.next_wave_at else "",
        "A/B": _ab_test(report, report.difference) if report.difference else "",
        "asleep": _held(report) if report.held_until else "",
        "telling brought": in_points(report.uplift) if report.uplift else "",
    }


def no_ctr(report: ReleaseReport) -> str:
    """Say why a release has no CTR; nothing where it has one."""
    if not report.sent:
        return _nobody(report) or "nothing reported yet: the notifier sends it to the topic feedback"
    return f"no CTR below {MIN_SENT} sent" if report.ctr is None else ""


def no_uplift(report: ReleaseReport) -> str:
    """Say why it is not known what telling brought; nothing where it is."""
    if not report.song_id:
        return "the release names no song"
    if why := _nobody(report) or ("" if report.control else "there is no control group"):
        return why
    if report.uplift or not report.plays_until:
        return ""
    return f"plays count until {clock(report.plays_until)}, and it is known then"


def show_releases(found: Sequence[ReleaseSummary]) -> None:
    """Print the latest releases."""
    console = Terminal()
    if not found:
        console.print("nobody was told of a release yet: `refrain release ID --artist ARTIST` publishes one")
        return
    numbers = (Column(name, right=True) for name in ("told", "sent", "clicked", "CTR", "95 %"))
    table = listing(Column("release"), Column("title", wide=True), Column("planned"), *numbers)
    for each in found:
        table.add_row(
            each.release_id,
            Text(each.title),
            clock(each.planned_at),
            f"{each.audience:,}" + ("" if each.state in ("done", "history") else "+"),
            f"{each.sent:,}",
            f"{each.clicked:,}",
            percent(each.ctr),
            between(each.ctr_low, each.ctr_high),
        )
    console.print(table)


def show_unfinished(found: Sequence[UnfinishedRelease]) -> None:
    """Print the releases that are not finished."""
    console = Terminal()
    if not found:
        console.print("all releases are finished")
        return
    numbers = (Column(name, right=True) for name in ("told", "held"))
    table = listing(Column("release"), Column("title", wide=True), *numbers, Column("goes on"))
    for each in found:
        goes_on = clock(each.due_at) if each.state == "paused" else "now"
        table.add_row(each.release_id, Text(each.title), f"{each.audience:,}", f"{each.held:,}", goes_on)
    console.print(table)
    console.print("`refrain release stop ID` ends one: nobody else is told of it", style="dim")


def show_ab_report(report: AbReport) -> None:
    """Print what came of an A/B test."""
    console = Terminal()
    of = f"{counted(report.releases, 'release')} told by two policies"
    console.print(Text(of, "bold"))
    if report.difference:
        console.print(in_points_of_ctr(report.policies[1].policy, report.difference))
    else:
        console.print(f"nothing to compare yet: one of the policies has fewer than {MIN_SENT} sent")
    if report.clicks_until:
        of = counted(report.still_clicked, "release")
        console.print(f"clicks on {of} still come, until {clock(report.clicks_until)}: look again then")
    _show_parts(console, "policy", [(each.policy, each) for each in report.policies])


def between(low: float | None, high: float | None) -> str:
    """Return an interval of shares in per cent; nothing where there is none.

    Examples
    --------
    >>> between(0.067, 0.1945), between(None, None)
    ('6.7 to 19.4', '')
    """
    return "" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"


def in_points(uplift: Uplift) -> str:
    """Say what telling brought, in percentage points.

    Examples
    --------
    >>> in_points(Uplift(0.09, 0.04, 0.05, -0.003, 0.087))
    '+5.0 points of plays (95 %: -0.3 to +8.7, however often you look)'
    """
    low, high = 100 * uplift.uplift_low, 100 * uplift.uplift_high
    brought = 100 * (uplift.uplift or 0.0)
    return f"{brought:+.1f} points of plays (95 %: {low:+.1f} to {high:+.1f}, however often you look)"


def in_points_of_ctr(policy: str, found: Difference) -> str:
    """Say by how many percentage points more often another policy is clicked than the usual one.

    Examples
    --------
    >>> in_points_of_ctr("taste", Difference(0.09, 0.04, -0.05, -0.087, -0.003))
    'taste is clicked 5.0 points less often than usual (95 %: -8.7 to -0.3, however often you look)'
    >>> in_points_of_ctr("taste", Difference(0.09, 0.04, -0.05, -0.087, 0.003))
    'no difference shown yet: taste less usual is -5.0 points (95 %: -8.7 to +0.3, however often you look)'
    """
    low, high = 100 * found.difference_low, 100 * found.difference_high
    points = 100 * found.difference
    interval = f"(95 %: {low:+.1f} to {high:+.1f}, however often you look)"
    if low <= 0 <= high:
        return f"no difference shown yet: {policy} less usual is {points:+.1f} points {interval}"
    how = "less" if points < 0 else "more"
    return f"{policy} is clicked {abs(points):.1f} points {how} often than usual {interval}"


def _ab_test(report: ReleaseReport, found: Difference) -> str:
    said = in_points_of_ctr(report.policies[1].policy, found)
    return f"{said}; clicks still come until {clock(report.clicks_until)}" if report.clicks_until else said


def _nobody(report: ReleaseReport) -> str:
    """Say that nobody was told; nothing where somebody was."""
    if report.audience or report.state == "history":
        return ""
    return "nobody was told" if report.state == "done" else "nobody is told yet"


def _audience(report: ReleaseReport) -> str:
    if report.state == "done" and not report.audience:
        return f"nobody: {report.reason}"
    if report.state == "history":
        return "was told before Refrain: `refrain replay impressions`"
    whole = f"{counted(report.audience, 'listener')} in {counted(report.pages, 'page')}"
    if report.state == "done" and (ended := ENDED.get(report.reason)):
        return f"{ended}: {whole}"
    if report.state == "paused" and not report.audience:
        return "waits for quiet hours to end: nobody is told yet"
    in_waves = " in waves" if report.state == "paused" and report.waves else ""
    return f"{STATES.get(report.state, report.state)}{in_waves}: {whole}"


def _next_wave(report: ReleaseReport) -> str:
    left = max((report.aimed or 0) - report.audience - report.held, 0)
    when = clock(report.next_wave_at or 0.0)
    return f"{when}, most where it is clicked: {left:,} are left of {report.aimed:,}"


def _predicted(report: ReleaseReport) -> str:
    said = f"CTR {percent(report.expected_ctr)}"
    if report.random_ctr:
        said += f"; {percent(report.random_ctr)} of as many listeners drawn at random"
    return said


def _held(report: ReleaseReport) -> str:
    told = counted(report.held, "listener")
    return f"{told} more, told when their quiet hours end, from {clock(report.held_until or 0.0)} on"


def _notified(report: ReleaseReport) -> str:
    if not report.sent:
        return no_ctr(report)
    said = f"{report.sent:,} sent"
    if report.not_sent:
        said += f", {report.not_sent:,} not"
    if report.sent_implied:
        said += f" ({report.sent_implied:,} of them not reported, but opened, clicked or dismissed)"
    return said


def _clicked(report: ReleaseReport) -> str:
    said = f"{report.opened:,} opened, {report.clicked:,} clicked"
    if report.opted_out:
        said += f", {report.opted_out:,} opted out"
    if report.ctr is None:
        return f"{said}; {no_ctr(report)}"
    return f"{said}: CTR {percent(report.ctr)} (95 %: {between(report.ctr_low, report.ctr_high)})"


def _played(report: ReleaseReport) -> str:
    if not report.song_id:
        return f"not known: {no_uplift(report)}"
    said = f"{report.played:,} of the {report.audience:,} told"
    if report.uplift and report.uplift.told is not None:
        said += f" ({percent(report.uplift.told)})"
    if not report.control:
        return f"{said}; {no_uplift(report)}"
    said += f", {report.control_played:,} of the {report.control:,} in the control group"
    return f"{said} ({percent(report.uplift.control)})" if report.uplift else f"{said}; {no_uplift(report)}"


def _show_parts(console: Terminal, what: str, parts: Sequence[tuple[str, WaveReport | PolicyReport]]) -> None:
    if not parts:
        return
    names = (what, "told", "sent", "clicked", "CTR", "95 %")
    table = listing(*(Column(name, right=True) for name in names))
    for name, part in parts:
        table.add_row(
            name,
            f"{part.told:,}",
            f"{part.sent:,}",
            f"{part.clicked:,}",
            percent(part.ctr),
            between(part.ctr_low, part.ctr_high),
        )
    console.print()
    console.print(table)


def _show_cohorts(console: Terminal, report: ReleaseReport) -> None:
    if not report.cohorts:
        return
    numbers = (Column(name, right=True) for name in ("play rate", "sent", "clicked", "CTR", "95 %"))
    table = listing(Column("cohort"), Column("what sets it apart", wide=True), *numbers)
    parts = len(report.waves) or len(report.policies)
    fit = rows_that_fit(AROUND + (parts + 3 if parts else 0))
    for cohort in report.cohorts[:fit]:
        table.add_row(
            cohort.cohort_id,
            Text(cohort.label),
            percent(cohort.play_rate),
            f"{cohort.sent:,}",
            f"{cohort.clicked:,}",
            percent(cohort.ctr),
            between(cohort.ctr_low, cohort.ctr_high),
        )
    console.print()
    console.print(table)
    if fit is not None and (more := len(report.cohorts) - fit) > 0:
        console.print(f"{counted(more, 'cohort')} more: --csv has all", style="dim")
