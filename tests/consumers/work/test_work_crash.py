"""Workers that die, wait, come and go: every release is answered, wholly and once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from consumers.work.worker import work
from models.control import Groups
from tests.consumers.crowd import publish
from tests.consumers.desk import Answer, Desk, feedback
from tests.consumers.own_redis import OwnRedis
from tests.consumers.placed import names, place, scores, use
from tests.consumers.redis_proxy import RedisProxy
from tests.consumers.running import Running
from tests.consumers.small_model import small_model
from tests.refrain_command import Refrain
from tests.waiting import wait_for

SMALL = {"c1": names("c1", 30), "c2": names("c2", 20), "c5": names("c5", 10)}
LARGE = {"c1": names("c1", 10_000), "c2": names("c2", 6000), "c5": names("c5", 4000)}
LONG_SESSION = (
    "from consumers import cli; from consumers.work import agents as a; a.SESSION_SECONDS = 60; cli.main()"
)
EVERYBODY = [user for users in SMALL.values() for user in users]


@pytest.fixture
def own_desk(desk: Desk, own_redis: OwnRedis) -> Iterator[tuple[Desk, OwnRedis]]:
    """A desk whose workers have a Redis that may be killed; sixty listeners are in it."""
    own_redis.start()
    settings = desk.settings.model_copy(update={"redis": own_redis.url})
    place(settings, SMALL)
    with own_redis.client() as db:
        yield Desk(settings, desk.log, db), own_redis


class SeventhPage:
    """True when a worker fixes the seventh page of a release: one page, and five more, are fixed before."""

    def __init__(self, desk: Desk) -> None:
        scripts = {
            script.name: desk.db.script_load(script.read_text(encoding="utf-8"))
            for script in files("stream").joinpath("stores/lua").iterdir()
        }  # all: where Redis does not know one, others are called a second time
        self._digest = scripts["fix_page.lua"].encode()
        self._pages = 0
        self._end = b""

    def __call__(self, said: bytes) -> bool:
        said = self._end + said
        self._pages += said.count(self._digest)
        self._end = said[-len(self._digest) + 1 :]  # what follows may begin in the middle of it
        return self._pages >= 7


@pytest.mark.parametrize("partitions", [None, 7], ids=["", "audiences get partitions meanwhile"])
def test_a_worker_that_is_killed_in_the_middle_of_an_audience_is_followed_by_one_that_ends_it(
    own_desk: tuple[Desk, OwnRedis], refrain: Refrain, partitions: int | None
) -> None:
    desk, _ = own_desk
    place(desk.settings, LARGE)
    everybody = {user for users in LARGE.values() for user in users}
    large = {"max_audience": len(everybody)}
    with RedisProxy(desk.settings.redis, SeventhPage(desk)) as proxy:
        victim = refrain.start("work", redis=proxy.url, **large)
        desk.publish("r1", "a1")
        wait_for(proxy.held.is_set, "the middle of the audience")
        wait_for(lambda: len(desk.answer("r1").pages) == 6, "the pages that are fixed to be out")
        victim.kill()
    before = desk.answer("r1")
    assert (len(before.pages), before.summaries) == (6, ())
    if partitions:
        desk.log.add_partitions("audiences", partitions)
    with Running(work, desk.settings.model_copy(update=large)):
        answer = desk.wait_for("r1")
    pages = sorted(answer.pages, key=lambda page: page["page"])
    assert [page["page"] for page in pages] == list(range(20))
    assert tuple(pages[:6]) == before.pages
    assert answer.told == everybody
    assert (answer.summary["pages"], answer.summary["users"]) == (20, len(everybody))
    assert desk.db.hget("release:{r1}", "state") == "done"


def test_a_release_is_answered_by_the_worker_that_lives_while_kafka_believes_in_one_that_died(
    desk: Desk, refrain: Refrain
) -> None:
    place(desk.settings, SMALL)
    victim = refrain.start_python(LONG_SESSION, "work")
    wait_for(lambda: len(desk.log.members("work")) == 1, "the first to join")
    refrain.start("work")
    wait_for(lambda: len(desk.log.members("work")) == 2, "the second to join")
    in_each_partition = [f"r{number}" for number in range(40)]
    victim.kill()
    desk.publish_all(in_each_partition, "a1")
    wait_for(lambda: len(_answered(desk)) == len(in_each_partition), "all audiences")
    assert len(desk.log.members("work")) == 2, "Kafka has given none of its partitions to the other"
    for answer in _answered(desk).values():
        assert answer.summary["users"] == len(answer.told) == 60


def test_a_release_waits_for_a_redis_that_died(own_desk: tuple[Desk, OwnRedis]) -> None:
    desk, server = own_desk
    with Running(work, desk.settings) as worker:
        desk.ask("before", "a1")
        server.kill()
        desk.publish("meanwhile", "a1")
        server.start()
        answer = desk.wait_for("meanwhile")
        assert answer.told == desk.answer("before").told
        assert worker.alive


def test_a_worker_asked_to_end_while_redis_is_away_leaves_all_to_the_next(
    own_desk: tuple[Desk, OwnRedis], refrain: Refrain
) -> None:
    desk, server = own_desk
    first = refrain.start("work", redis=server.url)
    told = desk.ask("before", "a1").told
    server.kill()
    desk.publish("meanwhile", "a1")
    desk.log.send("feedback", feedback("before", [(user, "sent") for user in told]))
    desk.log.send("songs", [{"song_id": "s1", "artist_ids": ["a1"]}])
    wait_for(lambda: _said(first.log, "answering releases", "counting feedback", "filling"), "its word")
    assert first.stop() == 0
    assert not _said(first.log, "Traceback")
    server.start()
    with Running(work, desk.settings):
        assert desk.wait_for("meanwhile").told == told
        for topic in ("feedback", "songs"):
            desk.log.wait_until_caught_up("work", topic)
    assert desk.counts("release:{before}") == {"sent": len(told), "ctr": 0}
    assert desk.db.exists("song:{s1}")


def _said(log: Path, *words: str) -> bool:
    said = " ".join(log.read_text(errors="replace").split())
    return all(word in said for word in words)


def test_what_is_delivered_again_changes_nothing(desk: Desk) -> None:
    place(desk.settings, SMALL)
    with Running(work, desk.settings):
        told = sorted(desk.ask("r1", "a1").told)
        desk.report("r1", *((user, "sent") for user in told), *((user, "clicked") for user in told[:15]))
        desk.log.send("songs", [{"song_id": "s1", "artist_ids": ["a1"], "title": "Á"}])
        desk.log.wait_until_caught_up("work", "songs")
    keys = ["release:{r1}", "release:{r1}:counts", "song:{s1}", *(f"cohort:{{{c}}}" for c in SMALL)]
    before = [desk.db.hgetall(key) for key in keys]
    answer = desk.answer("r1")
    for topic in ("releases", "feedback", "songs"):
        desk.log.reset("work", topic)
    with Running(work, desk.settings):
        for topic in ("releases", "feedback", "songs"):
            desk.log.wait_until_caught_up("work", topic)
    assert [desk.db.hgetall(key) for key in keys] == before
    assert desk.answer("r1") == answer


def test_two_workers_answer_each_release_once_and_count_each_event_once(desk: Desk, refrain: Refrain) -> None:
    place(desk.settings, SMALL)
    first = refrain.start("work")
    wait_for(lambda: len(desk.log.members("work")) == 1, "the first to join")
    releases = [f"r{at}" for at in range(60)]
    desk.publish_all(releases[:20], "a1")
    second = refrain.start("work")
    for name in releases[20:40]:
        desk.publish(name, "a1")
        told = desk.wait_for(name).told
        desk.log.send("feedback", feedback(name, [(user, "sent") for user in told]))
    wait_for(lambda: len(desk.log.members("work")) == 2, "the second to join")
    desk.publish_all(releases[40:], "a1")
    assert first.stop() == 0
    wait_for(lambda: len(_answered(desk)) == len(releases), "all audiences")
    for topic in ("releases", "feedback"):
        desk.log.wait_until_caught_up("work", topic)
    assert second.stop() == 0
    answers = _answered(desk)
    assert answers.keys() == set(releases)
    for answer in answers.values():
        assert answer.summary["users"] == len(answer.told) == 60
    counted = [desk.counts(f"release:{{{name}}}").get("sent") for name in releases[20:40]]
    assert counted == [60] * 20


def test_caps_hold_and_nobody_of_a_control_group_is_told_with_two_workers_of_whom_one_is_killed(
    own_desk: tuple[Desk, OwnRedis], refrain: Refrain
) -> None:
    desk, _ = own_desk
    place(desk.settings, LARGE)
    everybody = {user for users in LARGE.values() for user in users}
    peace = {"told_a_day": 2, "control": 0.2, "max_audience": len(everybody)}
    with RedisProxy(desk.settings.redis, SeventhPage(desk)) as proxy:
        victim = refrain.start("work", redis=proxy.url, **peace)
        desk.publish("r0", "a1")
        wait_for(proxy.held.is_set, "the middle of the audience")
        wait_for(lambda: len(desk.answer("r0").pages) == 6, "the pages that are fixed to be out")
        victim.kill()
    refrain.start("work", redis=desk.settings.redis, **peace)
    refrain.start("work", redis=desk.settings.redis, **peace)
    releases = [f"r{n}" for n in range(6)]
    desk.publish_all(releases[1:], "a1")
    wait_for(lambda: len(_answered(desk)) == len(releases), "all audiences")
    answers = _answered(desk)
    times = Counter(user for answer in answers.values() for user in answer.told)
    assert set(times) <= everybody
    assert max(times.values()) == 2
    for name, answer in answers.items():
        control = set(desk.db.hkeys(f"release:{{{name}}}:control"))
        drawn = {user for user in everybody if Groups("refrain", control=0.2).of(name, user)}
        assert control <= drawn
        assert not answer.told & drawn
    assert sum(len(answer.told) for answer in answers.values()) > 1.8 * len(everybody), "places are used"


def _answered(desk: Desk) -> dict[str, Answer]:
    return {name: answer for name, answer in desk.answers().items() if answer.summaries}


def test_a_release_is_answered_by_one_version_of_the_model(desk: Desk) -> None:
    models = {version: small_model(version, seed=version) for version in (3, 4)}
    place(desk.settings, SMALL, models[3])
    release = itertools.count()
    with Running(work, desk.settings):

        def version_that_answers() -> int:
            answer = desk.ask(f"r{next(release)}", "a1")
            (version,) = {page["model_version"] for page in answer.pages}
            assert answer.scores == pytest.approx(scores(EVERYBODY, "a1", models[version]), abs=1e-3)
            return version

        assert version_that_answers() == 3
        publish(desk.settings, models[4])
        wait_for(lambda: version_that_answers() == 4, "the newer model to serve")
        use(desk.settings, 3)
        wait_for(lambda: version_that_answers() == 3, "the older model to serve again")


def test_a_worker_without_a_model_says_so_and_answers_when_asked_again(desk: Desk) -> None:
    with Running(work, desk.settings):
        answer = desk.ask("r1", "a1")
        assert (answer.pages, answer.summary["reason"]) == ((), "no model yet")
        place(desk.settings, SMALL)
        asked = itertools.count(2)

        def told_now() -> set[str]:
            desk.publish("r1", "a1")
            return desk.wait_for("r1", summaries=next(asked)).told

        assert wait_for(told_now, "the model to be taken up") == set(EVERYBODY)
