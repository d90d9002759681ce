"""How good cohorts and audiences are: HetRec Last.fm, random splits, the way of `refrain evaluate`.

A fifth of the (listener, artist) pairs is held out; the others are clicks, ceil(log2(1 + plays)) each, gone
through once in random order by the code that serves. Audiences of 5 % for artists with at least five held-out
and five known listeners; who plays the artist already is left out. Every baseline sees the same splits.

    python -m benchmarks.quality [SPLITS]    (default 10; 1 takes half a minute)
"""

from __future__ import annotations

import gzip
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix
from scipy.stats import t
from threadpoolctl import threadpool_limits

from benchmarks.hetrec import DATA, plays
from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Experiment
from consumers.evaluate.holdout import Split, hold_out
from consumers.evaluate.installed import absent
from consumers.evaluate.service import Service
from models.audience import Target, aim
from models.listener import Click
from models.quality.evaluation import measure
from stream.settings import Settings

COHORTS = 48
MOST = 100  # clicks of somebody else's that are tried
HEAVY = 100  # clicks of one's own before that
STEADY = 6  # models of a stream in which nothing changes
REPEATS = 3
SIMILAR = 3  # artists that an unheard one is said to be like
TAGS = 5  # most used tags that an unheard one is said to have
SMALL, USUAL = 0, 1  # audiences of 1 % and of 5 %
RIVALS = ("ALS, everybody", "EASE, everybody", "item-kNN, everybody")

# What is measured, what is to be reached, what is aimed at.
MARKS = {
    "lift by cohort": ("7.53", "7.7"),
    "lift of the audience": ("10.13", "10.5"),
    "lift of the audience, 1 %": ("20.98", "22"),
    "unheard, three similar: by cohort": ("7", "7.5"),
    "unheard, three similar: audience": ("", ""),
    "unheard, five tags: by cohort": ("5", "6.5"),
    "unheard, five tags: audience": ("", ""),
    "empty cohorts": ("0", ""),
    "largest cohort, % of listeners": ("< 8", ""),
    "change cohort per model, steady, %": ("< 1", ""),
    "clicks until in the new scene": ("20", "10"),
    "audience / best rival, 5 %": ("0.97", "1.05"),
    "audience / best rival, 1 %": ("0.95", "1.05"),
    "cohorts / ALS + k-means": ("1.0", "1.1"),
}
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Measure on all splits, and print."""
    if not DATA.is_dir():
        sys.exit(f"the data set is not here: {DATA}")
    splits = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    found: dict[str, list[float]] = defaultdict(list)
    tags = tags_of_artists()
    for seed in range(splits):
        started = time.monotonic()
        with threadpool_limits(1, "blas"):
            for name, value in measured(seed, tags).items():
                found[name].append(value)
        print(f"split {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"{splits} splits, {COHORTS} cohorts: mean, 95 % interval of it, what to reach, what is aimed at\n")
    for name, values in found.items():
        reach, goal = MARKS.get(name, ("", ""))
        half = f"±{half_width(np.array(values)):.2f}" if splits > 1 else ""
        print(f"{name:36} {np.mean(values):7.2f} {half:6} {reach:5} {goal}")
    for name in absent():
        print(f"{name}: not installed")


def half_width(values: Floats) -> float:
    """Return half of the 95 % interval of a mean over splits, by Student's t."""
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def measured(seed: int, tags: dict[str, Counter[str]]) -> dict[str, float]:
    """Return all figures of one split."""
    matrix, users, artists = plays()
    pairs = matrix.tocoo()
    with ClickLog(max_listeners=len(users)) as log:
        for user, artist, weight in zip(pairs.row, pairs.col, pairs.data, strict=True):
            log.put(users[user], {"artist_ids": [artists[artist]]}, int(np.ceil(np.log2(1 + weight))))
        log.arrange(np.random.default_rng(seed))
        split = hold_out(log, None, share=0.2, most=len(artists), seed=seed)
        experiment = Experiment(log, split, Settings(cohorts=COHORTS), timed=False, seed=seed)
        service = experiment.learned(COHORTS)
        served = experiment.measured(service, COHORTS)
        audience, cohorts = (entry.quality.reach for entry in served.contenders)
        figures = {
            "lift by cohort": cohorts[USUAL].lift.value,
            "lift of the audience": audience[USUAL].lift.value,
            "lift of the audience, 1 %": audience[SMALL].lift.value,
        }
        like = similar(split, log.artists)
        figures |= unheard(service, split, "three similar", like)
        figures |= unheard(service, split, "five tags", tagged(split, log.artists, tags))
        figures["empty cohorts"] = float(served.empty)
        figures["largest cohort, % of listeners"] = 100 * served.largest
        figures["change cohort per model, steady, %"] = 100 * steady(service)
        figures["clicks until in the new scene"] = until_moved(service, seed)
        others = {entry.name: entry.quality.reach for entry in experiment.baselines(COHORTS)}
        for what, ours, rivals, size in (
            ("audience / best rival, 5 %", audience, RIVALS, USUAL),
            ("audience / best rival, 1 %", audience, RIVALS, SMALL),
            ("cohorts / ALS + k-means", cohorts, ("ALS + k-means, cohorts",), USUAL),
        ):
            lifts = [others[name][size].lift.value for name in rivals if name in others]
            if lifts:
                figures[what] = ours[size].lift.value / max(lifts)
        for name, reach in others.items():
            figures[f"  {name}"] = reach[USUAL].lift.value
            figures[f"  {name}, 1 %"] = reach[SMALL].lift.value
        return figures


