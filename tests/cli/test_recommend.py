"""`refrain recommend`, and audiences of a song, on a small service that has run for a while."""

from __future__ import annotations

import json
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.songs import SongModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.heard import song_numbers
from stream.stores.heartbeats import STARTING, Heartbeat
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.wire.events import Song
from tests.apart import WithRedis
from tests.cli.service import ARTISTS, NOW, model_of
from tests.refrain_command import Refrain

SONGS = ("s-a1", "s-a2", "b-side", "no catalogue", "silence")


def song_model(**more: Any) -> SongModel:
    """Songs of the first artist but for the second, which the second made."""
    values: dict[str, Any] = {
        "version": 4,
        "created_at": NOW,
        "n_listeners": 5,
        "plays": 10,
        "songs": SONGS,
        "directions": np.array([[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float16),
        "levels": np.array([4, 4, 3, 2, 9], dtype=np.float32),
        "listeners": np.array([5, 4, 3, 2, 2], dtype=np.int32),
        "artists": tuple(ARTISTS),
        "made_by": csr_matrix(np.eye(3)[[0, 1, 0, 0, 0]]),
        "beside": csr_matrix((3, 5)),
        "to_audience": np.eye(2),
        "strength": float("nan"),
        "activity": 0.5,
    }
    return SongModel(**values | more)


@pytest.fixture
def songs(service: Settings, with_redis: WithRedis) -> Settings:
    async def fill(redis: AnyRedis) -> None:
        await Catalogue(redis).put(
            [
                Song(song_id="b-side", artist_ids=["a1"], title="[bold]Talk Show Host"),
                Song(song_id="silence", artist_ids=["a1"], title="4:33", duration_ms=0),
            ]
        )
        await SongModels(redis).publish(song_model())

    with_redis(fill)
    return service


def test_songs_come_with_a_reason_the_likeliest_first(songs: Settings, refrain: Refrain) -> None:
    found = refrain.asked("recommend", "u1")
    assert [each["song_id"] for each in found["songs"]] == ["s-a1", "b-side", "no catalogue"]
    assert found["songs"][1]["title"] == "[bold]Talk Show Host"
    assert found["songs"][2]["artists"] == ["Radiohead"]
    assert found["songs"][0]["because"][0]["name"] == "Radiohead"
    shown = refrain.run("recommend", "u1").stdout
    assert shown.splitlines()[0].rstrip().endswith("because you play")
    assert re.search(r"\[bold\]Talk Show Host +Radiohead +Radiohead", shown)


def test_a_song_is_said_to_be_by_the_artist_whom_an_alias_stands_for(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Catalogue(redis).put([Song(song_id="b-side", artist_ids=["alias", "a1"])]))
    with_redis(lambda redis: ArtistAliases(redis).put({"alias": "a1"}))
    found = refrain.asked("recommend", "u1")["songs"][1]
    assert (found["song_id"], found["artist_ids"], found["artists"]) == ("b-side", ["a1"], ["Radiohead"])


def test_songs_of_zero_length_are_for_nobody(songs: Settings, refrain: Refrain) -> None:
    found = refrain.asked("recommend", "u1", "--top", "100")
    assert "silence" not in {each["song_id"] for each in found["songs"]}


def test_songs_heard_lately_are_left_out(songs: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    heard = song_numbers(["s-a1", "a song of no model", "s-a1"]).astype("<u4").tobytes()
    with_redis(lambda redis: redis.set(keys.user_heard("u1"), heard))
    found = refrain.asked("recommend", "u1")
    assert [each["song_id"] for each in found["songs"]] == ["b-side", "no catalogue"]


def test_fewer_are_the_first_of_more(songs: Settings, refrain: Refrain) -> None:
    two = refrain.asked("recommend", "u1", "--top", "2")
    assert two["songs"] == refrain.asked("recommend", "u1")["songs"][:2]


def test_who_asks_for_more_than_is_kept_is_answered_anew(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    refrain.asked("recommend", "u1", "--top", "2")
    heard = song_numbers(["s-a1"]).astype("<u4").tobytes()
    with_redis(lambda redis: redis.set(keys.user_heard("u1"), heard))
    assert refrain.asked("recommend", "u1")["songs"][0]["song_id"] == "s-a1"
    assert refrain.asked("recommend", "u1", "--top", "60")["songs"][0]["song_id"] == "b-side"


def failed(refrain: Refrain, user: str) -> dict[str, str]:
    done = refrain.run("recommend", user, "--json")
    assert done.returncode == 1
    said: dict[str, str] = json.loads(done.stdout)
    return said


def test_of_a_listener_who_is_not_known_it_says_so(songs: Settings, refrain: Refrain) -> None:
    assert failed(refrain, "nobody")["kind"] == "UnknownListener"


def test_of_a_listener_without_a_taste_it_says_what_they_need(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.delete(keys.user_artists("w1")))
    said = failed(refrain, "w1")
    assert said["kind"] == "NoTaste"
    assert "`refrain user w1`" in said["hint"]


def test_how_a_listener_without_a_taste_is_shown_is_said_as_a_shell_takes_it(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.rename(keys.user("w1"), keys.user("it's w1")))
    said = failed(refrain, "it's w1")
    (hint,) = re.findall(r"`refrain (.+)` shows theirs", said["hint"])
    assert shlex.split(hint) == ["user", "it's w1"]


def test_who_only_skips_has_no_taste(songs: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    with_redis(lambda redis: redis.zadd(keys.user_artists("w1"), {"a2": -1.0, "a3": -1.0}))
    assert failed(refrain, "w1")["kind"] == "NoTaste"


def test_an_answer_that_another_version_kept_is_made_anew(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.set(keys.recommended("u1"), b'{"asked": 50, "other": 1}'))
    assert refrain.asked("recommend", "u1")["songs"]


def test_of_a_bot_it_says_so(songs: Settings, refrain: Refrain) -> None:
    assert "like a bot" in failed(refrain, "robot")["error"]


def test_before_the_first_model_it_says_what_that_waits_for(settings: Settings, refrain: Refrain) -> None:
    said = failed(refrain, "u1")
    assert said["kind"] == "NoModel"
    assert "REFRAIN_FIRST_MODEL_LISTENERS" in said["error"]


def test_of_a_trainer_that_is_still_starting_it_is_not_said_how_many_it_has_learned_from(
    settings: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    gauges: dict[str, str | float] = {STARTING: time.time()}
    with_redis(lambda redis: Heartbeat(redis, "train", gauges=gauges).beat(time.time()))
    assert failed(refrain, "u1")["error"].endswith("The trainer is still starting")


def test_before_the_first_song_model_it_says_when_that_comes(service: Settings, refrain: Refrain) -> None:
    said = failed(refrain, "u1")
    assert said["kind"] == "NoModel"
    assert "with the next model" in said["error"]


def test_songs_of_other_dimensions_are_no_songs_of_this_model(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    other = song_model(directions=np.ones((5, 3), dtype=np.float16), to_audience=np.eye(3))
    with_redis(lambda redis: SongModels(redis).publish(other))
    said = failed(refrain, "u1")
    assert said["kind"] == "NoModel"
    assert "no songs are learned for the model that serves, which has other dimensions" in said["error"]


def test_the_audience_of_a_song_goes_by_its_artists_where_none_is_named(
    songs: Settings, refrain: Refrain
) -> None:
    found = refrain.asked("audience", "--song", "b-side")
    assert found["artist_ids"] == ["a1"]
    assert found["relied_on"] == "song, artists"


def test_a_song_that_others_play_than_its_artist_draws_its_own_audience(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    by_artist = refrain.asked("audience", "--artist", "a1", "--max-audience", "3")
    assert {each["cohort_id"] for each in by_artist["first"]} == {"c1"}
    turned = song_model(
        directions=np.array([[1, 0], [0, 1], [0, 1], [1, 0], [1, 0]], dtype=np.float16),
        listeners=np.full(5, 1000, dtype=np.int32),
        version=5,
    )
    with_redis(lambda redis: SongModels(redis).publish(turned))
    by_song = refrain.asked("audience", "--song", "b-side", "--max-audience", "2")
    assert {each["cohort_id"] for each in by_song["first"]} == {"c2"}


def test_a_song_that_is_not_known_is_asked_for_its_artists(songs: Settings, refrain: Refrain) -> None:
    done = refrain.run("audience", "--song", "nothing", "--json")
    assert json.loads(done.stdout)["kind"] == "UnknownSong"


def test_the_audience_of_a_song_whose_artists_nobody_plays_goes_by_its_genres(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    entered = [
        Song(song_id="debut", artist_ids=["newcomer"], genres=["art rock"]),
        Song(song_id="s-a1", artist_ids=["a1"], genres=["Art Rock"]),
    ]
    with_redis(lambda redis: Catalogue(redis).put(entered))
    found = refrain.asked("audience", "--song", "debut", "--max-audience", "3")
    assert found["relied_on"] == "genres"
    assert {each["cohort_id"] for each in found["first"]} == {"c1"}


def test_neither_artist_nor_song_is_wrong_use(songs: Settings, refrain: Refrain) -> None:
    assert refrain.run("audience").returncode == 2


def test_an_answer_says_when_it_was_made(songs: Settings, refrain: Refrain) -> None:
    assert abs(refrain.asked("recommend", "u1")["made_at"] - time.time()) < 60


def test_a_song_taken_off_the_catalogue_is_for_nobody(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Catalogue(redis).remove(["b-side"]))
    found = refrain.asked("recommend", "u1")
    assert [each["song_id"] for each in found["songs"]] == ["s-a1", "no catalogue"]


def test_of_who_plays_what_nobody_else_plays_too_little_is_known(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert refrain.asked("recommend", "u2")["reason"] == ""
    lonely = replace(
        model_of(version=5, created_at=NOW), holders=csr_matrix(np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 1.0]]))
    )
    with_redis(lambda redis: Snapshots(redis).publish(lonely))
    with_redis(lambda redis: redis.zrem(keys.user_artists("v1"), "a2"))
    found = refrain.asked("recommend", "v1")
    assert found["songs"] == []
    assert found["reason"].startswith("too little is known")
    assert found["reason"].endswith("plays [bold]Björk")
    shown = refrain.run("recommend", "v1")
    assert (shown.returncode, "plays [bold]Björk" in shown.stdout) == (0, True)
    assert refrain.asked("recommend", "v2")["songs"]  # plays another artist, too


def test_where_all_songs_that_suit_were_heard_the_reason_says_so(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    heard = song_numbers(SONGS).astype("<u4").tobytes()
    with_redis(lambda redis: redis.set(keys.user_heard("u1"), heard))
    found = refrain.asked("recommend", "u1")
    assert (found["songs"], "heard all" in found["reason"]) == ([], True)
    assert found["reason"] in " ".join(refrain.run("recommend", "u1").stdout.split())


def test_the_audience_of_a_song_known_from_clicks_alone_goes_by_what_was_learned_of_it(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    found = refrain.asked("audience", "--song", "no catalogue")
    assert (found["artist_ids"], found["relied_on"]) == (["a1"], "artists, song")
    turned = song_model(
        directions=np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float16),
        listeners=np.full(5, 1000, dtype=np.int32),
        version=5,
    )
    with_redis(lambda redis: SongModels(redis).publish(turned))
    by_song = refrain.asked("audience", "--song", "no catalogue", "--max-audience", "2")
    assert {each["cohort_id"] for each in by_song["first"]} == {"c2"}


def test_the_cohort_that_a_release_should_go_to_is_that_of_its_song(
    songs: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    turned = song_model(
        directions=np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float16),
        listeners=np.full(5, 1000, dtype=np.int32),
        version=5,
    )
    with_redis(lambda redis: SongModels(redis).publish(turned))
    (tmp_path / "releases.csv").write_text("release_id,artist_ids,song_id\nr1,a1,no catalogue\nr2,a1,\n")
    found = refrain.asked("report", "targets", str(tmp_path / "releases.csv"))["releases"]
    assert {each["release_id"]: each["cohort_id"] for each in found} == {"r1": "c2", "r2": "c1"}


def test_a_song_taken_off_the_catalogue_has_no_audience(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Catalogue(redis).remove(["b-side"]))
    done = refrain.run("audience", "--song", "b-side", "--json")
    assert json.loads(done.stdout)["kind"] == "UnknownSong"


def test_a_song_whose_artist_is_not_known_is_asked_for_its_artists(
    songs: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    nobodys = song_model(made_by=csr_matrix((5, 3)), version=5)
    with_redis(lambda redis: SongModels(redis).publish(nobodys))
    done = refrain.run("audience", "--song", "no catalogue", "--json")
    assert json.loads(done.stdout)["kind"] == "UnknownSong"
