"""Where releases of the past should have gone, and who clicked there, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from consumers.report.ctr import CohortCtr, CtrReport, ReleaseCtr
from consumers.report.targets import TargetList
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted, percent
from consumers.terminal.release_report import between
from consumers.terminal.tables import Column, facts, listing, rows_that_fit
from models.click_rate import MIN_SENT

__all__ = ["show_ctr", "show_targets"]

AROUND = 4  # lines around a table: the command, its header, what does not fit
FACTS = 8  # lines above the rates
RATES = ("CTR", "95 %", "random", "95 % of random", "lift")
WIDE = 100  # columns of a terminal from which on all rates are shown
IF_NARROW = 3  # rates


def show_targets(found: TargetList) -> None:
    """Print the cohort that each release should go to."""
    console = Terminal()
    table = listing(
        Column("release"),
        Column("artists", wide=True),
        Column("cohort"),
        Column("what sets it apart", wide=True),
        Column("members", right=True),
        Column("play rate", right=True),
    )
    fit = rows_that_fit(AROUND)
    for each in found.releases[:fit]:
        artists = Text(", ".join(each.artists))
        if each.cohort_id:
            where = each.cohort_id, Text(each.label), f"{each.members:,}", percent(each.play_rate)
        else:
            where = "", Text(), "", ""
        table.add_row(Text(each.release_id), artists, *where)
    console.print(table)
    _say_more(console, len(found.releases), fit, "release")
    reasons = Counter(each.reason for each in found.releases if not each.cohort_id)
    for reason, number in reasons.most_common():
        have = "has" if number == 1 else "have"
        console.print(f"{counted(number, 'release')} {have} no cohort to go to: {reason}")


def show_ctr(found: CtrReport) -> None:
    """Print how often cohorts clicked on the releases that should go to them."""
    console = Terminal()
    console.print(
        facts(
            {
                "release": _release(found),
                "releases": _releases(found),
                "clicks": _clicks(found),
                "listeners": f"{found.listeners:,} in cohorts of model {found.model_version}",
                "CTR": _ctr(found),
            }
        )
    )
    if not found.rows:
        return
    rates = len(RATES) if console.width >= WIDE else IF_NARROW
    table = _table(found.rows[0], RATES[:rates])
    fit = rows_that_fit(AROUND + FACTS)
    for row in found.rows[:fit]:
        about = (
            (Text(row.release_id), Text(", ".join(row.artists)), row.cohort_id)
            if isinstance(row, ReleaseCtr)
            else (row.cohort_id, Text(row.label), f"{row.releases:,}")
        )
        table.add_row(*about, f"{row.members:,}", f"{row.clicked:,}", *_rates(row)[:rates])
    console.print()
    console.print(table)
    _say_more(console, len(found.rows), fit, "row")


def _table(first: CohortCtr | ReleaseCtr, rates: Sequence[str]) -> Table:
    numbers = (Column(name, right=True) for name in ("members", "clicked", *rates))
    if isinstance(first, ReleaseCtr):
        return listing(Column("release"), Column("artists", wide=True), Column("cohort"), *numbers)
    about = Column("cohort"), Column("what sets it apart", wide=True), Column("releases", right=True)
    return listing(*about, *numbers)


def _rates(row: CohortCtr | ReleaseCtr) -> tuple[str, ...]:
    return (
        percent(row.ctr),
        between(row.ctr_low, row.ctr_high),
        percent(row.random_ctr),
        between(row.random_low, row.random_high),
        "" if row.lift is None else f"{row.lift:.1f}",
    )


def _release(found: CtrReport) -> str:
    if found.release is None:
        return ""
    said = f"{found.release.release_id} of {', '.join(found.release.artists)}"
    if not found.release.cohort_id:
        return f"{said}: {found.release.reason}"
    return f"{said} should go to {found.release.cohort_id} ({found.release.label})"


def _releases(found: CtrReport) -> str:
    said = f"{found.releases:,}"
    if not found.without_cohort:
        return said
    without = f"{found.without_cohort:,} of them without a cohort to go to"
    return f"{said}, {without}: `refrain report targets` says why"


def _clicks(found: CtrReport) -> str:
    left = {
        "again by the same listener": found.repeated,
        "on releases that are not in the file": found.unknown_release,
        "by listeners in no cohort": found.unplaced,
    }
    others = "".join(f"; {number:,} {why}" for why, number in left.items() if number)
    return f"{found.counted:,} of {found.clicks:,} counted{others}"


def _ctr(found: CtrReport) -> str:
    if found.ctr is None:
        return f"none: fewer than {MIN_SENT} members could have clicked"
    beside = f"{percent(found.ctr)} where releases should go, {percent(found.random_ctr)} in random clusters"
    return beside if found.lift is None else f"{beside}: {found.lift:.1f} times as many"


def _say_more(console: Terminal, number: int, fit: int | None, what: str) -> None:
    if fit is not None and (more := number - fit) > 0:
        console.print(f"{counted(more, what)} more: --csv has all", style="dim")
