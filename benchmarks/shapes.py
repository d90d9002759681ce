"""How good audiences are on data of several shapes, with default settings, beside baselines that are tuned.

The way of `refrain evaluate`, on real data sets and on worlds that are made up. Constants in models/ were
chosen on those marked with a star; the others only tell whether they hold elsewhere.

    python -m benchmarks.shapes [SPLITS [SHAPE...]]    (default 1, all; 1 takes some ten minutes)

The best rival is that of each split. Of several splits: means, and of what Refrain is against others the 95 %
interval of the mean and the smallest.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.hetrec import plays
from benchmarks.quality import RIVALS, SMALL, USUAL, half_width
from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Contender, Experiment, Served
from consumers.evaluate.holdout import hold_out
from stream.settings import Settings

DATA = Path(__file__).parents[2] / "shared" / "data"
GENRES = DATA / "deezer_genres_ro" / "RO.csv.gz"
SESSIONS = DATA / "nowplaying_sessions" / "sessions.csv.gz"
TAGS = DATA / "hetrec_lastfm_2k" / "user_taggedartists.dat.gz"
SPARKIFY = DATA / "sparkify_events_nov2018" / "log_events.jsonl.gz"
COHORTS = 48
ASKED = 400  # artists
SHARE = 0.2
DAY = 86_400.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Play = tuple[str, str, float, int]
"""Listener, artist, Unix seconds (0 where there are none), how often."""


def hetrec_plays(seed: int) -> Iterator[Play]:
    """Every listener has 50 artists."""
    matrix, users, artists = plays()
    pairs = matrix.tocoo()
    for user, artist, weight in zip(pairs.row, pairs.col, pairs.data, strict=True):
        yield users[user], artists[artist], 0.0, int(np.ceil(np.log2(1 + weight)))


def hetrec_tags(seed: int) -> Iterator[Play]:
    """Who tagged whom, as plays, in order of time: some tag a thousand artists, most a handful."""
    found = []
    with gzip.open(TAGS, "rt") as lines:
        next(lines)
        for line in lines:
            user, artist, _, day, month, year = map(int, line.split())
            if year >= FIRST_YEAR:
                found.append((datetime(year, month, day, tzinfo=UTC).timestamp(), str(user), str(artist)))
    for at, user, artist in sorted(found):
        yield user, artist, at, 1


FIRST_YEAR = 2005  # some tags are of 1956


def deezer_genres(seed: int) -> Iterator[Play]:
    """Few items, short rows: genres that 5,000 listeners like."""
    yield from some_listeners(GENRES, 5_000, seed)


def nowplaying_sessions(seed: int) -> Iterator[Play]:
    """A long tail: sessions of seven tracks, of tens of thousands."""
    yield from some_listeners(SESSIONS, 31_800, seed)


def sparkify_plays(seed: int) -> Iterator[Play]:
    """A month of 96 made-up listeners: a few play hundreds of artists, half fewer than fifteen."""
    with gzip.open(SPARKIFY, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["page"] == "NextSong":
                yield event["userId"], event["artist"], event["ts"] / 1000, 1


def some_listeners(path: Path, number: int, seed: int) -> Iterator[Play]:
    """What some listeners of a file of (user, artist) rows have played."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    everybody = sorted({user for user, _ in rows})
    some = set(
        np.random.default_rng(seed).choice(everybody, min(number, len(everybody)), replace=False).tolist()
    )
    for user, artist in rows:
        if user in some:
            yield user, artist, 0.0, 1


def heavy_tail(
    seed: int, listeners: int = 2_000, artists: int = 3_000, scenes: int = 12, most: int = 800
) -> Iterator[Play]:
    """Made up: listeners of mixed scenes; a few play a hundred times as many artists as most."""
    random = np.random.default_rng(seed)
    likes, chances, active = heavy_tail_truth(random, listeners, artists, scenes, most)
    for user in range(listeners):
        drawn = random.choice(artists, 2 * active[user], p=likes[user] @ chances)
        for artist in random.permutation(np.unique(drawn))[: active[user]].tolist():
            yield f"u{user}", f"a{artist}", 0.0, 1


