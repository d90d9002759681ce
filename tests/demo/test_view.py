from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from consumers.demo.ledger import Ledger, Tally
from consumers.demo.screen import JsonScreen, LiveScreen, PlainScreen
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
        entry.audience, entry.at_random = Tally(500, 56), Tally(500, 10)
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
        "foresees 4.2x",
    ):
        assert figure in text
    assert "CTR 11.2 % vs 2.0 % at random: 5.6 x" in text
    assert "83 % outlaw country" in text
    assert "Sonora Guacharacas" in text


def test_the_last_release_comes_first() -> None:
    titles = [line for line in _rendered(_picture(), 100, 30) if line.startswith("Northern Kingdom")]
    assert [line.split()[2] for line in titles[:3]] == ["39", "38", "37"]


def test_the_rate_at_random_is_not_divided_by_where_nobody_clicked() -> None:
    picture = _picture(n_releases=1)
    for entry in picture.ledger.entries.values():
        entry.at_random = Tally(500, 0)
    text = "\n".join(_rendered(picture, 100, 30))
    assert "CTR 11.2 % vs 0.0 % at random" in text
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
    assert lines[3].startswith("CTR 11.2 % vs 2.0 % at random: 5.6 x")
    assert len(lines) == 4


def test_for_programs_every_line_is_json_and_the_last_one_the_summary() -> None:
    file = io.StringIO()
    screen = JsonScreen(Console(file=file))
    screen.say("starting")
    screen.show(_picture())
    screen.end(_picture(), ["that was it"])
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [list(line) for line in lines] == [["said"], ["now"], ["summary"]]
    assert round(lines[-1]["summary"]["lift"], 1) == 5.6
    assert lines[-1]["summary"]["cohorts"][0]["scene"] == "outlaw country"


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
