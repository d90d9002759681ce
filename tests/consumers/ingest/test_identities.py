"""An id that turns out to be a known listener: whoever clicked under two ids is as if they had one."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from consumers.ingest import apply as apply_module
from consumers.ingest.apply import Applier
from consumers.ingest.merger import Merger, RefusedMerge
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from consumers.runtime.wiring import Stores
from models.affinity import ForwardDecay
from models.listener import Click, Listener, Move, OffsetSource, Rules, under
from models.traits.segments import SegmentModel
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heard import Heard, song_numbers
from stream.stores.merges import Forward
from stream.stores.segments import OUR_CLOCK, Came
from stream.wire.events import Label, Merge
from tests.consumers.ingest.test_apply import Died, Mortal, by_user
from tests.consumers.producer import Producer
from tests.consumers.redis_state import assert_agrees, read_state
from tests.consumers.small_model import ARTISTS, UNKNOWN, small_model

RULES = Rules(ForwardDecay(), margin=0.02, max_artists=50)
NOW = 1_700_000_000.0
MODEL = small_model()
EXACT = "clicks", "first_seen", "last_seen", "bot", "hour", "hour_clicks", "utc_offset_min"


@pytest.fixture
async def one_redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    client = await open_redis(settings)
    yield client
    await client.aclose()


class Frail(Mortal):
    """Dies before single commands, too."""

    def __getattr__(self, name: str) -> Any:
        command = super().__getattr__(name)
        if name not in {"sadd", "srem", "hset", "hdel", "xadd", "delete", "zadd", "zrem", "hget", "hgetall"}:
            return command

        async def trip(*given: Any, **options: Any) -> Any:
            self._trip()
            return await command(*given, **options)

        return trip


class Process:
    """An ingester without its loops."""

    def __init__(self, redis: Any, undo_days: float = 7.0) -> None:
        self.stores = Stores.on(redis, Settings())
        self.applier = Applier(self.stores.listeners, RULES)
        self.producer = Producer()
        self.moves = Moves(self.stores.cohorts, self.producer, Retry(asyncio.Event()))
        self.live = LiveModel(self.stores.snapshots)
        self.live.model = MODEL
        self.merger = Merger(
            self.applier,
            self.stores,
            self.moves,
            self.live,
            self.producer,  # type: ignore[arg-type]
            undo_days * 86400,
        )

    async def click(self, *clicks: Click) -> None:
        await self.moves.follow(await self.applier.apply(by_user(clicks), MODEL, NOW), MODEL)

    async def merge(self, user: str, into: str, merge_id: str | None = None) -> None:
        await self.merger.take(Merge(user_id=user, into=into, merge_id=merge_id, ts=NOW), NOW)

    async def undo(self, user: str) -> None:
        await self.merger.take(Merge(user_id=user, undo=True, ts=NOW), NOW)

    async def of(self, user: str) -> Listener:
        (listener,) = await self.stores.listeners.read([user], activity=True)
        return listener

    async def heard(self, user: str) -> list[int]:
        numbers: list[int] = (await Heard(self.stores.listeners.redis).of(user)).tolist()
        return numbers

    def said_of_stages(self) -> list[tuple[str, str, str]]:
        events = [json.loads(value) for topic, value in self.producer.sent if topic == "stage-changes"]
        return [(event["user_id"], event["from"], event["to"]) for event in events]


def clicks_of(user: str, partition: int, number: int, first: int = 0) -> list[Click]:
    """Clicks on several days, of artists of the model, at other times than those of other partitions."""
    source = OffsetSource(partition)
    found = []
    for at in range(first, first + number):
        ts = NOW - 3e6 + 7e4 * at + 1e3 * partition + 13 * sum(user.encode())
        artist, action = ARTISTS[(at * (partition + 1) + len(user)) % 6], ("play", "like", "skip")[at % 3]
        found.append(Click(user, source, 2 * at + (user > "a"), ts, f"s{at}", (artist,), action, city="Roma"))
    return found


async def all_under(redis: AnyRedis, user: str, clicks: Sequence[Click]) -> Listener:
    """What one listener would be who had done all these clicks, in the order of their times."""
    process = Process(redis)
    ordered = sorted(clicks, key=lambda click: click.ts)
    await process.click(
        *(
            click._replace(user_id=user, partition=OffsetSource(77), offset=at)
            for at, click in enumerate(ordered)
        )
    )
    return await process.of(user)


def assert_alike(found: Listener, expected: Listener, exact: Sequence[str] = EXACT) -> None:
    """To rounding in weights, exactly in counts."""
    assert {name: getattr(found, name) for name in exact} == {name: getattr(expected, name) for name in exact}
    assert found.affinities == pytest.approx(expected.affinities, rel=1e-9)
    assert found.activity is not None
    assert expected.activity is not None
    for name in ("day", "play", "complete", "like", "download", "search", "skip", "ms"):
        assert found.activity.days[name].tolist() == expected.activity.days[name].tolist(), name


@pytest.mark.parametrize("partition", [0, 3], ids=["one partition", "two partitions"])
async def test_two_ids_made_one_are_as_one_listener_who_did_it_all(redis: AnyRedis, partition: int) -> None:
    process = Process(redis)
    a, b = clicks_of("a", 0, 30), clicks_of("b", partition, 30)
    await process.click(*a[:20], *b[:15])
    await process.merge("a", "b")
    await process.click(*a[20:], *b[15:])
    assert_alike(await process.of("b"), await all_under(redis, "one", [*a, *b]))
    assert (await process.of("a")).into == "b"


async def test_clicks_that_are_delivered_again_count_once_whenever_they_were_applied(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b = clicks_of("a", 0, 12), clicks_of("b", 0, 12)
    await process.click(*a[:8], *b)
    await process.merge("a", "b")
    await process.click(*a)
    await process.click(*a, *b)
    await Process(redis).click(*a, *b)
    assert (await process.of("b")).clicks == 24


@pytest.mark.parametrize("number", [4, 40], ids=["beside activity", "apart from it, too"])
async def test_songs_heard_are_the_listeners_then_the_ids_and_undone_the_id_has_its_own(
    redis: AnyRedis, number: int
) -> None:
    process = Process(redis)
    a, b = ([c._replace(action="play") for c in clicks_of(user, 0, number)] for user in "ab")
    a = [click._replace(song_id=f"of a {at}") for at, click in enumerate(a)]
    of_a, of_b = (song_numbers(click.song_id for click in clicks).tolist() for clicks in (a, b))
    await process.click(*a[:-2], *b[:-1])
    await process.merge("a", "b")
    assert await process.heard("a") == []
    assert await process.heard("b") == of_b[:-1] + of_a[:-2]
    await process.click(a[-2])
    await process.click(b[-1])
    assert await process.heard("b") == of_b[:-1] + of_a[:-1] + of_b[-1:]
    await process.undo("a")
    await process.click(a[-1])
    assert await process.heard("a") == of_a[:-2] + of_a[-1:]
    assert await process.heard("b") == of_b[:-1] + of_a[:-1] + of_b[-1:]


async def test_an_ingester_that_still_holds_the_id_counts_its_clicks_for_the_listener(
    redis: AnyRedis,
) -> None:
    one, other = Process(redis), Process(redis)
    a, b = clicks_of("a", 0, 10), clicks_of("b", 1, 10)
    await one.click(*a[:5])
    await other.click(*b[:5])
    await other.merge("a", "b")
    await one.click(*a[5:])
    await other.click(*b[5:])
    assert_alike(await other.of("b"), await all_under(redis, "one", [*a, *b]))


async def test_clicks_that_stream_on_both_ids_during_the_merge_all_count_once(redis: AnyRedis) -> None:
    one, other, third = Process(redis), Process(redis), Process(redis)
    a, b = clicks_of("a", 0, 60), clicks_of("b", 1, 60)

    async def stream(process: Process, clicks: Sequence[Click]) -> None:
        for at in range(0, len(clicks), 3):
            await process.click(*clicks[at : at + 3])

    async def merge() -> None:
        await asyncio.sleep(0)
        await third.merge("a", "b")

    await asyncio.gather(stream(one, a), stream(other, b), merge())
    assert_alike(await third.of("b"), await all_under(redis, "one", [*a, *b]))


async def test_member_sets_and_sizes_have_the_listener_once(one_redis: AnyRedis, settings: Settings) -> None:
    process = Process(one_redis)
    await process.click(*clicks_of("a", 0, 10), *clicks_of("b", 1, 10), *clicks_of("c", 2, 10))
    await process.merge("a", "b")
    state = await asyncio.to_thread(read_state, settings.redis)
    assert_agrees(state)
    assert set().union(*state.members.values()) == {"b", "c"}


async def test_that_an_id_is_in_no_stage_any_more_is_said_and_of_the_listener_nothing(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 3), *clicks_of("b", 1, 3))
    await process.stores.traits.place({"a": "regular", "b": "new"})
    await process.merge("a", "b")
    assert process.said_of_stages() == [("a", "regular", "")]
    assert await process.stores.traits.holding(["a", "b"]) == {"a": set(), "b": {"new"}}


async def test_of_a_listener_it_is_known_that_what_an_id_of_theirs_did_was_not_recorded(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 3), *clicks_of("b", 1, 3))
    found = []
    for until in (NOW - 100, NOW - 200):
        await redis.hset(keys.user("a"), "unrecorded", until)
        await process.merge("a", "b")
        found.append((await process.of("b")).unrecorded)
        await process.undo("a")
        await process.click(*clicks_of("a", 0, 1, first=3))
    assert found == [NOW - 100] * 2


async def test_a_death_before_any_round_trip_of_a_merge_is_mended(
    one_redis: AnyRedis, settings: Settings
) -> None:
    a, b = clicks_of("a", 0, 12), clicks_of("b", 0, 12)
    expected = await all_under(one_redis, "one", [*a, *b])
    deaths = 0
    for trips in itertools.count():
        await one_redis.flushdb()
        await Process(one_redis).click(*a[:8], *b[:8])
        dying = Process(Frail(one_redis, trips))
        await Process(one_redis).stores.traits.place({"a": "regular"})
        try:
            await dying.merge("a", "b")
            break
        except Died:
            deaths += 1
        if trips % 2:  # clicks come before the event is delivered again, or after it
            await Process(one_redis).click(*a, *b)
        process = Process(one_redis)
        await process.merge("a", "b")
        await process.click(*a, *b)
        state = await asyncio.to_thread(read_state, settings.redis)
        assert_agrees(state)
        assert list(state.users) == ["b"]
        assert_alike(await process.of("b"), expected)
        assert {*dying.said_of_stages(), *process.said_of_stages()} == {("a", "regular", "")}
    assert deaths > 30


async def test_late_clicks_go_down_a_chain_to_its_end(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b, c = (clicks_of(user, number, 10) for number, user in enumerate("abc"))
    await process.click(*a[:5], *b[:5], *c[:5])
    await process.merge("a", "b")
    await process.click(*a[5:7], *b[5:7])
    await process.merge("b", "c")
    await process.click(*a, *b, *c)
    await Process(redis).click(*a, *b, *c)
    assert_alike(await process.of("c"), await all_under(redis, "one", [*a, *b, *c]))


async def test_a_merge_into_an_id_that_is_part_of_another_is_into_that(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b, c = (clicks_of(user, number, 6) for number, user in enumerate("abc"))
    await process.click(*a, *b, *c)
    await process.merge("b", "c")
    await process.merge("a", "b")
    assert (await process.of("a")).into == "c"
    assert (await process.of("c")).clicks == 18


async def test_a_cycle_is_refused_and_changes_nothing(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 3), *clicks_of("b", 1, 3))
    await process.merge("a", "b")
    with pytest.raises(RefusedMerge, match="'a' is part of 'b' already"):
        await process.merge("b", "a")
    assert (await process.of("b")).clicks == 6


async def test_an_id_that_is_part_of_a_listener_does_not_become_part_of_another(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.merge("a", "b")
    with pytest.raises(RefusedMerge, match="part of 'b' already; undo that first"):
        await process.merge("a", "c")


async def test_an_id_that_nobody_knows_forwards_its_first_clicks(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b = clicks_of("a", 0, 4), clicks_of("b", 1, 4)
    await process.merge("a", "b")
    await process.click(*a[:2])
    await process.click(*a, *b)
    assert_alike(await process.of("b"), await all_under(redis, "one", [*a, *b]))


async def test_a_known_id_makes_a_listener_of_one_that_nobody_knew(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b = clicks_of("a", 0, 8), clicks_of("b", 1, 8)
    await process.click(*a[:4])
    await process.merge("a", "b")
    assert (await process.of("b")).cohort in await process.stores.cohorts.all()
    assert await redis.sismember(keys.cohort_users((await process.of("b")).cohort), "b")
    await process.click(*a, *b)
    assert_alike(await process.of("b"), await all_under(redis, "one", [*a, *b]))


async def test_a_merge_that_is_said_again_has_no_effect(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    await process.merge("a", "b")
    before = await process.of("b")
    await process.merge("a", "b")
    await Process(redis).merge("a", "b")
    after = await process.of("b")
    assert (after.rev, after.clicks) == (before.rev, 10)


async def test_where_all_has_followed_a_merge_neither_its_repetition_nor_a_late_click_says_a_move_again(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    await process.merge("a", "b")
    listener = await process.of("b")
    assert listener.cohort_from != listener.cohort
    process.producer.sent.clear()
    await process.merge("a", "b")
    assert process.producer.said() == []
    late = clicks_of("a", 0, 6)[-1]._replace(artist_ids=(UNKNOWN[0],))
    await process.click(late)
    assert (await process.of("b")).clicks == 11
    assert process.producer.said() == []


async def test_a_late_click_that_moves_the_listener_and_is_delivered_again_says_its_move_again(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 1), *clicks_of("b", 1, 1))
    await process.merge("a", "b")
    last = await process.of("b")
    clicks = enumerate(clicks_of("a", 0, 48, first=1))
    for late in (each._replace(artist_ids=(ARTISTS[at // 8],), action="like") for at, each in clicks):
        await process.applier.apply(by_user([late]), MODEL, NOW)  # a death before anything follows
        if (listener := await process.of("b")).cohort != last.cohort:
            break
        last = listener
    assert listener.cohort != last.cohort
    restarted = Process(redis)
    await restarted.click(late)
    (said,) = restarted.producer.said()
    assert (said["from"], said["to"], said["ts"]) == (last.cohort, listener.cohort, late.ts)


async def test_a_merge_that_is_said_again_is_made_where_the_listener_is_from_before_it(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    record = keys.user, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard
    saved = {key("b"): await redis.dump(key("b")) for key in (*record, keys.user_event_ids, keys.user_ids)}
    await process.merge("a", "b")
    for key, packed in saved.items():
        await redis.delete(key)
        if packed is not None:
            await redis.restore(key, 0, packed)
    restored = Process(redis)
    await restored.merge("a", "b")
    assert (await restored.of("b")).clicks == 10
    assert await restored.stores.merges.ids(["b"]) == {"b": ["a"]}


async def test_whatever_one_id_opted_out_of_holds_for_the_listener(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.stores.opted_out.add(["a"])
    await process.stores.opted_out.add_of_artists({"a": ["bo"]})
    await process.merge("a", "b")
    assert await process.stores.opted_out.among(["a", "b"]) == {"a", "b"}
    assert await process.stores.opted_out.of_artists(["bo"]) == {"a", "b"}


async def test_labels_of_an_id_are_the_listeners_where_they_are_later(redis: AnyRedis) -> None:
    process = Process(redis)
    label = Label(user_id="a", segment="rap", value=1, ts=9.0)
    older = label.model_copy(update={"user_id": "b", "value": 0, "ts": 5.0})
    await process.stores.segments.label([label, older])
    await process.merge("a", "b")
    assert await process.stores.segments.labels_of("b") == [label.model_copy(update={"user_id": "b"})]
    assert await process.stores.segments.labels_of("a") == []


async def test_for_a_merge_a_segment_is_not_learned_at_once(redis: AnyRedis) -> None:
    process = Process(redis)
    segments = process.stores.segments
    await segments.label([Label(user_id="a", segment="rap", value=1, ts=9.0)])
    await segments.publish("rap", SegmentModel(version=3, labelled=1, positives=1), {"a": 0.5}, revision=1)
    await process.merge("a", "b")
    assert (await segments.about("rap"))["revision"] == "1"
    assert await segments.learned_from("rap") == 0


async def test_an_undone_merge_gives_back_labels_but_of_segments_that_were_forgotten(redis: AnyRedis) -> None:
    process, segments = Process(redis), Stores.on(redis, Settings()).segments
    labels = [Label(user_id="a", segment=segment, value=1, ts=9.0) for segment in ("jazz", "rap")]
    await process.click(*clicks_of("a", 0, 3), *clicks_of("b", 1, 3))
    await segments.label(labels)
    await process.merge("a", "b")
    await segments.forget_segment("rap", [Came(OUR_CLOCK, NOW + 1.0)])
    await process.undo("a")
    assert await segments.labels_of("a") == labels[:1]
    assert await segments.names() == ["jazz"]


@pytest.mark.parametrize("said_at", [NOW - 300 * 86_400.0, NOW + 60.0], ids=["long ago", "ahead"])
async def test_an_undone_merge_gives_back_labels_whenever_its_event_says_that_it_was(
    redis: AnyRedis, said_at: float
) -> None:
    process, segments = Process(redis), Stores.on(redis, Settings()).segments
    labels = [Label(user_id="a", segment=segment, value=1, ts=9.0) for segment in ("jazz", "rap")]
    await segments.forget_segment("jazz", [Came(OUR_CLOCK, NOW - 86_400.0)])
    await segments.label(labels)
    await process.merger.take(Merge(user_id="a", into="b", ts=said_at), NOW)
    await segments.forget_segment("rap", [Came(OUR_CLOCK, NOW + 1.0)])
    await process.undo("a")
    assert await segments.labels_of("a") == labels[:1]


async def test_undone_both_are_who_they_were_and_late_clicks_stay(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b = clicks_of("a", 0, 12), clicks_of("b", 0, 12)
    await process.click(*a[:5], *b[:5])
    alone = await process.of("a"), await process.of("b")
    await process.merge("a", "b")
    await process.click(*a[5:8])
    await process.undo("a")
    await process.click(*a, *b)
    assert_alike(await process.of("a"), await all_under(redis, "one", [*a[:5], *a[8:]]))
    found, expected = await process.of("b"), await all_under(redis, "two", [*b, *a[5:8]])
    assert (found.clicks, found.joined) == (expected.clicks, frozenset())
    assert found.affinities == pytest.approx(expected.affinities, rel=1e-6)
    assert alone[0].clicks == 5


async def test_a_death_before_any_round_trip_of_an_undoing_is_mended(
    one_redis: AnyRedis, settings: Settings
) -> None:
    a, b = clicks_of("a", 0, 12), clicks_of("b", 0, 12)
    for trips in itertools.count():
        await one_redis.flushdb()
        process = Process(one_redis)
        await process.click(*a[:8], *b[:8])
        await process.merge("a", "b")
        await process.click(*a[8:10])
        try:
            await Process(Frail(one_redis, trips)).undo("a")
            break
        except Died:
            pass
        if trips % 2:
            await Process(one_redis).click(*a[:11])
        process = Process(one_redis)
        await process.undo("a")
        await process.click(*a, *b)
        assert_agrees(await asyncio.to_thread(read_state, settings.redis))
        found = await process.of("a"), await process.of("b")
        assert sum(each.clicks for each in found) == 24
        assert found[0].clicks >= 8
        assert found[1].joined == frozenset()
    assert trips > 10


async def test_undone_an_id_that_nobody_knew_counts_none_of_its_clicks_again(redis: AnyRedis) -> None:
    process = Process(redis)
    a = clicks_of("a", 0, 6)
    await process.merge("a", "b")
    await process.click(*a[:4])
    await process.undo("a")
    await process.click(*a)
    assert [(await process.of(user)).clicks for user in "ab"] == [2, 4]


async def test_what_neither_has_clicked_in_can_be_undone(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.merge("a", "b")
    await process.undo("a")
    await process.click(*clicks_of("a", 0, 3))
    assert [(await process.of(user)).clicks for user in "ab"] == [3, 0]


async def test_clicks_that_stream_on_both_ids_while_it_is_undone_all_count_once(redis: AnyRedis) -> None:
    one, other, third = Process(redis), Process(redis), Process(redis)
    a, b = clicks_of("a", 0, 60), clicks_of("b", 1, 60)
    await one.click(*a[:10], *b[:10])

    async def stream(process: Process, clicks: Sequence[Click]) -> None:
        for at in range(0, len(clicks), 2):
            await process.click(*clicks[at : at + 2])

    async def again_and_again() -> None:
        for _ in range(4):
            await third.merge("a", "b")
            await third.undo("a")

    await asyncio.gather(stream(one, a[10:]), stream(other, b[10:]), again_and_again())
    await Process(redis).click(*a, *b)
    found = [await third.of(user) for user in "ab"]
    assert sum(each.clicks for each in found) == 120
    whole = await all_under(redis, "one", [*a, *b])
    summed = {artist: sum(each.affinities.get(artist, 0.0) for each in found) for artist in whole.affinities}
    assert summed == pytest.approx(whole.affinities, rel=1e-6)


async def test_of_two_that_become_part_of_each_other_at_one_moment_none_is_lost(redis: AnyRedis) -> None:
    one, other = Process(redis), Process(redis)
    await one.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    said = await asyncio.gather(one.merge("a", "b"), other.merge("b", "a"), return_exceptions=True)
    assert {type(each) for each in said} <= {type(None), RefusedMerge}
    assert RefusedMerge in {type(each) for each in said}
    await one.click(*clicks_of("a", 0, 6), *clicks_of("b", 1, 6))
    assert sum([(await one.of(user)).clicks for user in "ab"]) == 12


async def test_of_two_that_are_part_of_each_other_the_first_whose_event_comes_again_is_taken_back(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    for user, into in ("ab", "ba"):  # and both who do it die
        await process.stores.merges.fence(user, into, "", NOW)
    with pytest.raises(RefusedMerge, match="at the same moment"):
        await process.merge("a", "b")
    await process.merge("b", "a")
    assert (await process.of("a")).clicks == 10
    assert (await process.of("b")).into == "a"


async def test_a_click_whose_merge_is_undone_just_before_it_is_written_is_the_ids_own(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Process(redis), Process(redis)
    a, b = clicks_of("a", 0, 6), clicks_of("b", 1, 6)
    await one.click(*a[:3], *b[:3])
    await one.merge("a", "b")
    follow = one.applier.identities.root

    async def then_undone(*given: Any) -> Any:
        found = await follow(*given)
        monkeypatch.setattr(one.applier.identities, "root", follow)
        await other.undo("a")
        return found

    monkeypatch.setattr(one.applier.identities, "root", then_undone)
    await one.click(*a, *b)
    assert [(await one.of(user)).clicks for user in "ab"] == [6, 6]


async def test_where_a_step_fails_after_an_id_is_taken_out_its_move_and_its_listeners_are_not_lost(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Process(redis), Process(redis)
    await one.click(*clicks_of("a", 0, 3), *clicks_of("b", 1, 3))
    await one.merge("a", "b")
    merges = other.applier.identities.merges
    forward = await merges.forward("a")
    assert forward
    assert await merges.note_undoing(forward, {})  # and who does it dies
    chain, times = merges.chain, 0

    async def fails_the_second_time(user: str) -> list[Forward]:
        nonlocal times
        times += 1
        if times > 1:
            raise RedisConnectionError
        return await chain(user)

    monkeypatch.setattr(merges, "chain", fails_the_second_time)
    moves: list[Move] = []
    with pytest.raises(RedisConnectionError):
        await other.applier.apply({"a": ()}, MODEL, NOW, moves)
    assert {move.user_id for move in moves} == {"a", "b"}


async def test_clicks_of_many_and_of_parts_of_them_are_applied_while_all_are_migrated(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_module, "AT_ONCE", 1)
    process = Process(redis)
    users = [f"u{number}" for number in range(8)]
    for user in users[1:4]:
        await process.click(*clicks_of(user, 0, 1))
        await process.merge(user, "u0")
    clicks = [click for user in users for click in clicks_of(user, 0, 3, first=1)]
    both = asyncio.gather(process.click(*clicks), process.applier.migrate(users, MODEL, NOW))
    await asyncio.wait_for(both, 60)
    assert [(await process.of(user)).clicks for user in ("u0", *users[4:])] == [15, 3, 3, 3, 3]


async def test_who_was_read_as_nobody_before_they_became_part_of_another_is_not_born(redis: AnyRedis) -> None:
    one, other = Process(redis), Process(redis)
    one.applier.residents.add([Listener("a")], MODEL)
    await other.merge("a", "b")
    await one.click(*clicks_of("a", 0, 3))
    assert (await one.of("a")).into == "b"
    assert (await one.of("b")).clicks == 3


async def test_a_merge_whose_listener_became_part_of_another_in_the_middle_of_it_is_into_that(
    redis: AnyRedis,
) -> None:
    process = Process(redis)
    a, b, c = (clicks_of(user, number, 6) for number, user in enumerate("abc"))
    await process.click(*a, *b, *c)
    await process.stores.merges.fence("a", "b", "", NOW)  # and who does it dies
    await process.merge("b", "c")
    await process.merge("a", "b")
    assert (await process.of("a")).into == "c"
    await process.undo("b")
    await process.click(*a, *b, *c)
    assert [(await process.of(user)).clicks for user in "bc"] == [6, 12]
    await process.undo("a")
    assert [(await process.of(user)).clicks for user in "abc"] == [6, 6, 6]


async def test_a_listener_of_whom_a_late_click_came_under_an_old_model_is_migrated(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    await process.merge("a", "b")
    newer = small_model(version=9, seed=1)
    await process.applier.apply({"a": ()}, newer, NOW)
    assert (await process.of("b")).made_by == 9


async def test_undone_in_a_chain_the_last_goes_first(redis: AnyRedis) -> None:
    process = Process(redis)
    a, b, c = (clicks_of(user, number, 10) for number, user in enumerate("abc"))
    await process.click(*a, *b, *c)
    await process.merge("a", "b")
    await process.merge("b", "c")
    with pytest.raises(RefusedMerge, match="undo that first"):
        await process.undo("a")
    await process.undo("b")
    assert [(await process.of(user)).clicks for user in "bc"] == [20, 10]
    await process.undo("a")
    await process.click(*a, *b, *c)
    assert [(await process.of(user)).clicks for user in "abc"] == [10, 10, 10]
    for user, clicks in zip("abc", (a, b, c), strict=True):
        assert_alike(await process.of(user), await all_under(redis, f"one {user}", clicks), ["clicks"])


async def test_a_merge_with_an_id_that_was_undone_is_not_made_again(redis: AnyRedis) -> None:
    process = Process(redis)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    await process.merge("a", "b", "login-1")
    await process.undo("a")
    await process.merge("a", "b", "login-1")
    assert (await process.of("a")).clicks == 5
    await process.merge("a", "b", "login-2")
    assert (await process.of("b")).clicks == 10


async def test_a_merge_cannot_be_undone_when_its_time_is_over(redis: AnyRedis) -> None:
    process = Process(redis, undo_days=0)
    await process.click(*clicks_of("a", 0, 5), *clicks_of("b", 1, 5))
    await process.merge("a", "b")
    assert not await redis.exists(keys.user_parts("a"))
    with pytest.raises(RefusedMerge, match="longer ago than"):
        await process.undo("a")
    await process.click(*clicks_of("a", 0, 7))
    assert (await process.of("b")).clicks == 12


async def test_clicks_that_wait_for_their_song_wait_for_the_listener(redis: AnyRedis) -> None:
    process = Process(redis)
    early, late = (click._replace(artist_ids=(), song_id="new") for click in clicks_of("a", 0, 2))
    await process.stores.waiting.expect([early], NOW)
    await process.click(early)
    await process.merge("a", "b")
    await process.click(early, late)
    held = [user async for users in process.stores.waiting.listeners("new") for user in users]
    waiting = await process.stores.waiting.clicks(held)
    assert {user: len(own) for user, own in waiting.items()} == {"b": 2}
    named = [each.click._replace(artist_ids=("a0",)) for each in waiting["b"]]
    await process.click(*named)
    await process.click(*named)
    assert (await process.of("b")).clicks == 2


@pytest.mark.parametrize("put_back_to", ["a", "b"], ids=["before the merge", "after it"])
async def test_undone_a_dead_letter_of_the_id_that_was_put_back_is_not_put_back_again(
    redis: AnyRedis, put_back_to: str
) -> None:
    process = Process(redis)
    waiting, (letter,) = process.stores.waiting, clicks_of("a", 0, 1)

    async def put_back(user: str) -> set[str]:
        new = await waiting.put_back({"clicks:0:7": under(letter, user)}, NOW, 60.0)
        await process.click(
            *(each.click for own in (await waiting.clicks(["a", "b"])).values() for each in own)
        )
        return new

    if put_back_to == "a":
        await put_back("a")
    await process.merge("a", "b")
    if put_back_to == "b":
        await put_back("b")
    await process.undo("a")
    assert await put_back("a") == set()
    assert sum([(await process.of(user)).clicks for user in "ab"]) == 1
    assert 0 < await redis.ttl(keys.user_redriven("a")) <= 60


@pytest.mark.parametrize("seconds", [(60.0, 6000.0), (6000.0, 60.0)], ids=["of the listener", "of the id"])
async def test_dead_letters_that_were_put_back_are_remembered_as_long_as_the_longest_of_both_ids(
    redis: AnyRedis, seconds: tuple[float, float]
) -> None:
    process = Process(redis)
    for user, keep in zip("ab", seconds, strict=True):
        await process.stores.waiting.put_back({f"clicks:0:{user}": clicks_of(user, 0, 1)[0]}, NOW, keep)
    await process.merge("a", "b")
    assert await redis.smembers(keys.user_redriven("b")) == {b"clicks:0:a", b"clicks:0:b"}
    assert await redis.ttl(keys.user_redriven("b")) > 60


async def test_a_dead_letter_that_is_put_back_shortens_for_no_other_how_long_it_is_remembered(
    redis: AnyRedis,
) -> None:
    waiting = Process(redis).stores.waiting
    for at, (click, keep) in enumerate(zip(clicks_of("a", 0, 2), (6000.0, 60.0), strict=True)):
        await waiting.put_back({f"clicks:0:{at}": click}, NOW, keep)
    assert await redis.ttl(keys.user_redriven("a")) > 60


async def test_caps_count_what_either_id_was_told_once(redis: AnyRedis) -> None:
    told = Stores.on(redis, Settings(told_a_day=2, told_gap_minutes=0, told_artist_hours=0)).told
    process = Process(redis)
    await told.reserve("r1", ["x"], ["a", "b"], [False, False], NOW)
    await told.reserve("r2", ["y"], ["a"], [False], NOW)
    await process.merge("a", "b")
    assert await told.reserve("r3", ["z"], ["b"], [False], NOW + 5) == ["told often enough today"]
    assert set((await told.of(["b"]))[0].releases) == {"r1", "r2"}
    assert (await told.of(["a"]))[0].releases == {}
