"""Where listeners are in their life with the service, where they go, and what is expected of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from consumers.queries.lifecycle_sums import CHURN_BINS, LifecycleSums
from consumers.runtime.wiring import Stores, limits_of
from models.traits.activity import WEEK, day_of
from models.traits.groups import Groups
from models.traits.lifecycle import RULES, STAGES
from models.traits.next_week import ENOUGH, NextWeek
from models.traits.transitions import Forecast, Transitions
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats
from stream.stores.next_week_model import NextWeekModel

__all__ = [
    "MOST_WEEKS",
    "ActivityGroup",
    "ChurnRisk",
    "ExpectedStage",
    "Lifecycle",
    "LostForecast",
    "NextWeekForecast",
    "RetentionWeek",
    "StageSize",
    "Transition",
    "read_lifecycle",
    "read_lifecycles",
]

MOST_WEEKS = 12
"""That one may look ahead."""

GROUPS = 6
SECONDS = 86_400
NORMAL = 1.96  # standard deviations: 95 %
LOST = "dormant", "gone"


@dataclass(frozen=True)
class StageSize:
    """How many listeners are in a stage, and who that is."""

    stage: str
    listeners: int
    share: float
    rule: str


@dataclass(frozen=True)
class Transition:
    """How many listeners went from a stage to another within a week, and how likely that is (95 %)."""

    origin: str
    to: str
    listeners: int
    probability: float
    low: float
    high: float


@dataclass(frozen=True)
class LostForecast:
    """How many of the listeners who are regular now are expected to be dormant or gone in some weeks.

    Attributes
    ----------
    low, high
        The 95 % interval; None where too few stretches of so many weeks were seen to know how they differ.
    weeks_counted
        Weeks of which it is known what became of listeners within `weeks`; 0: it goes by single weeks.
    """

    weeks: int
    expected: float
    low: float | None
    high: float | None
    weeks_counted: int


@dataclass(frozen=True)
class ExpectedStage:
    """How many of today's listeners are expected in a stage at the end of the forecast; as `LostForecast`."""

    stage: str
    expected: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class NextWeekForecast:
    """What is expected of the next seven days, of those whose activity is on record.

    Attributes
    ----------
    listeners
        How many those are.
    inactive, low, high
        How many of them are expected to do nothing, and the 95 % interval: chance of each one, and by how
        much the share of those who did nothing has changed from week to week. None before some weeks are
        known.
    actions
        What they will do together.
    brier, brier_of_rate
        Mean squared error of the probability of doing nothing, as it was predicted when a week began of who
        had been active in the 30 days before; and what it would be were all of them predicted alike. None: no
        prediction has been judged yet.
    examples
        How many it has learned.
    """

    listeners: int
    inactive: float
    low: float | None
    high: float | None
    actions: float
    brier: float | None
    brier_of_rate: float | None
    examples: int


@dataclass(frozen=True)
class RetentionWeek:
    """Who came in a week, and how many of them were active in that week, the one after it, and so on.

    Attributes
    ----------
    monday
        The first day of the week, ISO 8601.
    """

    monday: str
    came: int
    active: tuple[int, ...]


@dataclass(frozen=True)
class ActivityGroup:
    """Listeners with a like shape of five weeks, and what came in the week after those.

    Attributes
    ----------
    weekly
        Mean actions a week, the oldest week first.
    inactive
        The share of them who did nothing in the week after.
    """

    listeners: int
    weekly: tuple[float, ...]
    inactive: float


@dataclass(frozen=True)
class ChurnRisk:
    """How many listeners have a predicted probability of churn from `low` up to `high`."""

    low: float
    high: float
    listeners: int


