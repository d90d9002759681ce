from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat, heartbeats
from tests.waiting import wait_for_it


async def test_a_process_that_lives_is_seen_with_what_it_has_done(redis: AnyRedis) -> None:
    heartbeat = Heartbeat(redis, "ingest")
    heartbeat.add("clicks", 5)
    heartbeat.add("clicks")
    heartbeat.gauges["partitions"] = 4
    await heartbeat.beat(now=1000.0)
    assert await heartbeats(redis) == {
        heartbeat.name: {"kind": "ingest", "at": "1000.0", "clicks": "6", "partitions": "4"}
    }
    assert str(os.getpid()) in heartbeat.name


async def test_a_gauge_that_is_taken_away_is_seen_no_more(redis: AnyRedis) -> None:
    heartbeat = Heartbeat(redis, "ingest", gauges={"songs missing": 3, "partitions": 4})
    await heartbeat.beat(now=1000.0)
    del heartbeat.gauges["songs missing"]
    await heartbeat.beat(now=1001.0)
    assert await heartbeats(redis) == {heartbeat.name: {"kind": "ingest", "at": "1001.0", "partitions": "4"}}


def test_processes_of_the_same_host_and_number_have_names_of_their_own() -> None:
    ask = "from stream.stores.heartbeats import Heartbeat; print(Heartbeat(None, 'train').name)"
    ask = f"import os, socket; os.getpid, socket.gethostname = lambda: 1, lambda: 'host'; {ask}"
    names = {
        subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(names) == 2
    assert all(name.startswith("train-host-") for name in names)


async def test_a_process_that_ends_is_seen_no_more(redis: AnyRedis) -> None:
    first, second = Heartbeat(redis, "ingest"), Heartbeat(redis, "work")
    for heartbeat in (first, second):
        await heartbeat.beat(now=1000.0)
    await first.stop()
    assert list(await heartbeats(redis)) == [second.name]


async def test_a_process_that_dies_fades(redis: AnyRedis) -> None:
    heartbeat = Heartbeat(redis, "ingest")
    await heartbeat.beat(now=1000.0)
    assert 0 < await redis.ttl(keys.process(heartbeat.name)) <= 10
    await redis.pexpire(keys.process(heartbeat.name), 1)

    async def gone() -> bool:
        return await heartbeats(redis) == {}

    await wait_for_it(gone, "its end")
    await Heartbeat(redis, "work").beat(now=1200.0)
    assert await redis.zcard("processes") == 1


async def test_a_process_that_dies_in_the_middle_of_a_sign_of_life_fades_too(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = Heartbeat(redis, "ingest")
    await heartbeat.beat(now=1000.0)
    await redis.delete(keys.process(heartbeat.name))  # it was not heard of for some seconds

    async def dies(*_: object) -> None:
        raise ConnectionError

    for command in ("expire", "zadd"):
        monkeypatch.setattr(redis, command, dies)
    with pytest.raises(ConnectionError):
        await heartbeat.beat(now=1020.0)
    assert 0 < await redis.ttl(keys.process(heartbeat.name)) <= 10
