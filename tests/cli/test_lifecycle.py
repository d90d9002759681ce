"""`refrain lifecycle`: stages of listeners, how they change, and what is expected of them."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.year import Year, simulate
from models.traits.activity import day_of
from models.traits.lifecycle import STAGES, stages
from stream.settings import Settings
from stream.stores import keys
from tests.apart import WithRedis
from tests.consumers.traits.living import live
from tests.refrain_command import Refrain

DAYS = 150


@pytest.fixture
def year(settings: Settings, with_redis: WithRedis) -> Year:
    """A service of 300 listeners whose last seven weeks were lived through, up to today."""
    year = simulate(300, days=DAYS, seed=1, begin=day_of(time.time()) - DAYS)
    with_redis(lambda redis: live(redis, settings, year, weeks=7))
    return year


def read(refrain: Refrain, *options: str, **settings: object) -> dict[str, Any]:
    done = refrain.run("lifecycle", "--json", *options, **settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_stages_partition_the_listeners_and_are_those_of_their_days(year: Year, refrain: Refrain) -> None:
    found = read(refrain)
    codes = stages(year.active(year.end), year.end, year.first_days(year.end))
    assert [each["stage"] for each in found["stages"]] == list(STAGES)
    assert [each["listeners"] for each in found["stages"]] == np.bincount(codes + 1, minlength=8)[1:].tolist()
    assert found["listeners"] == sum(each["listeners"] for each in found["stages"])


def test_changes_of_stage_of_all_weeks_that_were_lived_through_are_counted(
    year: Year, refrain: Refrain
) -> None:
    found = read(refrain)
    assert found["weeks_counted"] >= 7
    for stage in STAGES:
        ways = [each for each in found["transitions"] if each["origin"] == stage]
        assert sum(each["probability"] for each in ways) <= 1 + 1e-9
        assert all(each["low"] <= each["probability"] <= each["high"] for each in ways)


def test_forecasts_sum_to_the_listeners_and_reach_as_far_as_asked(year: Year, refrain: Refrain) -> None:
    found = read(refrain, "--weeks", "3")
    assert sum(each["expected"] for each in found["expected"]) == pytest.approx(found["listeners"])
    assert [each["weeks"] for each in found["lost"]] == [1, 2, 3]
    assert all(each["weeks_counted"] > 0 for each in found["lost"])
    assert all(each["low"] <= each["expected"] <= each["high"] for each in found["lost"])


def test_what_is_not_known_of_so_many_weeks_goes_by_single_ones_and_says_so(
    year: Year, refrain: Refrain
) -> None:
    assert read(refrain, "--weeks", "12")["lost"][-1]["weeks_counted"] == 0
    assert "~ goes by single weeks" in " ".join(refrain.run("lifecycle", "--weeks", "12").stdout.split())


def test_weeks_that_erased_listeners_are_missing_in_are_not_counted_and_it_says_so(
    year: Year, refrain: Refrain
) -> None:
    found = read(refrain, "--weeks", "12", forget_dormant_days=102)
    assert (found["weeks_left_out"], found["weeks_counted"]) == (7, 5)
    assert [each["weeks_counted"] for each in found["lost"]] == [5, 4, 3, 2, 1] + [0] * 7
    assert {each["origin"] for each in found["transitions"]} >= {"regular", "dormant"}
    said = " ".join(refrain.run("lifecycle", forget_dormant_days=102).stdout.split())
    assert "the earliest 7 of the last 12 weeks are not counted" in said


def test_where_no_week_can_be_counted_nobody_is_told_to_wait_for_one(year: Year, refrain: Refrain) -> None:
    said = " ".join(refrain.run("lifecycle", forget_dormant_days=91, stage_gone_days=90).stdout.split())
    assert "the earliest 12 of the last 12 weeks are not counted" in said
    assert "are known once" not in said


def test_an_interval_is_shown_as_far_ahead_as_weeks_are_known_to_differ(year: Year, refrain: Refrain) -> None:
    lost = read(refrain, "--weeks", "12")["lost"]
    shown = [each["weeks"] for each in lost if each["low"] is not None]
    assert shown == [each["weeks"] for each in lost if each["weeks_counted"] >= 2 * each["weeks"]]
    assert shown[:3] == [1, 2, 3]
    assert len(shown) < 5
    assert "no 95 % where" in " ".join(refrain.run("lifecycle", "--weeks", "12").stdout.split())


def test_the_next_week_is_predicted_better_than_by_one_rate_for_all(year: Year, refrain: Refrain) -> None:
    found = read(refrain)["next_week"]
    assert found["low"] <= found["inactive"] <= found["high"]
    assert found["brier"] < 0.75 * found["brier_of_rate"]


def test_the_next_week_is_that_of_listeners_on_record(
    year: Year, refrain: Refrain, with_redis: WithRedis
) -> None:
    off_record = [keys.user_activity(f"user {at}") for at in range(100)]
    with_redis(lambda redis: redis.delete(*off_record))
    found = read(refrain)
    came = int((year.first_days(year.end)[:100] >= 0).sum())
    assert found["listeners"] - found["next_week"]["listeners"] == came > 0
    said = f"of {found['next_week']['listeners']} listeners on record are expected to do nothing"
    assert said in " ".join(refrain.run("lifecycle").stdout.split())


def test_where_nobodys_activity_is_on_record_the_next_week_is_not_predicted(
    year: Year, refrain: Refrain, with_redis: WithRedis
) -> None:
    off_record = [keys.user_activity(f"user {at}") for at in range(year.listeners)]
    with_redis(lambda redis: redis.delete(*off_record))
    assert read(refrain)["next_week"] is None
    assert "nobody's activity is on record" in " ".join(refrain.run("lifecycle").stdout.split())


def test_the_retention_triangle_has_all_who_came(year: Year, refrain: Refrain) -> None:
    found = read(refrain)["retention"]
    first = year.first_days(year.end)
    (begin, end) = found[0]["monday"], found[-1]["monday"]
    days = np.array([begin, end], dtype="datetime64[D]").astype(int)
    assert sum(week["came"] for week in found) == ((first >= days[0]) & (first < days[1] + 7)).sum()
    assert all(week["active"][0] == week["came"] for week in found)


def test_groups_hold_all_who_were_there_before_the_last_week_that_is_over(
    year: Year, refrain: Refrain
) -> None:
    groups = read(refrain)["groups"]
    first = year.first_days(year.end)
    assert sum(group["listeners"] for group in groups) == ((first >= 0) & (first < year.end - 8)).sum()
    assert groups[0]["inactive"] < groups[-1]["inactive"]


def test_people_get_tables(year: Year, refrain: Refrain) -> None:
    said = refrain.run("lifecycle").stdout
    for word in ("regular", "returned", "within", "1 week", "week of", "+0", "are expected to do nothing"):
        assert word in " ".join(said.split())
    assert "`refrain traits` does not run" in said


def test_the_page_has_a_plot_of_each_part_and_names_nobody(
    year: Year, refrain: Refrain, tmp_path: Path
) -> None:
    done = refrain.run("lifecycle", "--html", str(tmp_path / "l.html"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "l.html").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"^const pictures = (.*);$", page, re.MULTILINE)
    assert sorted(json.loads(drawn)) == ["groups", "lost", "retention", "stages", "ways"]
    said = html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main>") :]))
    assert "Made by refrain lifecycle" in said
    assert "user 1" not in page


def test_two_formats_are_one_too_many(refrain: Refrain) -> None:
    done = refrain.run("lifecycle", "--json", "--html", "x.html")
    assert done.returncode == 2
    assert "say one of them" in done.stdout


def test_before_anybody_has_clicked_it_says_so(settings: Settings, refrain: Refrain, tmp_path: Path) -> None:
    assert "no listener has clicked yet" in refrain.run("lifecycle").stdout
    assert read(refrain)["listeners"] == 0
    done = refrain.run("lifecycle", "--html", str(tmp_path / "l.html"))
    assert done.returncode == 0
