"""The views of docs/sql/ on a real export: they say what Refrain says, and what can be counted by hand."""

from __future__ import annotations

import json
import runpy
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot
from scipy.stats import binomtest

from benchmarks.year import simulate
from consumers.runtime.wiring import Stores
from models.listener import Move
from models.traits.activity import DAY, day_of
from models.traits.weeks import begin_of, week_of
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from tests.apart import WithRedis
from tests.cli.warehouse import SQL, Warehouse, run
from tests.consumers.traits.living import live, put_days
from tests.refrain_command import Refrain
from tests.stream.written import listener_of, put

DAYS = 150
RELEASES = {"r1": 3.0, "r2": 4.5, "r3": 20.0}  # days ago
KINDS = ("sent", "clicked")
HISTORY = {
    "c1": [(9, "born", 0), (8, "", 10), (3, "split", 30), (3, "", 30)],
    "c2": [(9, "born", 0), (7, "", 5), (5, "died", 4)],
}  # days ago, event, size


async def put_far_from_greenwich(redis: AnyRedis, settings: Settings) -> None:
    """Write listeners who came within an hour of a week's beginning by UTC, in the other week by their clock,
    and were back three days later."""
    stores, monday = Stores.on(redis, settings), begin_of(week_of(day_of(time.time())) - 2)
    for user, hours, first in (("in Tokyo", -1, monday), ("in Los Angeles", 1, monday - 1)):
        came = 86_400.0 * monday + 3600 * hours
        await put(stores.listeners, listener_of(user, first_seen=came, last_seen=came + 3 * 86_400))
        await stores.cohorts.place([Move(user, "", "", 1.0)])
        days = np.zeros(2, dtype=DAY)
        days["day"], days["play"] = [first, first + 3], 1
        await put_days(redis, user, days)


@pytest.fixture
def lived(topics: Settings, with_redis: WithRedis) -> Settings:
    """302 listeners, of whom 300 lived through their last seven weeks, releases, two cohorts."""
    year = simulate(300, days=DAYS, seed=1, begin=day_of(time.time()) - DAYS)
    rng = np.random.default_rng(1)

    async def tell(redis: AnyRedis) -> None:
        await live(redis, topics, year, weeks=7)
        await put_far_from_greenwich(redis, topics)
        for release, ago in RELEASES.items():
            planned = time.time() - 86_400 * ago
            about = {"state": "done", "planned_at": planned, "artist_ids": "[]"}
            await redis.hset(keys.release(release), mapping=about)
            await redis.zadd(keys.RELEASES, {release: planned})
            told = [f"user {number}" for number in rng.choice(300, 120, replace=False)]
            cohorts = {user: f"c{rng.integers(3)}" for user in told}
            await redis.hset(keys.release_told(release), mapping=cohorts)
            await redis.hset(keys.release_control(release), mapping={"user of control": "c1"})
            await redis.hset(keys.release_seen(release), "user of control}played", "0:1")
            for user in told:
                if rng.random() < 0.9:
                    await redis.hset(keys.release_seen(release), f"{user}}}sent", "0:1")
                    if rng.random() < 0.2:
                        await redis.hset(keys.release_seen(release), f"{user}}}clicked", "0:2")
        await redis.zadd(keys.COHORTS, {"c1": 30, "c2": 4})
        for cohort, entries in HISTORY.items():
            await redis.hset(keys.cohort(cohort), mapping={"size": 1, "label": cohort.upper(), "born": 1})
            for ago, event, size in entries:
                entry = {"at": noon(ago).timestamp(), "version": 100 - ago, "event": event, "others": []}
                line = json.dumps(entry | {"size": size, "label": cohort.upper()})
                await redis.zadd(keys.cohort_history(cohort), {line: 100 - ago})

    with_redis(tell)
    return topics


def noon(days_ago: int) -> datetime:
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days_ago)


@pytest.fixture
def warehouse(lived: Settings, refrain: Refrain, tmp_path: Path) -> Iterator[Warehouse]:
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        yield found


def lifecycle(refrain: Refrain) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(refrain.run("lifecycle", "--json").stdout)
    return found


