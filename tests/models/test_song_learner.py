from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import song_learner as module
from models.cohort_learner import CohortLearner
from models.model import Model
from models.recommend import Suggestions
from models.sample import Row, Sampled
from models.song_learner import Play, SongLearner
from models.songs import SongModel

NONE = np.zeros(0, dtype=np.int64)
SCENES, ARTISTS, SONGS_EACH, LISTENERS = 3, 6, 3, 90


def world() -> tuple[Model, Sampled, list[Play], dict[str, Row]]:
    """Listeners who each keep to the artists of one scene, a model of them, and their plays of songs."""
    rng = random.Random(0)  # noqa: S311 - listeners made up, no secret
    learner = CohortLearner(n_cohorts=SCENES, n_dims=4, seed=1)
    plays, rows = [], dict[str, Row]()
    for number in range(LISTENERS):
        scene = number % SCENES
        artists = rng.sample([f"a{scene}-{at}" for at in range(ARTISTS)], 4)
        rows[f"u{number}"] = artists, [1.0] * len(artists)
        learner.learn_many([rows[f"u{number}"]], [f"u{number}"])
        plays += [Play(f"u{number}", f"{artist}-{rng.randrange(SONGS_EACH)}", [artist]) for artist in artists]
    model = learner.snapshot(1, 0.0)
    assert learner.sampled is not None
    return model, learner.sampled, plays, rows


MODEL, SAMPLED, PLAYS, ROWS = world()


def learned(plays: list[Play] = PLAYS) -> SongModel:
    learner = SongLearner()
    learner.learn_many(plays)
    found = learner.snapshot(SAMPLED, MODEL)
    assert found is not None
    return found


def test_songs_of_a_scene_are_for_its_listeners() -> None:
    songs = learned()
    for scene in range(SCENES):
        affinities = {f"a{scene}-0": 2.0, f"a{scene}-1": 1.0}
        first = [songs.songs[row] for row, _ in Suggestions(affinities, MODEL, songs).ranked(NONE)]
        assert all(song.startswith(f"a{scene}-") for song in first[:10])


def test_songs_are_ranked_alike_while_a_model_serves_for_months() -> None:
    model = replace(MODEL, play_now=1.0)
    songs = replace(learned(), play_now=1.0)
    now, later = (
        dict(Suggestions({"a0-0": by * 2.0, "a0-1": by}, model.as_of(by), songs).ranked(NONE))
        for by in (1.0, 2.0**8)
    )
    assert later == pytest.approx(now)


def test_a_play_that_comes_twice_changes_nothing() -> None:
    learner = SongLearner()
    learner.learn_many(PLAYS)
    plays = learner.plays
    learner.learn_many(PLAYS)
    assert learner.plays == plays == len({play[:2] for play in PLAYS})


def test_a_song_whose_artists_only_one_listener_plays_is_left_out() -> None:
    other = Play("u0", "mine", ["an artist that no model knows"])
    assert "mine" not in learned([*PLAYS, other]).songs


def test_songs_of_listeners_who_are_in_no_sample_count_nowhere() -> None:
    learner = SongLearner()
    learner.learn_many([Play("a stranger", "s", ["a0-0"])])
    assert learner.snapshot(SAMPLED, MODEL) is None


def test_a_song_gets_its_artists_once_they_are_known() -> None:
    early = [Play(user, song, []) for user, song, _ in PLAYS]
    assert learned([*early, *PLAYS]).songs == learned().songs
    learner = SongLearner()
    learner.learn_many(early)
    assert learner.snapshot(SAMPLED, MODEL) is None


def test_of_more_songs_than_it_may_hold_the_least_played_go() -> None:
    learner = SongLearner(max_songs=8)
    learner.learn_many(Play(f"u{n}", f"popular {n % 8}", ["a0-0"]) for n in range(40))
    learner.learn_many(Play("u1", f"rare {n}", ["a0-0"]) for n in range(3))
    assert sorted(learner.songs) == [f"popular {n}" for n in range(8)]
    assert learner.plays == 40


def test_of_more_listeners_than_it_may_hold_those_who_played_longest_ago_go() -> None:
    learner = SongLearner(max_listeners=2)
    learner.learn_many([Play("u1", "s1", ["a"]), Play("u2", "s1", ["a"]), Play("u1", "s2", ["a"])])
    learner.learn_many([Play("u3", "s3", ["a"])])
    assert learner.plays == 3  # two of u1's, one of u3's


def test_of_many_more_listeners_than_it_may_hold_a_part_is_held_with_many_songs_each() -> None:
    learner = SongLearner(max_listeners=500)
    for song in range(20):
        for first in range(0, 4000, 100):
            learner.learn_many(Play(f"u{first + n}", f"s{song}", ["a"]) for n in range(100))
    assert 100 < len(learner._played) <= 500
    assert learner.plays >= 10 * len(learner._played)


