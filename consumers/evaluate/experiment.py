"""Lets Refrain learn from what is known, and measures how well it and others find the listeners."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.holdout import Split
from consumers.evaluate.installed import als, mini_batch_k_means, missing
from consumers.evaluate.service import Service
from consumers.evaluate.training_clicks import TrainingClicks
from models.affinity import ForwardDecay
from models.audience import Target
from models.cohort_learner import CohortLearner
from models.listener import Rules
from models.quality.baselines import (
    binary_rows,
    by_cohort,
    ease,
    item_knn,
    k_means,
    random_projection,
    river_k_means,
    tuned,
    weighted_rows,
)
from models.quality.evaluation import Holdout, Quality, lift_by_group, measure
from models.taste import unit
from stream.settings import Settings

__all__ = [
    "ALS",
    "SHARES",
    "Artist",
    "Cohort",
    "Contender",
    "Experiment",
    "Served",
    "Variants",
    "Watch",
]

Floats = npt.NDArray[np.float64]
Watch = Callable[[str, float, float], object]
"""Is told what is being done, how much of it is done, and how much there is."""

Variants = Mapping[str, Callable[[Holdout], Iterator[Floats]]]
"""Ways to set a baseline, by name: each scores every listener for each artist asked about."""

SHARES = (0.01, 0.05, 0.1)
LATE = 0.5  # of the clicks: from there on changes of cohort count as unrest
ARTISTS = 8  # shown for a cohort

# Of these the best on a validation part is taken.
ALS: Mapping[str, dict[str, Any]] = {
    "alpha 40 on weighted rows": {"weighted": True, "alpha": 40.0},
    "alpha 10 on binary rows": {"weighted": False, "alpha": 10.0},
    "alpha 1 on binary rows": {"weighted": False, "alpha": 1.0},
}
EASE_PENALTIES = (50, 200, 500, 1000)
NEIGHBOURS = (50, 200, 500)


@dataclass(frozen=True)
class Contender:
    """What finds listeners, Refrain's or not, and how well.

    Attributes
    ----------
    variant
        How a baseline was set, where that was chosen on a validation part of what is known.
    """

    name: str
    ours: bool
    quality: Quality
    variant: str = ""


@dataclass(frozen=True)
class Artist:
    """One artist that is asked about.

    Attributes
    ----------
    listeners
        Who are known to play it.
    pairs
        Listeners to be found.
    """

    artist_id: str
    name: str
    listeners: int
    pairs: int


@dataclass(frozen=True)
class Cohort:
    """One cohort.

    Attributes
    ----------
    members
        Listeners.
    lift
        Of audiences of 5 % among its members; None where none of them was ever told.
    artists
        Those that set it apart, by the names people know, and how many times more it plays them.
    """

    cohort_id: str
    label: str
    members: int
    lift: float | None
    artists: dict[str, float]


@dataclass(frozen=True, eq=False)
class Served:
    """What became of the listeners with one number of cohorts.

    Attributes
    ----------
    wanted
        How many cohorts were asked for.
    contenders
        Refrain's audiences and cohorts, and how well they find the listeners.
    cohorts, centers
        The cohorts there are, and their centres, shape (k, d).
    largest
        Share of all listeners who are in the largest.
    restless
        Listeners without a new artist who changed cohort from one model to the next, of all such; None where
        there were none.
    calibration_error
        Of the play rates predicted while it learned (`models.quality.validation.Validation.figures`);
        None where too little was discovered to say.
    """

    wanted: int
    contenders: tuple[Contender, ...]
    cohorts: tuple[Cohort, ...]
    centers: Floats
    largest: float
    restless: float | None
    calibration_error: float | None

    @property
    def empty(self) -> int:
        """Cohorts without a listener."""
        return sum(not cohort.members for cohort in self.cohorts)


class Experiment:
    """Evaluates on the clicks of a log.

    Parameters
    ----------
    log, split
        The clicks, and what is asked of them.
    settings
        Those that serve.
    timed
        Whether clicks have times; without them there are no bots.
    name
        Artist id -> the name people know it by.
    """

    def __init__(
        self,
        log: ClickLog,
        split: Split,
        settings: Settings,
        *,
        timed: bool = True,
        seed: int = 0,
        name: Callable[[str], str] = str,
        watch: Watch = lambda stage, done, total: None,
    ) -> None:
        self._log = log
        self._split = split
        self._settings = settings
        self._timed = timed
        self._seed = seed
        self._name = name
        self._watch = watch

    def artists(self) -> tuple[Artist, ...]:
        """Return the artists that are asked about, in the order of what is measured of each."""
        split, ids = self._split.holdout, self._log.artists
        known, held = (np.diff(part.indptr).tolist() for part in split.by_artist)
        return tuple(
            Artist(ids[at], self._name(ids[at]), known[at], held[at]) for at in split.artists.tolist()
        )

    def learned(self, n_cohorts: int) -> Service:
        """Return Refrain as it is after all known clicks."""
        settings, log = self._settings, self._log
        rules = Rules(
            # Of the last click on: so no weight is larger than a double holds, however old the first is.
            ForwardDecay(settings.half_life, landmark=log.last),
            settings.margin,
            settings.max_artists,
            settings.bot_clicks_per_hour if self._timed else sys.maxsize,
            settings.bot_plays_per_day,
            settings.least_ms_played,
        )
        learner = CohortLearner(
            n_cohorts,
            settings.dims,
            settings.vocabulary,
            seed=self._seed,
            activity=settings.activity,
        )
        activity = self._timed and settings.record_activity
        service = Service(log.n_listeners, learner, rules, self._name, self._seed, activity=activity)
        first = min(settings.first_model_listeners, max(2, len(self._split.listeners) // 2))
        stage = f"learning, {n_cohorts} cohorts"
        TrainingClicks(log, self._split).run(
            service, first, lambda done, total: self._watch(stage, done, total)
        )
        return service

    def serve(self, n_cohorts: int) -> Served:
        """Let Refrain learn with so many cohorts, and measure it."""
        return self.measured(self.learned(n_cohorts), n_cohorts)

    def measured(self, service: Service, n_cohorts: int) -> Served:
        """Measure a service that has learned."""
        split, listeners = self._split.holdout, self._split.listeners
        targets = [service.aim(self._log.artists[artist]) for artist in split.artists]

        def scores(of: Callable[[Target], Floats]) -> Iterator[Floats]:
            return (of(target)[listeners] for target in targets)

        contenders = (
            self._contender("Refrain, audience", scores(service.audience), ours=True),
            self._contender("Refrain, cohorts", scores(service.by_cohort), ours=True),
        )
        model, places = service.model, service.cohorts[listeners]
        if model is None:
            raise ValueError("a service that has learned has a model")
        sizes = np.bincount(places[places >= 0], minlength=len(model.cohort_ids))
        lifts = lift_by_group(split, scores(service.audience), places, len(sizes), SHARES[1])
        tops = model.standing_out(ARTISTS)
        cohorts = tuple(
            Cohort(
                cohort,
                label,
                int(size),
                None if np.isnan(lift) else float(lift),
                {self._name(a): r for a, r in top.items()},
            )
            for cohort, label, size, lift, top in zip(
                model.cohort_ids, model.labels, sizes, lifts, tops, strict=True
            )
        )
        late = [flux for flux in service.flux if flux.clicks >= LATE * service.learner.clicks]
        steady = sum(flux.listeners for flux in late)
        restless = sum(flux.changed for flux in late) / steady if steady else None
        largest = float(sizes.max() / len(listeners))
        off = service.live.figures().get("calibration_error")
        return Served(n_cohorts, contenders, cohorts, model.centers, largest, restless, off)

    def baselines(self, n_cohorts: int) -> Iterator[Contender]:
        """Measure what audiences are compared with."""
        split, n_dims, seed = self._split.holdout, self._settings.dims, self._seed
        n = len(self._split.listeners)
        active = np.asarray(split.known.sum(axis=1)).ravel()
        yield self._contender("random", (np.zeros(n) for _ in split.artists))
        yield self._contender("most active", (active for _ in split.artists))
        rows = weighted_rows(split.known)
        yield self._contender("River KMeans, cohorts", self._river(rows, n_cohorts))
        if not missing("sklearn"):
            self._watch("MiniBatchKMeans", 0, 1)
            cohorts = mini_batch_k_means(rows, min(n_cohorts, n), seed)
            yield self._contender("MiniBatchKMeans, cohorts", by_cohort(rows, cohorts, split))
        if not missing("implicit"):
            self._watch("ALS", 0, 1)
            tastes = unit(als(rows, n_dims, seed)[0])
            yield self._contender(
                "ALS + k-means, cohorts", by_cohort(tastes, k_means(tastes, n_cohorts, seed), split)
            )
            yield self.tuned("ALS, everybody", {name: self._als(**given) for name, given in ALS.items()})
        yield self.tuned(
            "EASE, everybody", {f"penalty {p}": partial(ease, penalty=p) for p in EASE_PENALTIES}
        )
        yield self.tuned(
            "item-kNN, everybody", {f"{n} neighbours": partial(item_knn, neighbours=n) for n in NEIGHBOURS}
        )

    def tuned(self, name: str, variants: Variants) -> Contender:
        """Measure a baseline, set as is best on a part of what is known."""
        self._watch(f"tuning {name}", 0, 1)
        split = self._split.holdout
        best = tuned(split, variants, self._seed)
        return replace(self._contender(name, variants[best](split)), variant=best)

    def _als(self, *, weighted: bool, alpha: float) -> Callable[[Holdout], Iterator[Floats]]:
        def scores(split: Holdout) -> Iterator[Floats]:
            rows = weighted_rows(split.known) if weighted else binary_rows(split.known)
            listeners, artists = als(rows, self._settings.dims, self._seed, alpha)
            return (listeners @ artists[artist] for artist in split.artists)

        return scores

    def _river(self, rows: csr_matrix, n_cohorts: int) -> Iterator[Floats]:
        points = random_projection(rows, self._settings.dims, self._seed)

        def watch(done: int) -> None:
            if done % 256 == 0:
                self._watch("River KMeans", done, len(points))

        yield from by_cohort(points, river_k_means(points, n_cohorts, self._seed, watch), self._split.holdout)

    def _contender(self, name: str, scores: Iterator[Floats], *, ours: bool = False) -> Contender:
        split = self._split.holdout

        def watched() -> Iterator[Floats]:
            for done, score in enumerate(scores):
                if done % 16 == 0:
                    self._watch(f"measuring {name}", done, len(split.artists))
                yield score

        return Contender(name, ours, measure(split, watched(), SHARES, self._seed))
