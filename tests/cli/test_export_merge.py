"""`refrain export` after an id became part of another listener: nobody counts twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.export.of_listeners import Rows, rows_of_everybody
from consumers.ingest.ingester import ingest
from models.traits.activity import DAY, day_of
from models.traits.weeks import begin_of, week_of
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from tests.apart import WithRedis
from tests.cli.warehouse import Warehouse, run
from tests.consumers.running import Running
from tests.consumers.traits.living import put_days
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain

EPOCH = date(1970, 1, 1)
MONDAY = begin_of(week_of(day_of(time.time())) - 2)


@pytest.fixture
def ingester(service: Settings) -> Iterator[Settings]:
    make_topics_anew(service)
    with Running(ingest, service):
        yield service


def lived(with_redis: WithRedis, user: str, *days: int) -> None:
    """Let a listener have played twice on each of these days, and on none before."""

    async def put(redis: AnyRedis) -> None:
        active = np.zeros(len(days), dtype=DAY)
        active["day"], active["play"] = days, 2
        await put_days(redis, user, active)
        seen = {"first_seen": 86_400.0 * days[0] + 43_200, "last_seen": 86_400.0 * days[-1] + 43_200}
        await redis.hset(keys.user(user), mapping=seen)

    with_redis(put)


def counted(folder: Path) -> dict[str, Any]:
    """What the warehouse says of the two ids, and of all who came in that week."""
    with Warehouse(folder) as found:
        stages = found.rows("SELECT user_id, week, stage FROM stages ORDER BY 1, 2")
        retention = found.rows("SELECT came_week, weeks_later, came, active FROM retention ORDER BY 1, 2")
        return {
            "stages": [row for row in stages if row[0] in {"u1", "u2"}],
            "days": found.rows("SELECT user_id, week, days FROM activity ORDER BY 1, 2"),
            "plays": found.column("SELECT sum(plays)::INT FROM activity"),
            "retention": [row for week, *row in retention if week == EPOCH + timedelta(MONDAY)],
        }


def whose(rows: list[tuple[Any, ...]]) -> set[str]:
    return {user for user, *_ in rows}


def test_who_logs_in_counts_once_and_after_an_undo_as_two_again(
    ingester: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    lived(with_redis, "u1", MONDAY, MONDAY + 8)
    lived(with_redis, "u2", MONDAY + 1, MONDAY + 8)
    run(refrain, tmp_path / "w")
    apart = counted(tmp_path / "w")
    assert whose(apart["stages"]) == whose(apart["days"]) == {"u1", "u2"}
    assert apart["retention"] == [[0, 2, 2], [1, 2, 2]]

    refrain.asked("merge", "u2", "u1")
    run(refrain, tmp_path / "w")
    together = counted(tmp_path / "w")
    assert whose(together["stages"]) == whose(together["days"]) == {"u1"}
    assert [days for *_, days in together["days"]] == [2, 1]
    assert together["plays"] == apart["plays"]
    assert together["retention"] == [[0, 1, 1], [1, 1, 1]]
    assert set(run(refrain, tmp_path / "w")["rows"].values()) == {0}

    refrain.asked("merge", "--undo", "u2")
    run(refrain, tmp_path / "w")
    assert counted(tmp_path / "w") == apart


def test_weeks_that_are_on_record_no_more_stay_with_the_id_that_lived_them(
    ingester: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    lived(with_redis, "u1", MONDAY + 8)
    lived(with_redis, "u2", MONDAY - 70)
    run(refrain, tmp_path / "w")
    apart = counted(tmp_path / "w")
    refrain.asked("merge", "u2", "u1")
    run(refrain, tmp_path / "w")
    together = counted(tmp_path / "w")
    assert together["plays"] == apart["plays"]
    assert together["days"] == apart["days"]


def test_who_logs_in_while_a_run_reads_them_counts_once_after_the_next(
    ingester: Settings,
    refrain: Refrain,
    with_redis: WithRedis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lived(with_redis, "u1", MONDAY + 8)
    lived(with_redis, "u2", MONDAY + 1)
    run(refrain, tmp_path / "w")
    apart = counted(tmp_path / "w")

    async def read_u1_before_and_u2_after(*given: Any) -> AsyncIterator[Rows]:
        read = [rows async for rows in rows_of_everybody(*given)]
        await asyncio.to_thread(refrain.asked, "merge", "u2", "u1")
        for rows in read:
            yield {name: [row for row in some if row["user_id"] != "u2"] for name, some in rows.items()}

    with monkeypatch.context() as patch:
        patch.setattr("consumers.export.run.rows_of_everybody", read_u1_before_and_u2_after)
        run(refrain, tmp_path / "w")
    run(refrain, tmp_path / "w")
    together = counted(tmp_path / "w")
    assert whose(together["stages"]) == whose(together["days"]) == {"u1"}
    assert together["plays"] == apart["plays"]