@dataclass(frozen=True)
class Lifecycle:
    """All of it.

    Attributes
    ----------
    at
        Unix seconds.
    listeners
        Those in a stage: bots and who has only clicks that wait are in none.
    weeks_counted
        Weeks whose changes of stage are known.
    erasing
        Whether who is dormant for long is erased. Where those who are gone go is not known of all then:
        `transitions` have none of them, forecasts take them to stay gone.
    weeks_left_out
        How many of the last twelve weeks are not counted, the earliest: of who was dormant when they began,
        and did not come back, not all are sure to be here still.
    next_week
        None before enough is learned (`learned` says how much is), or where nobody's activity is on record.
    churn_risk
        Of the listeners of whom churn is predicted, in tenths; empty where it is of nobody yet.
    churn_days
        Churn is to do nothing in so many days.
    kept_current
        Whether `refrain traits` runs.
    """

    at: float
    listeners: int
    stages: tuple[StageSize, ...]
    transitions: tuple[Transition, ...]
    weeks_counted: int
    erasing: bool
    weeks_left_out: int
    lost: tuple[LostForecast, ...]
    expected: tuple[ExpectedStage, ...]
    next_week: NextWeekForecast | None
    learned: int
    retention: tuple[RetentionWeek, ...]
    groups: tuple[ActivityGroup, ...]
    churn_risk: tuple[ChurnRisk, ...]
    churn_days: int
    kept_current: bool


async def read_lifecycle(redis: AnyRedis, settings: Settings, weeks: int, now: float) -> Lifecycle:
    """Look at all listeners, some hundred at a time.

    Parameters
    ----------
    weeks
        How many weeks ahead to look.
    now
        Unix seconds.
    """
    return (await _read(redis, settings, weeks, now))[1]


async def read_lifecycles(redis: AnyRedis, settings: Settings, now: float) -> Mapping[int, Lifecycle]:
    """Look at all listeners once; return weeks ahead -> what `read_lifecycle` says, up to `MOST_WEEKS`."""
    return await asyncio.to_thread(_by_weeks, *await _read(redis, settings, MOST_WEEKS, now))


def _by_weeks(sums: LifecycleSums, whole: Lifecycle) -> dict[int, Lifecycle]:
    """Return what looking fewer weeks ahead says: only forecasts differ."""
    return {
        weeks: replace(
            whole,
            lost=tuple(each for each in whole.lost if each.weeks <= weeks),
            expected=_expected(sums, weeks),
        )
        for weeks in range(1, MOST_WEEKS + 1)
    }


async def _read(
    redis: AnyRedis, settings: Settings, weeks: int, now: float
) -> tuple[LifecycleSums, Lifecycle]:
    stores = Stores.on(redis, settings)
    model = await NextWeekModel(redis).load()
    sums = LifecycleSums(
        day_of(now), weeks, limits_of(settings), model, erased_after=settings.forget_dormant_days
    )
    async for users in _everybody(stores):
        traits = await stores.traits.read(users, ["weeks", "churn"])
        remembered, churn = [row[0] for row in traits], [float(row[1]) for row in traits if row[1]]
        activities = await stores.listeners.activities(users)
        # In a thread: whoever else asks this process meanwhile does not wait for it.
        await asyncio.to_thread(sums.add, users, activities, remembered, churn)
    kinds = {state["kind"] for state in (await heartbeats(redis)).values()}
    # In a thread, too: groups and forecasts are drawn from many numbers.
    whole = await asyncio.to_thread(
        _lifecycle, sums, model, weeks, now, settings.churn_days, kept_current="traits" in kinds
    )
    return sums, whole


async def _everybody(stores: Stores) -> AsyncIterator[list[str]]:
    for cohort in await stores.cohorts.all():
        async for users in stores.cohorts.members(cohort):
            if users:
                yield users


def _lifecycle(
    sums: LifecycleSums, model: NextWeek, weeks: int, now: float, churn_days: int, *, kept_current: bool
) -> Lifecycle:
    listeners = int(sums.sizes.sum())
    return Lifecycle(
        at=now,
        listeners=listeners,
        stages=_stages(sums.sizes, listeners),
        transitions=_transitions(sums.transitions[1], unknown="gone" if sums.erasing else ""),
        weeks_counted=_counted(sums.transitions[1]),
        erasing=sums.erasing,
        weeks_left_out=sums.weeks_left_out,
        lost=_lost(sums, weeks),
        expected=_expected(sums, weeks),
        next_week=_next_week(sums, model) if sums.recorded else None,
        learned=model.version,
        retention=_retention(sums),
        groups=_groups(sums),
        churn_risk=_churn_risk(sums),
        churn_days=churn_days,
        kept_current=kept_current,
    )


