"""Clicks of files, split in time: learned from what was known before, tried on what came later."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from consumers.churn.activity_log import ActivityLog
from consumers.churn.examples import Examples, Part
from consumers.churn.options import ChurnOptions
from consumers.replay.plan import Plan
from models.traits.activity import FEATURES, WEEK, ActiveDays
from models.traits.churn_span import Span, churned, known
from stream.errors import BadFile
from stream.files.reading import Tally

__all__ = ["days_of", "read_history"]

Ints = npt.NDArray[np.int64]

MOST_DAYS = 30  # that are learned from
MOST_ROWS = 100_000
WATCH_EVERY = 2000  # events
SECONDS = 86_400


def read_history(
    plan: Plan, options: ChurnOptions, span: Span, watch: Callable[[str, float, float], object]
) -> tuple[Examples, Tally]:
    """Read clicks, and make examples of them.

    Raises
    ------
    BadFile
        Where no click can be used, or they do not go over days enough.
    """
    log, tally = _read(plan, options, watch)
    learned, tried = days_of(log.first, log.last, span, options.test_days)
    active = log.active_days()
    first = np.full(active.number, log.last + 1, dtype=np.int64)
    np.minimum.at(first, active.owner, active.days["day"].astype(np.int64))
    random = np.random.default_rng(options.seed)
    made = [
        _examples(active, day, span, first, random, MOST_ROWS // len(days))
        for days in (learned, tried)
        for day in days
    ]
    ends = np.cumsum([0, *(len(outcome) for _, outcome in made)])
    before = np.arange(ends[len(learned)])
    parts = tuple(Part(before, np.arange(ends[at], ends[at + 1])) for at in range(len(learned), len(made)))
    about = {
        "clicks": f"{log.clicks:,} of {active.number:,} listeners, {_date(log.first)} to {_date(log.last)}",
        "churned": f"no activity in {span.outcome} days, predicted from the {span.history} before",
        "learned from": _days(learned),
        "tried on": _days(tried),
    }
    fewer = len(tried) < options.test_days
    notes = [f"The clicks leave room for {len(tried)} test days, not {options.test_days}."] if fewer else []
    rows, outcomes = (np.concatenate(columns) for columns in zip(*made, strict=True))
    return Examples(FEATURES, rows, outcomes, parts, about, tuple(notes)), tally


def days_of(first: int, last: int, span: Span, test_days: int) -> tuple[list[int], list[int]]:
    """Return on which days examples are made: those learned from, and those tried on, a week apart.

    Of a day, features look at `span.history` days before it and the outcome at `span.outcome` from it on. All
    outcomes that are learned from are over when the first test day begins. Where days are few, test days are
    left out rather than the last week to learn from.

    Raises
    ------
    BadFile
        Where there is no room for one of each.

    Examples
    --------
    >>> learned, tried = days_of(first=0, last=99, span=Span(30, 14), test_days=2)
    >>> learned[0], learned[-1], tried
    (36, 65, [79, 86])
    """
    begin, end = first + span.history, last + 1 - span.outcome
    tried = [end]
    while len(tried) < test_days and tried[0] - WEEK - span.outcome >= begin + WEEK:
        tried.insert(0, tried[0] - WEEK)
    if end - span.outcome < begin:
        raise BadFile(
            f"the clicks go over {last - first + 1} days, and {span.history + 2 * span.outcome} are needed: "
            f"{span.history} to predict from, {span.outcome} to learn the outcome, {span.outcome} to try it",
            hint=f"Give a longer history, or shorter spans: {_shorter(last - first + 1)}.",
        )
    latest = tried[0] - span.outcome
    number = min(latest - begin + 1, MOST_DAYS)
    step = min((latest - begin) // (number - 1), WEEK) if number > 1 else 1
    return [latest - step * back for back in reversed(range(number))], tried


def _shorter(days: int) -> str:
    outcome = max(days // 5, 1)
    return f"--days {outcome} --history-days {max(days - 3 * outcome, 1)}"


def _examples(
    active: ActiveDays, day: int, span: Span, first: Ints, random: np.random.Generator, most: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rows, asked = known(active, day, span, first)
    chosen = np.flatnonzero(asked)
    if len(chosen) > most:
        chosen = np.sort(random.choice(chosen, most, replace=False))
    return rows[chosen], churned(active, day, span)[chosen].astype(np.float64)


def _read(
    plan: Plan, options: ChurnOptions, watch: Callable[[str, float, float], object]
) -> tuple[ActivityLog, Tally]:
    reading, log = plan.reading(time.time(), None), ActivityLog(options.listeners)
    for number, event in enumerate(reading.events()):
        if plan.options.limit is not None and number >= plan.options.limit:
            break
        click = from_json(event.value)
        log.put(click["user_id"], click, event.copies)
        if number % WATCH_EVERY == 0:
            watch("reading", reading.read, reading.size)
    if not log.clicks:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in reading.tally.bad.most_common())
        raise BadFile(
            f"{', '.join(map(str, plan.files))}: none of {reading.tally.rows:,} rows can be used"
            + (f" ({reasons})" if reasons else ""),
            hint="--map says which column is what, as --map user_id=user,ts=time; --features reads a table.",
        )
    return log, reading.tally


def _days(days: list[int]) -> str:
    said = _date(days[0]) if len(days) == 1 else f"{len(days)} days, {_date(days[0])} to {_date(days[-1])}"
    return f"{said} and what came after each" if len(days) > 1 else f"{said} and what came after"


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * SECONDS, UTC):%-d %b %Y}"
