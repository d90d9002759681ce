"""Listeners' lifecycle as tables for people."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from consumers.queries.lifecycle import MOST_WEEKS, Lifecycle, NextWeekForecast
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted, percent
from consumers.terminal.tables import Column, facts, listing
from models.traits.lifecycle import STAGES
from models.traits.next_week import ENOUGH
from stream.settings import REMEMBERED_DAYS

__all__ = ["about_next_week", "bounds", "by_pair", "notes", "show_lifecycle"]


def show_lifecycle(found: Lifecycle) -> None:
    """Print where listeners are, where they go, and what is expected of them."""
    console = Terminal()
    if not found.listeners:
        console.print(
            "no listener has clicked yet, so nobody is in a stage: `refrain replay clicks FILE` sends a "
            "history, or your app sends clicks"
        )
        return
    console.print(_stages(found))
    console.print()
    console.print(facts(about_next_week(found)))
    for title, table in (
        (f"from stage to stage within a week, in % ({_observed(found)})", _ways(found)),
        ("regular listeners who will be dormant or gone", _lost(found)),
        ("retention: of those who came in a week, active so many weeks later, in %", _retention(found)),
        ("groups by actions in each of five weeks, and who did nothing in the week after", _groups(found)),
    ):
        if table.row_count:
            console.print()
            console.print(Text(title, "bold"))
            console.print(table)
    for note in notes(found):
        console.print(note, style="dim")


def about_next_week(found: Lifecycle) -> dict[str, str]:
    """Return what is expected of the next seven days, in words."""
    expected = found.next_week
    if expected is None and found.learned >= ENOUGH:
        return {"next week": "not predicted: nobody's activity is on record (REFRAIN_RECORD_ACTIVITY)"}
    if expected is None:
        return {
            "next week": f"not predicted yet: {found.learned:,} of {ENOUGH} examples are learned; a listener "
            "who has been here for a week is one. None is learned while history seems to be on its way: "
            "the log of `refrain traits` says why"
        }
    on_record = " on record" if expected.listeners < found.listeners else ""
    between = f" (95 %: {said})" if (said := bounds(expected.low, expected.high)) else ""
    return {
        "next week": f"{expected.inactive:,.0f} of {counted(expected.listeners, 'listener')}{on_record} are "
        f"expected to do nothing{between}; {expected.actions:,.0f} actions of the others",
        "judged": _judged(expected),
    }


def _judged(expected: NextWeekForecast) -> str:
    if expected.brier is None:
        return "no prediction has been judged yet"
    return (
        f"Brier score (mean squared error) {expected.brier:.3f}; {expected.brier_of_rate:.3f} if all were "
        f"predicted alike; learned from {counted(expected.examples, 'example')}"
    )


def _observed(found: Lifecycle) -> str:
    return f"{counted(found.weeks_counted, 'week')} observed; empty where nobody went that way"


def notes(found: Lifecycle) -> list[str]:
    """Return what is to be known besides."""
    said = []
    if not found.weeks_counted and found.weeks_left_out < MOST_WEEKS:
        said.append("changes of stage and forecasts are known once listeners have been here for two weeks")
    if not found.kept_current:
        said.append("`refrain traits` does not run: nobody's traits in Redis are kept current")
    if any(each.weeks_counted == 0 for each in found.lost):
        said.append(
            "~ goes by single weeks, one after the other, as so many have not been observed: it expects "
            "too many to leave"
        )
    if any(each.low is None for each in found.lost):
        said.append(
            "no 95 % where the weeks observed are less than twice as many as it looks ahead: how such times "
            "differ is not known"
        )
    if found.erasing:
        said.append(
            "where those who are gone go is not known, as they are erased in the end "
            "(REFRAIN_FORGET_DORMANT_DAYS): the forecast takes them to stay gone"
        )
    if found.weeks_left_out:
        said.append(
            f"the earliest {found.weeks_left_out} of the last {MOST_WEEKS} weeks are not counted: of who was "
            "dormant then, those who did not come back may be erased (REFRAIN_FORGET_DORMANT_DAYS is less "
            f"than {REMEMBERED_DAYS} + REFRAIN_STAGE_GONE_DAYS)"
        )
    return said


def bounds(low: float | None, high: float | None) -> str:
    """Return an interval of listeners in words; nothing where there is none."""
    return "" if low is None or high is None else f"{low:,.0f} to {high:,.0f}"


def by_pair(found: Lifecycle) -> dict[tuple[str, str], float]:
    """Return how likely each way from stage to stage is that somebody went."""
    return {(each.origin, each.to): each.probability for each in found.transitions}


def _stages(found: Lifecycle) -> Table:
    ahead = found.lost[-1].weeks if found.lost else 0
    then = {each.stage: each for each in found.expected}
    later = (Column(f"in {counted(ahead, 'week')}", right=True), Column("95 %", right=True)) if then else ()
    table = listing(Column("stage"), *(Column(name, right=True) for name in ("size", "share")), *later)
    for each in found.stages:
        row = [each.stage, f"{each.listeners:,}", percent(each.share)]
        if then:
            expected = then[each.stage]
            row += [f"{expected.expected:,.0f}", bounds(expected.low, expected.high)]
        table.add_row(*row)
    return table


def _ways(found: Lifecycle) -> Table:
    likely = by_pair(found)
    table = listing(Column("from"), *(Column(stage, right=True) for stage in STAGES))
    for origin in STAGES:
        if any(pair[0] == origin for pair in likely):
            shares = [likely.get((origin, to)) for to in STAGES]
            table.add_row(origin, *("" if share is None else f"{100 * share:.1f}" for share in shares))
    return table


def _lost(found: Lifecycle) -> Table:
    table = listing(*(Column(name, right=True) for name in ("within", "expected", "95 %")))
    for each in found.lost:
        sign = "" if each.weeks_counted else "~"
        table.add_row(
            counted(each.weeks, "week"),
            f"{sign}{each.expected:,.0f}",
            bounds(each.low, each.high),
        )
    return table


def _retention(found: Lifecycle) -> Table:
    weeks = max((len(each.active) for each in found.retention), default=0)
    table = listing(
        Column("week of"), Column("came", right=True), *(Column(f"+{at}", right=True) for at in range(weeks))
    )
    for each in found.retention:
        shares = [f"{100 * number / each.came:.0f}" for number in each.active]
        table.add_row(each.monday, f"{each.came:,}", *shares, *[""] * (weeks - len(shares)))
    return table


def _groups(found: Lifecycle) -> Table:
    table = listing(
        *(
            Column(name, right=True)
            for name in ("group", "listeners", "actions a week, the oldest first", "nothing after")
        )
    )
    for number, group in enumerate(found.groups, start=1):
        shape = "  ".join(f"{actions:,.1f}" for actions in group.weekly)
        table.add_row(str(number), f"{group.listeners:,}", shape, percent(group.inactive))
    return table
