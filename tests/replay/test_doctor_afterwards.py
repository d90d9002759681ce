"""What a replay says of those who read its events, once they are sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for

ROWS = 200


@pytest.fixture
def clicks(topics: Settings, tmp_path: Path) -> str:
    path = tmp_path / "clicks.csv"
    rows = "".join(f"u{row},s{row % 3},a{row % 3},{1.7e9 + row}\n" for row in range(ROWS))
    path.write_text("user_id,song_id,artist_ids,ts\n" + rows)
    return str(path)


@pytest.fixture
def silent() -> Iterator[str]:
    """A Redis that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


def found(refrain: Refrain, *arguments: str, **settings: object) -> dict[str, tuple[str, str]]:
    done = refrain.run("replay", *arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    return {check["name"]: (check["state"], check["found"]) for check in json.loads(done.stdout)["doctor"]}


def read(refrain: Refrain, settings: Settings, count: int) -> None:
    """Let an ingester read so many clicks."""
    refrain.start("ingest")
    with redis_py.Redis.from_url(settings.redis) as redis:
        wait_for(lambda: sum(1 for _ in redis.scan_iter("user:*")) >= count, "the clicks in Redis")


def test_where_nobody_reads_what_was_sent_it_says_what_to_start(refrain: Refrain, clicks: str) -> None:
    said = refrain.run("replay", "clicks", clicks).stdout
    assert f"{ROWS} events of clicks behind, and none runs" in said
    assert "start `refrain ingest`" in said
    assert "no model yet" in said
    assert "refrain doctor: dead letters: fine" in said


def test_where_all_is_fine_it_is_one_line(refrain: Refrain, topics: Settings, tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text("song_id,artist_ids\ns1,a1\n")
    refrain.start("work")
    with redis_py.Redis.from_url(topics.redis) as redis:
        wait_for(lambda: list(redis.scan_iter("process:*")), "a worker")
    lines = refrain.run("replay", "songs", "songs.csv").stdout.splitlines()
    assert lines[1:] == ["refrain doctor: lag of work, dead letters: fine"]


def test_clicks_that_wait_for_their_song_are_told(refrain: Refrain, topics: Settings, tmp_path: Path) -> None:
    (tmp_path / "no_artists.csv").write_text("user_id,song_id,ts\nu1,s1,1700000000\nu2,s2,1700000000\n")
    read(refrain, topics, 0)
    found(refrain, "clicks", "no_artists.csv")
    with redis_py.Redis.from_url(topics.redis) as redis:
        wait_for(lambda: redis.zcard("waiting") == 2, "clicks that wait")
    (tmp_path / "more.csv").write_text("user_id,song_id,artist_ids,ts\nu3,s3,a3,1700000000\n")
    said = refrain.run("replay", "clicks", "more.csv").stdout
    assert "2 clicks wait for 2 songs (s1, s2)" in " ".join(said.split())


def test_another_topic_is_looked_at_for_its_own_readers(
    refrain: Refrain, topics: Settings, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("user_id,segment,value,ts\nu1,rap,1,1700000000\n")
    said = found(refrain, "labels", "labels.csv")
    assert said.keys() == {"lag of labels", "dead letters"}
    assert said["lag of labels"] == ("wrong", "1 events of labels behind, and none runs")


def test_a_redis_that_does_not_answer_is_told_and_the_replay_has_done_its_work(
    refrain: Refrain, clicks: str
) -> None:
    said = found(refrain, "clicks", clicks, redis="redis://127.0.0.1:1")
    assert said["Redis"][0] == "wrong"
    assert said["lag of ingest"] == ("fine", f"{ROWS} events of clicks behind")


def test_a_redis_that_keeps_silent_is_told(refrain: Refrain, clicks: str, silent: str) -> None:
    assert found(refrain, "clicks", clicks, redis=silent)["Redis"][0] in ("warning", "wrong")


def test_without_an_address_of_redis_it_says_that_it_does_not_look_there(
    refrain: Refrain, clicks: str
) -> None:
    assert found(refrain, "clicks", clicks, redis="")["Redis"] == (
        "warning",
        "not looked at: it is not known where it is",
    )


def test_of_a_replay_that_sends_nothing_it_says_nothing(refrain: Refrain, clicks: str) -> None:
    found(refrain, "clicks", clicks)
    assert found(refrain, "clicks", clicks, "--resume") == {}