def _stages(sizes: npt.NDArray[np.int64], listeners: int) -> tuple[StageSize, ...]:
    rules = {rule.stage: rule.words for rule in RULES}
    return tuple(
        StageSize(stage, size, size / listeners if listeners else 0.0, rules[stage])
        for stage, size in zip(STAGES, sizes.tolist(), strict=True)
    )


def _transitions(found: Transitions, unknown: str) -> tuple[Transition, ...]:
    likely, (low, high), total = found.probabilities(), found.intervals(), found.total
    return tuple(
        Transition(
            STAGES[a], STAGES[b], int(total[a, b]), *(float(each[a, b]) for each in (likely, low, high))
        )
        for a, b in np.argwhere(total > 0).tolist()
        if STAGES[a] != unknown
    )


def _counted(found: Transitions) -> int:
    return int(found.counts.any(axis=(1, 2)).sum())


def _forecast(sums: LifecycleSums, now: npt.NDArray[np.int64], weeks: int) -> Forecast | None:
    """Forecast by what became of listeners within so many weeks; by single weeks where that is not known."""
    if _counted(sums.transitions[weeks]):
        return sums.transitions[weeks].forecast(now)
    return sums.transitions[1].forecast(now, weeks) if _counted(sums.transitions[1]) else None


def _expected(sums: LifecycleSums, weeks: int) -> tuple[ExpectedStage, ...]:
    whole = _forecast(sums, sums.sizes, weeks)
    return tuple(ExpectedStage(stage, *_among(whole, stage)) for stage in STAGES) if whole else ()


def _lost(sums: LifecycleSums, weeks: int) -> tuple[LostForecast, ...]:
    regular = np.zeros(len(STAGES), dtype=np.int64)
    regular[STAGES.index("regular")] = sums.sizes[STAGES.index("regular")]
    found = []
    for ahead in range(1, weeks + 1):
        if forecast := _forecast(sums, regular, ahead):
            found.append(LostForecast(ahead, *_among(forecast, *LOST), _counted(sums.transitions[ahead])))
    return tuple(found)


def _among(forecast: Forecast, *stages: str) -> tuple[float, float | None, float | None]:
    """Return how many are expected in some stages, and between which bounds, where these hold."""
    number, low, high = forecast.among(*stages)
    return (number, low, high) if forecast.bounded else (number, None, None)


def _next_week(sums: LifecycleSums, model: NextWeek) -> NextWeekForecast | None:
    if model.version < ENOUGH:
        return None
    low: float | None = None
    high: float | None = None
    if (deviation := sums.zero_deviation) is not None:
        low = max(sums.zero - NORMAL * deviation, 0.0)
        high = min(sums.zero + NORMAL * deviation, float(sums.recorded))
    return NextWeekForecast(
        listeners=sums.recorded,
        inactive=sums.zero,
        low=low,
        high=high,
        actions=sums.expected,
        brier=model.foresight.brier if model.foresight.examples else None,
        brier_of_rate=model.foresight.brier_of_rate if model.foresight.examples else None,
        examples=model.version,
    )


def _retention(sums: LifecycleSums) -> tuple[RetentionWeek, ...]:
    found, number = sums.retention, len(sums.retention.came)
    begins = [found.until - WEEK * (number - row) for row in range(number)]
    return tuple(
        RetentionWeek(
            datetime.fromtimestamp(day * SECONDS, UTC).date().isoformat(),
            int(found.came[row]),
            tuple(found.active[row, : number - row].tolist()),
        )
        for row, day in enumerate(begins)
        if found.came[row]
    )


def _churn_risk(sums: LifecycleSums) -> tuple[ChurnRisk, ...]:
    if not sums.churn.any():
        return ()
    edges = np.linspace(0.0, 1.0, CHURN_BINS + 1).round(6).tolist()
    return tuple(
        ChurnRisk(low, high, listeners)
        for low, high, listeners in zip(edges[:-1], edges[1:], sums.churn.tolist(), strict=True)
    )


def _groups(sums: LifecycleSums) -> tuple[ActivityGroup, ...]:
    weekly, zero = sums.sample()
    if not len(weekly):
        return ()
    described: Sequence[ActivityGroup] = [
        ActivityGroup(group.listeners, group.weekly, group.zero_week or 0.0)
        for group in Groups(GROUPS).fit(weekly).describe(weekly, zero)
    ]
    return tuple(described)
