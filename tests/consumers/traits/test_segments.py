"""Segments on a real Redis: labels before, after and against each other; who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from consumers.traits.segments import SegmentTraits
from models.listener import Listener
from models.model import Model
from models.traits.where import SEGMENT
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.listeners import Listeners
from stream.stores.segments import Segments
from stream.wire.events import Label
from tests.consumers.labelled_world import N, affinities_of, is_in, known_of, world_model
from tests.stream.written import write


class Service:
    """The class with its stores, a clock that can be moved and a model that can be changed."""

    def __init__(self, redis: AnyRedis) -> None:
        self.listeners, self.segments = Listeners(redis), Segments(redis)
        self.model: Model | None = world_model()
        self.now = 1000.0
        self.traits = self.anew()

    def anew(self) -> SegmentTraits:
        """As a process that has just started."""
        return SegmentTraits(self.listeners, self.segments, lambda: self.model, 50, clock=lambda: self.now)

    async def click(self, numbers: Iterable[int], *, bot: bool = False) -> None:
        """Let listeners have clicked."""
        model, own = world_model(), list(numbers)
        known = known_of(own, model)
        people = [
            Listener(
                f"u{number}",
                cohort=model.cohort_ids[cohort],
                moved="0:1",
                clicks=7,
                first_seen=1.0,
                last_seen=1.0,
                bot=bot,
                offsets={"0": 1},
                affinities=affinities_of(number),
            )
            for number, cohort in zip(own, known.cohorts.tolist(), strict=True)
        ]
        await write(self.listeners, people, known.tastes, version=model.version)

    async def label(self, numbers: Iterable[int], ts: float = 10.0) -> None:
        """Take true labels."""
        await self.segments.label(
            [Label(user_id=f"u{n}", segment="a", value=int(is_in(n)), ts=ts + n / 1000) for n in numbers]
        )


@pytest.fixture
def service(redis: AnyRedis) -> Service:
    return Service(redis)


def users(numbers: Iterable[int]) -> list[str]:
    return [f"u{number}" for number in numbers]


async def said(traits: SegmentTraits, of: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is written of each listener, by segment."""
    fields = await traits.fields(of, now=0.0)
    return {
        user: {name.removeprefix(SEGMENT): value for name, value in own.items() if name.startswith(SEGMENT)}
        for user, own in zip(of, fields, strict=True)
    }


async def learned_of(service: Service, *numbers: int) -> list[float]:
    """What the model of the segment says of listeners, in doubt or not."""
    model, known = world_model(), known_of(list(numbers), world_model())
    found: list[float] = (await service.segments.model("a")).predict(known, model).tolist()
    return found


async def test_others_are_predicted_and_those_above_the_threshold_are_in_the_set(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(300))
    assert await service.traits.learn() == ["a"]
    assert service.traits.news
    found = await said(service.traits, users(range(300, N)))
    inside = [found[f"u{n}"]["a"] for n in range(300, N) if is_in(n)]
    outside = [found[f"u{n}"]["a"] for n in range(300, N) if not is_in(n)]
    assert min(inside) > max(outside)
    members, size = await service.segments.members("a", 0, N)
    threshold = (await service.segments.model("a")).threshold
    above = {user: own["a"] for user, own in found.items() if own["a"] >= round(threshold, 5)}
    assert {user: round(probability, 5) for user, probability in members} == above
    assert size == len(members) > 0


async def test_labels_that_come_before_the_first_click_count_once_there_are_clicks(service: Service) -> None:
    await service.label(range(300))
    await service.traits.learn()
    assert "have clicked yet" in (await service.segments.about("a"))["doubt"]
    await service.click(range(N))
    service.now += 4000.0
    assert await service.traits.learn() == ["a"]
    assert (await service.segments.about("a"))["doubt"] == ""


async def test_labels_of_people_who_never_clicked_do_not_change_what_is_said_of_those_who_did(
    service: Service,
) -> None:
    chance = np.random.default_rng(1).permutation(100).tolist()
    inside = set(chance[:50])
    await service.click(range(100))
    await service.segments.label(
        [Label(user_id=f"u{n}", segment="a", value=int(n in inside), ts=10.0) for n in range(1000)]
    )
    await service.traits.learn()
    assert np.mean(await learned_of(service, *range(100))) == pytest.approx(0.5, abs=0.02)
    assert (await service.segments.model("a")).prior == pytest.approx(0.05, abs=0.001)


