"""Releases that go out in waves, by real workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pytest
import redis

from consumers.work.worker import work
from models.control import Groups
from models.ctr import FEATURES, CtrModel
from models.model import Model
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.ctr_models import CtrModels
from stream.stores.snapshots import Snapshots
from tests.consumers.desk import Answer, Desk, feedback
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.consumers.small_model import made_up_model
from tests.refrain_command import Refrain
from tests.waiting import wait_for

MEMBERS = {"c1": names("c1", 1500), "c2": names("c2", 1000), "c5": names("c5", 500)}
COHORTS = {user: cohort for cohort, users in MEMBERS.items() for user in users}
HOUR, AT_ONCE = 60.0, 0.001  # minutes from wave to wave


LEARNED = CtrModel(version=1, examples=1000, clicks=100)


def publish(settings: Settings, *models: CtrModel) -> None:
    """Let CTR models serve, one after the other."""

    async def put() -> None:
        client = await open_redis(settings)
        for model in models:
            await CtrModels(client).publish(model)
        await client.aclose()

    asyncio.run(put())


def shop(
    settings: Settings, log: KafkaLog, db: redis.Redis, wave_minutes: float, model: CtrModel = LEARNED
) -> Desk:
    """Listeners, a CTR model, and no worker yet."""
    settings = settings.model_copy(update={"wave_minutes": wave_minutes})
    place(settings, MEMBERS)
    publish(settings, model)
    return Desk(settings, log, db)


@contextlib.contextmanager
def working(desk: Desk) -> Iterator[None]:
    """A worker that has read who clicks."""
    with Running(work, desk.settings):
        wait_for(lambda: "ctrs" in _preview(desk), "a worker that knows who clicks")
        yield


def _preview(desk: Desk) -> dict[str, Any]:
    """A page of a release to one listener: it has no waves."""
    answer = desk.ask(f"preview {time.time()}", "a1", max_audience=1)
    return answer.pages[0]


@pytest.fixture
def patient(settings: Settings, log: KafkaLog, db: redis.Redis) -> Desk:
    """The next wave is due in an hour, which a test may shorten."""
    return shop(settings, log, db, HOUR)


@pytest.fixture
def hasty(settings: Settings, log: KafkaLog, db: redis.Redis) -> Desk:
    """The next wave is due at once."""
    return shop(settings, log, db, AT_ONCE)


def first_wave(desk: Desk, release_id: str, **more: Any) -> Answer:
    desk.publish(release_id, "a1", **{"max_audience": 2000} | more)
    wait_for(lambda: state(desk, release_id) == "paused", "the first wave to be out")
    return desk.answer(release_id)


def state(desk: Desk, release_id: str) -> str | None:
    found: str | None = desk.db.hget(f"release:{{{release_id}}}", "state")
    return found


def let_the_next_go(desk: Desk, release_id: str, due: float = 1) -> None:
    """Its time has come."""
    desk.db.hset(f"release:{{{release_id}}}", mapping={"till": 0, "next_wave_at": due})
    desk.db.zadd("releases:open", {release_id: 0})


def age(desk: Desk, release_id: str, minutes: float) -> None:
    """So much time has passed since its pages went out."""
    key = f"release:{{{release_id}}}:pages"
    for at, page in enumerate(map(json.loads, desk.db.lrange(key, 0, -1))):
        page["emitted_at"] -= 60 * minutes
        desk.db.lset(key, at, json.dumps(page))


def second_is_out(desk: Desk, release_id: str) -> bool:
    return bool(told(desk.answer(release_id), 2))


def report(desk: Desk, release_id: str, told: Sequence[str], clicked: set[str]) -> None:
    did = [(user, "sent") for user in told] + [(user, "clicked") for user in told if user in clicked]
    desk.log.send("feedback", [event | {"ts": time.time()} for event in feedback(release_id, did)])
    desk.log.wait_until_caught_up("work", "feedback")


def told(answer: Answer, wave: int) -> list[str]:
    return [user for page in answer.pages if page["wave"] == wave for user in page["user_ids"]]


def test_a_tenth_is_told_first_then_more_and_everybody_once(hasty: Desk) -> None:
    with working(hasty):
        answer = hasty.ask("r1", "a1", max_audience=2000)
    assert [len(told(answer, wave)) for wave in (1, 2, 3)] == [200, 600, 1200]
    assert len(answer.told) == 2000
    summary = {name: answer.summary[name] for name in ("pages", "users", "reason", "waves")}
    assert summary == {"pages": 4, "users": 2000, "reason": "done", "waves": 3}
    likely = [p for page in answer.pages if page["wave"] == 1 for p in page["propensities"]]
    assert min(likely) < 1
    assert all(page["propensities"] == [1.0] * len(page["user_ids"]) for page in answer.pages[1:])


def test_before_it_is_learned_who_clicks_there_are_no_waves(settings: Settings, desk: Desk) -> None:
    place(settings, MEMBERS)
    with Running(work, settings):
        answer = desk.ask("r1", "a1", max_audience=2000)
    assert all("wave" not in page for page in answer.pages)
    assert "waves" not in answer.summary


def test_the_next_wave_goes_where_the_first_was_clicked(patient: Desk) -> None:
    with working(patient):
        first = first_wave(patient, "r1", max_audience=2400)
        of_each = Counter(COHORTS[user] for user in told(first, 1))
        assert min(of_each[cohort] for cohort in ("c1", "c2")) > 10, "the first explores"
        report(patient, "r1", told(first, 1), set(MEMBERS["c2"]))
        age(patient, "r1", HOUR)
        let_the_next_go(patient, "r1")
        wait_for(lambda: state(patient, "r1") == "paused" and told(patient.answer("r1"), 2), "the second")
        second = Counter(COHORTS[user] for user in told(patient.answer("r1"), 2))
    assert second["c2"] > 0.9 * second.total()
    factors = json.loads(patient.db.hget("release:{r1}", "factors"))["2"]
    assert factors["c2"] > 2 * factors["c1"]


def test_a_second_wave_that_goes_out_late_teaches_nothing_of_how_soon_clicks_come(patient: Desk) -> None:
    with working(patient):
        for name in ("in time", "late"):
            first_wave(patient, name)
            let_the_next_go(patient, name, due=time.time() if name == "in time" else 1)
            wait_for(partial(second_is_out, patient, name), "the second wave")
    assert patient.db.hget("release:{in time}", "told_early") == "200"
    assert not patient.db.hexists("release:{late}", "told_early")


def test_clicks_are_missed_on_pages_of_long_ago_and_not_on_those_of_a_moment_ago(patient: Desk) -> None:
    factors = {}
    with working(patient):
        for name, minutes in (("r1", 0.0), ("r2", 100 * HOUR)):
            first = first_wave(patient, name, max_audience=1500)
            report(patient, name, told(first, 1), set())
            age(patient, name, minutes)
            let_the_next_go(patient, name)
            wait_for(partial(second_is_out, patient, name), "the second wave")
            factors[name] = json.loads(patient.db.hget(f"release:{{{name}}}", "factors"))["2"]
    assert min(factors["r1"].values()) > 0.9
    assert max(factors["r2"].values()) < 0.6


def test_a_release_that_is_clicked_less_than_it_must_be_ends(patient: Desk) -> None:
    with working(patient):
        first = first_wave(patient, "r1", min_ctr=0.06)
        report(patient, "r1", told(first, 1), set())
        age(patient, "r1", HOUR)
        let_the_next_go(patient, "r1")
        answer = patient.wait_for("r1")
    assert answer.summary["reason"] == "clicked too seldom"
    assert answer.told == set(told(first, 1))


def test_a_release_ends_early_where_another_model_serves_that_does_not_know_its_artists(
    patient: Desk, refrain: Refrain
) -> None:
    with working(patient):
        first = first_wave(patient, "r1")
        others = made_up_model(
            version=4, seed=0, artists=("b0", "b1", "b2"), n_dims=3, cohorts=tuple(MEMBERS)
        )
        asyncio.run(serve(patient.settings, others))
        asked = (patient.ask(f"after {number}", "a1", max_audience=1) for number in count())
        wait_for(lambda: not next(asked).pages, "a worker that has the other model")
        let_the_next_go(patient, "r1")
        answer = patient.wait_for("r1")
    assert answer.summary["reason"] == "nobody knows these artists yet"
    assert answer.told == set(told(first, 1))
    shown = " ".join(refrain.run("release", "show", "r1").stdout.split())
    assert "ended early, as another model serves that does not know the artists: 200 listeners" in shown


async def serve(settings: Settings, model: Model) -> None:
    """Let another model serve."""
    client = await open_redis(settings)
    await Snapshots(client).publish(model)
    await client.aclose()


def test_of_which_nothing_is_reported_the_next_wave_goes_out_as_predicted(patient: Desk) -> None:
    with working(patient):
        first_wave(patient, "r1", min_ctr=0.06)
        let_the_next_go(patient, "r1")
        wait_for(lambda: told(patient.answer("r1"), 2), "the second wave")


def test_a_wave_outlives_the_worker_that_began_the_release(patient: Desk, refrain: Refrain) -> None:
    with working(patient):
        first = first_wave(patient, "r1")
    victim = refrain.start("work", wave_minutes=HOUR)
    let_the_next_go(patient, "r1")
    wait_for(lambda: told(patient.answer("r1"), 2), "the second wave, of another worker")
    victim.kill()
    with Running(work, patient.settings):
        wait_for(lambda: state(patient, "r1") == "paused", "the second to be out, whoever was killed")
        let_the_next_go(patient, "r1")
        answer = patient.wait_for("r1")
    assert len(answer.told) == 2000
    assert answer.pages[: len(first.pages)] == first.pages
    assert [page["page"] for page in answer.pages] == list(range(len(answer.pages)))


def test_the_control_group_of_one_wave_is_told_by_none_and_counted_once(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    hasty = shop(settings.model_copy(update={"control": 0.1}), log, db, AT_ONCE)
    with working(hasty):
        answer = hasty.ask("r1", "a1", max_audience=2000)
    apart = db.hgetall("release:{r1}:control")
    assert len(answer.told) == 2000
    assert not answer.told & set(apart)
    assert answer.summary["left_out"] == {"control group": len(apart)}


def test_the_holdout_is_counted_once_however_many_waves_there_are(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    hasty = shop(settings.model_copy(update={"control": 0, "holdout": 0.1}), log, db, AT_ONCE)
    groups = Groups(hasty.settings.salt, holdout=0.1)
    kept = {user for user in COHORTS if groups.of("r1", user)}
    with working(hasty):
        answer = hasty.ask("r1", "a1", max_audience=len(COHORTS))
    assert answer.summary["waves"] == 3
    assert answer.told == COHORTS.keys() - kept
    assert answer.summary["left_out"] == {"holdout": len(kept)}
    assert not db.exists("release:{r1}:control")


def test_where_nobody_of_the_first_wave_may_be_told_the_waves_that_follow_go_out(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    coefficients = np.zeros(1 + len(FEATURES))
    coefficients[1 + FEATURES.index("closeness")] = 5.0  # else anybody may be the best
    model = replace(LEARNED, coefficients=coefficients)
    hasty = shop(settings.model_copy(update={"told_a_day": 1, "control": 0}), log, db, AT_ONCE, model)
    with working(hasty):
        before = hasty.ask("r1", "a1", max_audience=2000)
        report(hasty, "r1", [user for page in before.pages for user in page["user_ids"]], set())
        answer = hasty.ask("r2", "a1", max_audience=1000)
    assert {page["wave"] for page in answer.pages} == {2, 3}
    assert (answer.summary["reason"], answer.summary["waves"]) == ("done", 3)
    assert db.hget("release:{r1}", "latency_ms")
    assert not db.hexists("release:{r2}", "latency_ms")  # the first page waited for its wave
    everybody = [user for each in hasty.answers().values() for user in each.told]
    assert len(everybody) == len(set(everybody)) == len(COHORTS)


def test_feedback_is_counted_by_wave_and_shown(patient: Desk, refrain: Refrain) -> None:
    with working(patient):
        first = first_wave(patient, "r1")
        report(patient, "r1", told(first, 1), set(told(first, 1)[:50]))
        let_the_next_go(patient, "r1")
        wait_for(lambda: told(patient.answer("r1"), 2) and state(patient, "r1") == "paused", "the second")
        second = told(patient.answer("r1"), 2)
        report(patient, "r1", second, set(second[:60]))
        found = json.loads(refrain.run("release", "show", "r1", "--json").stdout)
        assert [(wave["told"], wave["sent"], wave["clicked"]) for wave in found["waves"]] == [
            (200, 200, 50),
            (600, 600, 60),
        ]
        assert (found["state"], found["aimed"]) == ("paused", 2000)
        text = " ".join(refrain.run("release", "show", "r1").stdout.split())
        assert "is going out in waves: 800 listeners" in text
        assert "1,200 are left of 2,000" in text


def test_what_is_predicted_of_a_release_is_kept_by_cohort_and_beside_a_random_audience(
    patient: Desk, refrain: Refrain
) -> None:
    with working(patient):
        pages = first_wave(patient, "r1").pages
        ctr, rate = (
            dict(patient.db.zrange(f"release:{{r1}}:{name}", 0, -1, withscores=True))
            for name in ("cohorts", "play-rates")
        )
        report(patient, "r1", pages[0]["user_ids"][:30], set())
        found = json.loads(refrain.run("release", "show", "r1", "--json").stdout)
        text = " ".join(refrain.run("release", "show", "r1").stdout.split())
    assert set(ctr) == set(rate) == set(MEMBERS)
    assert ctr != rate
    ctrs = [ctr for page in pages for ctr in page["ctrs"]]
    assert found["expected_ctr"] == pytest.approx(sum(ctrs) / len(ctrs), abs=1e-6)
    mean = sum(ctr[cohort] * len(users) for cohort, users in MEMBERS.items()) / len(COHORTS)
    assert found["random_ctr"] == pytest.approx(mean, abs=1e-6)
    predicted = {each["cohort_id"]: each["predicted_ctr"] for each in found["cohorts"]}
    assert predicted == {cohort: ctr[cohort] for cohort in predicted}
    assert f"{100 * mean:.1f} % of as many listeners drawn at random" in text


def test_the_policies_of_an_ab_test_are_counted_and_compared(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    desk = shop(settings.model_copy(update={"ab_policy": "taste", "ab_share": 0.25}), log, db, HOUR)
    nothing = refrain.run("release", "ab")
    assert (nothing.returncode, "told by two policies" in nothing.stderr) == (1, True)
    by: dict[str, list[str]] = {"usual": [], "taste": []}
    with working(desk):
        for name in ("r1", "r2"):
            (page, *more) = desk.ask(name, "a1", max_audience=400).pages
            assert not more
            for user, policy in zip(page["user_ids"], page["policies"], strict=True):
                by[policy].append(user)
            report(desk, name, page["user_ids"], {*by["usual"][:60], *by["taste"][:10]})
        show = json.loads(refrain.run("release", "show", "r1", "--json").stdout)
        text = " ".join(refrain.run("release", "show", "r1").stdout.split())
        both = json.loads(refrain.run("release", "ab", "--top", "2", "--json").stdout)
        said = " ".join(refrain.run("release", "ab", "--policy", "taste", "--top", "2").stdout.split())
    assert (len(by["usual"]), len(by["taste"])) == (600, 200)
    assert by["taste"][:100] == by["taste"][100:], "the same listeners for every release"
    figures = [(each["policy"], each["told"], each["sent"], each["clicked"]) for each in show["policies"]]
    assert figures == [("usual", 300, 300, 60), ("taste", 100, 100, 10)]
    assert show["difference"]["difference"] == pytest.approx(-0.1)
    assert "no difference shown yet: taste less usual is -10.0 points" in text
    assert both["releases"] == 2
    assert [(each["told"], each["clicked"]) for each in both["policies"]] == [(600, 120), (200, 20)]
    assert both["difference"]["difference_high"] < show["difference"]["difference_high"]
    assert said.startswith("2 releases told by two policies")
    assert refrain.run("release", "ab", "--policy", "ctr:1").returncode == 1


def test_an_ab_test_in_waves_is_counted_by_both(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    desk = shop(settings.model_copy(update={"ab_policy": "taste", "ab_share": 0.25}), log, db, HOUR)
    with working(desk):
        first = first_wave(desk, "r1")
        report(desk, "r1", told(first, 1), set(told(first, 1)[:20]))
        let_the_next_go(desk, "r1")
        wait_for(lambda: told(desk.answer("r1"), 2) and state(desk, "r1") == "paused", "the second wave")
        second = told(desk.answer("r1"), 2)
        report(desk, "r1", second, set(second))
        found = json.loads(refrain.run("release", "show", "r1", "--json").stdout)
    waves = [(each["told"], each["sent"], each["clicked"]) for each in found["waves"]]
    assert waves == [(200, 200, 20), (600, 600, 600)]
    policies = {each["policy"]: (each["told"], each["sent"]) for each in found["policies"]}
    assert policies == {"usual": (600, 600), "taste": (200, 200)}
    assert sum(each["clicked"] for each in found["policies"]) == 620


def test_an_ab_test_goes_on_with_a_worker_that_starts_when_many_ctr_models_have_come_since(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    desk = shop(settings.model_copy(update={"ab_policy": "ctr:1"}), log, db, HOUR)
    with Running(work, desk.settings):
        wait_for(lambda: db.zscore("ctr-models:tested", "1"), "a word of what is under test")
    publish(settings, *(replace(LEARNED, version=version) for version in range(2, 20)))
    with working(desk):
        (page,) = desk.ask("r1", "a1", max_audience=400).pages
    assert Counter(page["policies"]) == {"usual": 200, "ctr:1": 200}


def test_a_release_may_be_stopped_between_two_waves(patient: Desk, refrain: Refrain) -> None:
    with working(patient):
        first_wave(patient, "r1")
        done = refrain.run("release", "stop", "r1")
        assert done.stdout == "r1 is stopped: 200 listeners told, and no more will be\n"
        answer = patient.wait_for("r1")
        assert (answer.summary["users"], answer.summary["reason"]) == (200, "stopped")
        wait_for(lambda: state(patient, "r1") == "done", "the end")
    again = refrain.run("release", "stop", "r1")
    assert (again.returncode, "all of it is out" in again.stderr) == (2, True)
    unknown = refrain.run("release", "stop", "never")
    assert (unknown.returncode, "there is no release 'never'" in unknown.stderr) == (1, True)
    assert "was stopped: 200 listeners" in " ".join(refrain.run("release", "show", "r1").stdout.split())


def test_who_waits_for_an_audience_is_told_that_more_waves_follow(patient: Desk, refrain: Refrain) -> None:
    with working(patient):
        done = refrain.run("release", "r1", "--artist", "a1", "--max-audience", "2000", "--wait")
    assert done.returncode == 0, done.stderr
    assert "wave 1 is out" in done.stdout
