from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.world import DAY, DOUBLED, HOUR, LOST, World


@pytest.fixture
def world() -> World:
    return World(n_listeners=4000, n_artists=100, n_scenes=10, seed=3)


def test_the_same_seed_is_the_same_world_with_the_same_answers() -> None:
    seen = []
    for _ in range(2):
        world = World(500, 50, 5, seed=8)
        release = world.releases(3)[0]
        outcome = world.notify(release, np.arange(200), release.at)
        reports = list(world.feedback(release, outcome, release.at))
        seen.append((world.plays().toarray().tolist(), outcome.clicked.tolist(), reports))
    assert seen[0] == seen[1]


def test_listeners_click_as_often_as_it_is_said_they_would(world: World) -> None:
    (release,) = world.releases(1)
    odds = world.click_probability(release, release.at)
    clicked = [
        world.twin(seed).notify(release, np.arange(4000), release.at).clicked.mean() for seed in range(50)
    ]
    assert np.mean(clicked) == pytest.approx(odds.mean(), rel=0.03)


def test_who_was_just_told_clicks_less_and_forgets_with_time(world: World) -> None:
    (release,) = world.releases(1)
    at, told = release.at + HOUR, np.arange(2000)
    before = world.twin(1).click_probability(release, at)
    world.notify(release, told, release.at)
    after = world.click_probability(release, at)
    assert (after[:2000] < before[:2000]).all()
    assert after[2000:] == pytest.approx(before[2000:])
    later = release.at + 30 * DAY
    fresh = world.twin(1).click_probability(release, later)
    assert world.click_probability(release, later) == pytest.approx(fresh, rel=1e-3)


def test_annoyed_listeners_opt_out_more(world: World) -> None:
    (release,) = world.releases(1)
    gone = []
    for _ in range(6):
        gone.append(int(world.notify(release, np.arange(4000), release.at).opted_out.sum()))
    assert gone[-1] > 5 * max(gone[0], 1)
    assert world.opted_out.sum() <= sum(gone)


def test_listeners_play_their_own_scene_most(world: World) -> None:
    plays = world.plays()
    own = world.artist_scene[None, :] == world.scene[:, None]
    assert plays.toarray()[own].sum() / plays.sum() > 3 * own.mean()


def test_some_reports_are_lost_and_some_come_twice(world: World) -> None:
    (release,) = world.releases(1)
    outcome = world.notify(release, np.arange(4000), release.at)
    reports = Counter(world.feedback(release, outcome, release.at))
    sent = Counter(times for report, times in reports.items() if report.kind == "sent")
    assert 1 - sum(sent.values()) / 4000 == pytest.approx(LOST, abs=0.006)
    assert sent[2] / 4000 == pytest.approx(DOUBLED, abs=0.008)


def test_what_one_policy_does_is_not_felt_under_another(world: World) -> None:
    (release,) = world.releases(1)
    one, other = world.twin(1), world.twin(2)
    for _ in range(5):
        one.notify(release, np.arange(4000), release.at)
    assert not other.opted_out.any()
    assert not other.annoyance(release.at).any()


def test_it_is_evening_at_19_where_the_listener_is(world: World) -> None:
    (release,) = world.releases(1)
    hours = np.array([world.local_hour(at) for at in release.at + HOUR * np.arange(24)])
    odds = np.array([world.click_probability(release, at) for at in release.at + HOUR * np.arange(24)])
    assert (np.abs(hours[odds.argmax(axis=0), np.arange(4000)] - 19) <= 3).mean() > 0.9
