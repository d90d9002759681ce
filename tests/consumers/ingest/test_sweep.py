"""In the background every listener is migrated to a new model, and what a crash left is mended."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
from redis.exceptions import RedisError

from consumers.ingest.apply import Applier
from consumers.ingest.sweep import Sweeper
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from models.affinity import ForwardDecay
from models.listener import Click, Rules
from models.model import Model
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores import taste_codec as tastes
from stream.stores.cohorts import Cohorts
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweeps
from tests.consumers.crowd import ARTISTS, COHORTS, LISTENERS
from tests.consumers.ingest.test_apply import by_user
from tests.consumers.losing_redis import LosingRedis
from tests.consumers.own_redis import OwnRedis
from tests.consumers.producer import Producer
from tests.consumers.redis_state import State, assert_agrees, read_state
from tests.consumers.small_model import made_up_model
from tests.models.test_update import click
from tests.waiting import wait_for_it

RULES = Rules(ForwardDecay(), max_artists=50)
CROWD = [
    click(user, ARTISTS[(at * 7) % 40], ARTISTS[(at * 11) % 40], at=at, offset=at)
    for at, user in enumerate(LISTENERS)
]


def model(version: int, cohorts: tuple[str, ...] = COHORTS) -> Model:
    return made_up_model(version=version, seed=version, artists=ARTISTS, n_dims=8, cohorts=cohorts)


@dataclass
class House:
    """What an ingester is made of, without Kafka."""

    redis: AnyRedis
    settings: Settings
    producer: Producer = field(default_factory=Producer)
    durability: Durability | None = None

    def __post_init__(self) -> None:
        listeners = Listeners(self.redis)
        self.cohorts = Cohorts(self.redis, listeners)
        self.applier = Applier(listeners, RULES)
        self.snapshots = Snapshots(self.redis)
        self.sweeps = Sweeps(self.redis)

    async def apply(self, clicks: dict[str, list[Click]], under: Model, now: float) -> None:
        moves = await self.applier.apply(clicks, under, now)
        await Moves(self.cohorts, self.producer, Retry(asyncio.Event())).follow(moves, under)

    @asynccontextmanager
    async def sweeping(self, name: str = "sweeper") -> AsyncIterator[LiveModel]:
        live, stop = LiveModel(self.snapshots), asyncio.Event()
        retry = Retry(stop)
        await live.refresh()
        heartbeat, moves = Heartbeat(self.redis, name), Moves(self.cohorts, self.producer, retry)
        durability = self.durability or Durability(self.redis, 0)
        durability.when_lost(self.applier.forget)
        await durability.begin()
        sweeper = Sweeper(
            self.redis, self.applier, self.cohorts, moves, durability, live, heartbeat, stop, retry
        )
        running = asyncio.create_task(sweeper.run())
        yield live
        stop.set()
        await running

    async def sweep(self, version: int) -> State:
        """Sweep until everybody has been met."""
        async with self.sweeping():
            await wait_for_it(lambda: self.swept(version), "the end of the sweep")
        return await self.state()

    async def swept(self, version: int) -> bool:
        try:
            return await self.sweeps.done() == version
        except RedisError:  # of one that is just being restarted
            return False

    async def state(self) -> State:
        return await asyncio.to_thread(read_state, self.settings.redis)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with housed(settings) as house:
        yield house


@asynccontextmanager
async def housed(settings: Settings) -> AsyncIterator[House]:
    """A crowd who clicked under model 1."""
    redis = await open_redis(settings)
    house = House(redis, settings)
    await house.snapshots.publish(model(1))
    await house.apply(by_user(CROWD), model(1), now=5.0)
    await house.sweep(1)
    house.producer.sent.clear()
    yield house
    await redis.aclose()


def versions(state: State) -> set[int]:
    """The models that tastes are of."""
    return {int.from_bytes(taste[4:8], "little") for taste in state.tastes.values()}


async def test_whom_a_redis_lost_in_the_midst_of_a_sweep_are_met_again(
    settings: Settings, own_redis: OwnRedis
) -> None:
    own_redis.start()
    async with housed(settings.model_copy(update={"redis": own_redis.url})) as house:
        await house.snapshots.publish(model(2))
        house.durability = LosingRedis(house.redis, partial(own_redis.lose, own_redis.appended()))
        after = await house.sweep(2)
    assert_agrees(after)
    assert versions(after) == {2}


async def test_everybody_is_migrated_to_a_new_model(house: House) -> None:
    before = await house.state()
    await house.snapshots.publish(model(2))
    after = await house.sweep(2)
    assert_agrees(after)
    assert versions(after) == {2}
    moved = {
        u: (before.cohorts[u], after.cohorts[u]) for u in LISTENERS if before.cohorts[u] != after.cohorts[u]
    }
    assert {move["user_id"]: (move["from"], move["to"]) for move in house.producer.said()} == moved != {}
    for user in moved:
        assert after.users[user]["moved"] == "model:2"


async def test_a_sweep_without_a_new_model_changes_nothing(house: House) -> None:
    before = await house.state()
    await house.sweeps.due()
    after = await house.sweep(1)
    assert (after, house.producer.said()) == (before, [])


async def test_a_cohort_that_died_is_left_by_all_and_buried(house: House) -> None:
    await house.snapshots.publish(model(2, cohorts=("c1", "c2", "c9", "c10")))
    after = await house.sweep(2)
    assert_agrees(after)
    assert set(after.cohorts.values()) <= {"c1", "c2", "c9", "c10"}
    assert set(after.sizes) <= {"c1", "c2", "c9", "c10"}


@pytest.mark.parametrize("version", [1, 2])
async def test_one_found_in_a_set_that_their_record_does_not_name_is_taken_out(
    house: House, version: int
) -> None:
    strays = dict(zip(LISTENERS, COHORTS * 40, strict=False))
    for user, cohort in strays.items():
        await house.redis.sadd(keys.cohort_users(cohort), user)
    await house.sweeps.due()
    if version > 1:
        await house.snapshots.publish(model(version))
    assert_agrees(await house.sweep(version))


async def test_a_move_that_a_click_just_makes_is_left_to_the_ingester_to_say(house: House) -> None:
    before = await house.state()
    other = [
        each._replace(offset=each.offset + 1000, artist_ids=(ARTISTS[each.offset % 40],)) for each in CROWD
    ]
    moves = await house.applier.apply(by_user(other), model(1), now=6.0)  # the sets have yet to follow
    assert len(moves) > 10
    await house.sweeps.due()
    after = await house.sweep(1)
    assert_agrees(after)
    assert after.cohorts != before.cohorts
    assert house.producer.said() == []


async def test_what_is_recorded_of_who_does_not_click_is_erased_once_it_is_turned_off(house: House) -> None:
    recorded = [keys.user_activity(user) for user in LISTENERS]
    assert await house.redis.exists(*recorded) == len(recorded)
    house.applier = Applier(Listeners(house.redis), RULES, activity=False)
    await house.snapshots.publish(model(2))
    await house.sweep(2)
    assert await house.redis.exists(*recorded) == 0


async def test_a_move_that_a_sweep_died_over_is_said_by_the_next(house: House) -> None:
    before = await house.state()
    await house.snapshots.publish(model(2))
    moves, _ = await house.applier.migrate(LISTENERS, model(2), now=6.0)
    assert moves
    assert_agrees(await house.sweep(2))
    said = {change["user_id"]: change for change in house.producer.said()}
    assert len(said) == len(house.producer.said())
    for user, origin, to, ts, _ in moves:
        change = said.pop(user)
        assert (change["from"], change["to"], change["ts"], change["reason"]) == (origin, to, ts, "refresh")
        assert before.cohorts[user] == origin
    assert said == {}


async def test_one_whose_record_is_gone_is_taken_out(house: House) -> None:
    await house.redis.sadd(keys.cohort_users("c1"), "ghost")
    await house.redis.sadd(keys.cohort_users(""), "other ghost")
    await house.sweeps.due()
    assert_agrees(await house.sweep(1))
    assert await house.redis.exists("user:{ghost}") == 0


async def test_a_size_that_somebody_died_over_is_mended(house: House) -> None:
    sizes = (await house.state()).sizes
    await house.redis.zincrby(keys.COHORTS, 3, "c1")
    await house.redis.hincrby(keys.cohort("c1"), "size", 3)
    await house.sweeps.due()
    assert (await house.sweep(1)).sizes == sizes
    assert int((await house.cohorts.about("c1"))["size"]) == sizes["c1"]


async def test_a_sign_of_life_says_which_model_is_loaded(house: House) -> None:
    heartbeat = Heartbeat(house.redis, "reader")
    live = LiveModel(house.snapshots, heartbeat)
    for version in (1, 2):
        await house.snapshots.publish(model(version))
        await live.refresh()
        assert heartbeat.gauges["model"] == version


async def test_one_sweeps_at_a_time(house: House) -> None:
    await house.snapshots.publish(model(2))
    other = Lease(house.redis, "another ingester", key="sweep:lease")
    assert await other.hold()
    async with house.sweeping():
        before = await house.state()
        await asyncio.sleep(0)
        assert not await house.swept(2)
        assert (await house.state()).cohorts == before.cohorts
        await other.free()
        await wait_for_it(lambda: house.swept(2), "its turn")


async def test_a_sweep_broken_off_is_done_by_the_next(house: House) -> None:
    await house.snapshots.publish(model(2))
    async with house.sweeping():
        pass  # asked to end at once
    assert_agrees(await house.sweep(2))


async def test_clicks_and_a_sweep_at_once_leave_everybody_in_one_place(house: House) -> None:
    await house.snapshots.publish(model(2))
    again = [
        each._replace(offset=each.offset + 1000, artist_ids=(ARTISTS[each.offset % 40],)) for each in CROWD
    ]
    async with house.sweeping():
        for at in range(0, len(again), 10):
            # Half of them by an ingester that has not taken up the new model yet.
            await house.apply(by_user(again[at : at + 10]), model(1 + at // 10 % 2), now=6.0)
        await wait_for_it(lambda: house.swept(2), "the end of the sweep")
    state = await house.state()
    assert_agrees(state)
    assert state.clicks == 2 * len(CROWD)
    last = {change["user_id"]: change["to"] for change in house.producer.said()}
    assert last.items() <= state.cohorts.items()


async def test_gone_back_everybody_is_where_they_were(house: House) -> None:
    states = [await house.state()]
    await house.snapshots.publish(model(2))
    for version in (2, 1, 2, 1):
        await house.snapshots.use(version)
        states.append(await house.sweep(version))
        assert_agrees(states[-1])
    first, there, back, _, again = states
    assert first.cohorts == back.cohorts == again.cohorts != there.cohorts
    assert back.tastes == again.tastes  # the first were added up click by click


async def test_gone_back_in_the_middle_of_a_sweep_everybody_is_where_they_were(house: House) -> None:
    before = await house.state()
    await house.snapshots.publish(model(2))
    async with house.sweeping() as live:

        async def begun() -> bool:
            sweep = await house.sweeps.now()
            return sweep is not None and sweep.version == 2 and sweep.met > 0

        await live.refresh()
        await wait_for_it(begun, "the sweep to begin")
        await house.snapshots.use(1)
        await live.refresh()
        await wait_for_it(lambda: house.swept(1), "the way back")
    after = await house.state()
    assert_agrees(after)
    assert after.cohorts == before.cohorts
    assert {tastes.version(taste) for taste in after.tastes.values()} == {1}


async def test_a_sweep_says_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await house.sweeps.now()
    assert (first.version, first.met, first.listeners, first.done) == (1, 250, 250, 1)
    seen, add = [], Sweeps.add

    async def adding(sweeps: Sweeps, met: int) -> None:
        await add(sweeps, met)
        seen.append(await sweeps.now())

    monkeypatch.setattr(Sweeps, "add", adding)
    await house.snapshots.publish(model(2))
    await house.sweep(2)
    assert {(sweep.version, sweep.listeners, sweep.done) for sweep in seen} == {(2, 250, 0)}
    assert [sweep.met for sweep in seen] == sorted(sweep.met for sweep in seen)
    assert seen[0].met < seen[-1].met <= 250


async def test_where_no_model_serves_for_long_everybody_is_met_in_turn_and_told_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, passed = itertools.count(3), Sweeps.passed
    rounds = 3 * (len(COHORTS) + 1)
    await house.snapshots.publish(model(2))
    async with house.sweeping() as live:

        async def passing(sweeps: Sweeps, cohort: str) -> None:
            await passed(sweeps, cohort)
            version = next(versions)
            if version > rounds:
                return
            sweep = await sweeps.now()
            assert sweep is not None
            told.append(sweep.version == version - 1)
            await house.snapshots.publish(model(version))
            await live.refresh()

        told: list[bool] = []
        monkeypatch.setattr(Sweeps, "passed", passing)
        monkeypatch.setattr("consumers.ingest.sweep.LOOK_SECONDS", 0.0)
        await wait_for_it(lambda: house.swept(rounds), "the end of the last sweep")
    assert told
    assert all(told)
    state = await house.state()
    assert_agrees(state)
    assert {tastes.version(taste) for taste in state.tastes.values()} == {rounds}
