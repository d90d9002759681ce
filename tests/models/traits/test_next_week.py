"""What is predicted of the next week."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.year import simulate
from models.traits.activity import DAY, ActiveDays
from models.traits.next_week import NextWeek, last_week, next_week_features, what_came

WEEK = 7


def test_features_see_nothing_of_the_week_that_is_predicted() -> None:
    year = simulate(200, days=120, seed=3)
    until = year.begin + 90
    whole = ActiveDays(year.listeners, year.owner, year.days)
    before = year.days["day"] < until
    cut = ActiveDays(year.listeners, year.owner[before], year.days[before])
    first = year.first_days(until)
    assert (next_week_features(whole, until, first) == next_week_features(cut, until, first)).all()


def test_what_is_kept_once_the_week_is_over_on_all_clocks_gives_the_same_features() -> None:
    year = simulate(200, days=150, seed=4)
    today = year.begin + 138
    until = last_week(today)
    first = year.first_days(until)
    seen = first >= 0
    # By then it may be tomorrow where the listener is.
    now, later = (next_week_features(year.active(day), until, first)[seen] for day in (until, today + 2))
    idle = now[:, 10]
    kept = idle < np.log(50)
    assert (now[kept] == later[kept]).all()


def test_what_came_is_counted_from_the_day_on_for_seven_days() -> None:
    days = np.zeros(4, dtype=DAY)
    days["day"], days["play"] = [99, 100, 106, 107], [1, 2, 4, 8]
    assert what_came(ActiveDays(1, np.zeros(4, dtype=int), days), until=100).tolist() == [6.0]


def test_it_beats_the_overall_rate_and_its_level_is_right() -> None:
    year = simulate(600, days=210, seed=5)
    model, said, found = NextWeek(), [], []
    for until in range(year.begin + 21, year.end - WEEK, WEEK):
        later, first = year.active(until + WEEK), year.first_days(until)
        here = np.flatnonzero(first >= 0)
        of = np.full(year.listeners, -1)
        of[here] = np.arange(len(here))
        mine = of[later.owner] >= 0
        active = ActiveDays(len(here), of[later.owner[mine]], later.days[mine])
        said.append(model.learn(active, until, first[here]).zero)
        found.append(what_came(active, until) == 0)
    p, y = np.concatenate(said[4:]), np.concatenate(found[4:])
    assert np.mean((p - y) ** 2) < 0.65 * y.mean() * (1 - y.mean())
    assert p.mean() == pytest.approx(y.mean(), abs=0.03)


def test_what_is_expected_adds_up_to_about_what_comes() -> None:
    year = simulate(600, days=210, seed=6)
    model = NextWeek()
    expected = came = 0.0
    for until in range(year.begin + 21, year.end - WEEK, WEEK):
        active = year.active(until + WEEK)
        outlook = model.learn(active, until, year.first_days(until))
        if until > year.begin + 60:
            expected += outlook.expected.sum()
            came += what_came(active, until).sum()
    assert expected == pytest.approx(came, rel=0.15)