async def test_a_label_that_contradicts_an_earlier_one_replaces_it(service: Service) -> None:
    await service.click(range(N))
    await service.segments.label(
        [Label(user_id=f"u{n}", segment="a", value=int(not is_in(n)), ts=1.0) for n in range(300)]
    )
    await service.traits.learn()
    await service.label(range(300), ts=10.0)
    await service.traits.learn()
    inside, outside = await learned_of(service, 300, 301)
    assert inside > 0.5 > outside


async def test_with_three_positives_nothing_is_said_of_anybody_and_nobody_is_in_the_set(
    service: Service,
) -> None:
    await service.click(range(N))
    await service.label([0, 4, 8, *(n for n in range(60) if not is_in(n))])
    await service.traits.learn()
    about = await service.segments.about("a")
    assert not service.traits.news
    service.now += 40.0
    assert await service.traits.learn() == []
    service.now += 4000.0
    assert await service.traits.learn() == ["a"]
    assert not service.traits.news  # or everybody would be predicted again twice a minute, for nothing
    found = await said(service.traits, users(range(300, 310)))
    assert {own["a"] for own in found.values()} == {""}
    assert float(about["prior"]) == pytest.approx(3.5 / 49)
    assert "3 of 48" in about["doubt"]
    assert await service.segments.members("a", 0, 10) == ([], 0)


async def test_what_is_learned_is_learned_again_only_where_something_has_changed(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(100))
    assert await service.traits.learn() == ["a"]
    await service.label(range(100))  # delivered once more
    assert await service.traits.learn() == []
    assert await service.anew().learn() == []
    await service.label([101])
    assert await service.traits.learn() == ["a"]
    service.model = world_model(version=2)
    assert await service.traits.learn() == ["a"]
    service.now += 4000.0
    assert await service.traits.learn() == ["a"]


