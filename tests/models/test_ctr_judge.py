from __future__ import annotations

import weakref

import numpy as np

from models.ctr import CtrModel, features
from models.ctr_judge import CtrJudge

SIZE = 1 + features(play_rate=0.1).shape[1]
WRONG = CtrModel(coefficients=-2 * np.eye(SIZE)[1])  # who plays more clicks less


def judged(listeners: int, releases: int, seed: int = 1) -> CtrJudge:
    """A judge of listeners who click as the first model predicts, but for habits of their own."""
    rng = np.random.default_rng(seed)
    judge, users = CtrJudge(), [f"u{n}" for n in range(listeners)]
    rates = rng.uniform(0.02, 0.4, listeners)
    habits = np.clip(
        CtrModel().predict(features(play_rate=rates)) * rng.lognormal(-0.125, 0.5, listeners), 0, 1
    )
    for _ in range(releases):
        judge.see(users, features(play_rate=rates), rng.random(listeners) < habits)
    return judge


def test_what_predicts_the_wrong_way_is_worse() -> None:
    assert judged(300, 5).is_worse(WRONG, than=CtrModel())
    assert not judged(300, 5).is_worse(CtrModel(), than=WRONG)


def test_a_model_is_no_worse_than_itself() -> None:
    assert not judged(300, 5).is_worse(WRONG, than=WRONG)


def test_of_a_few_listeners_nothing_is_said() -> None:
    assert not judged(20, 200).is_worse(WRONG, than=CtrModel())
    assert not judged(20, 200).judges
    assert judged(30, 1).judges


def test_models_that_are_as_good_are_hardly_ever_called_worse_however_often_the_same_are_told() -> None:
    low, high = (CtrModel(coefficients=shift * np.eye(SIZE)[0]) for shift in (-0.02, 0.02))
    called = 0
    for seed in range(200):
        judge = judged(60, 30, seed)
        called += judge.is_worse(low, than=high) and judge.is_worse(high, than=low)
    assert called == 0
    said = sum(judged(60, 30, seed).is_worse(low, than=high) for seed in range(100))
    said += sum(judged(60, 30, seed).is_worse(high, than=low) for seed in range(100))
    assert said < 20


def test_once_enough_listeners_are_known_in_the_end_models_are_judged_by_what_these_did_alone() -> None:
    rows, users = features(play_rate=np.full(400, 0.1)), [f"u{n}" for n in range(400)]
    level = np.eye(SIZE)[0]
    low, high = (CtrModel(coefficients=shift * level) for shift in (0.0, 1.4))  # CTR 9 %, 29 %
    early, late = np.arange(400) % 10 < 1, np.arange(400) % 10 < 3
    judge = CtrJudge()
    judge.see(users, rows, early)
    judge.see(users[:20], rows[:20], late[:20], final=True)
    assert judge.is_worse(high, than=low)
    judge.see(users[20:100], rows[20:100], late[20:100], final=True)
    judge.see(users, rows, early)
    assert judge.is_worse(low, than=high)
    assert not judge.is_worse(high, than=low)


def test_of_releases_with_many_listeners_no_more_are_remembered_than_hold_so_many_notifications() -> None:
    judge, rows = CtrJudge(), np.zeros((60_000, SIZE - 1), dtype=np.float16)
    users, clicked = [f"u{n}" for n in range(60_000)], np.zeros(60_000, dtype=bool)
    releases = [rows.copy() for _ in range(6)]
    held = [weakref.ref(each) for each in releases]
    while releases:
        judge.see(users, releases.pop(0), clicked)
    assert [each() is not None for each in held] == [False, False, False, False, True, True]


def test_a_release_with_few_listeners_does_not_make_one_with_very_many_forgotten() -> None:
    judge, rows = CtrJudge(), np.zeros((120_000, SIZE - 1), dtype=np.float16)
    users, clicked = [f"u{n}" for n in range(120_000)], np.zeros(120_000, dtype=bool)
    judge.see(users, rows, clicked)
    judge.see(users[:5], rows[:5], clicked[:5])
    assert judge.judges


def test_the_same_listeners_judge_always_and_a_twentieth_of_all() -> None:
    users = [f"u{n}" for n in range(20_000)]
    found = CtrJudge.holds_out(users, 5000)
    assert (found == CtrJudge.holds_out(users, 10**6)).all()
    assert 0.04 < found.mean() < 0.06
    assert not CtrJudge.holds_out(users, 1000).any(), "of a few examples all are learned from"
