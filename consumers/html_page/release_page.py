"""What came of a release, as a page: what a label keeps and sends around."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from consumers.html_page.page import write_html
from consumers.html_page.plots import Spec
from consumers.html_page.release_plots import Share, bars, intervals
from consumers.html_page.section import TEMPLATE, Section, sentence
from consumers.queries.release_report import CohortResponse, PolicyReport, ReleaseReport, WaveReport
from consumers.terminal.format import clock, counted, percent
from consumers.terminal.release_report import about, between, no_ctr, no_uplift
from models.click_rate import MIN_SENT
from models.quality.anytime import share_between

__all__ = ["write_release_page"]

SHOWN = 30  # cohorts in the plot
UNKNOWN = "?"
RATES = ("CTR", "95 %")

Part: TypeAlias = CohortResponse | WaveReport | PolicyReport


def write_release_page(report: ReleaseReport, path: Path) -> None:
    """Write the page of a release."""
    facts = about(report)
    sections = [
        _by_cohort(report),
        *([_by_wave(report, facts["next wave"])] if report.waves else []),
        *([_by_policy(report, facts["A/B"])] if report.policies else []),
        _plays(report, facts),
        _left_out(report),
    ]
    write_html(
        path,
        TEMPLATE,
        report.title or report.release_id,
        {section.name: section.picture for section in sections if section.picture},
        about={
            "release": report.release_id,
            "audience": facts["audience"],
            "planned": clock(report.planned_at) if report.planned_at else "",
            "goes by": facts["goes by"],
            "notified": facts["notified"] or no_ctr(report),
            "clicked": facts["clicked"],
            "predicted": facts["predicted"],
            "next wave": facts["next wave"],
            "asleep": facts["asleep"],
        },
        tiles=_tiles(report, facts),
        sections=sections,
        made_by="refrain release show",
        made=clock(time.time()),
        zone=time.strftime("%Z"),
    )


def _tiles(report: ReleaseReport, facts: Mapping[str, str]) -> list[tuple[str, str]]:
    before = report.state == "history"
    tiles = [(UNKNOWN, "told, before Refrain") if before else (f"{report.audience:,}", "told")]
    missing = no_ctr(report).partition(":")[0]
    for number, name in ((report.sent, "sent"), (report.clicked, "clicked")):
        tiles.append((f"{number:,}", name) if report.sent else (UNKNOWN, f"{name}: {missing}"))
    if report.ctr is None:
        tiles.append((UNKNOWN, f"CTR: {missing}"))
    else:
        tiles.append((percent(report.ctr), f"CTR (95 %: {between(report.ctr_low, report.ctr_high)})"))
    if report.uplift:
        points, _, interval = facts["telling brought"].partition(" ")
        tiles.append((points, f"what telling brought: {interval}"))
    else:
        tiles.append((UNKNOWN, f"what telling brought: {no_uplift(report)}"))
    return tiles


def _by_cohort(report: ReleaseReport) -> Section:
    measured = [(_name(cohort), cohort) for cohort in report.cohorts if cohort.ctr is not None]
    says = _about_rates(report, report.cohorts, "cohort")
    if len(measured) > 1:
        says += " Where intervals overlap, the order may be chance."
    if len(measured) > SHOWN:
        says += f" These are the first {SHOWN} of {len(measured):,}; the table has all."
    return Section(
        "by_cohort",
        "CTR by cohort",
        says,
        ("cohort", "play rate", "predicted CTR", "sent", "opened", "clicked", "opted out", *RATES),
        [
            (
                _name(cohort),
                percent(cohort.play_rate),
                percent(cohort.predicted_ctr),
                f"{cohort.sent:,}",
                f"{cohort.opened:,}",
                f"{cohort.clicked:,}",
                f"{cohort.opted_out:,}",
                percent(cohort.ctr),
                between(cohort.ctr_low, cohort.ctr_high),
            )
            for cohort in report.cohorts
        ],
        _rates(measured[:SHOWN], report.ctr),
    )


def _by_wave(report: ReleaseReport, next_wave: str) -> Section:
    parts = [(str(wave.wave), wave) for wave in report.waves]
    return _by_part("wave", report, parts, f" Next wave: {next_wave}." if next_wave else "")


def _by_policy(report: ReleaseReport, difference: str) -> Section:
    parts = [(policy.policy, policy) for policy in report.policies]
    return _by_part("policy", report, parts, f" A/B test: {difference}." if difference else "")


def _by_part(
    what: str, report: ReleaseReport, parts: Sequence[tuple[str, WaveReport | PolicyReport]], more: str
) -> Section:
    measured = [(f"{what} {name}", part) for name, part in parts if part.ctr is not None]
    return Section(
        f"by_{what}",
        f"CTR by {what}",
        _about_rates(report, [part for _, part in parts], what) + more,
        (what, "told", "sent", "clicked", "opted out", *RATES),
        [
            (
                name,
                f"{part.told:,}",
                f"{part.sent:,}",
                f"{part.clicked:,}",
                f"{part.opted_out:,}",
                percent(part.ctr),
                between(part.ctr_low, part.ctr_high),
            )
            for name, part in parts
        ],
        _rates(measured, report.ctr),
    )


def _plays(report: ReleaseReport, facts: Mapping[str, str]) -> Section:
    title = "Plays: told and control group"
    if report.uplift is None:
        known = report.song_id and report.audience
        return Section(
            "plays", title, f"Played by {facts['played']}." if known else sentence(no_uplift(report))
        )
    groups = {
        "told": (report.played, report.audience),
        "control group": (report.control_played, report.control),
    }
    shares = [
        Share(name, played / listeners, *share_between(played, listeners))
        for name, (played, listeners) in groups.items()
    ]
    return Section(
        "plays",
        title,
        "Who has played the song in time. The control group was drawn by chance and not told. "
        f"Telling brought {facts['telling brought']}. The lines are 95 % intervals of each group alone.",
        ("group", "listeners", "played", "share", "95 %"),
        [
            (each.name, f"{of:,}", f"{played:,}", percent(each.share), between(each.low, each.high))
            for each, (played, of) in zip(shares, groups.values(), strict=True)
        ],
        intervals(shares, "played the song"),
    )


def _left_out(report: ReleaseReport) -> Section:
    title = "Who was left out"
    most_first = sorted(report.left_out.items(), key=lambda each: -each[1])
    counts = {reason: number for reason, number in most_first if number}
    if not counts:
        return Section("left_out", title, sentence(_nobody_left_out(report)))
    return Section(
        "left_out",
        title,
        "Listeners who would have been told, and why they are not.",
        ("reason", "listeners"),
        [(reason, f"{number:,}") for reason, number in counts.items()],
        bars(counts, "listeners"),
    )


def _nobody_left_out(report: ReleaseReport) -> str:
    if report.state == "history":
        return "not known: it was told before Refrain"
    return "nobody who would have been told" if report.planned_at else "not known before it is planned"


def _about_rates(report: ReleaseReport, parts: Sequence[Part], what: str) -> str:
    few = sum(part.ctr is None for part in parts)
    if few == len(parts):
        return sentence(no_ctr(report) or f"no {what} has {MIN_SENT} sent: too few for a CTR")
    says = "Clicked of those sent, with 95 % intervals. The dashed line is the CTR of the whole release."
    return f"{says} {counted(few, what)} with fewer than {MIN_SENT} sent: no CTR." if few else says


def _rates(measured: Sequence[tuple[str, Part]], whole: float | None) -> Spec | None:
    shares = [
        Share(name, each.ctr, each.ctr_low, each.ctr_high)
        for name, each in measured
        if each.ctr is not None and each.ctr_low is not None and each.ctr_high is not None
    ]
    return intervals(shares, "CTR", whole) if shares else None


def _name(cohort: CohortResponse) -> str:
    return f"{cohort.cohort_id} · {cohort.label}" if cohort.label else cohort.cohort_id
