from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.cohort_learner import CohortLearner
from models.model import Model
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, SnapshotTooNew, UnknownSnapshot
from stream.stores import keys
from stream.stores.snapshots import KEPT, Snapshots, decode, encode


def learned() -> Model:
    learner = CohortLearner(n_cohorts=2, n_dims=2, seed=3)
    for i in range(20):
        row = (["ana", "Bjørk 🎧"], [3.0, 1.0]) if i % 2 else (["cy", "dee"], [1.0, 2.0])
        learner.learn_many([row], listeners=[f"secret listener {i}"])
    return learner.snapshot(version=1, now=1000.0)


MODEL = learned()
SNAPSHOT = encode(MODEL)


def version(number: int) -> Model:
    return dataclasses.replace(MODEL, version=number, created_at=1000.0 + number)


def assert_same(model: Model, other: Model) -> None:
    (header, arrays), (other_header, other_arrays) = model.to_arrays(), other.to_arrays()
    assert header == other_header
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        assert array.dtype == other_arrays[name].dtype, name
        assert np.array_equal(array, other_arrays[name]), name


def test_a_snapshot_gives_the_model_back_bit_by_bit() -> None:
    assert_same(decode(SNAPSHOT), MODEL)


def test_a_snapshot_names_no_listener() -> None:
    assert b"listener 1" not in SNAPSHOT


@given(at=st.integers(0, len(SNAPSHOT) - 1), flip=st.integers(1, 255))
@example(at=len(b"REFRAIN"), flip=1)  # the format
def test_a_byte_that_is_changed_is_noticed(at: int, flip: int) -> None:
    damaged = bytearray(SNAPSHOT)
    damaged[at] ^= flip
    with pytest.raises((SnapshotDamaged, SnapshotTooNew)):
        decode(bytes(damaged))


@given(end=st.integers(0, len(SNAPSHOT) - 1))
def test_bytes_that_are_missing_are_noticed(end: int) -> None:
    with pytest.raises(SnapshotDamaged):
        decode(SNAPSHOT[:end])


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    newer = bytearray(SNAPSHOT)
    newer[len(b"REFRAIN")] += 1
    with pytest.raises(SnapshotTooNew, match=r"(?s)format 2.*Update it.*refrain model use"):
        decode(bytes(newer))


async def test_there_is_no_model_at_first(snapshots: Snapshots) -> None:
    assert await snapshots.current() is None
    assert await snapshots.versions() == []


async def test_what_is_published_serves(snapshots: Snapshots) -> None:
    await snapshots.publish(version(1))
    await snapshots.publish(version(2))
    assert await snapshots.current() == 2
    assert_same(await snapshots.load(2), version(2))
    assert_same(await snapshots.load(1), version(1))


async def test_the_last_ten_are_kept_the_newest_first(redis: AnyRedis, snapshots: Snapshots) -> None:
    for number in range(1, 14):
        await snapshots.publish(version(number))
    assert await snapshots.versions() == [(number, 1000.0 + number) for number in range(13, 3, -1)]
    assert len(await snapshots.versions()) == KEPT
    there = [n for n in range(1, 14) if await redis.exists(keys.model(n))]
    assert there == list(range(4, 14))


async def test_one_that_was_chosen_is_kept_among_the_ten(snapshots: Snapshots) -> None:
    await snapshots.publish(version(1))
    await snapshots.use(1, pin=True)
    for number in range(2, 14):
        await snapshots.publish(version(number))
    assert [number for number, _ in await snapshots.versions()] == [*range(13, 4, -1), 1]
    assert await snapshots.current() == 1
    assert await snapshots.newest() == 13
    await snapshots.use(13)
    await snapshots.publish(version(14))
    assert await snapshots.current() == 14
    assert [number for number, _ in await snapshots.versions()] == list(range(14, 4, -1))


async def test_the_newest_is_the_one_of_the_largest_version_whatever_trainers_clocks_say(
    snapshots: Snapshots,
) -> None:
    await snapshots.publish(dataclasses.replace(MODEL, version=1, created_at=9000.0))
    await snapshots.publish(dataclasses.replace(MODEL, version=2, created_at=1000.0))
    assert await snapshots.versions() == [(2, 1000.0), (1, 9000.0)]


async def test_publishing_twice_changes_nothing(snapshots: Snapshots) -> None:
    for _ in range(2):
        await snapshots.publish(version(5))
    assert await snapshots.versions() == [(5, 1005.0)]


async def test_a_version_is_never_given_twice(snapshots: Snapshots) -> None:
    given = [await snapshots.next_version() for _ in range(5)]
    assert given == sorted(set(given))


async def test_an_earlier_version_may_serve_again(snapshots: Snapshots) -> None:
    await snapshots.publish(version(1))
    await snapshots.publish(version(2))
    await snapshots.use(1)
    assert await snapshots.current() == 1
    await snapshots.publish(version(3))
    assert await snapshots.current() == 3


async def test_one_that_was_chosen_for_good_gives_way_to_one_that_was_not(snapshots: Snapshots) -> None:
    for number in range(1, 4):
        await snapshots.publish(version(number))
    await snapshots.use(1, pin=True)
    await snapshots.use(2)
    assert (await snapshots.current(), await snapshots.pinned()) == (2, None)
    await snapshots.publish(version(4))
    assert await snapshots.current() == 4


async def test_a_version_that_is_not_there_is_named(snapshots: Snapshots) -> None:
    with pytest.raises(UnknownSnapshot, match=r"(?s)no snapshot 9.*refrain model list"):
        await snapshots.load(9)


async def test_a_damaged_version_is_named(redis: AnyRedis, snapshots: Snapshots) -> None:
    await snapshots.publish(version(4))
    await redis.setrange(keys.model(4), len(SNAPSHOT) // 2, b"?!")
    with pytest.raises(SnapshotDamaged, match=r"(?s)snapshot 4 is damaged.*refrain model list"):
        await snapshots.load(4)
