"""Labels and segments, on every backend."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from redis.asyncio.cluster import RedisCluster

from models.quality.evaluation import Estimate
from models.traits.segments import SegmentModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys
from stream.stores.segments import Came, Labelled, Segments, Sides, sides
from stream.wire.events import Label

RAP = Sides("1", ("0",))
LEARNED = SegmentModel(
    version=2,
    labelled=90,
    positives=40,
    prior=0.4,
    coefficients=np.array([0.0, 0.5]),
    threshold=0.6,
    auc=Estimate(0.8, 0.7, 0.9),
    judged=80,
)


@pytest.fixture
def segments(redis: AnyRedis) -> Segments:
    return Segments(redis)


def label(user: str, value: int | str, ts: float, segment: str = "rap") -> Label:
    return Label(user_id=user, segment=segment, value=value, ts=ts)


async def test_the_later_label_of_a_listener_holds_in_whatever_order_they_come(segments: Segments) -> None:
    labels = [label("u", 1, 10.5), label("u", 0, 20.25), label("v", 1, 15.0)]
    for number, order in enumerate(itertools.permutations(labels)):
        named = [each.model_copy(update={"segment": f"s{number}"}) for each in order]
        for each in named:
            await segments.label([each])
        found = await segments.labelled(f"s{number}", RAP, 100)
        assert found == [Labelled("v", True, 15.0), Labelled("u", False, 20.25)]


async def test_of_two_labels_at_the_same_time_the_same_holds_whichever_comes_first(
    segments: Segments,
) -> None:
    both = [label("u", 1, 10.0), label("u", 0, 10.0)]
    await segments.label(both)
    await segments.label([each.model_copy(update={"segment": "other"}) for each in reversed(both)])
    assert await segments.labelled("rap", RAP, 10) == await segments.labelled("other", RAP, 10)


async def test_a_label_that_is_delivered_twice_changes_nothing(segments: Segments) -> None:
    labels = [label("u", 1, 10.0), label("v", 0, 11.0)]
    assert await segments.label(labels) == 2
    revision = await segments.revision("rap")
    assert await segments.label(labels) == 0
    assert await segments.revision("rap") == revision
    assert await segments.counts("rap", RAP) == (2, 1)


async def test_more_labels_than_one_script_takes_are_all_taken(segments: Segments) -> None:
    assert await segments.label([label(f"u{n}", n % 2, float(n)) for n in range(450)]) == 450
    assert await segments.counts("rap", RAP) == (450, 225)


async def test_of_many_labels_the_latest_of_either_kind_are_returned(segments: Segments) -> None:
    await segments.label([label(f"u{n}", int(n < 10), float(n)) for n in range(50)])
    found = await segments.labelled("rap", RAP, 8)
    assert [each.user_id for each in found] == ["u6", "u7", "u8", "u9", "u46", "u47", "u48", "u49"]


async def test_classes_are_predicted_one_against_the_others(segments: Segments) -> None:
    await segments.label([label("u", "18-25", 1.0, "age"), label("v", "26-35", 1.0, "age")])
    found = await segments.predicted()
    assert found == {
        "age:18-25": ("age", Sides("18-25", ("26-35",))),
        "age:26-35": ("age", Sides("26-35", ("18-25",))),
    }
    assert await segments.counts("age", found["age:18-25"][1]) == (2, 1)


def test_a_segment_with_both_kinds_of_labels_has_both_kinds_of_sides() -> None:
    assert list(sides("s", {"0", "1", "x"})) == ["s", "s:x"]


async def test_what_is_learned_is_read_as_it_was_published(segments: Segments) -> None:
    await segments.publish("rap", LEARNED, {"u": 0.25, "v": -1.0}, revision=7)
    model = await segments.model("rap")
    assert (model.version, model.auc, model.threshold) == (2, LEARNED.auc, 0.6)
    assert model.coefficients.tolist() == [0.0, 0.5]
    predicted = await segments.predictions("rap", ["u", "new", "v"])
    assert predicted[0] == 0.25
    assert math.isnan(predicted[1])
    assert predicted[2] == -1.0
    about = await segments.about("rap")
    assert (about["labelled"], about["positives"], about["revision"], about["doubt"]) == ("90", "40", "7", "")


async def test_what_is_damaged_is_said_to_be(segments: Segments, redis: AnyRedis) -> None:
    await segments.publish("rap", LEARNED, {}, revision=1)
    whole = await redis.get(keys.segment_model("rap"))
    for damaged in (b"no model", whole[:100], whole[100:]):
        await redis.set(keys.segment_model("rap"), damaged)
        with pytest.raises(SnapshotDamaged, match="segment 'rap'"):
            await segments.model("rap")


async def test_who_is_at_the_threshold_is_in_the_set_and_who_falls_below_leaves_it(
    segments: Segments,
) -> None:
    await segments.place("rap", {"u": 0.6, "v": 0.59, "w": 0.9}, 0.6)
    assert await segments.members("rap", 0, 10) == ([("w", 0.9), ("u", 0.6)], 2)
    await segments.place("rap", {"w": 0.1}, 0.6)
    assert await segments.members("rap", 0, 10) == ([("u", 0.6)], 1)


async def test_a_model_with_a_higher_threshold_leaves_out_who_is_below_it(segments: Segments) -> None:
    await segments.place("rap", {"u": 0.6, "v": 0.5}, 0.4)
    await segments.publish("rap", LEARNED, {}, revision=1)
    assert await segments.members("rap", 0, 10) == ([("u", 0.6)], 1)


async def test_many_who_are_below_it_are_taken_out_a_part_at_a_time(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.stores.segments.OUT_AT_ONCE", 10)
    below, above = ({f"u{n}": n / 100 for n in part} for part in (range(37), range(60, 90)))
    await segments.place("rap", below | above, 0.0)
    await segments.publish("rap", LEARNED, {}, revision=1)
    members, size = await segments.members("rap", 0, 100)
    assert {user for user, _ in members} == above.keys()
    assert size == 30


async def test_while_it_is_not_to_be_trusted_nobody_is_in_the_set(segments: Segments) -> None:
    await segments.place("rap", {"u": 0.99}, 0.4)
    await segments.publish("rap", SegmentModel(version=3, labelled=4, positives=3), {}, revision=2)
    assert await segments.members("rap", 0, 10) == ([], 0)


async def test_nothing_is_left_of_a_listener_who_is_forgotten(segments: Segments, redis: AnyRedis) -> None:
    await segments.label([label("u", 1, 1.0), label("v", 0, 1.0), label("u", "x", 1.0, "kind")])
    await segments.publish("rap", LEARNED, {"u": 0.5, "v": 0.5}, revision=2)
    await segments.place("rap", {"u": 0.9, "v": 0.9}, 0.6)
    assert await segments.forget(["u"]) == 2
    assert await segments.labelled("rap", RAP, 10) == [Labelled("v", False, 1.0)]
    assert await redis.hgetall(keys.segment_labels("kind")) == {}
    assert np.isnan(await segments.predictions("rap", ["u", "v"])).tolist() == [True, False]
    assert await segments.members("rap", 0, 10) == ([("v", 0.9)], 1)
    assert "revision" not in await segments.about("rap")  # learned again without them
    assert await segments.forget(["u"]) == 0


@pytest.mark.parametrize("steps", range(6))
async def test_a_label_that_comes_while_a_listener_is_forgotten_stays_whole_or_goes_whole(
    segments: Segments, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    await segments.label([label("u", 1, 1.0), label("v", 0, 1.0)])
    step, left = redis.execute_command, iter(range(steps, -1, -1))

    async def a_label_comes_after(*command: Any, **options: Any) -> Any:
        answer = await step(*command, **options)
        if next(left) == 0:
            monkeypatch.setattr(redis, "execute_command", step)
            await segments.label([label("u", 0, 2.0)])
        return answer

    monkeypatch.setattr(redis, "execute_command", a_label_comes_after)
    await segments.forget(["u"])
    monkeypatch.setattr(redis, "execute_command", step)
    held = await redis.hget(keys.segment_labels("rap"), "u")
    of_value = [each for each in ("0", "1") if await redis.zscore(keys.segment_labelled("rap", each), "u")]
    assert of_value == ([held.decode()] if held else [])


async def test_many_listeners_are_forgotten_in_a_few_round_trips(
    segments: Segments, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(redis, RedisCluster):
        pytest.skip("a cluster's pipelines take no scripts")
    users = [f"u{n}" for n in range(450)]
    await segments.label([label(user, f"class {n % 50}", 1.0) for n, user in enumerate(users)])
    commands = Counter[str]()
    step = redis.execute_command

    async def counted(command: str, *rest: Any, **options: Any) -> Any:
        commands[command] += 1
        return await step(command, *rest, **options)

    monkeypatch.setattr(redis, "execute_command", counted)
    assert await segments.forget(users) == 450
    assert commands.total() < 10
    assert await redis.exists(keys.segment_labels("rap")) == 0


async def test_nothing_is_left_of_a_forgotten_segment_but_since_when_it_is(segments: Segments) -> None:
    labels = [label("u", 1, 1.0), label("v", 0, 1.0), label("u", "old", 1.0, "age")]
    labels += [label("v", "young", 1.0, "age"), label("u", 1, 1.0, "rap2")]
    await segments.label(labels)
    for name in ("rap", "age:old", "age:young", "rap2"):
        await segments.publish(name, LEARNED, {"u": 0.5}, 2)
        await segments.place(name, {"u": 0.9}, 0.6)
    assert await segments.forget_segment("age", []) == ["age:old", "age:young"]
    assert await segments.forget_segment("rap", []) == ["rap"]
    await segments.forgotten_wholly("age")
    await segments.forgotten_wholly("rap")
    left = [key.decode() async for key in segments._redis.scan_iter(match="segment*")]
    assert {key for key in left if "rap2" not in key} == {"segments"}
    assert await segments.names() == ["rap2"]
    assert await segments.members("rap2", 0, 9) == ([("u", 0.9)], 1)


async def test_a_label_from_before_its_segment_was_forgotten_counts_no_more(segments: Segments) -> None:
    await segments.label([label("u", 1, 1.0)])
    await segments.forget_segment("rap", [Came("unix", 100.0), Came("topic:0", 7)])
    came = [
        Came("topic:0", 6),
        Came("topic:0", 7),
        Came("topic:1", 3),
        Came("unix", 99.5),
        Came("unix", 100.5),
    ]
    for number, when in enumerate(came):
        await segments.label([label(f"u{number}", 1, 1.0), label("w", 1, 1.0, f"s{number}")], [when, when])
    assert {each.user_id for each in await segments.labelled("rap", RAP, 10)} == {"u1", "u2", "u4"}
    assert await segments.size("rap") == 3
    assert {f"s{number}" for number in range(5)} <= set(await segments.names())


async def test_forgetting_that_was_cut_short_knows_what_it_has_to_erase(segments: Segments) -> None:
    await segments.label([label("u", "old", 1.0, "age")])
    await segments.forget_segment("age", [])
    assert await segments.half_forgotten("age") == ["old"]
    assert await segments.forget_segment("age", []) == ["age:old"]
    await segments.forgotten_wholly("age")
    assert await segments.half_forgotten("age") == []
