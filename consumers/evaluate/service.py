"""Refrain in memory: what ingesters, the trainer and workers do with clicks, without a broker and a Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.audience import Target, aim, choose_cohorts, rank_cohorts, score_members
from models.cohort_learner import CohortLearner
from models.listener import Click, Listener, Rules
from models.model import Model
from models.taste import unit
from models.update import digest

__all__ = ["Flux", "Service"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AT_ONCE = 1000  # listeners taken over to a model
SAMPLE = 512  # listeners learned from at once, as the trainer does


class Flux(NamedTuple):
    """From one model to the next: listeners with a cohort and no new artist, and how many of them changed."""

    clicks: int
    listeners: int
    changed: int


class Service:
    """Listeners, the learner and the model that serves.

    Parameters
    ----------
    n_listeners
        How many there are; they are called by their numbers.
    learner
        Learns from them.
    rules
        What their clicks are digested by.
    name
        Artist id -> the name people know it by, for labels.

    Attributes
    ----------
    model
        The one that serves; None before the first.
    listeners
        As Redis would hold them.
    cohorts
        Shape (n,), the row of the model in which each listener's cohort is; -1 for none.
    tastes
        Shape (n, d), single precision, unit length, as workers hold them.
    flux
        Who changed cohort, model by model.
    """

    def __init__(
        self,
        n_listeners: int,
        learner: CohortLearner,
        rules: Rules,
        name: Callable[[str], str] = str,
        seed: int = 0,
    ) -> None:
        self.learner = learner
        self.model: Model | None = None
        self.cohorts: Ints = np.full(n_listeners, -1, dtype=np.int64)
        self.tastes = np.zeros((n_listeners, learner.n_dims), dtype=np.float32)
        self._sums = np.zeros((n_listeners, learner.n_dims))
        self.flux: list[Flux] = []
        self._rules = rules
        self._name = name
        self.listeners = [Listener(str(number)) for number in range(n_listeners)]
        self._known: set[int] = set()
        self._met_new_artist = np.zeros(n_listeners, dtype=bool)
        self._random = np.random.default_rng(seed)

    def take(self, clicks: Mapping[int, Sequence[Click]], now: float) -> None:
        """Digest clicks, by listener, and let the learner learn from some of the listeners they are of."""
        for number, own in clicks.items():
            listener = self.listeners[number]
            new = {artist for click in own for artist in click.artist_ids} - listener.affinities.keys()
            if new:
                self._met_new_artist[number] = True
            # Summed up anew only where artists may have to give way, as where ingesters read from Redis.
            listener.whole = (
                self.model is None or len(listener.affinities) + len(new) > self._rules.max_artists
            )
        self._digest(list(clicks), list(clicks.values()), now)
        self._known.update(clicks)
        self._learn(list(clicks), sum(len(own) for own in clicks.values()))

    def repeat(self) -> None:
        """Learn from everybody's row once more, as the trainer does while nobody clicks."""
        everyone = self._random.permutation(np.fromiter(self._known, dtype=np.int64)).tolist()
        for start in range(0, len(everyone), SAMPLE):
            self._learn(everyone[start : start + SAMPLE], 0)

    def publish(self, now: float) -> Model:
        """Let a new model serve, and take all listeners over to it."""
        before = np.array([listener.cohort for listener in self.listeners])
        self.model = self.learner.snapshot(self.model.version + 1 if self.model else 1, now, self._name)
        everyone = sorted(self._known)
        for number in everyone:
            self.listeners[number].whole = True
        for start in range(0, len(everyone), AT_ONCE):
            self._digest(
                everyone[start : start + AT_ONCE], [()] * len(everyone[start : start + AT_ONCE]), now
            )
        after = np.array([listener.cohort for listener in self.listeners])
        same = (before != "") & ~self._met_new_artist
        if before.any():
            changed = int((before[same] != after[same]).sum())
            self.flux.append(Flux(self.learner.clicks, int(same.sum()), changed))
        self._met_new_artist[:] = False
        self.tastes = unit(self._sums).astype(np.float32)
        place = {cohort: row for row, cohort in enumerate(self.model.cohort_ids)}
        self.cohorts = np.array([place.get(cohort, -1) for cohort in after.tolist()], dtype=np.int64)
        return self.model

    def by_cohort(self, target: Target) -> Floats:
        """Score all listeners for a release by the rate that is predicted for their cohort."""
        rates = rank_cohorts(self.serving, target)
        return np.where(self.cohorts >= 0, rates[self.cohorts], 0.0)

    def audience(self, target: Target, scored: float) -> Floats:
        """Score the members of the cohorts chosen for a release; all others are at -inf.

        Parameters
        ----------
        scored
            Share of all listeners with a cohort, 0 to 1, that may be scored one by one.
        """
        rates = rank_cohorts(self.serving, target)
        sizes = np.bincount(self.cohorts[self.cohorts >= 0], minlength=len(rates))
        chosen = choose_cohorts(rates, sizes, scored * sizes.sum())
        return self._ranked(np.flatnonzero(np.isin(self.cohorts, chosen)), target)

    def everybody(self, target: Target) -> Floats:
        """Score everybody who has a cohort."""
        return self._ranked(np.flatnonzero(self.cohorts >= 0), target)

    def aim(self, artist: str) -> Target:
        """Say where a release of an artist points."""
        return aim(self.serving, [artist])

    @property
    def serving(self) -> Model:
        """The model that serves."""
        if self.model is None:
            raise ValueError("no model is published yet")
        return self.model

    def _ranked(self, members: Ints, target: Target) -> Floats:
        scores = np.full(len(self.cohorts), -np.inf)
        if target.vector.any():
            scores[members] = score_members(self.tastes[members], target)
        return scores

    def _digest(self, numbers: list[int], clicks: Sequence[Sequence[Click]], now: float) -> None:
        listeners = [self.listeners[number] for number in numbers]
        tastes = None if self.model is None else self._sums[numbers]
        digests = digest(listeners, tastes, clicks, self.model, self._rules, now)
        for entry in digests:
            entry.listener.rev += 1
        made = [entry.taste for entry in digests if entry.taste is not None]
        if made:
            self._sums[numbers] = made

    def _learn(self, numbers: list[int], clicks: int) -> None:
        if len(numbers) > SAMPLE:
            numbers = self._random.choice(numbers, SAMPLE, replace=False).tolist()
        affinities = [self.listeners[number].affinities for number in numbers]
        rows = [
            (list(own), np.fromiter(own.values(), dtype=np.float64, count=len(own))) for own in affinities
        ]
        self.learner.learn_many(rows, numbers, clicks)
