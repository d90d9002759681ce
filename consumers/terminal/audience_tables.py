"""The preview of an audience as tables for people, and why one listener is in it or is not."""

from __future__ import annotations

from rich.text import Text

from consumers.queries.audience import Preview
from consumers.queries.audience_why import WhyAudience
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted, percent
from consumers.terminal.placement_words import artists_that_pull
from consumers.terminal.tables import Column, facts, listing, rows_that_fit
from models.traits.where import SEGMENT

__all__ = ["REASONS", "left_out_words", "show_audience", "show_why_audience"]

AROUND = 10  # lines around cohorts and listeners: the command, facts, headers, a summary
NO_SCORE = 0.1  # what makes up less is not worth a word

REASONS = {
    "told": "the release suits them",
    "opted out": "they have opted out of hearing of releases",
    "opted out of the artist": "they have opted out of hearing of releases by this artist",
    "bot": "they click like a bot: bots are in no cohort and no audience",
    "no cohort": "they are in no cohort yet; `refrain user` says why",
    "not met": "they are not migrated to this model yet; `refrain model list` shows how far the sweep is",
    "min_ctr": "the play rate of their cohort is below --min-ctr",
    "cohort": "only members of cohorts with a higher play rate than theirs were scored",
    "average": "their score is below the average, and nothing says how many to tell (--max-audience)",
    "score": "the release suits others better",
    "told often enough today": "they have been told often enough today",
    "told often enough this week": "they have been told often enough this week",
    "told a moment ago": "they were told of another release a moment ago",
    "told of this artist lately": "they were told of this artist lately",
    "where": "they do not meet --where",
    "unlikely": "they are not likely enough to click for a notification to be worth it",
    "ctr": "others are likelier to click",
}

NO_TRAITS = {
    *("opted out", "dormant", "told often enough today", "told often enough this week"),
    *("told a moment ago", "told of this artist lately"),
}
"""Reasons for which others than those who fail a condition are left out (docs/contract.md)."""


def show_audience(found: Preview) -> None:
    """Print the audience that a release would have."""
    console = Terminal()
    if not found.listeners:
        console.print(f"nobody to tell: {found.reason}")
        if found.left_out:
            console.print(f"left out: {_left_out(found)}")
            segments = any(trait.startswith(SEGMENT) for trait in found.left_out)
            more = ", `refrain segments` which segments there are" if segments else ""
            console.print(f"`refrain user USER` shows the traits of a listener{more}")
        return
    at_most = "at most " if found.listeners > found.caps_asked else ""
    whole = f"{at_most}{counted(found.listeners, 'listener')} in {counted(found.pages, 'page')}"
    console.print(
        facts(
            {
                "audience": f"{whole}, of {counted(len(found.cohorts), 'cohort')}",
                "play rate": f"{percent(found.play_rate)} are predicted to play the artist",
                "CTR": f"{percent(found.ctr)} are predicted to click" if found.ctr is not None else "",
                "left out": _left_out(found),
                "goes by": found.relied_on.replace("_", " "),
                "model": f"{found.model_version}, {found.planned_in_ms:.0f} ms to plan it",
            }
        )
    )
    _show_cohorts(console, found)
    _show_sizes(console, found)
    _show_first(console, found)


def left_out_words(reason: str) -> str:
    """Return why some are left out of a preview: reasons that are no trait say it themselves.

    Examples
    --------
    >>> left_out_words("opted out"), left_out_words("churn")
    ('opted out', 'do not meet the condition on churn')
    """
    return reason if reason in NO_TRAITS else f"do not meet the condition on {reason}"


def _left_out(found: Preview) -> str:
    return "\n".join(f"{number:,} {left_out_words(reason)}" for reason, number in found.left_out.items())


def _show_cohorts(console: Terminal, found: Preview) -> None:
    numbers = (Column(name, right=True) for name in ("told", "of", "play rate"))
    table = listing(Column("cohort"), Column("what sets it apart", wide=True), *numbers)
    fit = rows_that_fit(AROUND + len(found.first) + len(found.by_size))
    for cohort in found.cohorts[:fit]:
        table.add_row(
            cohort.cohort_id,
            Text(cohort.label),
            f"{cohort.told:,}",
            f"{cohort.size:,}",
            percent(cohort.play_rate),
        )
    console.print()
    console.print(table)
    if others := found.cohorts[fit:] if fit is not None else ():
        told = counted(sum(cohort.told for cohort in others), "listener")
        console.print(f"and {told} of {counted(len(others), 'cohort')} more", style="dim")


