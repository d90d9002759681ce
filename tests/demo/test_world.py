from __future__ import annotations

from collections import Counter

import numpy as np

from consumers.demo.music import Music
from consumers.demo.people import People
from consumers.demo.world import CLICKS_A_DAY, World

DAY = 86_400.0


def test_the_same_seed_gives_the_same_world() -> None:
    one, same, other = (World(seed, began_at=0.0, n_listeners=300) for seed in (5, 5, 6))
    assert [one.plays(70), one.plays(30)] == [same.plays(70), same.plays(30)]
    assert one.music.release("r", 10) == same.music.release("r", 10)
    assert one.people.react(one.people.listeners, [3]) == same.people.react(same.people.listeners, [3])
    assert one.plays(50) != other.plays(50)


def test_what_people_do_when_told_does_not_change_what_they_play() -> None:
    told, left_alone = (World(5, began_at=0.0, n_listeners=300) for _ in range(2))
    told.people.react(told.people.anybody(100), [1])
    told.music.release("r", 10)
    assert told.plays(100) == left_alone.plays(100)


def test_clicks_drive_the_clock() -> None:
    world = World(5, began_at=1000.0, n_listeners=300)
    times = [play.ts for play in world.plays(CLICKS_A_DAY // 100) + world.plays(CLICKS_A_DAY // 100)]
    assert times == sorted(times)
    assert np.isclose(times[-1], 1000.0 + DAY / 50)
    assert world.now == times[-1]


def test_the_clock_goes_no_further_than_it_is_let() -> None:
    world = World(5, began_at=1000.0, n_listeners=300, clicks_a_day=DAY)
    assert [play.ts for play in world.plays(9, until=1003.5)] == [1001.0, 1002.0, 1003.0]
    assert world.plays(9, until=1003.5) == world.plays(9, until=900.0) == []
    assert [play.ts for play in world.plays(1, until=1005.0)] == [1004.0]


def test_listeners_play_their_main_scene_most() -> None:
    world = World(5, began_at=0.0, n_listeners=300)
    at_home = [
        world.music.scenes[world.people.main_scene(play.user_id)] in play.song.genres
        for play in world.plays(5000)
    ]
    assert 0.6 < np.mean(at_home) < 0.9


def test_bots_click_far_more_than_any_listener() -> None:
    world = World(5, began_at=0.0)
    clicks = Counter(play.user_id for play in world.plays(CLICKS_A_DAY // 24))
    assert len(world.people.bots) == 6
    most = max(number for user, number in clicks.items() if user not in world.people.bots)
    assert min(clicks[bot] for bot in world.people.bots) > 60 > most


def test_some_listeners_drift_and_most_stay() -> None:
    people = People(5, count=2000, n_scenes=24)
    before = [people.main_scene(user) for user in people.listeners]
    people.drift(days=2.0)
    moved = np.mean(
        [people.main_scene(user) != then for user, then in zip(people.listeners, before, strict=True)]
    )
    assert 0.01 < moved < 0.05


def test_without_time_nobody_drifts() -> None:
    people = People(5, count=2000, n_scenes=24)
    before = [people.main_scene(user) for user in people.listeners]
    people.drift(days=0.0)
    assert [people.main_scene(user) for user in people.listeners] == before


def test_who_likes_the_scene_clicks_far_more_often_than_anybody() -> None:
    people = People(5, count=5000, n_scenes=24)
    fans = [user for user in people.listeners if people.main_scene(user) == 7]
    of_fans = np.mean([reaction.clicked for reaction in people.react(fans * 10, [7])])
    of_all = np.mean([reaction.clicked for reaction in people.react(people.listeners * 2, [7])])
    assert of_fans > 5 * of_all > 0


def test_nobody_clicks_unopened_or_opts_out_of_what_they_clicked() -> None:
    people = People(5, count=5000, n_scenes=24)
    reactions = people.react(people.listeners * 5, [7])
    assert all(reaction.opened for reaction in reactions if reaction.clicked)
    assert not any(reaction.opted_out for reaction in reactions if reaction.clicked)
    assert any(reaction.opted_out for reaction in reactions)


def test_artists_have_names_of_their_own() -> None:
    music = Music(5)
    names = {song.artist_ids[0]: song.artist_names[0] for song in music.songs}
    assert len(names) == len(set(names.values())) == 24 * 40
    assert len({song.song_id for song in music.songs}) == len(music.songs)


def test_some_artists_are_at_home_in_two_scenes() -> None:
    music = Music(5)
    homes = {song.artist_ids[0]: music.scenes_of(song.artist_ids[0]) for song in music.songs}
    assert sum(len(scenes) > 1 for scenes in homes.values()) > 24


def test_a_few_artists_of_a_scene_are_played_most() -> None:
    music = Music(5)
    plays = Counter(song.artist_ids[0] for song in music.draw([3] * 4000, np.random.default_rng(1)))
    assert sum(number for _, number in plays.most_common(4)) > 0.4 * 4000
    assert len(plays) > 30


def test_every_sixth_release_is_by_a_newcomer_who_is_like_artists_of_the_scene() -> None:
    music = Music(5)
    known = {song.artist_ids[0] for song in music.songs}
    releases = [music.release(f"r{number}", 100)[0] for number in range(1, 25)]
    newcomers = [release for release in releases if release.artist_ids[0] not in known]
    assert newcomers == releases[5::6]
    for release in newcomers:
        scene = music.scenes_of(release.artist_ids[0])[0]
        assert all(scene in music.scenes_of(artist) for artist in release.similar_to)
    assert not any(release.similar_to for release in releases if release not in newcomers)


def test_a_scene_never_runs_out_of_newcomers() -> None:
    music = Music(5)
    artists = [music.release(f"r{number}", 100)[0].artist_ids[0] for number in range(6 * 24 * 30)]
    newcomers = artists[5::6]
    assert len(newcomers) == len(set(newcomers))