def test_of_a_few_more_listeners_than_it_may_hold_none_are_passed_over() -> None:
    learner = SongLearner(max_listeners=50)
    for day in range(20):
        for n in range(40 + day):
            learner.learn_many(Play(f"u{n}", f"s{song}", ["a"]) for song in range(day, day + 20))
    assert learner.beyond(replace(SAMPLED, listeners=())) == []


REGULARS = 80


def day_of(day: int, visitors: int) -> Iterator[list[Play]]:
    """Plays of a day: in each of ten hours regulars play a song that is new to them, visitors come once."""
    for hour in range(day * 10, day * 10 + 10):
        yield [
            *(Play(f"regular {n}", f"s{hour}", ["a"]) for n in range(REGULARS)),
            *(Play(f"visitor {hour}-{n}", f"v{song}", ["a"]) for n in range(visitors) for song in range(3)),
        ]


def regulars_with_many_songs(learner: SongLearner) -> set[Hashable]:
    return {
        listener
        for listener, songs in learner._played.items()
        if str(listener).startswith("regular") and len(songs) > 50
    }


def test_where_many_listeners_come_once_no_more_are_passed_over_once_regulars_stay() -> None:
    learner = SongLearner(max_listeners=100)
    found = []
    for day in range(30):
        for plays in day_of(day, visitors=200):
            learner.learn_many(plays)
        found.append((learner._share, regulars_with_many_songs(learner)))
    assert found[29] == found[14]
    assert len(found[29][1]) > REGULARS / 10


def test_where_listeners_all_come_once_none_are_passed_over() -> None:
    learner = SongLearner(max_listeners=50)
    for day in range(20):
        for number in range(100):
            learner.learn_many(Play(f"{day} {number}", f"s{song}", ["a"]) for song in range(3))
    assert learner.beyond(replace(SAMPLED, listeners=())) == []


def test_who_was_passed_over_is_learned_from_again_once_fewer_come() -> None:
    learner = SongLearner(max_listeners=100)
    for day in range(10):
        for plays in day_of(day, visitors=200):
            learner.learn_many(plays)
    assert learner._share < 1
    for day in range(10, 40):
        for plays in day_of(day, visitors=0):
            learner.learn_many(plays)
    assert learner._share == 1
    assert len(regulars_with_many_songs(learner)) == REGULARS


def test_those_who_are_held_are_learned_from_as_soon_as_others_are_passed_over() -> None:
    learner = SongLearner(max_listeners=100)
    hour = iter(plays for day in range(100) for plays in day_of(day, visitors=200))
    while learner._share == 1:
        learner.learn_many(next(hour))
    assert set(learner.beyond(replace(SAMPLED, listeners=()))) == set(learner._played)


def test_what_other_shares_would_hold_is_tried_without_ids() -> None:
    learner = SongLearner(max_listeners=100)
    learner.learn_many(PLAYS)
    assert {type(one) for trial in learner._trials for one in trial._played} == {float}


def test_those_who_are_held_are_learned_from_until_all_others_have_come_since_none_are_passed_over() -> None:
    learner = SongLearner(max_listeners=100)
    for day in range(10):
        for plays in day_of(day, visitors=200):
            learner.learn_many(plays)
    hour = iter(plays for day in range(10, 100) for plays in day_of(day, visitors=0))
    while learner._share < 1:
        learner.learn_many(next(hour))
    nobody = replace(SAMPLED, listeners=())
    assert set(learner.beyond(nobody)) == set(learner._played)
    learner.learn_many(Play(f"new {n}", f"s{song}", ["a"]) for n in range(300) for song in range(20))
    assert learner._share == 1
    assert learner.beyond(nobody) == []


def test_those_whose_songs_are_held_are_learned_from_though_the_sample_has_others() -> None:
    learner = SongLearner(max_listeners=30)
    for at in range(4):  # each comes four times
        learner.learn_many(PLAYS[at::4])
    empty = Sampled((), SAMPLED.held[:0], SAMPLED.tastes[:0])
    beyond = learner.beyond(empty)
    assert set(beyond) == set(learner._played) != set(SAMPLED.listeners)
    assert learner.beyond(SAMPLED) == []
    rows = [ROWS[str(listener)] for listener in beyond]
    songs = learner.snapshot(Sampled.joined([empty, Sampled.of(MODEL, beyond, rows)]), MODEL)
    assert songs is not None
    assert songs.n_listeners == len(learner._played)


