"""`refrain segments` and `refrain segment`, on what a service has learned."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import redis
from threadpoolctl import threadpool_limits

from consumers.traits.segments import SegmentTraits
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.listeners import Listeners
from stream.stores.segments import Segments
from stream.stores.snapshots import Snapshots
from stream.wire.events import Label
from tests.consumers.labelled_world import N, affinities_of, is_in, known_of, world_model
from tests.refrain_command import Refrain
from tests.stream.written import listener_of, write


@pytest.fixture
def segments(settings: Settings, refrain: Refrain) -> Refrain:
    """A service that has learned a segment `scene-a`, with three labels of `rare`, and one of two classes."""
    with threadpool_limits(1):
        asyncio.run(_learn(settings))
    assert isinstance(refrain, Refrain)
    return refrain


async def _learn(settings: Settings) -> None:
    client = await open_redis(settings)
    listeners, store, model = Listeners(client), Segments(client), world_model()
    known = known_of(list(range(N)), model)
    people = [listener_of(f"u{n}", affinities_of(n)) for n in range(N)]
    await write(listeners, people, known.tastes, version=model.version)
    await Snapshots(client).publish(model)
    traits = SegmentTraits(listeners, store, lambda: model, 50)
    labels = [Label(user_id=f"u{n}", segment="scene-a", value=int(is_in(n)), ts=1.0) for n in range(300)]
    labels += [Label(user_id=f"u{n}", segment="rare", value=1, ts=1.0) for n in range(3)]
    labels += [
        Label(user_id=f"u{n}", segment="age", value=str(np.array(["old", "young"])[n % 2]), ts=1.0)
        for n in range(9)
    ]
    await store.label(labels)
    await traits.learn()
    await traits.fields([f"u{n}" for n in range(N)], now=0.0)
    await client.aclose()


def test_segments_are_listed_with_labels_auc_and_members(segments: Refrain) -> None:
    done = segments.run("segments", "--json")
    assert done.returncode == 0, done.stderr
    found = {each["segment"]: each for each in json.loads(done.stdout)}
    assert list(found) == ["age:old", "age:young", "rare", "scene-a"]
    learned = found["scene-a"]
    assert (learned["labelled"], learned["positives"], learned["doubt"]) == (300, 75, "")
    assert learned["auc_low"] > 0.9
    assert 0 < learned["members"] <= N / 4 + 5
    assert "3 of 3" in found["rare"]["doubt"]
    assert found["rare"]["auc"] is None
    shown = segments.run("segments")
    assert "not to be trusted yet" in shown.stdout


def test_one_segment_is_shown_with_what_speaks_for_it_and_its_members_page_by_page(
    segments: Refrain,
) -> None:
    done = segments.run("segment", "scene-a", "--json", "--limit", "5")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(artist["artist_id"].startswith("a") for artist in found["artists_for"])
    assert all(artist["artist_id"].startswith("b") for artist in found["artists_against"])
    assert all(artist["odds"] > 1 for artist in found["artists_for"])
    assert sum(found["goes_by"].values()) == pytest.approx(1.0, abs=0.01)
    assert len(found["top"]) == 5
    after = json.loads(segments.run("segment", "show", "scene-a", "--json", "--from", "5").stdout)
    assert not {each["user_id"] for each in found["top"]} & {each["user_id"] for each in after["top"]}
    shown = segments.run("segment", "scene-a", "--limit", "3")
    assert "speaks for it" in shown.stdout
    assert "which artists they play" in shown.stdout
    assert "--from 3" in shown.stdout


@pytest.mark.parametrize(("option", "number"), [("--limit", 1001), ("--from", 2**32), ("--from", 2**64)])
def test_a_page_of_members_that_no_segment_has_or_that_is_too_large_is_refused(
    segments: Refrain, option: str, number: int
) -> None:
    refused = segments.run("segment", "scene-a", option, str(number))
    assert refused.returncode == 2
    assert option in refused.stderr


def test_the_last_members_that_a_segment_may_have_can_be_asked_for(segments: Refrain) -> None:
    found = segments.run("segment", "scene-a", "--json", "--limit", "1000", "--from", str(2**32 - 1))
    assert json.loads(found.stdout)["top"] == []


def test_a_segment_that_is_not_to_be_trusted_says_so(segments: Refrain) -> None:
    shown = segments.run("segment", "rare")
    assert shown.returncode == 0
    assert "Not to be trusted yet: 3 of 3" in shown.stdout


def test_a_segment_without_labels_is_told_from_those_there_are(segments: Refrain) -> None:
    failed = segments.run("segment", "scene-b", "--json")
    assert failed.returncode == 1
    said = json.loads(failed.stdout)
    assert said["kind"] == "UnknownSegment"
    assert "scene-a" in said["hint"]


def test_of_a_segment_of_classes_its_classes_are_named(segments: Refrain) -> None:
    said = json.loads(segments.run("segment", "age", "--json").stdout)
    assert "age:old or age:young" in said["hint"]


def test_without_labels_it_is_said_how_they_come(refrain: Refrain) -> None:
    done = refrain.run("segments")
    assert done.returncode == 0
    assert "refrain replay labels" in done.stdout


def test_forgetting_a_listener_forgets_their_labels(segments: Refrain) -> None:
    done = segments.run("forget", "u4", "--json")
    assert json.loads(done.stdout)["labels"] == 2


def test_a_forgotten_segment_is_in_no_listing_and_no_trait(segments: Refrain, topics: Settings) -> None:
    with redis.Redis.from_url(topics.redis, decode_responses=True) as db:
        for user in ("u1", "u2"):
            db.hset(
                keys.user_traits(user), mapping={"segment:age:old": 0.3, "segment:rare": 0.1, "churn": 0.2}
            )
        asked = segments.run("segment", "forget", "age")
        assert asked.returncode == 2
        assert "segment age: 9 labels (old, young), 0 members" in asked.stderr
        assert "--yes" in asked.stderr
        one_class = segments.run("segment", "forget", "age:old", "--yes")
        assert (one_class.returncode, "one class of 'age'" in one_class.stderr) == (2, True)
        done = json.loads(segments.run("segment", "forget", "age", "--yes", "--json").stdout)
        assert done == {
            "segment": "age",
            "labels": 9,
            "predicted": ["age:old", "age:young"],
            "members": 0,
            "listeners": 2,
        }
        assert db.hgetall(keys.user_traits("u1")) == {"segment:rare": "0.1", "churn": "0.2"}
        assert not list(db.scan_iter("segment:{age:*"))
    listed = json.loads(segments.run("segments", "--json").stdout)
    assert [each["segment"] for each in listed] == ["rare", "scene-a"]
    (members,) = (each["members"] for each in listed if each["segment"] == "scene-a")
    said = segments.run("segment", "forget", "scene-a", "--yes").stdout
    assert f"erased segment scene-a: 300 labels, {members} members" in said
    again = segments.run("segment", "forget", "scene-a", "--yes")
    assert (again.returncode, "no labels of a segment" in again.stderr) == (1, True)


def test_forgetting_a_segment_that_was_cut_short_goes_on(segments: Refrain, topics: Settings) -> None:
    async def begin() -> None:
        client = await open_redis(topics)
        await Segments(client).forget_segment("age", [])
        await client.aclose()

    asyncio.run(begin())
    with redis.Redis.from_url(topics.redis, decode_responses=True) as db:
        db.hset(keys.user_traits("u1"), mapping={"segment:age:old": 0.3, "churn": 0.2})
        done = segments.run("segment", "forget", "age", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert db.hgetall(keys.user_traits("u1")) == {"churn": "0.2"}