def steady(service: Service) -> float:
    """Return the share of listeners who change cohort from model to model while nobody does anything new."""
    before = len(service.flux)
    for number in range(STEADY):
        for _ in range(REPEATS):
            service.repeat()
        service.publish(float(number))
    changes = service.flux[before:]
    return sum(flux.changed for flux in changes) / sum(flux.listeners for flux in changes)


def until_moved(service: Service, seed: int) -> float:
    """Return the median number of clicks until listeners who go on as somebody else are in their cohort."""
    random = np.random.default_rng(seed)
    everyone = [service.listener(number) for number in range(len(service.cohorts))]
    heavy = [number for number, own in enumerate(everyone) if own.cohort and own.clicks > HEAVY]
    pairs = {int(a): int(b) for a, b in zip(heavy, random.permutation(heavy), strict=True)}
    pairs = {a: b for a, b in pairs.items() if everyone[a].cohort != everyone[b].cohort}
    likes = {b: list(everyone[b].affinities.items()) for b in pairs.values()}
    goal = {a: everyone[b].cohort for a, b in pairs.items()}
    taken = dict.fromkeys(pairs, MOST + 1)
    for step in range(1, MOST + 1):
        clicks = {}
        for a, b in pairs.items():
            weights = np.maximum([weight for _, weight in likes[b]], 0.0)
            artist = likes[b][random.choice(len(weights), p=weights / weights.sum())][0]
            ts = service.listener(a).last_seen + 60
            clicks[a] = [Click(str(a), "moved", step, ts, "", (artist,), "play")]
        service.take(clicks, 0.0)
        for a in pairs:
            if service.listener(a).cohort == goal[a]:
                taken[a] = min(taken[a], step)
    return float(np.median(list(taken.values())))


Aimed = Callable[[Service, int], Target]


def unheard(service: Service, split: Split, what: str, aimed: Aimed) -> dict[str, float]:
    """Return the lifts of artists as if nobody had heard them."""

    def scores(of: Callable[[Target], Floats]) -> Iterator[Floats]:
        return (of(aimed(service, artist))[split.listeners] for artist in split.holdout.artists.tolist())

    return {
        f"unheard, {what}: {name}": measure(split.holdout, scores(of)).reach[USUAL].lift.value
        for name, of in (("by cohort", service.by_cohort), ("audience", service.audience))
    }


def similar(split: Split, artists: list[str]) -> Aimed:
    """Aim by the artists with the most known listeners in common, for their size."""
    known = csc_matrix(split.holdout.known > 0, dtype=np.float64)
    sizes = np.asarray(known.sum(axis=0)).ravel()

    def aimed(service: Service, artist: int) -> Target:
        common = np.asarray((known.T @ known[:, [artist]]).todense()).ravel() / np.sqrt(
            np.maximum(sizes, 1.0)
        )
        common[artist] = 0.0
        like = [artists[other] for other in np.argsort(-common, kind="stable")[:SIMILAR]]
        return aim(service.serving, ["unheard"], similar_to=like)

    return aimed


def tagged(split: Split, artists: list[str], tags: dict[str, Counter[str]]) -> Aimed:
    """Aim by the artist's most used tags, as genres of which all other artists have songs."""
    by_genre: dict[str, set[str]] = defaultdict(set)
    for name in artists:
        for tag, _ in tags.get(name, Counter()).most_common(TAGS):
            by_genre[tag].add(name)

    def aimed(service: Service, artist: int) -> Target:
        genres = [tag for tag, _ in tags.get(artists[artist], Counter()).most_common(TAGS)]
        others = {genre: by_genre[genre] - {artists[artist]} for genre in genres}
        return aim(service.serving, ["unheard"], genres=genres, by_genre=others)

    return aimed


def tags_of_artists() -> dict[str, Counter[str]]:
    """Return artist id -> how often each tag was given."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    with gzip.open(DATA / "user_taggedartists.dat.gz", "rt") as lines:
        next(lines)
        for line in lines:
            _, artist, tag, *_ = line.split()
            found[artist][tag] += 1
    return found


if __name__ == "__main__":
    main()