@pytest.fixture
def slow(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """To learn takes two seconds."""
    publish = service.segments.publish

    async def slowly(*given: Any) -> None:
        service.now += 2.0
        await publish(*given)

    monkeypatch.setattr(service.segments, "publish", slowly)
    return service


async def test_labels_that_trickle_in_are_learned_at_a_tenth_of_the_time(slow: Service) -> None:
    await slow.click(range(N))
    await slow.label(range(100))
    assert await slow.traits.learn() == ["a"]
    await slow.label([101])
    assert await slow.traits.learn() == []
    slow.now += 17.0
    assert await slow.traits.learn() == []
    slow.now += 1.0
    assert await slow.traits.learn() == ["a"]


async def test_the_first_labels_of_a_segment_are_learned_at_once(slow: Service) -> None:
    await slow.click(range(N))
    await slow.label(range(100))
    assert await slow.traits.learn() == ["a"]
    await slow.label([101])
    await slow.segments.label([Label(user_id=f"u{n}", segment="b", value=n % 2, ts=1.0) for n in range(50)])
    assert await slow.traits.learn() == ["b"]


async def test_a_new_model_of_cohorts_is_learned_under_at_once(slow: Service) -> None:
    await slow.click(range(N))
    await slow.label(range(100))
    assert await slow.traits.learn() == ["a"]
    slow.model = world_model(version=2)
    assert await slow.traits.learn() == ["a"]


async def test_a_process_that_starts_predicts_the_same(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(300))
    await service.traits.learn()
    asked = users(range(300, 320))
    assert await said(service.anew(), asked) == await said(service.traits, asked)


async def test_a_label_is_predicted_once_however_often_it_is_learned(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(200))
    await service.traits.learn()
    before = await service.segments.predictions("a", users(range(200)))
    await service.label(range(200, 220))
    await service.traits.learn()
    after = await service.segments.predictions("a", users(range(220)))
    np.testing.assert_array_equal(after[:200], before)
    assert (after[200:] >= 0).all()


async def test_of_a_listener_without_clicks_nothing_is_said_and_of_a_bot_neither(service: Service) -> None:
    await service.click(range(300))
    await service.click([304], bot=True)
    await service.label(range(300))
    await service.traits.learn()
    found = await said(service.traits, ["nobody", "u304"])
    assert found == {"nobody": {"a": ""}, "u304": {"a": ""}}
    members, _ = await service.segments.members("a", 0, 10)
    assert not {"nobody", "u304"} & dict(members).keys()


async def test_several_segments_and_classes_are_kept_side_by_side(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(200))
    classes = [
        Label(user_id=f"u{n}", segment="age", value=("young", "old")[is_in(n)], ts=1.0) for n in range(200)
    ]
    await service.segments.label(classes)
    assert await service.traits.learn() == ["a", "age:old", "age:young"]
    found = (await said(service.traits, ["u300"]))["u300"]
    assert found["age:old"] > 0.5 > found["age:young"]


async def test_without_a_model_of_cohorts_nothing_is_learned_and_nothing_predicted(service: Service) -> None:
    await service.label(range(30))
    service.model = None
    assert await service.traits.learn() == []
    assert await said(service.traits, ["u1"]) == {"u1": {}}


async def test_of_a_damaged_model_nothing_is_said_until_it_is_learned_again(
    service: Service, redis: AnyRedis
) -> None:
    await service.click(range(N))
    await service.label(range(200))
    await service.traits.learn()
    await redis.set(keys.segment_model("a"), b"damaged")
    assert (await said(service.anew(), ["u300"]))["u300"]["a"] == ""
    await service.label([201])
    fresh = service.anew()
    await fresh.learn()
    assert (await said(fresh, ["u300"]))["u300"]["a"] > 0.5


async def test_who_is_forgotten_while_they_are_predicted_is_in_no_set(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.click(range(N))
    await service.label(range(300))
    await service.traits.learn()
    place = service.segments.place

    async def forgotten_meanwhile(name: str, probabilities: dict[str, float], threshold: float) -> None:
        await service.listeners.forget("u300")
        await place(name, probabilities, threshold)

    monkeypatch.setattr(service.segments, "place", forgotten_meanwhile)
    await said(service.traits, ["u300", "u304"])
    members, _ = await service.segments.members("a", 0, N)
    assert [user for user, _ in members] == ["u304"]


async def test_who_is_forgotten_while_a_segment_is_learned_leaves_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.click(range(N))
    await service.label(range(200))
    publish = service.segments.publish

    async def forgotten_meanwhile(*given: Any) -> None:
        await service.segments.forget(["u4"])
        await publish(*given)

    monkeypatch.setattr(service.segments, "publish", forgotten_meanwhile)
    await service.traits.learn()
    assert np.isnan(await service.segments.predictions("a", ["u4", "u8"])).tolist() == [True, False]


async def test_a_forgotten_listener_is_learned_from_no_more(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(200))
    await service.traits.learn()
    await service.segments.forget(["u4"])
    assert await service.traits.learn() == ["a"]
    assert (await service.segments.model("a")).labelled == 199


async def test_without_a_forgotten_listener_it_is_learned_at_once_though_for_labels_it_would_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.click(range(N))
    await service.label(range(200))
    publish = service.segments.publish

    async def published_late(*given: Any) -> None:
        service.now += 10.0
        await publish(*given)

    monkeypatch.setattr(service.segments, "publish", published_late)
    await service.traits.learn()
    await service.label([200])
    assert await service.traits.learn() == []
    await service.segments.forget(["u4"])
    assert await service.traits.learn() == ["a"]


async def test_it_is_learned_again_soon_while_those_who_are_labelled_have_not_clicked(
    service: Service,
) -> None:
    await service.label(range(300))
    assert await service.traits.learn() == ["a"]
    await service.click(range(N))
    assert await service.traits.learn() == []
    service.now += 31.0
    assert await service.traits.learn() == ["a"]
    service.now += 31.0
    assert await service.traits.learn() == []


async def test_a_segment_of_too_few_labels_is_not_learned_every_half_minute(service: Service) -> None:
    await service.click(range(N))
    await service.label(range(8))
    assert await service.traits.learn() == ["a"]
    service.now += 31.0
    assert await service.traits.learn() == []
    await service.label(range(8, 300))
    assert await service.traits.learn() == ["a"]


async def test_where_labels_are_read_in_part_the_share_in_all_who_clicked_is_predicted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.traits.segments.MOST", 200)
    chance = np.random.default_rng(1).permutation(400).tolist()
    inside = set(chance[:40])
    # All who are in it have clicked, and half of the others.
    await service.click(chance[:220])
    await service.segments.label(
        [Label(user_id=f"u{n}", segment="a", value=int(n in inside), ts=10.0) for n in range(400)]
    )
    await service.traits.learn()
    assert np.mean(await learned_of(service, *chance[:220])) == pytest.approx(40 / 220, abs=0.05)


async def test_labels_drawn_by_chance_are_not_learned_every_half_minute(service: Service) -> None:
    await service.click(range(N))
    chance = np.random.default_rng(1)
    labels = [
        Label(user_id=f"u{n}", segment="a", value=int(chance.random() < 0.5), ts=10.0) for n in range(300)
    ]
    await service.segments.label(labels)
    assert await service.traits.learn() == ["a"]
    assert "no better than chance" in (await service.segments.about("a"))["doubt"]
    service.now += 31.0
    assert await service.traits.learn() == []
    service.now += 3600.0
    assert await service.traits.learn() == ["a"]


async def test_in_traits_a_segment_is_empty_while_it_is_not_to_be_trusted_and_of_who_is_not_known(
    service: Service,
) -> None:
    await service.click(range(N))
    assert await service.traits.fields(["u300"], 5.0) == [{}]
    await service.label(range(5))
    await service.traits.learn()
    (doubtful,) = await service.traits.fields(["u300"], 5.0)
    assert doubtful["segment:a"] == ""
    await service.label(range(300))
    await service.traits.learn()
    known, unknown = await service.traits.fields(["u300", "nobody"], 5.0)
    assert 0.0 <= float(known["segment:a"]) <= 1.0
    assert unknown["segment:a"] == ""
    assert known["segments:at"] == 5.0


async def test_what_is_learned_while_a_segment_is_forgotten_is_erased(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.click(range(N))
    await service.label(range(200))
    publish = service.segments.publish

    async def forgotten_meanwhile(*given: Any) -> None:
        await service.segments.forget_segment("a", [])
        await publish(*given)

    monkeypatch.setattr(service.segments, "publish", forgotten_meanwhile)
    await service.traits.learn()
    assert await service.segments.about("a") == {}
    assert (await service.segments.model("a")).version == 0


async def test_what_is_predicted_while_a_segment_is_forgotten_is_in_no_set_and_told_to_be_erased(
    service: Service,
) -> None:
    await service.click(range(N))
    await service.label(range(300))
    await service.traits.learn()
    (fields,) = await service.traits.fields(["u300"], 5.0)
    assert await service.traits.forgotten(fields) == []
    await service.segments.forget_segment("a", [])
    await service.segments.place("a", {"u300": 0.9}, 0.5)
    assert await service.traits.forgotten(fields) == ["segment:a"]
    assert await service.segments.members("a", 0, 9) == ([], 0)


async def test_a_segment_that_is_forgotten_while_listeners_are_predicted_is_told_to_be_erased(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.click(range(N))
    await service.label(range(300))
    await service.traits.learn()
    place = service.segments.place

    async def forgotten_meanwhile(*given: Any) -> None:
        await service.segments.forget_segment("a", [])
        await service.traits.learn()
        await place(*given)

    monkeypatch.setattr(service.segments, "place", forgotten_meanwhile)
    (fields,) = await service.traits.fields(["u300"], 5.0)
    assert await service.traits.forgotten(fields) == ["segment:a"]
    assert await service.segments.members("a", 0, 9) == ([], 0)


async def test_a_segment_that_is_labelled_again_is_learned_from_its_new_labels_alone(
    service: Service,
) -> None:
    await service.click(range(N))
    await service.label(range(200))
    await service.traits.learn()
    await service.segments.forget_segment("a", [])
    assert await service.traits.learn() == []
    await service.label(range(200, 300))
    assert await service.traits.learn() == ["a"]
    assert (await service.segments.model("a")).labelled == 100
    inside, outside = await learned_of(service, 300, 301)
    assert inside > 0.5 > outside
