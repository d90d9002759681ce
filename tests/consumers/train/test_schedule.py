"""When a candidate is made, and when it is published: no process, a clock that is moved by hand."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest

from consumers.train.schedule import (
    DOUBLED,
    ENDED,
    GROWN,
    MOVED,
    QUIET,
    SOONEST,
    Candidate,
    Progress,
    Reason,
    Schedule,
)
from models.quality.validation import Comparison

EVERY, AT_LATEST = 30.0, 900.0
SEEN = Progress(clicks=10_000, applied=10_000, listeners=1_000, artists=2_000, rows=5_000)

UNJUDGED = Candidate(Comparison(0, 0.0, math.inf))
SAME = Candidate(Comparison(500, 0.0, 0.001))
BETTER = Candidate(Comparison(500, 0.01, 0.001))


def more(seen: Progress, **fields: int) -> Progress:
    """The same with a little more learned, and what else there is more of."""
    return dataclasses.replace(seen, rows=seen.rows + 1, **fields)


@pytest.fixture
def schedule() -> Schedule:
    """A model was published at 0."""
    schedule = Schedule(EVERY, AT_LATEST, 0.0)
    schedule.published(0.0, SEEN, Reason.FIRST)
    return schedule


def test_the_first_model_is_due_at_once_and_published_whatever_it_ranks_like() -> None:
    schedule = Schedule(EVERY, AT_LATEST, 0.0)
    assert schedule.urgent
    assert schedule.due(0.0, SEEN)
    assert schedule.worth(0.0, SEEN, UNJUDGED) is Reason.FIRST


def test_a_trainer_that_goes_on_has_had_its_first_model() -> None:
    schedule = Schedule(EVERY, AT_LATEST, 0.0, serving=SEEN)
    assert not schedule.urgent
    assert not schedule.due(1.0, more(SEEN))
    assert schedule.due(EVERY, more(SEEN))


def test_nothing_is_due_where_nothing_was_learned(schedule: Schedule) -> None:
    assert not schedule.due(10 * AT_LATEST, SEEN, quiet=QUIET, all_learned=True)


def test_twice_the_clicks_are_due_while_they_come(schedule: Schedule) -> None:
    doubled = more(SEEN, clicks=int((1 + DOUBLED) * SEEN.clicks))
    assert not schedule.due(SOONEST - 0.1, doubled)
    assert not schedule.due(SOONEST, more(SEEN, clicks=doubled.clicks - 1))
    assert schedule.due(SOONEST, doubled)


def test_when_clicks_end_a_few_more_are_due_and_published(schedule: Schedule) -> None:
    grown = more(SEEN, clicks=math.ceil((1 + ENDED) * SEEN.clicks))
    assert not schedule.due(SOONEST, grown)
    assert not schedule.due(SOONEST, grown, quiet=QUIET - 0.1)
    assert schedule.due(SOONEST, grown, quiet=QUIET)
    assert schedule.due(SOONEST, grown, all_learned=True)
    assert schedule.worth(SOONEST, grown, SAME) is Reason.ENDED
    schedule.published(SOONEST, grown, Reason.ENDED)
    assert not schedule.due(2 * SOONEST, more(grown), all_learned=True)
    assert schedule.worth(2 * SOONEST, more(grown), SAME) is None


def test_when_hardly_any_clicks_came_their_end_is_nothing(schedule: Schedule) -> None:
    assert not schedule.due(SOONEST, more(SEEN), all_learned=True)


def test_clicks_that_ingesters_apply_behind_the_trainer_count_too(schedule: Schedule) -> None:
    assert schedule.due(SOONEST, more(SEEN, applied=math.ceil((1 + ENDED) * SEEN.applied)), quiet=QUIET)


def test_clicks_of_ingesters_that_began_anew_count_beside_all_there_were(schedule: Schedule) -> None:
    seen = more(SEEN, applied=1)
    schedule.refused(0.0, seen)
    assert not schedule.due(SOONEST, more(seen, applied=100), quiet=QUIET)


def test_one_that_ranks_the_same_is_held_back_and_the_next_comes_later(schedule: Schedule) -> None:
    now, seen, looks = 0.0, SEEN, []
    while now < AT_LATEST - 1:
        now += 1.0
        seen = more(seen)
        if schedule.due(now, seen):
            looks.append(now)
            if schedule.worth(now, seen, SAME) is None:
                schedule.held(now, seen)
    waits = [later - earlier for earlier, later in pairwise([0.0, *looks])]
    assert waits == [EVERY, 2 * EVERY, 4 * EVERY, 8 * EVERY]


def test_after_the_longest_time_one_that_ranks_the_same_is_published(schedule: Schedule) -> None:
    assert schedule.worth(AT_LATEST - 1, more(SEEN), SAME) is None
    assert schedule.worth(AT_LATEST, more(SEEN), SAME) is Reason.TIME


def test_where_nothing_changes_models_come_at_the_longest_time(schedule: Schedule) -> None:
    now, seen, published = 0.0, SEEN, []
    while now < 6 * AT_LATEST:
        now += 10.0
        seen = more(seen)
        if schedule.due(now, seen):
            reason = schedule.worth(now, seen, SAME)
            if reason:
                published.append(now)
                schedule.published(now, seen, reason)
            else:
                schedule.held(now, seen)
    assert len(published) >= 3
    assert all(
        AT_LATEST <= later - earlier <= AT_LATEST + EVERY for earlier, later in pairwise([0.0, *published])
    )


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (BETTER, Reason.GAIN),
        (dataclasses.replace(SAME, asked_for=True), Reason.ASKED),
        (dataclasses.replace(SAME, trial=BETTER.verdict, other_cohorts=True), Reason.GAIN),
        (dataclasses.replace(SAME, trial=SAME.verdict, other_cohorts=True), None),
        (dataclasses.replace(SAME, other_cohorts=True), Reason.COHORTS),
        (dataclasses.replace(SAME, moved=2 * MOVED), None),
        (dataclasses.replace(UNJUDGED, moved=2 * MOVED), Reason.MOVED),
        (dataclasses.replace(SAME, more_plays=True), Reason.SONGS),
        (UNJUDGED, None),
    ],
)
def test_what_a_candidate_is_published_for(
    schedule: Schedule, candidate: Candidate, reason: Reason | None
) -> None:
    assert schedule.worth(EVERY, more(SEEN), candidate) is reason


@pytest.mark.parametrize("field", ["listeners", "artists"])
def test_a_burst_of_listeners_or_artists_is_looked_at_and_published(schedule: Schedule, field: str) -> None:
    seen = SEEN
    for now in (30.0, 90.0, 210.0):
        seen = more(seen)
        assert schedule.due(now, seen)
        schedule.held(now, seen)
    grown = more(seen, **{field: math.ceil((1 + GROWN) * getattr(SEEN, field))})
    assert not schedule.due(210.0 + EVERY - 1, grown)
    assert schedule.due(210.0 + EVERY, grown)
    assert schedule.worth(240.0, grown, SAME) is Reason.GROWTH
    schedule.published(240.0, grown, Reason.GROWTH)
    assert schedule.due(240.0 + EVERY, more(grown))


def test_drift_is_urgent_and_published(schedule: Schedule) -> None:
    for now in (30.0, 90.0):
        schedule.held(now, SEEN)
    assert not schedule.due(90.0 + SOONEST, more(SEEN))
    schedule.drifted()
    assert schedule.urgent
    assert schedule.due(90.0 + SOONEST, more(SEEN))
    assert schedule.worth(90.0 + SOONEST, more(SEEN), SAME) is Reason.DRIFT
    schedule.published(95.0, more(SEEN), Reason.DRIFT)
    assert not schedule.urgent
    assert schedule.due(95.0 + EVERY, more(more(SEEN)))


def test_one_that_is_refused_leaves_the_time_to_the_next(schedule: Schedule) -> None:
    schedule.refused(EVERY, more(SEEN))
    assert not schedule.due(2 * EVERY - 1, more(more(SEEN)))
    assert schedule.due(2 * EVERY, more(more(SEEN)))


def test_a_longest_time_below_the_shortest_is_the_shortest() -> None:
    schedule = Schedule(EVERY, EVERY / 2, 0.0, serving=SEEN)
    assert schedule.worth(EVERY - 1, more(SEEN), SAME) is None
    assert schedule.worth(EVERY, more(SEEN), SAME) is Reason.TIME
