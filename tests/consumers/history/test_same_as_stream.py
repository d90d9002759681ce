"""History that is loaded, and the same history that is replayed through Kafka."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from stream.settings import Settings
from tests.consumers.crowd import put_songs
from tests.consumers.history.held import held
from tests.consumers.history.years import BOT, history, write_jsonl
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.refrain_command import Refrain


@pytest.mark.timeout(600)
def test_loaded_listeners_are_what_they_are_once_they_are_replayed(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain, tmp_path: Path
) -> None:
    clicks = history(6_000)
    files = write_jsonl(tmp_path / "clicks", clicks)
    limits: dict[str, Any] = {"max_artists": 40, "bot_clicks_per_hour": 150, "event_ids": 16}
    put_songs(settings)
    done = refrain.run("replay", "clicks", *map(str, files), "--json")
    assert json.loads(done.stdout)["sent"] == len(clicks), done.stderr
    with Running(ingest, settings.model_copy(update=limits)):
        log.wait_until_caught_up("ingest", "clicks")
    streamed = held(settings.redis)

    db.flushall()
    put_songs(settings)
    loaded = refrain.run_program(
        *("history", "load", str(tmp_path / "clicks"), "--master", "local[2]", "--json"),
        timeout=500,
        **limits,
    )
    assert loaded.returncode == 0, loaded.stderr
    said = json.loads(loaded.stdout)
    assert said["rows"]["clicks"] == said["written"]["clicks"] == len(clicks)
    assert said["written"]["waiting"] > 10
    assert said["written"]["bots"] == 1
    found = held(settings.redis)
    assert found.keys() == streamed.keys()
    wrong = {key: (value, streamed[key]) for key, value in found.items() if value != _near(streamed[key])}
    assert wrong == {}
    assert streamed[f"user:{{{BOT}}}"]["bot"] == 1.0


@pytest.mark.timeout(600)
def test_a_file_that_breaks_off_is_said_and_nothing_is_loaded(
    settings: Settings, topics: Settings, db: redis.Redis, refrain: Refrain, tmp_path: Path
) -> None:
    whole, broken = write_jsonl(tmp_path / "clicks", history(6_000), files=2)
    packed = broken.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(broken.read_bytes())[:-2_000])
    done = refrain.run_program(
        *("history", "load", str(whole), str(packed), "--master", "local[2]", "--json"), timeout=500
    )
    said = json.loads(done.stdout)
    assert (done.returncode, said["kind"]) == (1, "BadFile")
    assert packed.name in said["error"]
    assert not db.exists("user:{u1}")


def _near(value: Any) -> Any:
    numbers = isinstance(value, dict) and all(isinstance(each, float) for each in value.values())
    return pytest.approx(value, rel=1e-6) if numbers else value