def test_transitions_of_stages_and_retention_are_those_of_the_lifecycle(
    warehouse: Warehouse, refrain: Refrain
) -> None:
    said = lifecycle(refrain)
    ways = "SELECT from_stage, to_stage, sum(listeners)::INT FROM stage_transitions GROUP BY 1, 2"
    expected = {
        (each["origin"], each["to"], each["listeners"]) for each in said["transitions"] if each["listeners"]
    }
    assert set(warehouse.rows(ways)) == expected
    shares = "SELECT sum(share) FROM stage_transitions GROUP BY from_week, from_stage"
    assert warehouse.column(shares) == pytest.approx([1.0] * len(warehouse.column(shares)))

    triangle: dict[date, dict[int, tuple[int, int]]] = {}
    for week, later, came, active in warehouse.rows(
        "SELECT came_week, weeks_later, came, active FROM retention ORDER BY 1, 2"
    ):
        triangle.setdefault(week, {})[later] = came, active
    compared = 0
    for each in said["retention"]:
        row = triangle[date.fromisoformat(each["monday"])]
        assert [row[later] for later in range(len(each["active"]))] == [
            (each["came"], active) for active in each["active"]
        ]
        compared += sum(each["active"])
    assert compared > 50


def test_the_ctr_by_cohort_and_week_is_that_of_what_was_sent_with_wilsons_interval(
    warehouse: Warehouse, with_redis: WithRedis
) -> None:
    async def counted(redis: AnyRedis) -> Counter[tuple[date, str, str]]:
        counts: Counter[tuple[date, str, str]] = Counter()
        for release in RELEASES:
            planned = float(await redis.hget(keys.release(release), "planned_at"))
            day = datetime.fromtimestamp(planned, UTC).date()
            seen = {field.decode() for field in await redis.hkeys(keys.release_seen(release))}
            for user, cohort in (await redis.hgetall(keys.release_told(release))).items():
                week = day - timedelta(day.weekday()), cohort.decode()
                counts[*week, "told"] += 1
                for kind in KINDS:
                    counts[*week, kind] += f"{user.decode()}}}{kind}" in seen
        return counts

    counts = with_redis(counted)
    assert isinstance(counts, Counter)
    rows = warehouse.rows("SELECT week, cohort_id, told, sent, clicked FROM ctr_by_cohort_and_week")
    assert {(week, cohort, "told"): told for week, cohort, told, _, _ in rows} == {
        key: number for key, number in counts.items() if key[2] == "told"
    }
    for week, cohort, _, sent, clicked in rows:
        assert (sent, clicked) == (counts[week, cohort, "sent"], counts[week, cohort, "clicked"])
    for clicked, sent, *found in warehouse.rows(
        "SELECT clicked, sent, ctr, ctr_low, ctr_high FROM ctr_by_cohort_and_week"
    ):
        interval = binomtest(clicked, sent).proportion_ci(method="wilson")
        assert found == pytest.approx([clicked / sent, interval.low, interval.high])


def test_sizes_of_cohorts_are_those_noted_last_by_the_end_of_each_day(warehouse: Warehouse) -> None:
    day = {ago: noon(ago).date() for ago in range(10)}
    assert warehouse.rows("SELECT day, cohort_id, size FROM cohort_sizes ORDER BY 1, 2") == [
        *((day[9], "c1", 0), (day[9], "c2", 0), (day[8], "c1", 10), (day[8], "c2", 0)),
        *((day[7], "c1", 10), (day[7], "c2", 5), (day[5], "c1", 10), (day[3], "c1", 30)),
    ]


def test_who_will_do_nothing_next_week_are_the_likeliest_first(
    warehouse: Warehouse, with_redis: WithRedis
) -> None:
    async def predicted(redis: AnyRedis) -> dict[str, float]:
        found = {}
        async for key in redis.scan_iter(match=keys.user_traits("*")):
            if zero := await redis.hget(key, "zero_week"):
                found[key.decode()[6:-8]] = float(zero)
        return found

    expected = with_redis(predicted)
    assert isinstance(expected, dict)
    rows = warehouse.rows("SELECT user_id, zero_week, likely FROM no_order_next_week")
    assert {user: zero for user, zero, _ in rows} == expected
    assert [zero for _, zero, _ in rows] == sorted(expected.values(), reverse=True)
    assert all(likely == (zero >= 0.5) for _, zero, likely in rows)


def test_the_views_for_bigquery_are_those_for_duckdb() -> None:
    made = runpy.run_path(str(SQL.parent / "sql_views.py"))["pages"]()
    there = {str(path.relative_to(SQL)): path.read_text() for path in SQL.rglob("*.sql")}
    assert made == {name: there[name] for name in made}, "run `python docs/sql_views.py`"
    assert {name for name in there if "/" in name} == {f"bigquery/{path.name}" for path in SQL.glob("*.sql")}


@pytest.mark.parametrize("path", sorted((SQL / "bigquery").glob("*.sql")), ids=lambda path: path.stem)
def test_a_view_for_bigquery_is_its_sql_and_weeks_begin_on_mondays(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert all(sqlglot.parse(text, read="bigquery"))
    assert ", WEEK)" not in text
