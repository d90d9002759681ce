"""The README's examples, pasted as they are, against running processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from kafka import KafkaProducer

from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
LISTENERS = 60


def run(example: str, settings: Settings) -> str:
    """Run an example as a user's own program; return what it prints."""
    addresses = {"REFRAIN_KAFKA": settings.kafka, "REFRAIN_REDIS": settings.redis}
    done = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, **addresses},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def service(topics: Settings, refrain: Refrain) -> redis.Redis:
    """A running service in which two scenes of listeners have clicked."""
    for kind in ("ingest", "train", "work"):
        refrain.start(kind, cohorts=2, first_model_listeners=LISTENERS, publish_every=1, dims=4)
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    scenes = (["Raftaar", "Badshah", "Honey Singh"], ["Slayer", "Sepultura", "Kreator"])
    for number in range(LISTENERS):
        user = f"listener{number}"
        for artist in scenes[number % 2]:
            click = {"user_id": user, "song_id": f"{artist} 1", "artist_ids": [artist], "ts": 1.7e9 + number}
            producer.send("clicks", key=user.encode(), value=json.dumps(click).encode())
    producer.flush()
    producer.close()
    client: redis.Redis = redis.Redis.from_url(topics.redis, decode_responses=True)
    wait_for(lambda: int(client.hget("model:sweep", "done") or 0), "listeners in cohorts")
    return client


def test_the_readme_has_an_example_for_each_of_the_three_ways_to_use_it() -> None:
    assert ['"clicks"' in e or '"releases"' in e or "redis.zrange" in e for e in EXAMPLES] == [True] * 3


def test_every_example_of_the_readme_does_what_it_says(service: redis.Redis, topics: Settings) -> None:
    produce, publish, query = EXAMPLES
    run(produce, topics)
    wait_for(lambda: service.hget("user:{u1}", "cohort"), "the example's click in Redis, in a cohort")
    told = run(publish, topics)
    assert "tell ['" in told
    assert re.search(r"\d+ listeners in \d+ pages: done", told)
    shown = run(query, topics)
    assert "Raftaar" in shown
    assert f"u1 is in cohort {service.hget('user:{u1}', 'cohort')}" in shown