def heavy_tail_truth(
    random: np.random.Generator,
    listeners: int = 2_000,
    artists: int = 3_000,
    scenes: int = 12,
    most: int = 800,
) -> tuple[Floats, Floats, Ints]:
    """Return listeners' scenes (n, s), scenes' artists (s, A), how many artists each listener plays (n,)."""
    likes = random.dirichlet(np.full(scenes, 0.25), listeners)
    chances = random.dirichlet(np.full(scenes, 0.15), artists).T / np.arange(1, artists + 1) ** 0.8
    chances /= chances.sum(axis=1, keepdims=True)
    return likes, chances, np.clip((random.pareto(1.2, listeners) + 1) * 8, 5, most).astype(int)


def drifting(seed: int) -> Iterator[Play]:
    """Made up: in a year a third of 2,000 listeners change scene, a third stop; artists come each day."""
    random = np.random.default_rng(seed)
    listeners, scenes, days, new_a_day = 2_000, 12, 365, 8
    born = np.sort(random.uniform(-200, days, days * new_a_day))
    scene_of = random.integers(0, scenes, len(born))
    fame = random.pareto(1.5, len(born)) + 0.1
    likes = random.integers(0, scenes, (listeners, 2))
    turn = np.where(random.random(listeners) < 1 / 3, random.uniform(60, days, listeners), np.inf)
    end = np.where(random.random(listeners) < 1 / 3, random.uniform(60, days, listeners), np.inf)
    pace = np.clip(random.pareto(1.5, listeners) + 0.2, 0.2, 8) / 4
    for day in range(days):
        heard = np.where(born <= day, fame * 2.0 ** (-np.maximum(day - born, 0) / 90), 0.0)
        chances = [np.where(scene_of == scene, heard, 0.0) for scene in range(scenes)]
        chances = [chance / chance.sum() for chance in chances]
        awake = np.flatnonzero((random.random(listeners) < pace) & (end > day))
        for user in awake.tolist():
            scene = likes[user, int(turn[user] < day)]
            for artist in random.choice(len(born), 2, p=chances[scene]).tolist():
                yield f"u{user}", f"a{artist}", (day + random.random()) * DAY + START, 1


START = 1.6e9  # Unix seconds


def seasons_and_bots(seed: int) -> Iterator[Play]:
    """Made up: in two years artists are heard in a season of their own; ten bots play whatever there is."""
    random = np.random.default_rng(seed)
    listeners, scenes, each, days = 2_000, 12, 150, 730
    season = random.uniform(0, 365, scenes * each)
    fame = random.pareto(1.5, scenes * each) + 0.1
    likes = random.integers(0, scenes, (listeners, 2))
    pace = np.clip(random.pareto(1.5, listeners) + 0.2, 0.2, 8) / 8
    scene_of = np.arange(scenes * each) // each
    for day in range(days):
        near = np.cos(2 * np.pi * (day - season) / 365)
        heard = fame * np.exp(2 * near)
        chances = [np.where(scene_of == scene, heard, 0.0) for scene in range(scenes)]
        chances = [chance / chance.sum() for chance in chances]
        for user in np.flatnonzero(random.random(listeners) < pace).tolist():
            scene = likes[user, int(random.random() < 0.3)]
            for artist in random.choice(len(season), 2, p=chances[scene]).tolist():
                yield f"u{user}", f"a{artist}", (day + random.random()) * DAY + START, 1
        if day % 70 == 35:
            for artist in random.integers(0, len(season), 1_500).tolist():
                yield f"bot{day // 70}", f"a{artist}", (day + random.random() / 24) * DAY + START, 1


def equal_scenes(seed: int) -> Iterator[Play]:
    """Made up: 6,000 listeners of 100 scenes of equal size; one in eight of their artists is of another."""
    random = np.random.default_rng(seed)
    listeners, scenes, each = 6_000, 100, 30
    popular = 1 / np.arange(1, each + 1) ** 0.7
    popular /= popular.sum()
    for user in range(listeners):
        for at in random.choice(each, 12, replace=False, p=popular).tolist():
            scene = user % scenes if random.random() > 1 / 8 else random.integers(scenes)
            yield f"u{user}", f"a{scene * each + at}", 0.0, 1


