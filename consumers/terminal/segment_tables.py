"""Labelled segments as tables for people: those of a service, one of them, and how well each is predicted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text

from consumers.evaluate.segments import SegmentsResult
from consumers.queries.segments import Segment, SegmentSummary, SpeakingArtist
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted, moment, percent
from consumers.terminal.tables import Column, facts, listing

__all__ = ["show_segment", "show_segments", "show_trial"]

GROUPS = {
    "artists": "which artists they play",
    "taste": "their taste",
    "activity": "how active they are",
    "cohort": "the cohort they are in",
    "distances": "how far their taste is from each cohort's centre",
    "hour": "when in the day they play",
    "weekday": "on which weekdays",
    "city": "in which cities",
    "genre": "which genres",
}
NOT_WORTH_A_WORD = 0.01
TENS = 10.0  # odds from which on no decimals are shown


def show_segments(found: Sequence[SegmentSummary]) -> None:
    """Print the list of segments."""
    console = Terminal()
    if not found:
        console.print("there are no labels yet: `refrain replay labels FILE` sends them, or your app does")
        return
    numbers = (Column(name, right=True) for name in ("labelled", "in it", "AUC", "95 %", "members"))
    table = listing(Column("segment"), *numbers)
    for each in found:
        table.add_row(
            Text(each.segment),
            f"{each.labelled:,}",
            f"{each.positives:,}",
            _area(each.auc),
            _between(each),
            f"{each.members:,}",
        )
    console.print(table)
    for each in found:
        if each.doubt:
            console.print(Text(f"{each.segment} is not to be trusted yet: {each.doubt}", style="yellow"))
    console.print(
        "In it: labelled listeners who are in the segment. AUC: how often one who is in it was "
        "predicted above one who is not, before their labels were learned; 0.5 is chance. Members: listeners "
        "predicted at the threshold or above.",
        style="dim",
    )


def show_segment(found: Segment, start: int) -> None:
    """Print one segment."""
    console = Terminal()
    console.print(Text(found.segment, "bold"))
    console.print(
        facts(
            {
                "labelled": f"{found.labelled:,}, {found.positives:,} of them in it",
                "prior": f"{percent(found.prior)}, predicted where nothing is known" if found.version else "",
                "AUC": f"{_area(found.auc)} (95 %: {_between(found)})" if found.auc is not None else "",
                "threshold": "" if found.threshold is None else percent(found.threshold),
                "members": f"{found.members:,} at it or above" if found.threshold is not None else "",
                "learned": f"version {found.version}, {moment(found.created_at)}" if found.version else "",
                "goes by": _goes_by(found.goes_by),
                "speaks for it": _artists(found.artists_for),
                "against it": _artists(found.artists_against),
                "cohorts": _odds(found.cohorts),
                "genres": _odds(found.genres),
            }
        )
    )
    if found.doubt:
        console.print(Text(f"Not to be trusted yet: {found.doubt}", style="yellow"), soft_wrap=True)
    if found.top:
        table = listing(Column("place", right=True), Column("member"), Column("probability", right=True))
        for place, member in enumerate(found.top, start=start + 1):
            table.add_row(f"{place:,}", Text(member.user_id), percent(member.probability))
        console.print()
        console.print(table)
        if (left := found.members - start - len(found.top)) > 0:
            following = shlex.join(["refrain", "segment", found.segment])
            console.print(f"{left:,} more: {following} --from {start + len(found.top)}", style="dim")
    if found.artists_for or found.artists_against:
        console.print(
            "x 2: the odds of somebody who plays that artist alone, or is at that cohort's centre, are "
            "twice those of all labelled who have clicked. Of a genre: the geometric mean of its artists' "
            "odds.",
            style="dim",
        )


def show_trial(result: SegmentsResult) -> None:
    """Print how well segments are predicted."""
    console = Terminal()
    labels = result.labels
    unusable = f", {labels.bad.total():,} unusable" if labels.bad.total() else ""
    without = f"; {counted(result.unknown, 'labelled listener')} without clicks" if result.unknown else ""
    console.print(
        facts(
            {
                "clicks": f"{result.clicks.clicks:,} of {counted(result.listeners, 'listener')}",
                "labels": f"{labels.rows:,} rows{unusable}{without}",
                "cohorts": f"{result.cohorts}",
                "splits": f"{result.splits}, each with a fifth held out; seed {result.seed}",
            }
        )
    )
    for segment in result.segments:
        console.print()
        console.print(
            Text(f"{segment.segment}  {segment.labelled:,} labelled, {segment.positives:,} in it", "bold")
        )
        if not segment.contenders:
            console.print(
                "not tried, too few of either kind: ten in it and ten not in it are needed, with clicks"
            )
            continue
        figures = (Column(name, right=True) for name in ("AUC", "±"))
        table = listing(Column("learner"), Column("clusters"), *figures)
        for each in segment.contenders:
            clusters = "with" if each.clusters else "without"
            table.add_row(each.name, clusters, f"{each.auc:.4f}", f"{each.error:.4f}")
        console.print(table)
    console.print()
    console.print(
        "AUC: means over the splits, ± their standard error. Clusters: the cohort and distances to "
        "the centres of all cohorts, among the features.",
        style="dim",
    )
    for note in result.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _area(auc: float | None) -> str:
    return "" if auc is None else f"{auc:.3f}"


def _between(found: SegmentSummary) -> str:
    return "" if found.auc_low is None else f"{found.auc_low:.2f} to {found.auc_high:.2f}"


def _artists(artists: Sequence[SpeakingArtist]) -> str:
    return ", ".join(f"{artist.name} {_times(artist.odds)}" for artist in artists)


def _odds(odds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_times(value)}" for name, value in odds.items())


def _times(odds: float) -> str:
    return f"x {odds:,.0f}" if odds >= TENS else f"x {odds:.2g}"


def _goes_by(shares: Mapping[str, float]) -> str:
    return ", ".join(
        f"{GROUPS.get(name, name)} {percent(share)}"
        for name, share in shares.items()
        if share > NOT_WORTH_A_WORD
    )
