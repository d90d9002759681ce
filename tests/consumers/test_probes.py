"""What Kubernetes asks a process: whether it lives, and whether it is at work."""

from __future__ import annotations

import asyncio
import time

import requests

from consumers.ingest.ingester import ingest
from consumers.runtime.exporter import exporting
from stream.broker.ports import free_port
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.heartbeats import SECONDS, STARTING, Heartbeat
from tests.consumers.running import Running
from tests.waiting import wait_for


def exported(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_port": free_port()})


def probe(settings: Settings, path: str) -> tuple[int, str]:
    answer = requests.get(f"http://127.0.0.1:{settings.metrics_port}{path}", timeout=30)
    return answer.status_code, answer.text


def answers(settings: Settings, path: str) -> bool:
    try:
        return probe(settings, path)[0] == 200
    except requests.ConnectionError:
        return False


def test_a_process_that_works_lives_and_is_ready(settings: Settings) -> None:
    ours = exported(settings)
    with Running(ingest, ours):
        wait_for(lambda: answers(ours, "/readyz"), "an ingester that is ready")
        assert probe(ours, "/healthz") == (200, "well\n")


async def test_a_process_whose_loop_stands_still_does_not_live(settings: Settings) -> None:
    ours = exported(settings)
    with exporting(ours, Heartbeat(None, "ingest")):  # type: ignore[arg-type]
        status, said = probe(ours, "/healthz")  # asked from within the loop, which waits for the answer
        assert (status, said) == (503, "its event loop has taken no turn for 5 s\n")
        assert await asyncio.to_thread(probe, ours, "/healthz") == (200, "well\n")


async def test_a_process_is_ready_from_its_first_sign_of_life_until_it_is_not_heard_of(
    settings: Settings,
) -> None:
    ours, redis = exported(settings), await open_redis(settings)
    heartbeat = Heartbeat(redis, "ingest")
    with exporting(ours, heartbeat):
        status, said = await asyncio.to_thread(probe, ours, "/readyz")
        assert (status, said) == (503, "starting: no sign of life in Redis yet\n")
        await heartbeat.beat(time.time())
        assert await asyncio.to_thread(probe, ours, "/readyz") == (200, "well\n")
        heartbeat.written -= SECONDS
        status, said = await asyncio.to_thread(probe, ours, "/readyz")
        assert (status, said) == (503, "no sign of life in Redis for 10 s\n")
    await redis.aclose()


async def test_a_process_that_gives_a_sign_of_life_while_it_starts_is_not_ready(settings: Settings) -> None:
    ours, redis = exported(settings), await open_redis(settings)
    heartbeat = Heartbeat(redis, "ingest", gauges={STARTING: time.time()})
    with exporting(ours, heartbeat):
        await heartbeat.beat(time.time())
        assert await asyncio.to_thread(probe, ours, "/readyz") == (503, "starting: not at work yet\n")
        del heartbeat.gauges[STARTING]
        assert await asyncio.to_thread(probe, ours, "/readyz") == (200, "well\n")
    await redis.aclose()


async def test_what_is_no_probe_is_answered_with_metrics(settings: Settings) -> None:
    ours = exported(settings)
    with exporting(ours, Heartbeat(None, "ingest")):  # type: ignore[arg-type]
        _, said = await asyncio.to_thread(probe, ours, "/metrics")
    assert "refrain_process_info" in said
