"""Lets Refrain learn from what is known, and measures how well it and others find the listeners."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.holdout import Split
from consumers.evaluate.installed import als, mini_batch_k_means, missing
from consumers.evaluate.service import Service
from consumers.evaluate.training_clicks import TrainingClicks
from models.affinity import ForwardDecay
from models.audience import Target, score_limit
from models.cohort_learner import CohortLearner
from models.listener import Rules
from models.quality.baselines import by_cohort, ease, k_means, random_projection, river_k_means, weighted_rows
from models.quality.evaluation import Quality, lift_by_group, measure
from models.taste import unit
from stream.settings import Settings

__all__ = ["SHARES", "Cohort", "Contender", "Experiment", "Served", "Watch"]

Floats = npt.NDArray[np.float64]
Watch = Callable[[str, float, float], object]
"""Is told what is being done, how much of it is done, and how much there is."""

SHARES = (0.01, 0.05, 0.1)
LATE = 0.5  # of the clicks: from there on changes of cohort count as unrest
ARTISTS = 8  # shown for a cohort


@dataclass(frozen=True)
class Contender:
    """What finds listeners, Refrain's or not, and how well."""

    name: str
    ours: bool
    quality: Quality


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
    """

    wanted: int
    contenders: tuple[Contender, ...]
    cohorts: tuple[Cohort, ...]
    centers: Floats
    largest: float
    restless: float | None

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

    def learned(self, n_cohorts: int) -> Service:
        """Return Refrain as it is after all known clicks."""
        settings, log = self._settings, self._log
        rules = Rules(
            # Weights count from the first click on: this is no store that has to outlive it.
            ForwardDecay(settings.half_life, landmark=log.first),
            settings.margin,
            settings.max_artists,
            settings.bot_clicks_per_hour if self._timed else sys.maxsize,
        )
        learner = CohortLearner(n_cohorts, settings.dims, settings.vocabulary, seed=self._seed)
        service = Service(log.n_listeners, learner, rules, self._name, self._seed)
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
            self._audience(service, targets),
            self._contender("Refrain, cohorts", scores(service.by_cohort), ours=True),
            self._contender("Refrain, everybody", scores(service.everybody), ours=True),
        )
        model, places = service.model, service.cohorts[listeners]
        if model is None:
            raise ValueError("a service that has learned has a model")
        sizes = np.bincount(places[places >= 0], minlength=len(model.cohort_ids))
        audiences = scores(partial(service.audience, scored=self.scored(SHARES[1])))
        lifts = lift_by_group(split, audiences, places, len(sizes), SHARES[1])
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
        return Served(n_cohorts, contenders, cohorts, model.centers, largest, restless)

    def scored(self, told: float) -> float:
        """Return the share of all listeners that the service scores one by one to tell a share of them.

        Where the log holds a sample of the listeners it is the share that the service scores of all.
        """
        listeners = len(self._split.listeners) / self._log.share
        return score_limit(listeners, told * listeners, self._settings.candidates) / listeners

    def _audience(self, service: Service, targets: Sequence[Target]) -> Contender:
        """Measure audiences as emitted: for each size as many listeners are scored as a worker scores."""
        name, listeners = "Refrain, audience", self._split.listeners
        limits = [self.scored(share) for share in SHARES]
        found = {
            limit: self._contender(
                name, (service.audience(target, limit)[listeners] for target in targets), ours=True
            )
            for limit in sorted(set(limits))
        }
        reach = tuple(found[limit].quality.reach[at] for at, limit in enumerate(limits))
        widest = found[limits[-1]]
        return replace(widest, quality=replace(widest.quality, reach=reach))

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
            listeners, artists = als(rows, n_dims, seed)
            tastes = unit(listeners)
            yield self._contender(
                "ALS + k-means, cohorts", by_cohort(tastes, k_means(tastes, n_cohorts, seed), split)
            )
            yield self._contender("ALS, everybody", (listeners @ artists[a] for a in split.artists))
        self._watch("EASE", 0, 1)
        yield self._contender("EASE, everybody", ease(split))

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