def test_of_a_listener_the_latest_songs_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SONGS", 2)
    learner = SongLearner()
    learner.learn_many(Play("u1", song, ["a"]) for song in ("s1", "s2", "s1", "s3"))
    assert learner._played["u1"] == [learner.songs.index("s1"), learner.songs.index("s3")]


def test_after_a_restart_it_is_ready_with_half_of_what_was_known() -> None:
    learner = SongLearner(last_plays=4)
    assert not learner.ready(0.0)
    learner.learn_many([Play("u1", "s1", ["a"])])
    assert not learner.ready(0.0)
    learner.learn_many([Play("u2", "s1", ["a"])])
    assert learner.ready(0.0)


def test_the_older_the_last_songs_are_the_fewer_plays_are_enough_after_a_restart() -> None:
    made_at = 1e9
    learner = SongLearner(last_plays=1000, made_at=made_at)
    learner.learn_many(Play(f"u{number}", "s1", ["a"]) for number in range(20))
    assert not learner.ready(made_at - 5)  # by another clock
    assert not learner.ready(made_at)
    assert learner.ready(made_at + 6 * 86_400)


def test_twice_the_plays_of_the_last_snapshot_are_worth_another() -> None:
    learner = SongLearner()
    assert not learner.grown
    learner.learn_many(PLAYS[:100])
    assert learner.grown
    assert learner.snapshot(SAMPLED, MODEL) is not None
    learner.learn_many(PLAYS[100:199])
    assert not learner.grown
    learner.learn_many(PLAYS[199:200])
    assert learner.grown


def test_what_artists_say_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 10)
    assert 0 < learned().beside.nnz <= 10


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60), st.integers(1, 6))
def test_the_number_of_plays_is_that_of_pairs_held(pairs: list[tuple[int, int]], most: int) -> None:
    learner = SongLearner(max_songs=most, max_listeners=4)
    for listener, song in pairs:
        learner.learn_many([Play(listener, f"s{song}", ["a"])])
    assert learner.plays == sum(map(len, learner._played.values()))
    assert len(learner.songs) <= most * (1 + module.SLACK)


def test_a_song_that_nobody_has_played_is_for_who_plays_its_artist() -> None:
    learner = SongLearner()
    learner.learn_many(PLAYS)
    learner.know({"new": ["a1-0"], "of nobody": ["an artist that no model knows"]})
    songs = learner.snapshot(SAMPLED, MODEL)
    assert songs is not None
    assert "of nobody" not in songs.songs
    row = songs.index["new"]
    assert songs.listeners[row] == 0
    ranks = {}
    for scene in range(SCENES):
        ranked = dict(Suggestions({f"a{scene}-0": 2.0}, MODEL, songs).ranked(NONE))
        ranks[scene] = ranked.get(row, 0.0)
    assert ranks[1] > max(ranks[0], ranks[2])


def test_songs_that_nobody_has_played_are_forgotten_first() -> None:
    learner = SongLearner(max_songs=4)
    learner.know({f"new {n}": ["a0-0"] for n in range(4)})
    learner.learn_many(Play(f"u{n}", f"s{n}", ["a0-0"]) for n in range(3))
    assert set(learner.songs) >= {"s0", "s1", "s2"}
    assert len(learner.songs) == 4


def test_songs_that_nobody_has_played_are_there_for_the_next_model_also_where_it_is_full() -> None:
    learner = SongLearner(max_songs=4)
    learner.learn_many(Play(f"u{n}", f"s{n}", ["a0-0"]) for n in range(5))
    new = [f"new {n}" for n in range(4)]
    learner.know({song: ["a0-0"] for song in new})
    songs = learner.snapshot(SAMPLED, MODEL)
    assert songs is not None
    assert set(songs.songs) >= set(new)
    learner.learn_many([Play("u1", "s1", ["a0-0"])])
    assert len(learner.songs) == 4


def test_songs_played_before_an_id_stood_for_their_artist_are_that_artists() -> None:
    aliases = dict[str, str]()
    learner = SongLearner(artist_of=lambda artist: aliases.get(artist, artist))
    learner.learn_many([Play(user, song, ["old", "a0-0"]) for user, song, _ in PLAYS if user in {"u0", "u3"}])
    aliases["old"] = "a0-1"
    songs = learner.snapshot(SAMPLED, MODEL)
    assert songs is not None
    assert {frozenset(songs.artists_of(song)) for song in songs.songs} == {frozenset({"a0-0", "a0-1"})}
    aliases["old"] = "a0-0"
    songs = learner.snapshot(SAMPLED, MODEL)
    assert songs is not None
    assert {songs.artists_of(song) for song in songs.songs} == {("a0-0",)}
    assert songs.made_by.max() == 1
