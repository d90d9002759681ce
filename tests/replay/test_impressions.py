"""Notifications of the time before Refrain, out of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.kafka_log import kafka_log
from tests.consumers.running import Running
from tests.refrain_command import Refrain

LOG = """\
notification,listener,when,click
n1,u1,2026-11-01T10:00:00Z,1
n1,u2,2026-11-01T10:00:00Z,0
n1,u3,2026-11-01T10:00:00Z,
n2,u1,2026-11-02T10:00:00Z,true
n2,u1,2026-11-02T10:00:00Z,true
n2,stranger,2026-11-02T10:00:00Z,true
n2,u2,2026-11-02T10:00:00Z,perhaps
"""
MAP = "release_id=notification,user_id=listener,ts=when,clicked=click"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def test_a_log_of_the_past_counts_for_the_cohorts_of_today(
    topics: Settings, refrain: Refrain, file: Path
) -> None:
    with redis.Redis.from_url(topics.redis, decode_responses=True) as db:
        for user, cohort in (("u1", "c1"), ("u2", "c1"), ("u3", "c2")):
            db.hset(f"user:{{{user}}}", "cohort", cohort)
        with kafka_log(topics) as log, Running(work, topics):
            done = refrain.run("replay", "impressions", str(file), "--map", MAP)
            assert done.returncode == 0, done.stderr
            assert "1 of 7 rows cannot be used" in done.stdout, "one says neither yes nor no"
            log.wait_until_caught_up("work", "feedback")
        counts = {cohort: db.hgetall(f"cohort:{{{cohort}}}") for cohort in ("c1", "c2")}
        assert [(c["sent"], c.get("clicked")) for c in counts.values()] == [("3", "2"), ("1", None)]
        assert float(counts["c1"]["clicked_fading"]) > 0
        assert db.hmget("release:{n1}", "sent", "clicked") == ["3", "1"]
        assert db.hmget("release:{n2}", "sent", "clicked") == ["1", "1"]


def test_rows_are_looked_at_without_sending_any(refrain: Refrain, file: Path) -> None:
    done = refrain.run("replay", "impressions", str(file), "--map", MAP, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert '"history":true' in done.stdout.replace(" ", "")
