from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_matrix

from models.model import Model
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohort_history import KEPT, CohortHistory
from stream.stores.cohorts import Cohorts

Events = list[tuple[int, str, tuple[str, ...], int]]


def model(
    version: int,
    cohorts: Mapping[str, str],
    parents: Mapping[str, str] | None = None,
    heirs: Mapping[str, str] | None = None,
) -> Model:
    """A model of cohorts -> labels, made at 1000 x version; those with parents are born with it."""
    k, now = len(cohorts), 1000.0 * version
    parents = parents or {}
    return Model(
        version=version,
        created_at=now,
        clicks=9,
        listeners=3,
        artists=("ana",),
        vectors=np.ones((1, 1), dtype="f4"),
        spread=np.eye(1),
        counts=np.ones(1),
        n_rows=3.0,
        centers=np.ones((k, 1)),
        cohort_ids=tuple(cohorts),
        next_cohort=9,
        sizes=np.ones(k, dtype=np.int64),
        holders=csr_matrix((k, 1)),
        labels=tuple(cohorts.values()),
        born=np.array([now if cohort in parents else 1000.0 for cohort in cohorts]),
        parents=tuple(parents.get(cohort, "") for cohort in cohorts),
        heirs=heirs or {},
    )


async def events(redis: AnyRedis, cohort: str) -> Events:
    return [(e.version, e.event, e.others, e.size) for e in await CohortHistory(redis).of(cohort)]


FIRST = model(1, {"c1": "Ana", "c2": "Bo"})


