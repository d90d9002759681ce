from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from consumers.demo.ledger import Ledger, Tally
from consumers.demo.screen import JsonScreen, LiveScreen, PlainScreen, figures
from consumers.demo.view import Picture
from consumers.demo.watch import CohortRow, Vitals
from stream.wire.events import Release, Song


def _picture(n_cohorts: int = 32, n_releases: int = 40, seconds: float = 61.0) -> Picture:
    label = "Sonora Guacharacas, Beatriz Salgueiro, Tessellate Staircase"
    rows = tuple(CohortRow(f"c{n}", label, 1234 - n, "outlaw country", 0.83) for n in range(n_cohorts))
    ledger = Ledger(started_at=0.0)
    for number in range(n_releases):
        song = Song(
            song_id=f"s{number}", artist_ids=["a"], artist_names=["Beatriz Salgueiro"], genres=["fado"]
        )
        release = Release(
            release_id=f"r{number}", artist_ids=["a"], title=f"Northern Kingdom {number}", genres=["fado"],
            similar_to=["b"],
        )  # fmt: skip
        entry = ledger.publish(release, song, now=number)
        entry.first_page_at = number + 0.025
        entry.add("usual", Tally(400, 56))
        entry.add("taste", Tally(100, 11))
        entry.at_random = Tally(500, 10)
        entry.wave = (None, 2, 3)[number % 3]
        entry.reason = "" if entry.wave == 2 else "done"
        entry.left_out = {"control group": 21, "told a moment ago": 103, "opted out": 1}
    vitals = Vitals(
        1003.2,
        1001.7,
        45,
        17,
        12_345,
        7,
        8.0,
        rows,
        len(rows),
        sum(row.size for row in rows),
        123,
        6,
        4.25,
        True,
    )
    return Picture(
        seconds, 3600.0, "5,000 listeners, 960 artists in 24 scenes", vitals, ledger, "Ctrl-C ends it"
    )


def _rendered(picture: Picture, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)
    console.print(picture)
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (160, 60)])
@pytest.mark.parametrize("filled", [True, False], ids=["full", "empty"])
def test_it_fits_the_terminal_and_keeps_its_height(width: int, height: int, filled: bool) -> None:
    picture = _picture() if filled else _picture(n_cohorts=0, n_releases=0)
    lines = _rendered(picture, width, height)
    assert len(lines) == len(_rendered(_picture(), width, height)) <= height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24)])
def test_it_shows_what_it_is_all_about(width: int, height: int) -> None:
    text = "\n".join(_rendered(_picture(), width, height))
    for figure in (
        "in 1,003/s",
        "applied 1,002/s",
        "lag 45",
        "dead letters 17",
        "model 7, 8 s old",
        "01:01",
        "predicts 4.2x",
        "bots 6",
    ):
        assert figure in text
    assert "CTR 14.0 % (last 20 releases), 11.0 % by taste alone, 2.0 % at random: 7.0 x" in text
    assert "releases: 20,000 told of 40, 26 in waves, median 25 ms, CTR of all 13.4 %" in text
    assert "left out: 2,060 told a moment ago, 420 in the control group, 20 opted out" in text
    assert "83 % outlaw country" in text
    assert "Sonora Guacharacas" in text


@pytest.mark.parametrize("width", [80, 100])
def test_of_each_release_it_shows_ctr_by_taste_at_random_and_the_wave(width: int) -> None:
    lines = _rendered(_picture(), width, 24)
    heads = next(line for line in lines if line.startswith("title"))
    assert re.search(r"told +CTR +by taste +at random +wave *$", heads)
    rows = [line.rstrip() for line in lines if line.startswith("Northern Kingdom")]
    assert [row.partition(" 500 ")[2].split() for row in rows[:3]] == [
        ["14.0", "%", "11.0", "%", "2.0", "%"],
        ["14.0", "%", "11.0", "%", "2.0", "%", "3"],
        ["14.0", "%", "11.0", "%", "2.0", "%", "2", "…"],
    ]


def test_all_reasons_fit_80_columns() -> None:
    picture = _picture()
    for entry in picture.ledger.entries.values():
        entry.left_out |= {"told of this artist lately": 20}
    text = "\n".join(_rendered(picture, 80, 24))
    assert "left out: 2,060 just told, 420 as control, 400 same artist, 20 opted out" in text


