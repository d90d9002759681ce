"""Listeners who are told when their quiet hours end, by a real worker."""

from __future__ import annotations

import time

import redis

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

AWAKE, ASLEEP = names("c1", 40), names("c2", 25)
MIDNIGHT = 12 * 60


def clock(hours_from_now: float) -> str:
    """What the clock in Greenwich says then."""
    return time.strftime("%H:%M", time.gmtime(time.time() + 3600 * hours_from_now))


def test_who_is_asleep_is_told_when_their_quiet_hours_end_also_by_another_worker(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    quiet = settings.model_copy(update={"quiet_hours": f"{clock(-3)}-{clock(3)}"})
    place(quiet, {"c1": AWAKE, "c2": ASLEEP}, clocks=dict.fromkeys(ASLEEP, 0))
    desk = Desk(quiet, log, db)

    def state() -> str | None:
        found: str | None = db.hget("release:{r1}", "state")
        return found

    with Running(work, quiet):
        said = refrain.run("release", "r1", "--artist", "a1", "--max-audience", "1000", "--wait")
        assert "25 listeners told when their quiet hours end" in said.stdout, said.stderr
        assert state() == "paused"
        assert desk.answer("r1").told == set(AWAKE)
        assert set(db.hgetall("release:{r1}:held")) == set(ASLEEP)
        assert db.hget("release:{r1}", "held") == str(len(ASLEEP))
        until = float(db.hget("release:{r1}", "held_until") or 0)
        assert abs(until - time.time() - 3 * 3600) < 120
        shown = " ".join(refrain.run("release", "show", "r1").stdout.split())
        assert "is going out: 40 listeners in 1 page" in shown
        assert "25 listeners more, told when their quiet hours end" in shown

    for user in ASLEEP:  # they have flown to where it is day
        db.hset(f"user:{{{user}}}", "utc_offset_min", MIDNIGHT)
    with Running(work, quiet):

        def waking_up() -> bool:
            for user in db.hkeys("release:{r1}:held"):
                db.hset("release:{r1}:held", user, "[0, 1.0]")
            if state() == "paused":
                db.hset("release:{r1}", "till", 0)
                db.zadd("releases:open", {"r1": 0})
            return state() == "done"

        wait_for(waking_up, "those who were asleep to be told")
    answer = desk.answer("r1")
    assert answer.told == {*AWAKE, *ASLEEP}
    assert (answer.summary["users"], answer.summary["reason"]) == (65, "done")
    assert db.hget("release:{r1}", "held") == "0"
