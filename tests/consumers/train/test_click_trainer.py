"""What a trainer learns of clicks, from decisions and feedback in Redis."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from consumers.train import click_trainer
from consumers.train.click_trainer import ClickTrainer
from models.ctr import CtrModel, features
from models.ctr_judge import CtrJudge
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.ctr_models import CtrModels, Learned, packed_flags
from stream.stores.decisions import Decisions
from stream.stores.durability import Durability
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.heartbeats import Heartbeat
from stream.stores.opted_out import OptedOut
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Asked, Fixable, Fixed, Releases
from stream.stores.told import Told
from stream.wire.events import Feedback, Page, Release, encode
from tests.consumers.durable import durable

NOW, HOUR, DAY = 1_700_000_000.0, 3600.0, 86_400.0
USERS = [f"u{n}" for n in range(900)]
EAGER = np.arange(900) % 3 == 0


@dataclass
class Desk:
    """Releases are told, feedback counts, and a trainer learns, all by a clock that the test sets."""

    redis: AnyRedis
    durability: Durability
    now: float = NOW

    def __post_init__(self) -> None:
        self.decisions, self.models = Decisions(self.redis), CtrModels(self.redis)
        self._releases = Releases(self.redis, 10 * DAY)
        counts = FeedbackCounts(self.redis, 10 * DAY, OptedOut(self.redis), Told(self.redis))
        self._counts, self._offset = counts, 0
        self.trainer = self.another()

    def another(self) -> ClickTrainer:
        heartbeat, retry = Heartbeat(self.redis, "train"), Retry(asyncio.Event())
        return ClickTrainer(
            self.decisions, self.models, self.durability, heartbeat, retry, DAY, lambda: self.now
        )

    async def tell(self, name: str, page: int = 0, users: slice = slice(None), **more: Any) -> None:
        """Tell everybody, or some, of whom a third are known to like notifications."""
        told = USERS[users]
        page = Page(
            release_id=name,
            page=page,
            user_ids=told,
            cohort_ids=["c1"] * len(told),
            scores=[0.5] * len(told),
            model_version=1,
            emitted_at=self.now,
        )
        known = features(play_rate=0.1, sent_day=EAGER[users])
        about: dict[str, Any] = {"reason": "done", **({} if page.page else {"planned_at": self.now}), **more}
        asked = Asked(Release(release_id=name, artist_ids=["a"]), "0", 0, None)
        await self._releases.claim(asked, "w", self.now, 60.0)
        made = Fixable(page, encode(page), about, {}, known)
        assert await self._releases.fix_pages([made], "w") == Fixed(1, [])

    async def report(self, name: str, kind: str, users: list[str]) -> None:
        heard = [
            Heard(Feedback(release_id=name, user_id=user, kind=kind, ts=self.now), "0", self._offset + at)
            for at, user in enumerate(users)
        ]
        self._offset += len(users)
        await self._counts.count(heard)

    async def learn(self, after: float) -> CtrModel:
        """Let time pass, and what is due be learned; return what serves."""
        self.now += after
        await self.trainer.step()
        return await self.models.load(await self.models.current())


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    redis = await open_redis(settings)
    yield Desk(redis, await durable(redis))
    await redis.aclose()


EAGER_USERS = [user for user, eager in zip(USERS, EAGER.tolist(), strict=True) if eager]


def rates(model: CtrModel) -> list[float]:
    """The predicted CTR of those who like notifications, and of the others."""
    return model.predict(features(play_rate=0.1, sent_day=[1, 0])).tolist()


async def told(desk: Desk, name: str = "r1") -> None:
    await desk.tell(name)
    await desk.report(name, "sent", USERS)
    await desk.report(name, "clicked", EAGER_USERS[:150])


async def test_nothing_is_learned_before_the_time_is_up(desk: Desk) -> None:
    await told(desk)
    assert (await desk.learn(HOUR - 1)).version == 0


async def test_who_clicked_is_learned_when_the_time_is_up(desk: Desk) -> None:
    await told(desk)
    model = await desk.learn(HOUR)
    assert (model.version, model.examples, model.clicks) == (1, 900, 150)
    eager, others = rates(model)
    assert eager > 0.3
    assert others < 0.1


async def test_a_release_is_learned_once(desk: Desk) -> None:
    await told(desk)
    first = await desk.learn(HOUR)
    again = await desk.learn(HOUR)
    assert (again.version, again.examples) == (first.version, 900)


async def test_a_release_whose_id_is_used_again_when_the_first_is_forgotten_is_learned_too(
    desk: Desk,
) -> None:
    await told(desk)
    for after in (HOUR, DAY):
        await desk.learn(after)
    for key in (keys.release("r1"), keys.release_pages("r1")):  # as when it is done, and its days are over
        await desk.redis.delete(key)
    await told(desk)
    desk.trainer.go_on(await desk.models.learned())
    model = await desk.learn(HOUR)
    assert (model.examples, model.clicks) == (2 * 900, 2 * 150)


async def test_a_trainer_that_comes_after_a_crash_goes_on_and_learns_nothing_twice(desk: Desk) -> None:
    await told(desk)
    first = await desk.learn(HOUR)
    await desk.redis.zadd(keys.RELEASES_TO_LEARN, {"r1": NOW})  # it died before it said when it is due again
    await told(desk, "r2")
    desk.trainer = desk.another()
    kept = await desk.models.learned()
    desk.trainer.go_on(kept)
    model = await desk.learn(HOUR)
    assert (model.examples, model.clicks) == (2 * first.examples, 2 * first.clicks)


async def test_of_more_releases_in_a_day_than_are_remembered_each_is_learned_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_trainer, "REMEMBERED", 1)
    for name in ("r1", "r2", "r3"):
        await told(desk, name)
        await desk.learn(HOUR)
    await desk.decisions.learn_again("r1", desk.now + DAY + HOUR)  # it is corrected after the others
    for after in (DAY, HOUR, DAY):
        model = await desk.learn(after)
    assert (model.examples, model.clicks) == (3 * 900, 3 * 150)
    for name in ("r1", "r2", "r3"):
        assert not await desk.redis.exists(keys.release_decisions(name))
    assert await desk.decisions.due(desk.now + 10 * DAY) == []
    assert list((await desk.models.learned()).releases) == ["r1"], "of those learned for good, the last"


async def test_late_clicks_correct_what_was_learned(desk: Desk) -> None:
    await told(desk)
    early = await desk.learn(HOUR)
    await desk.report("r1", "clicked", EAGER_USERS[150:250])
    late = await desk.learn(DAY)
    assert (late.examples, late.clicks) == (900, 250)
    assert rates(late)[0] > rates(early)[0]
    assert not await desk.redis.exists(keys.release_decisions("r1"))
    assert await desk.decisions.due(desk.now + 10 * DAY) == []


async def test_a_release_whose_decisions_expire_before_its_second_look_is_done_with(desk: Desk) -> None:
    await told(desk)
    first = await desk.learn(HOUR)
    for key in (keys.release("r1"), keys.release_pages("r1"), keys.release_decisions("r1")):
        await desk.redis.delete(key)
    late = await desk.learn(DAY)
    assert (late.examples, late.clicks) == (first.examples, first.clicks)
    assert await desk.decisions.due(desk.now + 10 * DAY) == []
    await told(desk)
    assert (await desk.learn(HOUR)).examples == 2 * 900, "a later one of the same id is learned"


async def test_who_was_not_sent_it_is_no_example(desk: Desk) -> None:
    await desk.tell("r1")
    await desk.report("r1", "sent", USERS[:600])
    await desk.report("r1", "not_sent", USERS[600:700])
    assert (await desk.learn(HOUR)).examples == 600


async def test_who_is_reported_as_sent_after_the_first_look_is_learned_a_day_later_clicked_or_not(
    desk: Desk,
) -> None:
    await desk.tell("r1")
    await desk.report("r1", "sent", USERS[:600])
    await desk.report("r1", "not_sent", USERS[850:])
    assert (await desk.learn(HOUR)).examples == 600
    await desk.report("r1", "sent", USERS[600:850])
    await desk.report("r1", "clicked", [*USERS[:20], *USERS[600:630]])
    model = await desk.learn(DAY)
    assert (model.examples, model.clicks) == (850, 50)


async def test_what_an_earlier_version_kept_of_who_was_not_sent_a_release_is_read(desk: Desk) -> None:
    await desk.tell("r1")
    await desk.report("r1", "sent", USERS[:600])
    await desk.learn(HOUR)
    kept = await desk.models.learned()
    earlier = kept.releases["r1"]._replace(unsent=list(range(600, 900)))
    await desk.models.keep(Learned(kept.model, {"r1": earlier}))
    desk.trainer = desk.another()
    await desk.trainer.begin()
    await desk.report("r1", "sent", USERS[600:850])
    await desk.report("r1", "clicked", [*USERS[:20], *USERS[600:630]])
    model = await desk.learn(DAY)
    assert (model.examples, model.clicks) == (850, 50)


async def test_who_was_not_sent_a_release_takes_few_bits_of_what_a_trainer_goes_on_from(desk: Desk) -> None:
    reached = [USERS[at] for at in np.random.default_rng(2).permutation(900)[:630]]
    lengths = []
    for name in ("r1", "r2"):
        await desk.tell(name)
        await desk.report(name, "sent", reached)
        await desk.report(name, "not_sent", sorted({*USERS} - {*reached}))
        await desk.learn(HOUR)
        lengths.append(await desk.redis.strlen(keys.CTR_LEARNED))
    assert lengths[1] - lengths[0] < 400, "270 numbers would take more than 1,000"


async def test_of_a_notifier_that_reports_clicks_only_all_on_the_page_are_examples(desk: Desk) -> None:
    await desk.tell("r1")
    await desk.report("r1", "clicked", EAGER_USERS)
    model = await desk.learn(HOUR)
    assert (model.examples, model.clicks) == (900, 300)


async def test_of_a_notifier_that_reports_clicks_only_who_is_forgotten_is_no_example(desk: Desk) -> None:
    await desk.tell("r1")
    await desk.report("r1", "clicked", EAGER_USERS)
    await ReleaseTraces(desk.redis).forget(USERS[:99])
    model = await desk.learn(HOUR)
    assert (model.examples, model.clicks) == (801, 267)


async def test_of_a_release_of_which_nothing_is_reported_nothing_is_learned(desk: Desk) -> None:
    await desk.tell("r1")
    assert (await desk.learn(HOUR)).version == 0
    assert (await desk.learn(DAY)).version == 0
    assert (await desk.models.learned()).model.examples == 0


async def test_a_release_whose_feedback_comes_late_is_learned_a_day_later(desk: Desk) -> None:
    await desk.tell("r1")
    await desk.learn(HOUR)
    await desk.report("r1", "sent", USERS)
    await desk.report("r1", "clicked", EAGER_USERS)
    model = await desk.learn(DAY)
    assert (model.examples, model.clicks) == (900, 300)


async def test_a_wave_that_goes_out_after_the_first_was_learned_is_learned_a_day_later(desk: Desk) -> None:
    await desk.tell("r1", users=slice(600))
    await desk.report("r1", "sent", USERS[:600])
    assert (await desk.learn(HOUR)).examples == 600
    await desk.tell("r1", 1, slice(600, 900))
    await desk.report("r1", "sent", USERS[600:])
    await desk.report("r1", "clicked", [USERS[0], USERS[600]])
    model = await desk.learn(DAY)
    assert (model.examples, model.clicks) == (900, 2)


async def test_a_release_is_learned_when_its_last_wave_has_had_its_hour(desk: Desk) -> None:
    await desk.tell("r1", users=slice(600))
    desk.now += HOUR / 2
    await desk.tell("r1", 1, slice(600, 900))
    await desk.report("r1", "sent", USERS)
    assert (await desk.learn(HOUR / 2)).version == 0
    assert (await desk.learn(HOUR / 2)).examples == 900


async def test_how_many_clicks_come_before_the_second_wave_is_learned(desk: Desk) -> None:
    early = CtrModel().early, CtrModel().clicked
    await desk.tell("r1", told_early=900, clicked_early=30)
    await desk.report("r1", "sent", USERS)
    await desk.report("r1", "clicked", EAGER_USERS[:150])
    await desk.learn(HOUR)
    model = await desk.learn(DAY)
    assert model.early == pytest.approx(0.98 * early[0] + 30)
    assert model.clicked == pytest.approx(0.98 * early[1] + 150)


async def test_what_a_trainer_goes_on_from_names_no_listener(desk: Desk) -> None:
    await told(desk)
    await desk.learn(HOUR)
    unsent = packed_flags(np.zeros(900, dtype=bool))
    expected = (1, list(range(0, 450, 3)), 900, NOW, unsent, False)
    assert (await desk.models.learned()).releases == {"r1": expected}


async def learned_and_spoiled(desk: Desk) -> CtrModel:
    """A trainer that goes on from what predicts the wrong way; return what serves."""
    for n in range(12):
        await told(desk, f"good {n}")
        good = await desk.learn(HOUR)
    known = (await desk.models.learned()).model
    wrong = replace(known, coefficients=-known.coefficients, precision=1e4 * known.precision)
    desk.trainer.go_on(Learned(wrong))
    return good


async def test_a_trainer_that_starts_anew_judges_by_late_clicks_of_what_was_learned_before(
    desk: Desk,
) -> None:
    random = np.random.default_rng(1)
    late = {}
    for n in range(8):
        clicked = [USERS[at] for at in random.permutation(len(USERS))[:450]]
        late[f"r{n}"] = clicked[150:]
        await desk.tell(f"r{n}")
        await desk.report(f"r{n}", "sent", USERS)
        await desk.report(f"r{n}", "clicked", clicked[:150])
        await desk.learn(HOUR)
        if n == 5:
            desk.trainer = desk.another()
            await desk.trainer.begin()
    for name, users in late.items():
        await desk.report(name, "clicked", users)
    model = await desk.learn(DAY - 2 * HOUR)  # those before the start are corrected
    assert model.version == (await desk.models.learned()).model.version == 8 + 6


async def test_what_is_corrected_for_late_clicks_is_judged_by_these_too_and_serves(desk: Desk) -> None:
    random = np.random.default_rng(1)
    for n in range(30):
        clicked = [USERS[at] for at in random.permutation(len(USERS))[:270]]
        await desk.tell(f"r{n}")
        await desk.report(f"r{n}", "sent", USERS)
        await desk.report(f"r{n}", "clicked", clicked[:162])
        await desk.learn(HOUR)
        await desk.report(f"r{n}", "clicked", clicked[162:])
        model = await desk.learn(DAY)
    assert model.version == (await desk.models.learned()).model.version
    predicted = model.predict(features(play_rate=0.1, sent_day=EAGER))
    assert predicted.mean() == pytest.approx(270 / 900, rel=0.05)


async def test_what_predicts_worse_is_not_published_and_is_learned_on(desk: Desk) -> None:
    good = await learned_and_spoiled(desk)
    await told(desk, "another")
    assert (await desk.learn(HOUR)).version == good.version
    assert (await desk.models.learned()).model.examples > good.examples


async def test_a_model_is_judged_while_the_event_loop_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    honest = CtrJudge.is_worse

    def is_worse(judge: CtrJudge, candidate: CtrModel, than: CtrModel) -> bool:
        threads.add(threading.get_ident())
        return honest(judge, candidate, than)

    monkeypatch.setattr(CtrJudge, "is_worse", is_worse)
    await told(desk)
    await desk.learn(HOUR)
    assert threads
    assert threading.get_ident() not in threads


async def test_who_judges_is_looked_up_while_the_event_loop_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    honest = CtrJudge.holds_out

    def holds_out(user_ids: Sequence[str], examples: int) -> np.ndarray:
        threads.add(threading.get_ident())
        return honest(user_ids, examples)

    monkeypatch.setattr(CtrJudge, "holds_out", staticmethod(holds_out))
    await told(desk)
    await desk.learn(HOUR)
    assert threads
    assert threading.get_ident() not in threads


async def test_what_was_refused_is_not_published_after_a_restart_before_it_is_judged(desk: Desk) -> None:
    good = await learned_and_spoiled(desk)
    await told(desk, "another")
    await desk.learn(HOUR)
    for n in range(12):
        await desk.decisions.drop(f"good {n}")
    desk.trainer = desk.another()
    await desk.trainer.begin()
    await desk.report("another", "clicked", EAGER_USERS[150:])
    assert (await desk.learn(DAY)).version == good.version, "nobody judges yet"
    await told(desk, "one more")
    assert (await desk.learn(HOUR)).version == good.version, "it is judged, and worse"


async def test_what_a_trainer_that_died_kept_and_did_not_publish_serves_once_it_is_judged(
    desk: Desk,
) -> None:
    for n in range(12):
        await told(desk, f"r{n}")
        last = await desk.learn(HOUR)
    await desk.models.use(last.version - 1)
    for n in range(11):
        await desk.decisions.drop(f"r{n}")
    desk.trainer = desk.another()
    await desk.trainer.begin()
    assert (await desk.learn(DAY)).version == last.version - 1
    await told(desk, "another")
    assert (await desk.learn(HOUR)).version == last.version + 2


async def test_of_all_versions_the_last_ten_are_kept(desk: Desk) -> None:
    for n in range(12):
        await told(desk, f"r{n}")
        await desk.learn(HOUR)
    assert await desk.models.versions() == list(range(12, 2, -1))


@pytest.mark.parametrize("releases", [5, 12])
async def test_where_what_was_learned_is_lost_no_version_is_given_out_twice_and_the_next_serves(
    desk: Desk, releases: int
) -> None:
    for n in range(releases):
        await told(desk, f"r{n}")
        before = await desk.learn(HOUR)
    await desk.redis.set(keys.CTR_LEARNED, b"damaged")
    desk.trainer = desk.another()
    await desk.trainer.begin()
    await told(desk, "another")
    after = await desk.learn(HOUR)
    assert after.version == releases + 1
    assert after.examples <= len(USERS) < before.examples
    assert rates(await desk.models.load(releases)) == rates(before), "an earlier one may be gone back to"


async def test_the_version_that_is_published_is_kept_whatever_others_are(desk: Desk) -> None:
    for version in (*range(20, 32), 1):
        await desk.models.publish(CtrModel(version=version, examples=100))
    assert await desk.models.versions() == [*range(31, 22, -1), 1]
    assert (await desk.models.load(await desk.models.current())).version == 1


async def test_a_version_under_test_is_kept_for_a_day_after_a_worker_last_said_so(desk: Desk) -> None:
    now = NOW
    models = CtrModels(desk.redis, lambda: now)
    await models.publish(CtrModel(version=1, examples=100))
    await models.keep_for_test(1)
    now += DAY - 1
    for version in range(2, 20):
        await models.publish(CtrModel(version=version, examples=100))
    assert await models.versions() == [*range(19, 9, -1), 1]
    now += 2
    await models.publish(CtrModel(version=20, examples=100))
    assert await models.versions() == list(range(20, 10, -1))


async def test_a_listener_who_is_forgotten_is_in_no_decision(desk: Desk) -> None:
    await told(desk)
    await ReleaseTraces(desk.redis).forget(["u0"])
    outcome = await desk.decisions.outcome("r1")
    assert ("u0" in outcome.user_ids, len(outcome.user_ids)) == (False, 900)
    assert not outcome.clicked[0]
