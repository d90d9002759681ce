"""What speaks for a segment: the odds of somebody who plays one artist, or stands at a cohort's centre."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from models.model import Model
from models.taste import unit
from models.traits.segment_rows import Known
from models.traits.segments import SegmentModel

__all__ = ["Reasons", "genre_odds", "goes_by", "reasons"]

Floats = npt.NDArray[np.float64]

MOST_HEARD = 2_000
"""Artists looked at: of those whom few play, little is learned."""

FEWEST_LISTENERS = 3.0
FEWEST_ARTISTS = 3  # of a genre


class Reasons(NamedTuple):
    """Artist, and cohort -> odds of who plays nothing else, or is in its middle, over the usual odds.

    These are the odds of the labelled of whom something is known (`SegmentModel.base_rate`).
    """

    artists: Mapping[str, float]
    cohorts: Mapping[str, float]


def reasons(segment: SegmentModel, model: Model) -> Reasons:
    """Return what speaks for a segment and what against it, the most for it first.

    All are taken to be as active as the usual listener.

    Parameters
    ----------
    model
        The model of cohorts that serves.
    """
    if not segment.learned:
        return Reasons({}, {})
    heard = np.argsort(-model.counts, kind="stable")[:MOST_HEARD]
    heard = heard[model.counts[heard] >= FEWEST_LISTENERS]
    tastes = model.factors[heard].astype(np.float64)
    names = [model.artists[row] for row in heard.tolist()]
    fans = Known([([name], [1.0]) for name in names], _usual(tastes, model), model.assign(tastes))
    middles = np.arange(len(model.cohort_ids))
    typical = Known([([], [])] * len(middles), _usual(model.centers, model), middles)
    return Reasons(
        _ordered(names, _odds(segment, fans, model)),
        _ordered(model.cohort_ids, _odds(segment, typical, model)),
    )


def genre_odds(artists: Mapping[str, float], genres_of: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Return genre -> the geometric mean of its artists' odds, the highest first; from three artists on.

    Examples
    --------
    >>> genres_of = {"a": ["rap"], "b": ["rap", "pop"], "c": ["rap"]}
    >>> genre_odds({"a": 2.0, "b": 4.0, "c": 8.0}, genres_of)
    {'rap': 4.0}
    """
    logs: dict[str, list[float]] = {}
    for artist, odds in artists.items():
        for genre in genres_of.get(artist, ()):
            logs.setdefault(genre, []).append(float(np.log(odds)))
    means = {genre: float(np.exp(np.mean(own))) for genre, own in logs.items() if len(own) >= FEWEST_ARTISTS}
    return {
        genre: round(means[genre], 6) for genre in sorted(means, key=lambda genre: (-means[genre], genre))
    }


def goes_by(segment: SegmentModel) -> dict[str, float]:
    """Return group of columns -> its share of the squared length of the coefficients, the largest first."""
    if not segment.learned:
        return {}
    squares = {
        name: float((segment.coefficients[part] ** 2).sum()) for name, part in segment.groups().items()
    }
    whole = max(sum(squares.values()), 1e-12)
    return {name: squares[name] / whole for name in sorted(squares, key=lambda name: -squares[name])}


def _usual(tastes: Floats, model: Model) -> Floats:
    """Return tastes as long as that of the usual listener: stored ones grow with the date, these do not."""
    return tastes if np.isnan(model.strength) else unit(tastes) * np.exp2(model.strength)


def _odds(segment: SegmentModel, known: Known, model: Model) -> Floats:
    usual = segment.prior if segment.base_rate is None else segment.base_rate
    found: Floats = np.exp(segment.log_odds(known, model) - scipy.special.logit(usual))
    return found


def _ordered(names: Collection[str], odds: Floats) -> dict[str, float]:
    pairs = zip(names, odds.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