def test_before_it_is_learned_who_clicks_taste_is_all_there_is() -> None:
    picture = _picture(n_releases=1)
    for entry in picture.ledger.entries.values():
        entry.by_policy = {"taste": Tally(500, 55)}
    text = "\n".join(_rendered(picture, 80, 24))
    assert "CTR 11.0 % (one release) by taste alone, 2.0 % at random: 5.5 x" in text


def test_what_is_learned_shows_in_the_last_releases() -> None:
    picture = _picture(n_releases=30)
    for entry in [*picture.ledger.entries.values()][:10]:
        entry.by_policy = {"taste": Tally(500, 5)}
    text = "\n".join(_rendered(picture, 80, 24))
    assert "CTR 14.0 % (last 20 releases), 11.0 % by taste alone" in text
    assert "CTR of all 9.3 %" in text


def test_the_last_release_comes_first() -> None:
    titles = [line for line in _rendered(_picture(), 100, 30) if line.startswith("Northern Kingdom")]
    assert [line.split()[2] for line in titles[:3]] == ["39", "38", "37"]


def test_the_rate_at_random_is_not_divided_by_where_nobody_clicked() -> None:
    picture = _picture(n_releases=1)
    for entry in picture.ledger.entries.values():
        entry.at_random = Tally(500, 0)
    text = "\n".join(_rendered(picture, 100, 30))
    assert "11.0 % by taste alone, 0.0 % at random\n" in re.sub(" +\n", "\n", text)
    assert " x " not in text


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    file = io.StringIO()
    screen = PlainScreen(Console(file=file, width=80))
    for seconds in (0.0, 0.5, 4.5, 5.0, 5.5):
        screen.show(_picture(seconds=seconds))
    screen.end(_picture(), ["that was it"])
    lines = file.getvalue().splitlines()
    assert [line[:5] for line in lines[:2]] == ["00:00", "00:05"]
    assert lines[2] == "that was it"
    assert lines[3] == (
        "CTR 14.0 % (last 20 releases), 11.0 % by taste alone, 2.0 % at random: 7.0 x; "
        "left out: 2,060 told a moment ago, 420 in the control group, 20 opted out; "
        "releases: 20,000 told of 40, 26 in waves, median 25 ms, CTR of all 13.4 %"
    )
    assert len(lines) == 4


def test_for_programs_every_line_is_json_and_the_last_one_the_summary() -> None:
    file = io.StringIO()
    screen = JsonScreen(Console(file=file))
    screen.say("starting")
    screen.show(_picture())
    screen.end(_picture(), ["that was it"])
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [list(line) for line in lines] == [["said"], ["now"], ["summary"]]
    assert round(lines[-1]["summary"]["lift"], 1) == 6.7
    assert lines[-1]["summary"]["cohorts"][0]["scene"] == "outlaw country"


def test_programs_get_the_figures_by_policy_of_all_releases_and_of_the_last() -> None:
    picture = _picture()
    found = figures(picture)
    assert found["told"] == 20_000
    assert (found["told_usual"], found["told_by_taste"], found["releases_in_waves"]) == (16_000, 4000, 26)
    assert (found["ctr_usual"], found["ctr_by_taste"], found["ctr_at_random"]) == (0.14, 0.11, 0.02)
    assert found["left_out"] == {"told a moment ago": 4120, "control group": 840, "opted out": 40}
    last = found["last_releases"]
    assert isinstance(last, dict)
    assert (last["releases"], last["told"], last["ctr_usual"]) == (20, 10_000, 0.14)


def test_on_a_terminal_the_last_moment_stays_with_what_remains_to_be_said() -> None:
    file = io.StringIO()
    screen = LiveScreen(Console(file=file, width=100, height=30, force_terminal=True, legacy_windows=False))
    screen.say("starting")
    screen.show(_picture(seconds=1.0))
    screen.end(_picture(seconds=61.0), ["that was it"])
    other_page, _, this_page = file.getvalue().partition("\x1b[?1049l")
    assert "\x1b[?1049h" in other_page
    assert "01:01" in this_page
    assert this_page.rstrip().endswith("that was it")