def dense_rows(seed: int) -> Iterator[Play]:
    """Made up: 950 listeners of 1,700 artists, twenty to 700 each; no scenes, eight tendencies."""
    random = np.random.default_rng(seed)
    listeners, artists, tendencies = 950, 1_700, 8
    fame = 1 / np.arange(1, artists + 1) ** 0.6
    towards = random.normal(size=(artists, tendencies)) / np.sqrt(tendencies)
    for user in range(listeners):
        chance = fame * np.exp(1.5 * towards @ random.normal(size=tendencies))
        number = int(np.clip(np.exp(random.normal(4.2, 0.9)), 20, 700))
        for artist in random.choice(artists, number, replace=False, p=chance / chance.sum()).tolist():
            yield f"u{user}", f"a{artist}", 0.0, 1


# Shape: plays, whether split in time, whether constants were chosen on it.
SHAPES: dict[str, tuple[Callable[[int], Iterator[Play]], bool, bool]] = {
    "HetRec plays": (hetrec_plays, False, True),
    "HetRec tags": (hetrec_tags, False, True),
    "HetRec tags, in time": (hetrec_tags, True, True),
    "Deezer genres": (deezer_genres, False, True),
    "nowplaying sessions": (nowplaying_sessions, False, True),
    "heavy tail": (heavy_tail, False, True),
    "drifting, in time": (drifting, True, True),
    "seasons and bots, in time": (seasons_and_bots, True, False),
    "equal scenes": (equal_scenes, False, True),
    "dense rows": (dense_rows, False, True),
}


def main(splits: int, chosen: list[str]) -> None:
    """Measure and print."""
    print(f"{splits} splits, {COHORTS} cohorts, {ASKED} artists; lifts at 5 %, and ratios of lifts")
    for name in chosen or SHAPES:
        _, _, fitted = SHAPES[name]
        started = time.monotonic()
        figures: dict[str, list[list[float]]] = defaultdict(list)
        off, restless = [], []
        for seed in range(splits):
            served, baselines = measured(name, seed)
            for entry in (*served.contenders, *baselines):
                figures[entry.name].append([reach.lift.value for reach in entry.quality.reach])
            off.append(np.nan if served.calibration_error is None else served.calibration_error)
            restless.append(np.nan if served.restless is None else served.restless)
        lifts = {of: np.array(found) for of, found in figures.items()}
        rows = ("Refrain, cohorts", "ALS + k-means, cohorts", "Refrain, audience", "most active", *RIVALS)
        print(f"\n{name + ' *' * fitted}    ({time.monotonic() - started:.0f} s)")
        print("  " + "; ".join(f"{row} {lifts[row][:, USUAL].mean():.2f}" for row in rows))
        for what, ours, others, size in (
            ("audience / best rival, 5 %", "Refrain, audience", RIVALS, USUAL),
            ("audience / best rival, 1 %", "Refrain, audience", RIVALS, SMALL),
            ("audience / most active", "Refrain, audience", ("most active",), USUAL),
            ("cohorts / ALS + k-means", "Refrain, cohorts", ("ALS + k-means, cohorts",), USUAL),
        ):
            with np.errstate(divide="ignore", invalid="ignore"):  # the most active may find nobody
                ratios = lifts[ours][:, size] / np.max([lifts[other][:, size] for other in others], axis=0)
                print(f"  {what:27} {_mean(ratios)}")
        print(
            f"  calibration error {np.mean(off):.3f}; "
            f"change cohort from model to model {100 * np.mean(restless):.1f} %",
            flush=True,
        )


def _mean(values: Floats) -> str:
    """Return the mean over splits and, of several, its 95 % interval and the smallest."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {half_width(values):.3f}, smallest {values.min():.3f}"


def measured(name: str, seed: int) -> tuple[Served, list[Contender]]:
    """Measure one split of a shape, with default settings, and what it is compared with."""
    of, in_time, _ = SHAPES[name]
    with ClickLog(max_listeners=50_000) as log, threadpool_limits(1, "blas"):
        for user, artist, at, times in of(seed):
            log.put(user, {"artist_ids": [artist]} | ({"ts": at} if in_time else {}), times)
        log.arrange(None if in_time else np.random.default_rng(seed))
        until = log.time_before_last(SHARE) if in_time else None
        split = hold_out(log, until, share=SHARE, most=ASKED, seed=seed)
        experiment = Experiment(log, split, Settings(cohorts=COHORTS), timed=in_time, seed=seed)
        return experiment.serve(COHORTS), list(experiment.baselines(COHORTS))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1, sys.argv[2:])
