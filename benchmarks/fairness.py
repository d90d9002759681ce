"""Who is told most often, for some values of `REFRAIN_ACTIVITY`: the table of docs/measured.md.

The way of `refrain evaluate`, split at random: one training, then a model for each value, and 250 releases to
5 % of the listeners each who do not play the artist already.

    python -m benchmarks.fairness [SPLITS]    (default 1)

Of several splits: means.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.quality import SMALL, USUAL
from benchmarks.shapes import COHORTS, SHAPES, SHARE
from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import SHARES, Experiment
from consumers.evaluate.holdout import Split, hold_out
from consumers.evaluate.service import Service
from models.quality.evaluation import measure
from stream.settings import Settings

DATA = ("HetRec tags", "heavy tail")
VALUES = (0.0, 0.25, 0.5, 1.0)
RELEASES = 250
HEADS = ("activity", "most active tenth, %", "least active half, %", "told of none, %", "lift at 5 %", "1 %")

Floats = npt.NDArray[np.float64]


def main(splits: int) -> None:
    """Measure and print."""
    for name in DATA:
        found = np.array([measured(name, seed) for seed in range(splits)]).mean(axis=0)
        print(f"{name}\n{'; '.join(HEADS)}")
        for value, (tenth, half, none, usual, small) in zip(VALUES, found.tolist(), strict=True):
            print(f"{value:<4} {tenth:6.1%} {half:6.1%} {none:6.1%} {usual:6.2f} {small:6.2f}", flush=True)


def measured(name: str, seed: int) -> list[tuple[float, ...]]:
    """Return the figures of one split, for each value."""
    of, _, _ = SHAPES[name]
    with ClickLog(max_listeners=50_000) as log, threadpool_limits(1, "blas"):
        for user, artist, _, times in of(seed):
            log.put(user, {"artist_ids": [artist]}, times)
        log.arrange(np.random.default_rng(seed))
        split = hold_out(log, None, share=SHARE, most=RELEASES, seed=seed)
        experiment = Experiment(log, split, Settings(cohorts=COHORTS), timed=False, seed=seed)
        service = experiment.learned(COHORTS)
        found = []
        for value in VALUES:
            service.learner.activity = value
            service.publish(log.last)
            found.append((*told(service, split, log.artists), *lifts(service, split, log.artists)))
        return found


def lifts(service: Service, split: Split, artists: list[str]) -> tuple[float, ...]:
    """Return the lift of audiences of 5 and of 1 %."""
    reach = measure(split.holdout, scored(service, split, artists), SHARES).reach
    return reach[USUAL].lift.value, reach[SMALL].lift.value


def told(service: Service, split: Split, artists: list[str]) -> tuple[float, ...]:
    """Return the places of the most active tenth and of the least active half, and who has none."""
    known = split.holdout.by_artist[0]
    places = np.zeros(known.shape[0])
    for artist, scores in zip(split.holdout.artists, scored(service, split, artists), strict=True):
        scores[known.indices[known.indptr[artist] : known.indptr[artist + 1]]] = -np.inf
        free = known.shape[0] - (known.indptr[artist + 1] - known.indptr[artist])
        places[np.argsort(-scores, kind="stable")[: int(np.ceil(SHARES[USUAL] * free))]] += 1
    order = np.argsort(-np.diff(split.holdout.known.indptr), kind="stable")
    tenth, half = places[order[: len(order) // 10]], places[order[len(order) // 2 :]]
    return tenth.sum() / places.sum(), half.sum() / places.sum(), float((places == 0).mean())


def scored(service: Service, split: Split, artists: list[str]) -> Iterator[Floats]:
    """Score all listeners for a release of each artist asked about."""
    for artist in split.holdout.artists.tolist():
        yield service.audience(service.aim(artists[artist]))[split.listeners]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
