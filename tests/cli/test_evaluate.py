from __future__ import annotations

import csv
import html
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert

from consumers.evaluate import installed
from consumers.html_page import page
from stream.settings import Settings
from tests.models.worlds import World, make_world
from tests.refrain_command import Refrain

DAY = 86_400.0
NOWHERE = {"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:1"}
NAMES = ["Refrain, audience", "Refrain, cohorts"]
BASELINES = ["random", "most active", "River KMeans, cohorts", "MiniBatchKMeans, cohorts"]
BASELINES += ["ALS + k-means, cohorts", "ALS, everybody", "EASE, everybody", "item-kNN, everybody"]


@pytest.fixture
def refrain(tmp_path: Path) -> Iterator[Refrain]:
    settings = Settings(data=tmp_path / "data", cohorts=8, dims=16, **NOWHERE)
    with Refrain(settings, tmp_path) as command:
        yield command


@pytest.fixture(scope="module")
def small() -> World:
    return make_world(n_listeners=240)


@pytest.fixture(scope="module")
def tiny() -> World:
    """Where no figure has to be good."""
    return make_world(n_listeners=120)


def write(path: Path, world: World, *, times: bool = True, seed: int = 0) -> Path:
    """Each play as a row of its own, in any order; a quarter of all pairs begins in the last days."""
    rng = np.random.default_rng(seed)
    pairs = world.plays.tocoo()
    rows = []
    for listener, artist, plays in zip(pairs.row, pairs.col, pairs.data, strict=True):
        begin, kind = 28 + 2 * rng.random(), rng.random()
        # over at the split, going on, or new after it
        first, last = (0.0, 28.0) if kind < 0.5 else (0.0, 30.0) if kind < 0.75 else (begin, begin + 0.1)
        for at in DAY * rng.uniform(first, last, int(plays)):
            rows.append([f"u-{listener}", world.artists[artist], *([f"{1.7e9 + at:.3f}"] if times else [])])
    rng.shuffle(rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "whom", *(["when"] if times else [])])
        writer.writerows(rows)
    return path


MAP = ("--map", "user_id=who,artist_ids=whom")
TIMED = ("--map", "user_id=who,artist_ids=whom,ts=when")


def found(refrain: Refrain, *arguments: str) -> Any:
    return refrain.asked("evaluate", *arguments)


@dataclass
class Compared:
    """What one run beside all baselines says: the JSON, and the page."""

    result: dict[str, Any]
    page: str


