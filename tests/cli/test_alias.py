"""`refrain alias`, an ingester doing it, and what commands show of an artist of several ids."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from tests.apart import WithRedis
from tests.cli.service import ARTISTS
from tests.cli.test_merge import ingester
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain

__all__ = ["ingester"]


@pytest.mark.usefixtures("ingester")
def test_an_alias_is_made_asked_by_either_id_and_undone(refrain: Refrain, with_redis: WithRedis) -> None:
    before = refrain.asked("user", "u1")["artists"]
    first, second = (each["artist_id"] for each in before[:2])
    made = refrain.asked("alias", second, first)
    assert made == {"alias": second, "artist_id": first}
    (joined, *_) = refrain.asked("user", "u1")["artists"]
    assert joined["artist_id"] == first
    both = sum(each["weight"] for each in before[:2])
    assert joined["weight"] == pytest.approx(both, abs=2e-3)  # all three are rounded to three digits
    found = refrain.asked("audience", "--artist", second)
    assert found["artist_ids"] == [first]
    for wrong, why in (
        ((first, first), "the same id"),
        ((first, second), f"{second!r} stands for {first!r} already"),
        (("--undo", first), "stands for no other artist"),
        ((first,), "give two ids"),
        (("{a}", first), "alias"),
    ):
        refused = refrain.run("alias", *wrong)
        assert refused.returncode == 2
        assert why in refused.stderr
    assert refrain.asked("alias", "--undo", second) == {"alias": second, "artist_id": second}
    after = refrain.asked("user", "u1")["artists"]
    assert [each["artist_id"] for each in after] == [each["artist_id"] for each in before]


@pytest.mark.usefixtures("ingester")
def test_how_an_alias_is_undone_is_said_as_a_shell_takes_it(refrain: Refrain) -> None:
    shown = refrain.run("alias", "it's a2", "a2").stdout
    (hint,) = re.findall(r"`refrain (.+)` undoes it", shown)
    assert refrain.run(*shlex.split(hint)).stdout == "it's a2 is an artist of its own again\n"


def test_without_an_ingester_it_says_that_it_will_be_done(service: Settings, refrain: Refrain) -> None:
    make_topics_anew(service)
    done = refrain.run("alias", "a2", "a1", "--wait", "0")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "will be done, or become a dead letter where it cannot be by then" in said


def test_aliases_come_from_a_file(ingester: Settings, refrain: Refrain) -> None:
    path = refrain._folder / "aliases.csv"
    path.write_text("alias,artist_id\nBeyonce\u0301,Beyonc\u00e9\nThe a2,a2\n")
    done = refrain.run("replay", "artist-aliases", str(path), "--json")
    assert json.loads(done.stdout)["bad"] == {"bad-value": 1}, done.stderr  # one and the same, composed
    refrain.asked("alias", "a2 (band)", "The a2")
    assert refrain.asked("audience", "--artist", "a2 (band)")["artist_ids"] == ["a2"]
    done = refrain.run("replay", "artist-aliases", str(path), "--set", "undo=true", "--json")
    assert json.loads(done.stdout)["sent"] == 2, done.stderr


def test_aliases_are_listed_with_the_artist_that_each_comes_to(
    refrain: Refrain, service: Settings, with_redis: WithRedis
) -> None:
    assert refrain.asked("alias") == {"count": 0, "artists": 0, "aliases": []}
    assert "no id stands for another artist" in refrain.run("alias").stdout
    with_redis(lambda redis: ArtistAliases(redis).put({"b": "a2", "a": "b", "z": "a1", "y": "new"}))
    found = refrain.asked("alias")
    assert (found["count"], found["artists"]) == (4, 3)
    listed = [(each["alias"], each["said"], each["artist_id"]) for each in found["aliases"]]
    assert sorted(listed) == [("a", "b", "a2"), ("b", "a2", "a2"), ("y", "new", "new"), ("z", "a1", "a1")]
    assert {each["artist_id"]: each["name"] for each in found["aliases"]} == {
        "a1": ARTISTS["a1"],
        "a2": ARTISTS["a2"],
        "new": "new",
    }
    shown = refrain.run("alias").stdout
    assert ARTISTS["a2"] in shown
    assert "4 ids stand for 3 artists" in shown
    with_redis(lambda redis: ArtistAliases(redis).put({"b": "", "y": "", "z": ""}))
    assert [each["artist_id"] for each in refrain.asked("alias")["aliases"]] == ["b"]


def test_an_undo_names_an_alias(refrain: Refrain) -> None:
    refused = refrain.run("alias", "--undo")
    assert (refused.returncode, "give two ids" in refused.stderr) == (2, True)
