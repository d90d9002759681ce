"""The README's examples, pasted as they are, against running processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
FILL = "refrain sample | refrain replay clicks -"
LISTENERS = 2000


def run(example: str, settings: Settings) -> str:
    """Run an example as a user's own program; return what it prints."""
    return run_as_user([sys.executable, "-c", example], settings, timeout=60)


def run_as_user(command: Sequence[str], settings: Settings, timeout: float) -> str:
    done = subprocess.run(
        command, env=environment(settings), capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(settings: Settings) -> dict[str, str]:
    beside = Path(sys.executable).parent
    return {
        **os.environ,
        "REFRAIN_KAFKA": settings.kafka,
        "REFRAIN_REDIS": settings.redis,
        "REFRAIN_DATA": str(settings.data),
        "PATH": f"{beside}:{os.environ['PATH']}",
    }


@pytest.fixture
def service(topics: Settings, refrain: Refrain) -> Iterator[redis.Redis]:
    """A running service that is filled as the README says."""
    for kind in ("ingest", "train", "work"):
        refrain.start(kind, publish_every=2)
    run_as_user(["bash", "-c", FILL], topics, timeout=120)
    with redis.Redis.from_url(topics.redis, decode_responses=True) as client:
        placed = lambda: sum(size for _, size in client.zrange("cohorts", 0, -1, withscores=True))  # noqa: E731
        wait_for(lambda: placed() > 0.9 * LISTENERS, "nearly everybody in a cohort")  # a few only skip
        yield client


def test_the_readme_has_an_example_for_each_of_the_three_ways_to_use_it() -> None:
    assert ['"clicks"' in e or '"releases"' in e or "redis.zrange" in e for e in EXAMPLES] == [True] * 3
    assert f"$ {FILL}\n" in README.read_text(encoding="utf-8")


def test_every_example_of_the_readme_shows_listeners(
    service: redis.Redis, topics: Settings, refrain: Refrain
) -> None:
    produce, publish, query = EXAMPLES
    run(produce, topics)
    wait_for(lambda: service.hget("user:{u1}", "cohort"), "the example's click in Redis, in a cohort")
    assert refrain.run("release", "r9", "--artist", "raftaar").returncode == 0  # clicked a moment ago
    told = run(publish, topics)
    assert "tell ['listener-" in told
    assert int(re.findall(r"(\d+) listeners in \d+ pages: done", told)[0]) > LISTENERS / 20
    audience = service.hget("release:{r1}", "audience")
    wait_for(lambda: service.hget("release:{r1}", "sent") == audience, "what the example reports")
    shown = run(query, topics)
    cohorts = re.findall(r"^(c\d+) (\d+) ", shown, re.MULTILINE)
    assert len(cohorts) == 5
    assert all(int(size) > 0 for _, size in cohorts)
    members = re.findall(r"members: (\[.*\])", shown)
    assert len(members) == 5
    assert all(re.fullmatch(r"\[('(listener-\d+|u1)'(, )?)+\]", each) for each in members)
    assert f"u1 is in cohort {service.hget('user:{u1}', 'cohort')}" in shown
    assert refrain.run("audience", "--artist", "Jisu Parade").returncode == 0