async def test_a_cohort_is_born_once(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    await history.record(model(2, {"c1": "Ana", "c2": "Bo"}), {"c1": 3, "c2": 2})
    assert await events(redis, "c1") == [(1, "born", (), 0)]


async def test_a_split_is_told_by_both(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    split = model(2, {"c1": "Ana", "c2": "Bo", "c3": "Cy", "c4": "Di"}, {"c3": "c2", "c4": "c2"})
    await history.record(split, {"c1": 5, "c2": 40})
    assert await events(redis, "c2") == [(1, "born", (), 0), (2, "split", ("c3", "c4"), 40)]
    assert await events(redis, "c3") == [(2, "born", ("c2",), 0)]
    assert await events(redis, "c1") == [(1, "born", (), 0)]


async def test_a_death_is_told_by_the_dead_and_by_the_heir(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    sizes = {"c1": 5, "c2": 40}
    await history.record(model(2, {"c1": "Ana"}, heirs={"c2": "c1"}), sizes)
    await history.record(model(3, {"c1": "Ana"}, heirs={"c2": "c1"}), sizes)
    assert await events(redis, "c2") == [(1, "born", (), 0), (2, "died", ("c1",), 40)]
    assert await events(redis, "c1") == [(1, "born", (), 0), (2, "merged", ("c2",), 5)]
    assert [entry.label for entry in await history.of("c2")] == ["Bo", "Bo"]


async def test_an_heir_that_is_gone_too_is_followed_to_one_that_lives(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(model(1, {"c1": "Ana", "c2": "Bo", "c3": "Cy"}), {})
    dead = model(2, {"c1": "Ana"}, heirs={"c2": "c3", "c3": "c1"})
    await history.record(dead, {"c1": 1, "c2": 1, "c3": 1})
    assert (await events(redis, "c2"))[-1][1:3] == ("died", ("c1",))
    assert (await events(redis, "c1"))[-1][1:3] == ("merged", ("c2", "c3"))


async def test_recording_twice_changes_nothing(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    changed = model(2, {"c1": "Ana", "c3": "Cy"}, {"c3": "c1"}, {"c2": "c3"})
    for sizes in ({"c1": 50, "c2": 7}, {"c1": 51, "c2": 6}):
        await history.record(changed, sizes)
        assert await events(redis, "c1") == [(1, "born", (), 0), (2, "split", ("c3",), 50)]
        assert await events(redis, "c2") == [(1, "born", (), 0), (2, "died", ("c3",), 7)]
        assert await events(redis, "c3") == [(2, "born", ("c1",), 0), (2, "merged", ("c2",), 0)]


async def test_what_a_crash_left_half_written_is_made_whole(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    changed = model(2, {"c1": "Ana", "c3": "Cy"}, {"c3": "c1"}, {"c2": "c1"})
    await history.record(changed, {"c1": 50, "c2": 7})
    await redis.zremrangebyscore(keys.cohort_history("c1"), 2, 2)
    await history.record(changed, {"c1": 50, "c2": 7})
    assert {event for _, event, _, _ in await events(redis, "c1")} == {"born", "split", "merged"}


async def test_size_and_label_are_told_when_they_have_changed_and_once_a_day(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    steps = [
        (2, "Ana", 200),
        (3, "Ana", 210),
        (4, "Ana", 225),
        (5, "Bea", 226),
        (90, "Bea", 226),
        (92, "Bea", 226),
    ]
    for version, label, size in steps:
        await history.record(model(version, {"c1": label}), {"c1": size})
    told = [(entry.version, entry.label, entry.size) for entry in (await history.of("c1"))[1:]]
    assert told == [(2, "Ana", 200), (4, "Ana", 225), (5, "Bea", 226), (92, "Bea", 226)]


async def test_of_a_long_history_the_first_and_the_latest_entries_are_kept(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    for version in range(1, KEPT + 20):
        await history.record(model(version, {"c1": f"Label {version}"}), {"c1": 5})
    versions = [entry.version for entry in await history.of("c1")]
    assert versions == [1, *range(21, KEPT + 20)]


async def test_a_cohort_that_an_older_model_brings_back_lives_on(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    await history.record(model(2, {"c1": "Ana"}, heirs={"c2": "c1"}), {"c1": 5, "c2": 4})
    await history.record(model(3, {"c1": "Ana", "c2": "Bo"}), {"c1": 5, "c2": 4})
    assert [event for _, event, _, _ in await events(redis, "c2")] == ["born", "died", ""]


async def test_a_cohort_is_described_with_its_parent_and_its_history(
    redis: AnyRedis, cohorts: Cohorts
) -> None:
    born = dataclasses.replace(FIRST, parents=("", "c1"))
    await cohorts.describe(born, [{}, {}], 3600)
    await cohorts.describe(model(2, {"c1": "Bea", "c2": "Bo"}), [{}, {}], 3600)
    assert (await cohorts.about("c2"))["parent"] == ""
    assert [entry.label for entry in await cohorts.history.of("c1")] == ["Ana", "Bea"]
    assert (await cohorts.history.of("c2"))[0].others == ("c1",)


async def test_a_dead_cohort_is_forgotten_in_time_unless_an_older_model_brings_it_back(
    redis: AnyRedis, cohorts: Cohorts
) -> None:
    of_cohorts = {
        cohort: [of(cohort) for of in (keys.cohort, keys.cohort_artists, keys.cohort_history)]
        for cohort in ("c1", "c2")
    }

    async def left(cohort: str) -> list[int]:
        return [await redis.ttl(key) for key in of_cohorts[cohort]]

    later = model(2, {"c1": "Ana"}, heirs={"c2": "c1"})
    await cohorts.describe(FIRST, [{"ana": 2.0}, {"bo": 2.0}], 3600)
    assert await left("c1") == await left("c2") == [-1, -1, -1]
    await cohorts.describe(later, [{"ana": 2.0}], 3600)
    await cohorts.bury(later.cohort_ids)
    assert await left("c1") == [-1, -1, -1]
    assert all(0 < seconds <= 3600 for seconds in await left("c2"))
    assert (await cohorts.about("c2"))["label"] == "Bo"
    await cohorts.describe(FIRST, [{"ana": 2.0}, {"bo": 2.0}], 3600)
    assert await left("c2") == [-1, -1, -1]


async def test_a_cohort_is_told_as_it_was_at_a_time(redis: AnyRedis) -> None:
    history = CohortHistory(redis)
    await history.record(FIRST, {})
    for version, size in ((2, 100), (3, 200), (4, 300)):
        await history.record(model(version, {"c1": "Ana", "c2": "Bo"}), {"c1": size})
    as_of = [(await history.as_of(["c1"], when))[0] for when in (1500.0, 3500.0, 9000.0)]
    assert [entry.size for entry in as_of if entry] == [100, 200, 300]


async def test_a_cohort_that_nobody_was_in_yet_is_told_as_none(redis: AnyRedis) -> None:
    await CohortHistory(redis).record(FIRST, {})
    assert await CohortHistory(redis).as_of(["c1", "c99"], 5000.0) == [None, None]
