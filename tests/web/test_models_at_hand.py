"""What is answered from models that the process holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from consumers.queries import recommend
from stream.settings import Settings
from stream.stores import keys
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.cli.test_recommend import song_model
from tests.cli.test_segments import segments
from tests.refrain_command import Refrain
from tests.web.served import Served, full, serving

__all__ = ["segments"]


@pytest.fixture
def with_songs(service: Settings, with_redis: WithRedis) -> Iterator[Served]:
    with_redis(lambda redis: SongModels(redis).publish(song_model()))
    with serving(service) as served:
        yield served


def test_songs_are_loaded_once_for_all_listeners(with_songs: Served, with_redis: WithRedis) -> None:
    assert with_songs.get("/api/v1/songs/u1").status_code == 200
    with_redis(lambda redis: redis.delete(keys.song_model(4)))
    others = [with_songs.get(path) for path in ("/api/v1/songs/u2", "/listener/songs?id=u3")]
    assert [answer.status_code for answer in others] == [200, 200]
    assert others[0].json()["songs_version"] == 4
    assert "no songs are learned yet" not in others[1].text


@pytest.mark.parametrize("path", ["/api/v1/songs/u1", "/listener/songs?id=u1"])
def test_songs_are_recommended_while_redis_takes_no_writes(
    with_songs: Served, with_redis: WithRedis, path: str
) -> None:
    with full(with_redis):
        answer = with_songs.get(path)
    assert answer.status_code == 200
    assert "b-side" in answer.text


def test_why_there_are_no_songs_for_a_listener_is_shown(with_songs: Served, with_redis: WithRedis) -> None:
    lonely = replace(
        model_of(version=5, created_at=NOW), holders=csr_matrix(np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    )
    with_redis(lambda redis: Snapshots(redis).publish(lonely))
    text = with_songs.get("/listener/songs?id=v1").text
    assert with_songs.get("/api/v1/songs/v1").json()["reason"] in unescape(text)
    assert "no other listener of the sample plays" in text


def test_songs_are_sorted_once_for_all_listeners(with_songs: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Counted(recommend.Recommender):
        def __init__(self, *given: object) -> None:
            made.append(self)
            super().__init__(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(recommend, "Recommender", Counted)
    assert [with_songs.get(f"/api/v1/songs/u{n}").status_code for n in (1, 2, 3)] == [200, 200, 200]
    assert len(made) == 1


def test_other_songs_that_come_to_serve_are_recommended(with_songs: Served, with_redis: WithRedis) -> None:
    assert with_songs.get("/api/v1/songs/u1").json()["songs_version"] == 4
    with_redis(lambda redis: SongModels(redis).publish(song_model(version=5)))
    assert with_songs.get("/api/v1/songs/u2").json()["songs_version"] == 5


def test_a_segment_is_explained_by_the_model_at_hand(
    segments: Refrain, settings: Settings, with_redis: WithRedis
) -> None:
    with serving(settings) as served:
        before = served.get("/api/v1/segments/scene-a").json()
        with_redis(lambda redis: redis.delete(keys.model(1)))
        after = served.get("/api/v1/segments/scene-a").json()
    assert before["artists_for"]
    assert after["artists_for"] == before["artists_for"]