@pytest.fixture(scope="module")
def compared(small: World, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("compared")
    path = write(folder / "plays.csv", small, times=False)
    names, page_path = folder / "names.tsv", folder / "page.html"
    names.write_text("".join(f"{artist}\t{name_of(artist)}\n" for artist in small.artists))
    named = ("--names", str(names), "--names-columns", "id,called", "--names-map", "artist_id=id,name=called")
    settings = Settings(data=folder / "data", dims=16, **NOWHERE)
    with Refrain(settings, folder) as command:
        result = found(command, str(path), *MAP, *named, "--cohorts", "4,8", "--html", str(page_path))
    return Compared(result, page_path.read_text())


def name_of(artist: str) -> str:
    return f"<b>{artist} & Co"


def lift(result: dict[str, Any], name: str) -> float:
    (entry,) = (entry for entry in result["contenders"] if entry["name"] == name)
    value: float = entry["audiences"][2]["lift"]["value"]
    return value


def test_clicks_without_times_are_split_at_random_and_audiences_find_the_scene(
    compared: Compared, small: World
) -> None:
    result = compared.result
    assert (result["split"], result["until"]) == ("random", None)
    assert "no times" in result["note"]
    assert result["clicks"] == small.plays.sum()
    assert (result["listeners"], result["artists"]) == (240, 200)
    assert [entry["name"] for entry in result["contenders"]] == NAMES + BASELINES
    assert result["cohorts"]["there"] == 8
    assert result["cohorts"]["empty"] == 0
    assert sum(cohort["members"] for cohort in result["cohorts"]["list"]) == 240
    assert lift(result, "random") == pytest.approx(1)
    for name in (*NAMES, "EASE, everybody", "ALS, everybody"):
        assert lift(result, name) > 4


def test_every_figure_has_an_interval_that_holds_it(refrain: Refrain, tiny: World, tmp_path: Path) -> None:
    path = write(tmp_path / "plays.csv", tiny, times=False)
    result = found(refrain, str(path), *MAP, "--no-baselines")
    assert [entry["name"] for entry in result["contenders"]] == NAMES
    for entry in result["contenders"]:
        assert [audience["share"] for audience in entry["audiences"]] == [0.01, 0.05, 0.1]
        figures = [
            audience[name] for audience in entry["audiences"] for name in ("lift", "precision", "recall")
        ]
        for figure in (*figures, entry["auc"]):
            assert figure["low"] <= figure["value"] <= figure["high"]


def test_every_artist_asked_about_has_its_figures_of_every_contender(compared: Compared) -> None:
    result = compared.result
    artists = result["by_artist"]
    assert len(artists) == result["artists_asked"] > 20
    assert all(artist["name"] == name_of(artist["artist_id"]) for artist in artists)
    assert min(min(artist["listeners"], artist["pairs"]) for artist in artists) >= 5
    pairs = np.array([artist["pairs"] for artist in artists])
    assert pairs.sum() == result["pairs"]
    for entry in result["contenders"]:
        lifts = np.array([artist["lift"][entry["name"]] for artist in artists])
        overall = [audience["lift"]["value"] for audience in entry["audiences"]]
        assert pairs @ lifts / pairs.sum() == pytest.approx(overall, abs=0.001)


def test_the_audience_is_compared_with_each_other_over_the_same_artists(compared: Compared) -> None:
    audience, *others = compared.result["contenders"]
    assert "refrain_ahead" not in audience
    for entry in others:
        for here, there, ahead in zip(
            audience["audiences"], entry["audiences"], entry["refrain_ahead"], strict=True
        ):
            assert ahead["share"] == here["share"] == there["share"]
            lifts = here["lift"]["value"], there["lift"]["value"]
            assert ahead["difference"]["value"] == pytest.approx(lifts[0] - lifts[1])
            assert ahead["difference"]["low"] <= ahead["difference"]["value"] <= ahead["difference"]["high"]
            if entry["name"] != "most active":  # of 2 listeners told it may find nobody
                assert ahead["ratio"]["value"] == pytest.approx(lifts[0] / lifts[1])
    chance = next(entry for entry in others if entry["name"] == "random")
    assert chance["refrain_ahead"][1]["difference"]["low"] > 0


def test_clicks_with_times_are_split_so_that_a_fifth_of_them_comes_later(
    refrain: Refrain, small: World, tmp_path: Path
) -> None:
    path = write(tmp_path / "plays.csv", small)
    result = found(refrain, str(path), *TIMED, "--no-baselines")
    with path.open() as file:
        later = [float(row["when"]) >= result["until"] for row in csv.DictReader(file)]
    assert result["split"] == "time"
    assert np.mean(later) == pytest.approx(0.2, abs=0.01)
    assert lift(result, "Refrain, audience") > 3


def test_times_that_nobody_mapped_are_said_to_count(refrain: Refrain, tiny: World, tmp_path: Path) -> None:
    path = write(tmp_path / "plays.csv", tiny)
    path.write_text(path.read_text().replace("when", "ts", 1))
    assert "the times of the column ts" in found(refrain, str(path), *MAP, "--no-baselines")["note"]
    mapped = ("--map", "user_id=who,artist_ids=whom,ts=ts")
    assert found(refrain, str(path), *mapped, "--no-baselines")["note"] == ""


def test_split_at_random_the_times_of_clicks_count_for_nothing(
    refrain: Refrain, tiny: World, tmp_path: Path
) -> None:
    timed, bare = (write(tmp_path / f"{times}.csv", tiny, times=times) for times in (True, False))
    random = ("--split", "random", "--no-baselines")
    with_times = found(refrain, str(timed), *TIMED, *random)
    assert "times count for nothing" in with_times["note"]
    assert with_times["contenders"] == found(refrain, str(bare), *MAP, *random)["contenders"]


def test_only_who_is_new_to_an_artist_after_the_split_is_to_be_found(
    refrain: Refrain, tiny: World, tmp_path: Path
) -> None:
    path, until = write(tmp_path / "plays.csv", tiny), 1.7e9 + 28 * DAY
    result = found(refrain, str(path), *TIMED, "--until", str(until), "--no-baselines")
    with path.open() as file:
        rows = [(row["who"], row["whom"], float(row["when"])) for row in csv.DictReader(file)]
    before = {(who, whom) for who, whom, when in rows if when < until}
    new = {(who, whom) for who, whom, when in rows if when >= until} - before
    asked = {
        artist
        for artist in tiny.artists
        if min(sum(whom == artist for _, whom in pairs) for pairs in (before, new)) >= 5
    }
    assert result["until"] == until
    assert result["artists_asked"] == len(asked)
    assert result["pairs"] == sum(whom in asked for _, whom in new)


def test_the_same_seed_gives_the_same_figures(refrain: Refrain, tiny: World, tmp_path: Path) -> None:
    path = str(write(tmp_path / "plays.csv", tiny, times=False))
    one, two, other = (
        found(refrain, path, *MAP, "--seed", seed, "--no-baselines") | {"seconds": 0, "seed": 0}
        for seed in ("1", "1", "2")
    )
    assert one == two
    assert one != other


def test_several_numbers_of_cohorts_make_a_curve(refrain: Refrain, tiny: World, tmp_path: Path) -> None:
    path = write(tmp_path / "plays.csv", tiny, times=False)
    result = found(refrain, str(path), *MAP, "--cohorts", "8,2", "--no-baselines")
    assert [entry["wanted"] for entry in result["curve"]] == [2, 8]
    lifts = [entry["contenders"][1]["audiences"][1]["lift"]["value"] for entry in result["curve"]]
    assert lifts[0] < lifts[1]
    assert result["cohorts"]["wanted"] == 8  # those of 8 scenes are the better ones


def test_of_many_listeners_a_sample_is_looked_at(refrain: Refrain, tmp_path: Path) -> None:
    world = make_world(n_listeners=480)
    path = write(tmp_path / "plays.csv", world, times=False)
    result = found(refrain, str(path), *MAP, "--listeners", "250", "--artists", "3", "--no-baselines")
    assert 60 <= result["listeners"] <= 250
    assert result["listeners_in_all"] == pytest.approx(480, rel=0.25)
    assert result["artists_asked"] == 3


def test_the_page_is_one_file_that_names_no_listener(compared: Compared) -> None:
    result, text = compared.result, compared.page
    assert len(text) < 2_000_000
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    own = text[: text.index("<script>")] + text[text.rindex("<script>") :]
    assert "u-1" not in own
    assert "<b>" not in own.replace('<b class="', "").replace('<div class="tile"><b>', "")
    for cohort in result["cohorts"]["list"]:
        assert cohort["label"].startswith("<b>s")
        assert cohort["label"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in own
    for picture in ("lifts", "ahead", "artists", "gain", "curve", "by_cohort", "sizes", "plane"):
        assert f'id="{picture}"' in own
        assert f'"{picture}": {{' in own


def test_the_page_names_artists_that_the_audience_is_ahead_of_and_behind_with(compared: Compared) -> None:
    result, text = compared.result, compared.page
    rival = max(result["contenders"][2:], key=lambda entry: entry["audiences"][1]["lift"]["value"])["name"]
    more = {
        artist["name"]: artist["pairs"]
        * 0.05
        * (artist["lift"]["Refrain, audience"][1] - artist["lift"][rival][1])
        for artist in result["by_artist"]
    }
    for title, sign in (("Ahead most", 1), ("Behind most", -1)):
        table = text[text.index(title) :]
        names = re.findall(r'class="name">([^<]+)<', table[: table.index("</table>")])
        names = [html.unescape(name) for name in names]
        best = sorted((sign * by for by in more.values()), reverse=True)[: len(names)]
        assert 0 < len(names) <= 8
        assert [sign * more[name] for name in names] == pytest.approx(best, abs=0.01)


def test_pictures_are_what_vega_lite_can_draw(compared: Compared) -> None:
    (pictures,) = re.findall(r"^const pictures = (.*);$", compared.page, re.MULTILINE)
    for spec in json.loads(pictures).values():
        assert vl_convert.vegalite_to_svg(spec | {"width": 600}).startswith("<svg")


def test_people_get_tables(refrain: Refrain, small: World, tmp_path: Path) -> None:
    path = write(tmp_path / "plays.csv", small, times=False)
    done = refrain.run("evaluate", str(path), *MAP, "--cohorts", "4,8")
    assert done.returncode == 0, done.stderr
    for words in ("lift", "precision", "recall", *NAMES, *BASELINES, "8, 0 empty", "seed 0"):
        assert words in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    (chance,) = (line for line in done.stdout.splitlines() if line.split()[:2] == ["random", "▼"])
    assert chance.count("▼") == 3
    assert '"Refrain, audience" has' in " ".join(done.stdout.split())


def test_what_is_not_installed_is_named_with_what_installs_it(
    refrain: Refrain, tiny: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    path = str(write(tmp_path / "plays.csv", tiny, times=False))
    done = refrain.run("evaluate", path, *MAP)
    assert done.returncode == 0, done.stderr
    assert "EASE" in done.stdout
    assert "MiniBatchKMeans, cohorts" not in done.stdout
    assert done.stdout.count("pip install 'refrain-cohorts[evaluate]'") == 2
    assert sum("pip install" in note for note in found(refrain, path, *MAP)["notes"]) == 2
    refused = refrain.run("evaluate", path, *MAP, "--html", str(tmp_path / "page.html"))
    assert refused.returncode == 2
    assert "pip install 'refrain-cohorts[evaluate]'" in refused.stderr


WRONG: list[tuple[str, tuple[str, ...], int, str]] = [
    ("who,whom\nu,a\n", (), 1, "has the columns who, whom"),
    ("who,whom\nu,a\n", ("--map", "user_id=nobody"), 2, "no column 'nobody'; it has who, whom"),
    ("who,whom\nu,a\n", ("--map", "user_id=who"), 1, "--map artist_ids=COLUMN"),
    ("who,whom\nu,a\n", MAP, 1, "too few clicks"),
    ("who,whom\n", MAP, 1, "none of 0 rows"),
    ("who,whom\nu,a\n", (*MAP, "--where", "who=x"), 1, "none of 1 rows is asked for"),
    ("who,whom\nu,a\n", (*MAP, "--split", "time"), 2, "the clicks have no times"),
    ("who,whom,when\nu,a,5\nv,a,5\n", (*TIMED, "--split", "time"), 2, "all clicks have the same time"),
    ("who,whom,when\nu,a,5\nv,a,9\n", (*TIMED, "--until", "20"), 2, "leaves nothing on one side"),
    ("who,whom,when\nu,a,never\n", TIMED, 1, "1 bad-time"),
    ("who,whom\nu,a\n", (*MAP, "--cohorts", "8,x"), 2, "from 2 to 4096"),
    ("who,whom\nu,a\n", (*MAP, "--split", "random", "--until", "9"), 2, "leave out"),
    ("who,whom\nu,a\n", (*MAP, "--html", "nowhere/page.html"), 2, "there is no folder"),
    ("who,whom\nu,a\n", (*MAP, "--names-columns", "a,b"), 2, "name it with --names"),
]


@pytest.mark.parametrize(("rows", "options", "code", "said"), WRONG, ids=[entry[3] for entry in WRONG])
def test_what_cannot_be_measured_is_told_in_a_sentence(
    refrain: Refrain, tmp_path: Path, rows: str, options: tuple[str, ...], code: int, said: str
) -> None:
    path = tmp_path / "plays.csv"
    path.write_text(rows)
    done = refrain.run("evaluate", str(path), *options)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.suffix != ".log") == ["plays.csv"]


def test_no_room_to_set_clicks_aside_is_told(
    refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("who,whom\nu,a\n")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    done = refrain.run("evaluate", str(path), *MAP)
    assert done.returncode == 1
    assert "TMPDIR names another folder" in " ".join(done.stderr.split())


def test_few_artists_to_ask_about_are_pointed_out(refrain: Refrain, tmp_path: Path) -> None:
    rows = [f"u{number},{artist}\n" for number in range(60) for artist in ("a", "b")]
    path = tmp_path / "plays.csv"
    path.write_text("who,whom\n" + "".join(rows))
    done = refrain.run("evaluate", str(path), *MAP, "--no-baselines")
    assert done.returncode == 0, done.stderr
    assert "Only 2 artists can be asked about" in " ".join(done.stdout.split())
    assert not set("▼▲≈") & set(done.stdout)
    page_path = tmp_path / "page.html"
    notes = found(refrain, str(path), *MAP, "--no-baselines", "--html", str(page_path))["notes"]
    assert [note[:20] for note in notes] == ["Not in time, as the ", "Only 2 artists can b"]
    for note in notes:
        assert note in page_path.read_text()


def test_a_file_of_songs_says_whom_clicks_are_of(refrain: Refrain, tiny: World, tmp_path: Path) -> None:
    path = write(tmp_path / "plays.csv", tiny, times=False)
    songs = tmp_path / "songs.csv"
    songs.write_text("song,by\n" + "".join(f"{artist},{artist}\n" for artist in tiny.artists))
    options = ("--songs", str(songs), "--songs-map", "song_id=song,artist_ids=by", "--no-baselines")
    result = found(refrain, str(path), "--map", "user_id=who,song_id=whom", *options)
    assert result["artists"] == 200
