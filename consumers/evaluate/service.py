"""Refrain in memory: what ingesters, the trainer and workers do with clicks, without a broker and a Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix

from models.affinity import ACTION_WEIGHTS
from models.audience import Target, aim, rank_cohorts, score_members
from models.cohort_learner import CohortLearner
from models.listener import Click, Listener, Rules
from models.model import Model
from models.quality.live import LiveModel
from models.quality.validation import before_clicks, discoveries
from models.residents import Residents
from models.taste import log_length, unit
from models.update import update

__all__ = ["Flux", "Service"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AT_ONCE = 1000  # listeners migrated to a model
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
        What their clicks are applied by.
    name
        Artist id -> the name people know it by, for labels.
    activity
        Whether it is recorded what they do day by day, which tells bots.

    Attributes
    ----------
    model
        The one that serves; None before the first.
    residents
        The listeners, in the rows of their numbers.
    cohorts
        Shape (n,), the row of the model in which each listener's cohort is; -1 for none.
    tastes
        Shape (n, d), single precision, unit length, as workers hold them.
    strengths
        Shape (n,), log2 of how long they were before.
    live
        The model that serves, and how well it predicted what listeners discovered.
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
        *,
        activity: bool = False,
    ) -> None:
        self.learner = learner
        self.model: Model | None = None
        self.cohorts: Ints = np.full(n_listeners, -1, dtype=np.int64)
        self.tastes = np.zeros((n_listeners, learner.n_dims), dtype=np.float32)
        self.strengths = np.zeros(n_listeners, dtype=np.float32)
        self.live = LiveModel()
        self.flux: list[Flux] = []
        self._rules = rules
        self._name = name
        self.residents = Residents(activity=activity)
        # One after the other gets the numbers 0, 1, ... as its row.
        self.residents.add([Listener(str(number)) for number in range(n_listeners)], None)
        self._known: set[int] = set()
        self._met_new_artist = np.zeros(n_listeners, dtype=bool)
        self._random = np.random.default_rng(seed)

    def listener(self, number: int) -> Listener:
        """Return a listener, as Redis would hold them."""
        return self.residents.listener(number)

    def take(self, clicks: Mapping[int, Sequence[Click]], now: float) -> None:
        """Apply clicks, by listener, and let the learner learn from some of the listeners they are of."""
        numbers = np.fromiter(clicks, np.int64, len(clicks))
        before = self.residents.count[numbers].copy()
        self._update([click for own in clicks.values() for click in own], [], numbers, now)
        # Who keeps as many artists as they may has met a new one, too, for all that this is used for.
        full = before == self._rules.max_artists
        self._met_new_artist[numbers[full | (self.residents.count[numbers] > before)]] = True
        self._known.update(clicks)
        self._learn(list(clicks), clicks)

    def repeat(self) -> None:
        """Learn from everybody's row once more, as the trainer does while nobody clicks."""
        everyone = self._random.permutation(np.fromiter(self._known, dtype=np.int64)).tolist()
        for start in range(0, len(everyone), SAMPLE):
            self._learn(everyone[start : start + SAMPLE], {})

    def publish(self, now: float) -> Model:
        """Let a new model serve, and take all listeners over to it."""
        before = self._cohort_names()
        learned = self.learner.snapshot(self.model.version + 1 if self.model else 1, now, self._name)
        self.model = replace(learned, play_rate=self.live.play_rate, validation=self.live.figures())
        self.live.serves(self.model)
        everyone = np.array(sorted(self._known), dtype=np.int64)
        for start in range(0, len(everyone), AT_ONCE):
            numbers = everyone[start : start + AT_ONCE]
            self._update([], [str(number) for number in numbers.tolist()], numbers, now)
        after = self._cohort_names()
        same = (before != "") & ~self._met_new_artist
        if before.any():
            changed = int((before[same] != after[same]).sum())
            self.flux.append(Flux(self.learner.clicks, int(same.sum()), changed))
        self._met_new_artist[:] = False
        raw = self.residents.tastes(np.arange(len(after)))
        self.tastes, self.strengths = unit(raw).astype(np.float32), log_length(raw).astype(np.float32)
        place = {cohort: row for row, cohort in enumerate(self.model.cohort_ids)}
        self._plays = self._who_plays_what()
        self.cohorts = np.array([place.get(cohort, -1) for cohort in after.tolist()], dtype=np.int64)
        return self.model

    def _who_plays_what(self) -> csc_matrix:
        """Return who plays what of the model's artists still, shape (n, A)."""
        residents, everyone = self.residents, np.arange(len(self.cohorts))
        places, owner = residents.places(everyone, residents.count[everyone])
        rows = residents.model_columns(residents.artist[places].astype(np.int64))
        known = (rows >= 0) & (residents.weight[places] > self.serving.faded)
        shape = (len(everyone), len(self.serving.artists))
        return csc_matrix((np.ones(int(known.sum())), (owner[known], rows[known])), shape=shape)

    def by_cohort(self, target: Target) -> Floats:
        """Score all listeners for a release by the rate that is predicted for their cohort."""
        rates = rank_cohorts(self.serving, target)
        return np.where(self.cohorts >= 0, rates[self.cohorts], 0.0)

    def audience(self, target: Target) -> Floats:
        """Score all listeners for a release; who has no cohort is at -inf."""
        scores = np.full(len(self.cohorts), -np.inf)
        placed = np.flatnonzero(self.cohorts >= 0)
        if target.vector.any():
            added = self._plays[:, target.beside] @ target.adds
            scores[placed] = score_members(
                self.serving, self.tastes[placed], self.strengths[placed], target, added[placed]
            )
        return scores

    def aim(self, artist: str) -> Target:
        """Say where a release of an artist points."""
        return aim(self.serving, [artist])

    @property
    def serving(self) -> Model:
        """The model that serves."""
        if self.model is None:
            raise ValueError("no model is published yet")
        return self.model

    def _update(self, clicks: list[Click], others: list[str], numbers: Ints, now: float) -> None:
        update(self.residents, clicks, others, self.model, self._rules, now)
        self.residents.rev[numbers] += 1

    def _cohort_names(self) -> npt.NDArray[np.str_]:
        names = np.array(self.residents.cohorts.names)
        found: npt.NDArray[np.str_] = names[self.residents.cohort[: len(self.cohorts)]]
        return found

    def _learn(self, numbers: list[int], clicks: Mapping[int, Sequence[Click]]) -> None:
        if len(numbers) > SAMPLE:
            numbers = self._random.choice(numbers, SAMPLE, replace=False).tolist()
        names = self.residents.artists.names
        affinities = [self.residents.affinities(number) for number in numbers]
        rows = [([names[artist] for artist in own], list(own.values())) for own in affinities]
        # Judge first, then learn, as the trainer does.
        added = [self._added(clicks.get(number, ())) for number in numbers]
        found = [each for row, new in zip(rows, added, strict=True) for each in discoveries(*row, new)]
        self.live.see([before_clicks(*row, new) for row, new in zip(rows, added, strict=True)], found)
        newest = max((click.ts for own in clicks.values() for click in own), default=-np.inf)
        play_now = self._rules.decay.stored(1.0, newest)
        self.learner.learn_many(rows, numbers, sum(map(len, clicks.values())), play_now)

    def _added(self, clicks: Sequence[Click]) -> dict[str, float]:
        """Return what clicks of a listener add to each artist."""
        added: dict[str, float] = {}
        for click in clicks:
            weight = self._rules.decay.stored(ACTION_WEIGHTS[click.action], click.ts)
            for artist in click.artist_ids:
                added[artist] = added.get(artist, 0.0) + weight
        return added
