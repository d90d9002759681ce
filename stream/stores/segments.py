"""Labelled segments in Redis: who has which label, what is learned of it, and who is predicted to be in it.

Labels of a segment are 0 and 1, or classes. What is learned and predicted has two sides: of 0 and 1 the
segment itself; of classes each one against the others, called ``SEGMENT:CLASS`` (`sides`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgpack
import numpy as np
import numpy.typing as npt

from models.traits.segments import SegmentModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys
from stream.stores.arrays_codec import pack_arrays, unpack_arrays
from stream.stores.scripts import Call, Script, call_all
from stream.wire.events import Label

__all__ = ["MOST_CLASSES", "OUR_CLOCK", "Came", "Labelled", "Segments", "Sides", "sides", "topic_clock"]

Floats = npt.NDArray[np.float64]

NO, YES = "0", "1"
IN_A_SCRIPT = 200  # labels: one script holds Redis up for less than a millisecond
MOST_CLASSES = 100
"""Of one segment. Each is a model of its own, predicted of every listener: numbers for classes, such as ages,
would make thousands."""
HALF = "values"  # field of a forgotten segment: what is still to be erased of it
OUT_AT_ONCE = 5_000  # members of a segment that are taken out in one step


OUR_CLOCK = "unix"
"""The clock of labels that were read from Redis: Unix seconds."""


class Came(NamedTuple):
    """When a label came: the name of a clock, and what it showed.

    The offsets of a partition are a clock, too, and an exact one: ``TOPIC_ID:PARTITION``.
    """

    clock: str
    at: float


def topic_clock(topic_id: str, partition: int) -> str:
    """Return the clock that the offsets of a partition are; another one where the topic is recreated."""
    return f"{topic_id}:{partition}"


NOW = Came("", 0.0)
"""By no clock: it counts whatever was forgotten."""


class Sides(NamedTuple):
    """Which values of labels speak for something that is predicted, and which against it."""

    value: str
    others: tuple[str, ...]


class Labelled(NamedTuple):
    """A listener with a label, and when they got it, in Unix seconds."""

    user_id: str
    positive: bool
    ts: float


def sides(segment: str, values: Collection[str]) -> dict[str, Sides]:
    """Return what is predicted of a segment whose labels have these values, and by which labels.

    Examples
    --------
    >>> sides("rap", ["0", "1"])
    {'rap': Sides(value='1', others=('0',))}
    >>> list(sides("age", ["18-25", "26-35"]))
    ['age:18-25', 'age:26-35']
    """
    classes = sorted(set(values) - {NO, YES})
    found = {segment: Sides(YES, (NO,))} if {NO, YES} & set(values) else {}
    return found | {
        f"{segment}:{each}": Sides(each, tuple(other for other in classes if other != each))
        for each in classes
    }


class Segments:
    """The store of segments. What is of one segment is in one slot of a cluster."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._label, self._drop_below = Script("label_listeners"), Script("drop_below")
        self._drop_labels = Script("drop_labels")

    async def label(self, labels: Sequence[Label], came: Sequence[Came] | None = None) -> int:
        """Take labels; return how many listeners' labels were changed. May be repeated, in any order.

        Parameters
        ----------
        came
            When each came; one from before its segment was forgotten does not count. None: all count.
        """
        pairs = sorted(
            zip(labels, came or [NOW] * len(labels), strict=True), key=lambda pair: pair[0].segment
        )
        calls, of_calls = [], []
        for segment, own in groupby(pairs, key=lambda pair: pair[0].segment):
            parts = [
                str(part)
                for label, when in own
                for part in (label.user_id, label.value, repr(label.ts), when.clock, repr(when.at))
            ]
            where = [
                keys.segment_labels(segment),
                keys.segment_values(segment),
                keys.segment_forgotten(segment),
            ]
            for at in range(0, len(parts), 5 * IN_A_SCRIPT):
                packed = msgpack.packb(parts[at : at + 5 * IN_A_SCRIPT], use_bin_type=False)
                calls.append(Call(self._label, where, [keys.segment_labelled(segment, ""), packed]))
                of_calls.append(segment)
        answers = await call_all(self._redis, calls) if calls else []
        # Only now: `forget_segment` takes a name away and then looks for labels that have come meanwhile.
        if there := {name for name, (_, labelled) in zip(of_calls, answers, strict=True) if labelled}:
            await self._redis.sadd(keys.SEGMENTS, *there)
        return sum(changed for changed, _ in answers)

    async def one_too_many(self, labels: Sequence[Label]) -> list[bool]:
        """Say of each label whether it is of a further class of a segment that has `MOST_CLASSES`."""
        there: dict[str, set[str]] = {}
        for segment in {label.segment for label in labels}:
            values = await self._redis.hkeys(keys.segment_values(segment))
            there[segment] = {value.decode() for value in values} - {NO, YES}
        found = []
        for label in labels:
            classes, value = there[label.segment], str(label.value)
            new = value not in classes and value not in (NO, YES)
            found.append(new and len(classes) >= MOST_CLASSES)
            if new and not found[-1]:
                classes.add(value)
        return found

    async def names(self) -> list[str]:
        """Return the segments that there are labels of, by name."""
        return sorted(name.decode() for name in await self._redis.smembers(keys.SEGMENTS))

    async def predicted(self) -> dict[str, tuple[str, Sides]]:
        """Return all that is predicted -> the segment of its labels, and which of them speak for it."""
        found: dict[str, tuple[str, Sides]] = {}
        for segment in await self.names():
            values = [value.decode() for value in await self._redis.hkeys(keys.segment_values(segment))]
            found |= {name: (segment, side) for name, side in sides(segment, values).items()}
        return found

    async def size(self, segment: str) -> int:
        """Return how many listeners have a label of a segment."""
        return int(await self._redis.hlen(keys.segment_labels(segment)))

    async def counts(self, segment: str, side: Sides) -> tuple[int, int]:
        """Return how many listeners have a label, and of how many it speaks for it."""
        pipeline = self._redis.pipeline(transaction=False)
        for value in (side.value, *side.others):
            pipeline.zcard(keys.segment_labelled(segment, value))
        positives, *others = await pipeline.execute()
        return int(positives) + sum(map(int, others)), int(positives)

    async def labelled(self, segment: str, side: Sides, most: int) -> list[Labelled]:
        """Return the listeners with the latest labels, the oldest first: half of `most` of either kind."""
        found = []
        for values, positive in (((side.value,), True), (side.others, False)):
            of_kind = []
            for value in values:
                key = keys.segment_labelled(segment, value)
                pairs = await self._redis.zrange(key, 0, most // 2 - 1, desc=True, withscores=True)
                of_kind += [Labelled(user.decode(), positive, ts) for user, ts in pairs]
            found += sorted(of_kind, key=attrgetter("ts"))[-(most // 2) :]
        return sorted(found, key=attrgetter("ts", "user_id"))

    async def predictions(self, name: str, user_ids: Sequence[str]) -> Floats:
        """Return what was predicted of listeners before they were learned from; NaN: they are new."""
        found = await self._redis.hmget(keys.segment_predicted(name), list(user_ids)) if user_ids else []
        return np.array([math.nan if value is None else float(value) for value in found], dtype=np.float64)

    async def learned_from(self, name: str) -> int:
        """Return how many labelled listeners it was learned from: those who have clicked."""
        return int(await self._redis.hlen(keys.segment_predicted(name)))

    async def revision(self, segment: str) -> int:
        """Return a number that grows with every label that changes anything."""
        return sum(map(int, await self._redis.hvals(keys.segment_values(segment))))

    async def publish(
        self, name: str, model: SegmentModel, predicted: Mapping[str, float], revision: int
    ) -> None:
        """Let a model serve; who is below its threshold is in the set no more.

        While it is not to be trusted nobody is in the set.

        Parameters
        ----------
        predicted
            Listener that it was learned from -> what was predicted of them before.
        revision
            That of the labels it was learned from.
        """
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.set(keys.segment_model(name), pack_arrays(*model.to_arrays()))
        pipeline.delete(keys.segment(name), keys.segment_predicted(name))
        pipeline.hset(keys.segment(name), mapping={**_about(model), "revision": revision})
        if predicted:
            pipeline.hset(
                keys.segment_predicted(name), mapping={user: repr(p) for user, p in predicted.items()}
            )
        await pipeline.execute()
        below = "+inf" if model.doubt else f"({model.threshold!r}"
        while await self._drop_below(self._redis, [keys.segment_users(name)], below, OUT_AT_ONCE):
            pass

    async def model(self, name: str) -> SegmentModel:
        """Return the model that serves; an unlearned one where there is none.

        Raises
        ------
        SnapshotDamaged
            Where it cannot be read.
        """
        packed = await self._redis.get(keys.segment_model(name))
        if not packed:
            return SegmentModel()
        try:
            return SegmentModel.from_arrays(*unpack_arrays(packed))
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotDamaged(f"the model of segment {name!r} cannot be read ({error})") from error

    async def version(self, name: str) -> int:
        """Return the version of the model that serves; 0 while there is none."""
        return int(await self._redis.hget(keys.segment(name), "version") or 0)

    async def about(self, name: str) -> dict[str, str]:
        """Return what is said of a segment, empty where nothing is learned."""
        found = await self._redis.hgetall(keys.segment(name))
        return {field.decode(): value.decode() for field, value in found.items()}

    async def place(self, name: str, probabilities: Mapping[str, float], threshold: float) -> None:
        """Let listeners be in the set where they are at the threshold or above it."""
        above = {user: p for user, p in probabilities.items() if p >= threshold}
        below = [user for user in probabilities if user not in above]
        pipeline = self._redis.pipeline(transaction=False)
        if above:
            pipeline.zadd(keys.segment_users(name), above)
        if below:
            pipeline.zrem(keys.segment_users(name), *below)
        if probabilities:
            await pipeline.execute()

    async def members(self, name: str, start: int, count: int) -> tuple[list[tuple[str, float]], int]:
        """Return some of those in the set with their probabilities, the likeliest first, and its size."""
        key = keys.segment_users(name)
        found = await self._redis.zrange(key, start, start + count - 1, desc=True, withscores=True)
        return [(user.decode(), p) for user, p in found], int(await self._redis.zcard(key))

    async def forget_unlabelled(self, segment: str, name: str, user_ids: Sequence[str]) -> None:
        """Erase what was predicted of those who have no label any more: they were forgotten meanwhile."""
        held = await self._redis.hmget(keys.segment_labels(segment), list(user_ids)) if user_ids else []
        if gone := [user for user, value in zip(user_ids, held, strict=True) if value is None]:
            await self._redis.hdel(keys.segment_predicted(name), *gone)

    async def labels_of(self, user_id: str) -> list[Label]:
        """Return a listener's labels."""
        found = []
        for segment in await self.names():
            value = await self._redis.hget(keys.segment_labels(segment), user_id)
            if value is not None:
                ts = await self._redis.zscore(keys.segment_labelled(segment, value.decode()), user_id)
                found.append(Label(user_id=user_id, segment=segment, value=value.decode(), ts=float(ts or 0)))
        return found

    async def forget(self, user_ids: Sequence[str]) -> int:
        """Erase labels and predictions of listeners; return how many labels they had, one for a segment.

        What was learned of them is learned again at once.
        """
        labels = await self._forget_labels(user_ids)
        names = list(await self.predicted()) if user_ids else []
        asked: list[Call] = [Call("HMGET", [keys.segment_predicted(name)], user_ids) for name in names]
        calls: list[Call] = []
        for name, held in zip(names, await call_all(self._redis, asked) if asked else (), strict=True):
            if any(value is not None for value in held):
                calls.append(Call("HDEL", [keys.segment(name)], ["revision"]))
            calls += self._out(name, user_ids)
        if calls:
            await call_all(self._redis, calls)
        return labels

    async def forget_segment(self, segment: str, bounds: Collection[Came]) -> list[str]:
        """Erase labels of a segment, what was learned of it, and who is in it. May be repeated.

        Memory is given back behind the scenes, so that nobody waits for it.

        Parameters
        ----------
        bounds
            Labels that came before these count no more, should they come again.

        Returns
        -------
        What was predicted by its labels: the segment, or ``SEGMENT:CLASS``; also by labels that an earlier
        call erased which did not come to its end.
        """
        values = {value.decode() for value in await self._redis.hkeys(keys.segment_values(segment))}
        values |= set(await self.half_forgotten(segment))
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(keys.segment_forgotten(segment))
        pipeline.hset(
            keys.segment_forgotten(segment),
            mapping={**{bound.clock: repr(bound.at) for bound in bounds}, HALF: json.dumps(sorted(values))},
        )
        pipeline.execute_command(  # a cluster's pipeline has no method for it
            "UNLINK",
            keys.segment_labels(segment),
            keys.segment_values(segment),
            *(keys.segment_labelled(segment, value) for value in values),
        )
        await pipeline.execute()
        await self._redis.srem(keys.SEGMENTS, segment)
        if await self._redis.exists(keys.segment_values(segment)):
            await self._redis.sadd(keys.SEGMENTS, segment)
        names = list(sides(segment, values))
        await self.drop_unlabelled(names)
        return names

    async def forgotten_at(self, segments: Collection[str]) -> dict[str, float]:
        """Return when segments were forgotten last, in Unix seconds; nothing of those that never were."""
        calls: list[Call] = [Call("HGET", [keys.segment_forgotten(each)], [OUR_CLOCK]) for each in segments]
        answers = await call_all(self._redis, calls) if calls else []
        return {each: float(at) for each, at in zip(segments, answers, strict=True) if at is not None}

    async def half_forgotten(self, segment: str) -> list[str]:
        """Return the values of labels that a segment had whose forgetting has not come to its end."""
        return list(json.loads(await self._redis.hget(keys.segment_forgotten(segment), HALF) or "[]"))

    async def forgotten_wholly(self, segment: str) -> None:
        """Note that nothing is left of a segment that was forgotten, traits of listeners included."""
        await self._redis.hdel(keys.segment_forgotten(segment), HALF)

    async def drop_unlabelled(self, names: Sequence[str]) -> list[str]:
        """Erase what was learned and predicted of those that no label is of any more; return these."""
        there = await self.predicted() if names else {}
        gone = [name for name in names if name not in there]
        for name in gone:
            await self._redis.unlink(
                keys.segment(name),
                keys.segment_users(name),
                keys.segment_model(name),
                keys.segment_predicted(name),
            )
        return gone

    async def expire(self, user_ids: Sequence[str]) -> None:
        """Erase labels and predictions of ids that are nobody's any more; what was learned of them stays."""
        await self._forget_labels(user_ids)
        names = await self.predicted() if user_ids else ()
        if calls := [call for name in names for call in self._out(name, user_ids)]:
            await call_all(self._redis, calls)

    async def _forget_labels(self, user_ids: Sequence[str]) -> int:
        """Erase labels, each with what it is of in one step: a later one may come; return how many."""
        parts = [user_ids[at : at + IN_A_SCRIPT] for at in range(0, len(user_ids), IN_A_SCRIPT)]
        packed = [msgpack.packb(list(part), use_bin_type=False) for part in parts]
        calls = [
            Call(self._drop_labels, [keys.segment_labels(name)], [keys.segment_labelled(name, ""), part])
            for name in (await self.names() if user_ids else ())
            for part in packed
        ]
        return sum(await call_all(self._redis, calls)) if calls else 0

    @staticmethod
    def _out(name: str, user_ids: Sequence[str]) -> list[Call]:
        """What takes listeners out of those that were learned from, and of those who are in the set."""
        return [
            Call("HDEL", [keys.segment_predicted(name)], user_ids),
            Call("ZREM", [keys.segment_users(name)], user_ids),
        ]


def _about(model: SegmentModel) -> dict[str, str | int | float]:
    about: dict[str, str | int | float] = {
        "version": model.version,
        "created_at": model.created_at,
        "labelled": model.labelled,
        "positives": model.positives,
        "prior": model.prior,
        "model_version": model.model_version,
        "judged": model.judged,
        "doubt": model.doubt,
    }
    if model.learned:
        about["threshold"] = model.threshold
    if model.auc:
        about |= {"auc": model.auc.value, "auc_low": model.auc.low, "auc_high": model.auc.high}
    return about
