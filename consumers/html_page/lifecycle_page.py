"""Listeners' lifecycle as a page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from consumers.html_page.lifecycle_plots import band, heat, shapes
from consumers.html_page.page import write_html
from consumers.html_page.release_plots import bars
from consumers.html_page.section import TEMPLATE, Section
from consumers.queries.lifecycle import Lifecycle
from consumers.terminal.format import clock, counted, percent
from consumers.terminal.lifecycle_tables import about_next_week, bounds, by_pair, notes
from models.traits.lifecycle import STAGES

__all__ = ["lifecycle_sections", "lifecycle_tiles", "write_lifecycle_page"]

NOT_YET = "Not known yet."


def write_lifecycle_page(found: Lifecycle, path: Path) -> None:
    """Write the page."""
    sections = lifecycle_sections(found)
    write_html(
        path,
        TEMPLATE,
        "Listeners' lifecycle",
        {section.name: section.picture for section in sections if section.picture},
        about=about_next_week(found) | {"note": "; ".join(notes(found))},
        tiles=lifecycle_tiles(found),
        sections=sections,
        made_by="refrain lifecycle",
        made=clock(time.time()),
        zone=time.strftime("%Z"),
    )


def lifecycle_sections(found: Lifecycle) -> list[Section]:
    """Return what there is to say, part by part."""
    return [
        _stages(found),
        _lost(found),
        _churn_risk(found),
        _ways(found),
        _retention(found),
        _groups(found),
    ]


def lifecycle_tiles(found: Lifecycle) -> list[tuple[str, str]]:
    """Return the most important numbers, and what each is."""
    sizes = {each.stage: each.listeners for each in found.stages}
    tiles = [(f"{found.listeners:,}", "listeners"), (f"{sizes['regular']:,}", "regular")]
    if found.lost:
        last = found.lost[-1]
        tiles.append(
            (f"{last.expected:,.0f}", f"regulars dormant or gone in {counted(last.weeks, 'week')}, expected")
        )
    if found.next_week:
        tiles.append((f"{found.next_week.inactive:,.0f}", "expected to do nothing next week"))
    return tiles


def _stages(found: Lifecycle) -> Section:
    then = {each.stage: each for each in found.expected}
    rows = []
    for each in found.stages:
        expected = then.get(each.stage)
        later = (f"{expected.expected:,.0f}", bounds(expected.low, expected.high)) if expected else ("", "")
        rows.append((each.stage, each.rule, f"{each.listeners:,}", percent(each.share), *later))
    sizes: Mapping[str, int] = {each.stage: each.listeners for each in found.stages}
    return Section(
        "stages",
        "Stages",
        "Each listener is in one stage, the first whose rule holds. The forecast is of today's listeners, "
        "without those who are yet to come.",
        ("stage", "who", "listeners", "share", f"in {_ahead(found)}", "95 %"),
        rows,
        bars(sizes, "listeners") if found.listeners else None,
    )


def _lost(found: Lifecycle) -> Section:
    title = "Regular listeners who will be dormant or gone"
    if not found.lost:
        return Section("lost", title, NOT_YET)
    return Section(
        "lost",
        title,
        "Forecast of the listeners who are regular today, by how often regular listeners became dormant or "
        "gone within as many weeks; the band is the 95 % interval, as far ahead as one is known.",
        ("weeks", "expected", "95 %"),
        [(str(each.weeks), f"{each.expected:,.1f}", bounds(each.low, each.high)) for each in found.lost],
        band(found.lost),
    )


def _churn_risk(found: Lifecycle) -> Section:
    title = "How likely listeners are not to come back"
    if not found.churn_risk:
        return Section("churn", title, "Not known yet: `refrain model churn` says what is missing.")
    sizes = {f"{percent(each.low)} to {percent(each.high)}": each.listeners for each in found.churn_risk}
    return Section(
        "churn",
        title,
        f"Of {counted(sum(sizes.values()), 'listener')} of whom it is predicted: how many have which "
        f"probability of doing nothing in the next {counted(found.churn_days, 'day')}.",
        ("probability", "listeners"),
        [(between, f"{listeners:,}") for between, listeners in sizes.items()],
        bars(sizes, "listeners"),
    )


def _ways(found: Lifecycle) -> Section:
    title = "From stage to stage within a week"
    if not found.transitions:
        return Section("ways", title, NOT_YET)
    likely = by_pair(found)
    origins = [stage for stage in STAGES if any(origin == stage for origin, _ in likely)]
    cells = [(origin, to, likely.get((origin, to))) for origin in origins for to in STAGES]
    return Section(
        "ways",
        title,
        f"{counted(found.weeks_counted, 'week')} observed. Of the listeners in the stage of a row, the share "
        "that was in the stage of a column a week later.",
        ("from", "to", "listeners", "share", "95 %"),
        [
            (
                each.origin,
                each.to,
                f"{each.listeners:,}",
                percent(each.probability),
                f"{percent(each.low)} to {percent(each.high)}",
            )
            for each in found.transitions
        ],
        heat(cells, "a week later", "stage"),
    )


def _retention(found: Lifecycle) -> Section:
    title = "Retention by the week they came"
    if not found.retention:
        return Section("retention", title, "Nobody has come in the last seven whole weeks.")
    weeks = max(len(each.active) for each in found.retention)
    shares = {each.monday: [number / each.came for number in each.active] for each in found.retention}
    cells = [
        (monday, f"+{at}", theirs[at] if at < len(theirs) else None)
        for monday, theirs in shares.items()
        for at in range(weeks)
    ]
    came = {each.monday: each.came for each in found.retention}
    return Section(
        "retention",
        title,
        "The share of those who came in a week (from Monday) who were active in that week, the one after "
        "it, and so on. Days of earlier listeners are not kept.",
        ("week of", "came", *(f"+{at}" for at in range(weeks))),
        [
            (
                monday,
                f"{came[monday]:,}",
                *(percent(share) for share in theirs),
                *[""] * (weeks - len(theirs)),
            )
            for monday, theirs in shares.items()
        ],
        heat(cells, "weeks later", "came in the week of"),
    )


def _groups(found: Lifecycle) -> Section:
    title = "Groups by actions in each of five weeks"
    if not found.groups:
        return Section("groups", title, NOT_YET)
    return Section(
        "groups",
        title,
        "k-means on the logarithms of weekly counts, of a sample of at most 20,000 listeners; and how many "
        "of each group did nothing in the week after.",
        ("group", "listeners", "actions a week, the oldest first", "nothing after"),
        [
            (
                str(number),
                f"{group.listeners:,}",
                " · ".join(f"{actions:,.1f}" for actions in group.weekly),
                percent(group.inactive),
            )
            for number, group in enumerate(found.groups, start=1)
        ],
        shapes(found.groups),
    )


def _ahead(found: Lifecycle) -> str:
    return counted(found.lost[-1].weeks, "week") if found.lost else "some weeks"