def _show_sizes(console: Terminal, found: Preview) -> None:
    if not found.by_size:
        return
    numbers = (Column(name, right=True) for name in ("clicks", "CTR", "gain"))
    table = listing(Column("the best", right=True), *numbers)
    for size in found.by_size:
        table.add_row(f"{size.listeners:,}", f"{size.clicks:,.1f}", percent(size.ctr), f"{size.gain:,.1f}")
    console.print()
    console.print(table)
    console.print(f"one more gains from a CTR of {percent(found.least_ctr)} on", style="dim")


def _show_first(console: Terminal, found: Preview) -> None:
    if not found.first:
        return
    learned = found.ctr is not None
    numbers = (Column(name, right=True) for name in ("score", "play rate", *(["CTR"] if learned else [])))
    table = listing(Column("first listeners"), Column("cohort"), *numbers)
    for listener in found.first:
        rates = percent(listener.play_rate), *([percent(listener.ctr)] if learned else [])
        table.add_row(Text(listener.user_id), listener.cohort_id, f"{listener.score:.3f}", *rates)
    console.print()
    console.print(table)


def show_why_audience(found: WhyAudience) -> None:
    """Print why a listener is in an audience, or is not."""
    console = Terminal()
    verdict = (" is told: ", "green") if found.told else (" is not told: ", "yellow")
    reason = REASONS.get(found.reason, found.reason)
    console.print(Text.assemble((found.user_id, "bold"), verdict, reason))
    console.print(
        facts(
            {
                "score": _score(found),
                "play rate": _play_rate(found),
                "CTR": _ctr(found),
                "where": _fails(found),
                "told lately": f"{found.told_lately:,} in the last seven days" if found.told_lately else "",
                "because of": artists_that_pull(found.pulls) if (found.closeness or 0.0) > NO_SCORE else "",
                "neighbours": artists_that_pull(found.neighbours) if (found.added or 0.0) > NO_SCORE else "",
                "place": _place(found),
                "cohort": _cohort(found),
                "goes by": found.relied_on.replace("_", " "),
                "plays already": _plays(found),
            }
        )
    )


def _score(found: WhyAudience) -> str:
    if found.score is None:
        return ""
    ends = found.audience_ends_at
    said = f"{found.score:.3f}" + (f"; the audience ends at {ends:.3f}" if ends is not None else "")
    by_taste = f"closeness {found.closeness:.3f} x activity {found.activity:.2f} (usual: 1)"
    return f"{said}\n{by_taste}" + (f" + neighbours {found.added:.3f}" if found.added else "")


def _play_rate(found: WhyAudience) -> str:
    if found.listener_play_rate is None:
        return ""
    return f"{percent(found.listener_play_rate)}: how likely they are to play the artist"


def _ctr(found: WhyAudience) -> str:
    if found.ctr is None:
        return ""
    ends = "" if found.ctr_ends_at is None else f"; the audience ends at {percent(found.ctr_ends_at)}"
    return f"{percent(found.ctr)}: how likely they are to click{ends}"


def _fails(found: WhyAudience) -> str:
    if not found.fails:
        return ""
    return (
        f"their {found.fails} is {found.fails_with}"
        if found.fails_with
        else f"they have no {found.fails} yet"
    )


def _place(found: WhyAudience) -> str:
    if found.place is None:
        return ""
    return (
        f"{found.place:,} of {counted(found.looked_at, 'listener')} who were scored; the first "
        f"{found.listeners:,} are told"
    )


def _cohort(found: WhyAudience) -> str:
    if not found.cohort:
        return ""
    said = f"{found.cohort}  {found.label}"
    if found.cohort_rank is None:
        return said
    return (
        f"{said}\nnumber {found.cohort_rank} of {found.cohorts} by play rate "
        f"({percent(found.play_rate)}); members of the first {found.cohorts_looked_at} were scored"
    )


def _plays(found: WhyAudience) -> str:
    names = ", ".join(artist.name for artist in found.plays_already)
    return f"{names} (this keeps nobody out)" if names else ""
