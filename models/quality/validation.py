"""How well a model predicts: who clicks an artist for the first time had been ranked for it before."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

from models.audience import Target, aim, mean_score, relative_by_cohort, score_members
from models.model import Model
from models.play_rate import PROPORTIONAL, PlayRateLearner
from models.taste import log_length, taste_sums, unit

__all__ = [
    "ENOUGH",
    "Comparison",
    "Discovery",
    "Foresight",
    "Row",
    "Sight",
    "Validation",
    "before_clicks",
    "compare",
    "discoveries",
]

Floats = npt.NDArray[np.float64]
Row = tuple[Sequence[str], Sequence[float]]

AUDIENCE = 0.05
WINDOW = 5000  # discoveries
SAME = 1e-6  # relative: weights that were added up in another order
ENOUGH = 400  # discoveries, to say that a model is worse than another
MARGIN = 0.005  # of the mean rank
SIGNIFICANT = 2.0  # standard errors


class Discovery(NamedTuple):
    """A listener clicks an artist for the first time: what they played before, and the artist."""

    artists: tuple[str, ...]
    stored: tuple[float, ...]
    found: str


def discoveries(
    artists: Sequence[str], stored: Sequence[float], added: Mapping[str, float]
) -> list[Discovery]:
    """Say which artists a listener found just now.

    Parameters
    ----------
    artists, stored
        The listener's row, as read after these clicks were counted, or before.
    added
        What the clicks add to each artist, stored weights.

    Examples
    --------
    >>> discoveries(["ana", "bo"], [5.0, 1.0], added={"ana": 1.0, "bo": 1.0})
    [Discovery(artists=('ana',), stored=(4.0,), found='bo')]
    """
    held = dict(zip(artists, stored, strict=True))
    new = [a for a, weight in added.items() if weight > 0 and _is_all(held.get(a, 0.0), weight)]
    before = before_clicks(artists, stored, added)
    return [Discovery(tuple(before[0]), tuple(before[1]), found) for found in new] if before[0] else []


def before_clicks(artists: Sequence[str], stored: Sequence[float], added: Mapping[str, float]) -> Row:
    """Return a listener's row as it was before these clicks; the parameters are those of `discoveries`.

    Examples
    --------
    >>> before_clicks(["ana", "bo"], [5.0, 1.0], added={"ana": 1.0, "bo": 1.0})
    (['ana'], [4.0])
    """
    before = {
        artist: weight - added.get(artist, 0.0)
        for artist, weight in zip(artists, stored, strict=True)
        if not _is_all(weight, added.get(artist, 0.0))
    }
    liked = {artist: weight for artist, weight in before.items() if weight > 0}
    return list(liked), list(liked.values())


def _is_all(held: float, added: float) -> bool:
    return held <= added * (1 + SAME)


class Sight(NamedTuple):
    """A discovery as a model sees it; scores are over the mean score of all listeners.

    Attributes
    ----------
    at
        Which discovery.
    own, crowd
        The discoverer's score, and those of the crowd who lack the artist.
    own_cohort, crowd_cohorts
        The same by the mean scores of their cohorts.
    """

    at: int
    own: float
    crowd: Floats
    own_cohort: float
    crowd_cohorts: Floats


def _standing(sight: Sight) -> tuple[float, float, float, float]:
    """Say where a discoverer stood: see `Foresight.judge`."""
    by_cohort = _place(sight.crowd_cohorts, sight.own_cohort)
    return (*by_cohort, *_place(sight.crowd, sight.own))


@dataclass(frozen=True, eq=False)
class Foresight:
    """A model, and a crowd among whom it ranks listeners.

    Parameters
    ----------
    model
        The model that is judged.
    crowd
        Rows of some hundred listeners: artists and stored weights.
    """

    model: Model
    crowd: Sequence[Row]

    def sights(self, found: Sequence[Discovery]) -> Iterator[Sight]:
        """Look at discoveries by the model; what it could not predict is left out.

        That is where it did not know the artist, or nothing of what the listener played.
        """
        if not found:
            return
        finders, crowd = _Listeners(self.model, [each[:2] for each in found]), self._crowd
        for name, those in _by_artist(found).items():
            target = aim(self.model, [name]) if name in self.model.index else None
            if target is None or not target.vector.any() or (mean := mean_score(self.model, target)) <= 0:
                continue
            relative, lack = relative_by_cohort(self.model, target), ~crowd.play(self.model.index[name])
            scores, own = crowd.scores(target, lack) / mean, finders.scores(target, those) / mean
            by_cohort = relative[crowd.cohorts[lack]]
            for at, score in zip(those, own.tolist(), strict=True):
                if finders.tastes[at].any() and len(scores):
                    yield Sight(at, score, scores, relative[finders.cohorts[at]], by_cohort)

    def judge(self, found: Sequence[Discovery]) -> Floats:
        """Say where each listener stood before the discovery, among those of the crowd who lack the artist.

        Returns
        -------
        Shape (n, 4): the share of the crowd that the listener's cohort was ranked above for the artist; how
        much of the cohort is in an audience of 5 %; the same two for the listener's own score. NaN where the
        model did not know the artist, or nothing of what the listener played.

        Notes
        -----
        The mean of the shares is the area under the ROC curve; the mean of the audiences over 0.05 the lift.
        """
        told = np.full((len(found), 4), np.nan)
        for sight in self.sights(found):
            told[sight.at] = _standing(sight)
        return told

    @cached_property
    def _crowd(self) -> _Listeners:
        return _Listeners(self.model, self.crowd).placed()


class _Listeners:
    """Listeners as a model sees them."""

    def __init__(self, model: Model, rows: Sequence[Row]) -> None:
        artists, roots, ends = _columns(model, rows)
        raw = taste_sums(artists, roots, ends, model.factors)
        self._model = model
        self.tastes, self.strengths, self.cohorts = unit(raw), log_length(raw), model.assign(raw)
        self.held = csr_matrix((roots, artists, ends), shape=(len(rows), len(model.artists)))

    def placed(self) -> Self:
        """Leave out those of whom the model knows nothing."""
        placed = self.tastes.any(axis=1)
        self.tastes, self.strengths = self.tastes[placed], self.strengths[placed]
        self.cohorts, self.held = self.cohorts[placed], self.held[placed]
        return self

    def play(self, artist: int) -> npt.NDArray[np.bool_]:
        """Say who plays an artist."""
        part = slice(self._by_artist.indptr[artist], self._by_artist.indptr[artist + 1])
        plays = np.zeros(len(self.tastes), dtype=bool)
        plays[self._by_artist.indices[part]] = True
        return plays

    def scores(self, target: Target, rows: npt.NDArray[np.bool_] | list[int]) -> Floats:
        """Score some of them for a release, shape (n,)."""
        adds = np.zeros(len(self._model.artists))
        adds[target.beside] = target.adds
        tastes, strengths, added = self.tastes[rows], self.strengths[rows], (self._still @ adds)[rows]
        return score_members(self._model, tastes, strengths, target, added)

    @cached_property
    def _by_artist(self) -> csc_matrix:
        return self.held.tocsc()

    @cached_property
    def _still(self) -> csr_matrix:
        """1.0 where a listener still plays an artist; roots are held, not weights."""
        return (self.held > math.sqrt(self._model.faded)).astype(np.float64)


def _by_artist(found: Sequence[Discovery]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, each in enumerate(found):
        places.setdefault(each.found, []).append(at)
    return places


def _columns(model: Model, rows: Sequence[Row]) -> tuple[list[int], list[float], list[int]]:
    """The artists that the model knows of what listeners play, their roots, and where each listener ends."""
    ends, columns, roots = [0], [], []
    for artists, stored in rows:
        for artist, weight in zip(artists, stored, strict=True):
            if artist in model.index and weight > 0:
                columns.append(model.index[artist])
                roots.append(math.sqrt(weight))
        ends.append(len(columns))
    return columns, roots, ends


def _place(crowd: Floats, own: float) -> tuple[float, float]:
    """Return the share of the crowd below, ties by half; and how much of those who tie is in the audience."""
    above, level = float((crowd > own).mean()), max(float((crowd == own).mean()), 1 / len(crowd))
    return max(1 - above - level / 2, 0.0), min(max((AUDIENCE - above) / level, 0.0), 1.0)


class Validation:
    """The running measure of the model that serves, over the last `WINDOW` discoveries.

    Each is judged by a model that was published before it: prequential, as River's progressive validation.

    Examples
    --------
    >>> running = Validation()
    >>> crowd = np.arange(100.0)
    >>> running.add([Sight(0, 98.5, crowd, 49.5, crowd), Sight(1, 49.5, crowd, 49.5, crowd)]).tolist()
    [[0.495, 0.0, 0.985, 1.0], [0.495, 0.0, 0.495, 0.0]]
    >>> running.figures()["auc_cohort"], running.figures()["lift_listener"]
    (0.495, 10.0)
    """

    NAMES = ("auc_cohort", "lift_cohort", "auc_listener", "lift_listener")

    def __init__(self, play_rate: Floats | None = None) -> None:
        self._judged: deque[Floats] = deque(maxlen=WINDOW)
        curves = (PROPORTIONAL, PROPORTIONAL) if play_rate is None else play_rate
        self._by_listener, self._by_cohort = map(PlayRateLearner, curves)

    @property
    def discoveries(self) -> int:
        """How many the measure is over."""
        return len(self._judged)

    @property
    def play_rate(self) -> Floats:
        """Shape (2, 21), as in `Model.play_rate`."""
        return np.array([self._by_listener.curve, self._by_cohort.curve])

    def add(self, sights: Iterable[Sight]) -> Floats:
        """Count discoveries; return where discoverers stood, shape (n, 4), as `Foresight.judge` does."""
        seen = list(sights)
        judged = np.array([_standing(sight) for sight in seen]).reshape(-1, 4)
        self._judged.extend(judged)
        for sight in seen:
            self._by_listener.see(sight.own, sight.crowd)
            self._by_cohort.see(sight.own_cohort, sight.crowd_cohorts)
        return judged

    def figures(self) -> dict[str, float]:
        """Return AUC and lift at 5 %, by cohort and listener by listener, and over how many discoveries.

        With ``calibration_error``, that of listeners' play rates, once there are discoveries enough to say.
        """
        if not self._judged:
            return {}
        means = np.mean(self._judged, axis=0) / (1, AUDIENCE, 1, AUDIENCE)
        found = {name: round(mean, 4) for name, mean in zip(self.NAMES, means.tolist(), strict=True)}
        if (error := self._by_listener.error) is not None:
            found["calibration_error"] = round(error, 4)
        return {**found, "discoveries": len(self._judged)}


@dataclass(frozen=True)
class Comparison:
    """How much higher a candidate ranks the listeners who then discover, in shares of the crowd.

    Of fewer than `ENOUGH` discoveries nothing is said: the gain is 0, its error infinite.
    """

    discoveries: int
    gain: float
    error: float

    @property
    def worse(self) -> bool:
        """Whether the candidate is worse by more than `MARGIN`, and not by chance."""
        sure = self.gain + SIGNIFICANT * self.error < 0
        return self.gain < -MARGIN and sure

    @property
    def better(self) -> bool:
        """Whether the candidate is better, and not by chance."""
        return self.gain > SIGNIFICANT * self.error


def compare(
    candidate: Foresight, live: Foresight, found: Sequence[Discovery], by: str = "both"
) -> Comparison:
    """Compare two models by discoveries of listeners that neither has learned from.

    Parameters
    ----------
    by
        "cohort", "listener", or "both": the mean of the two.
    """
    columns = {"cohort": [0], "listener": [2], "both": [0, 2]}[by]
    new, old = (each.judge(found)[:, columns].mean(axis=1) for each in (candidate, live))
    # An artist that one of them does not know: it would have told a listener drawn at random.
    both = ~(np.isnan(new) & np.isnan(old))
    gains = np.nan_to_num(new[both], nan=0.5) - np.nan_to_num(old[both], nan=0.5)
    n = len(gains)
    if n < ENOUGH:
        return Comparison(n, 0.0, math.inf)
    return Comparison(n, float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(n)))
