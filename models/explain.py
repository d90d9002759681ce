"""Why a listener is in a cohort, and how well a release suits them: artist by artist."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.audience import Target
from models.listener import Listener, Rules
from models.model import Model
from models.residents import Residents
from models.short_term import nearness
from models.taste import root, taste_sums
from models.update import update

__all__ = ["Placement", "neighbour_pulls", "placement", "pulls", "taste_parts"]

Floats = npt.NDArray[np.float64]


def pulls(affinities: Mapping[str, float], model: Model, towards: Floats) -> dict[str, float]:
    """Say how much each artist that a listener plays pulls them towards a direction.

    Parameters
    ----------
    affinities
        Artist -> stored weight; artists that the model does not know pull nowhere and are left out.
    towards
        Shape (d,): a cohort's centre, or where a release points.

    Returns
    -------
    Artist -> its part of ``unit(taste) @ towards``, the strongest pull first. The parts add up to it.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> model = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.ones(2), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
    ... )
    >>> found = pulls({"bo": 9.0, "ana": 16.0, "cy": 1.0}, model, np.array([1.0, 0.0]))
    >>> {artist: round(pull, 3) for artist, pull in found.items()}
    {'ana': 0.8, 'bo': 0.0}
    """
    known, parts, _ = taste_parts(affinities, model)
    found = parts @ towards
    order = np.argsort(-found, kind="stable")
    return {known[at]: float(found[at]) for at in order}


def taste_parts(affinities: Mapping[str, float], model: Model) -> tuple[list[str], Floats, float]:
    """Take a taste apart, artist by artist.

    Parameters
    ----------
    affinities
        Artist -> stored weight.

    Returns
    -------
    m artists whom the model knows; what each adds to the unit taste, shape (m, d), zeros where there is no
    taste; and log2 of the length of the raw taste (`models.taste.log_length`).
    """
    known = [artist for artist in affinities if artist in model.index]
    if not known:
        return known, np.zeros((0, model.n_dims)), -math.inf
    roots = root(np.array([affinities[artist] for artist in known]))
    # To a small scale first: stored weights grow beyond what may be squared.
    scale = max(float(roots.max()), 1e-300)
    rows = [model.index[artist] for artist in known]
    # One row an artist: each by itself is what it adds to the sum.
    parts = taste_sums(rows, roots / scale, np.arange(len(rows) + 1), model.factors)
    length = float(np.linalg.norm(parts.sum(axis=0)))
    if length <= 0:
        return known, np.zeros_like(parts), -math.inf
    return known, parts / length, math.log2(length) + math.log2(scale)


def neighbour_pulls(affinities: Mapping[str, float], model: Model, target: Target) -> dict[str, float]:
    """Say how much each artist that a listener plays adds to their score as a neighbour of the release's.

    Parameters
    ----------
    affinities
        Artist -> stored weight.

    Returns
    -------
    Artist -> what playing it adds, the most first; artists that add nothing, or are hardly played any more
    (`Model.faded`), are left out.
    """
    adds = {model.artists[row]: added for row, added in zip(target.beside, target.adds.tolist(), strict=True)}
    still = (artist for artist, weight in affinities.items() if weight > model.faded)
    found = {artist: adds[artist] for artist in still if artist in adds}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


@dataclass(frozen=True)
class Placement:
    """Where a listener belongs under a model, and why there.

    Attributes
    ----------
    cohort
        The cohort; "" for none.
    reason
        "nearest": it is the nearest to what they play. "lately": what they played last decided, `by_taste` is
        nearest to all that they play. "stays": another is nearer, by less than the margin. Without a cohort
        "bot"; "unknown": the model knows none of their artists; "nothing": they like none that it knows.
    similarity
        How near the centre is to what they play (`Model.similarity`): the sum of `pulls` less `centre`.
    centre
        Half the squared length of the centre.
    pulls
        Artist -> its part, the strongest first.
    by_taste
        The cohort nearest to all that they play.
    second
        The nearest of the others; "" where there is no other.
    ahead
        How much nearer the cohort is than the second, by taste and last clicks
        (`models.short_term.nearness`); below 0 for one who stays.
    """

    cohort: str
    reason: Literal["nearest", "lately", "stays", "bot", "unknown", "nothing"]
    similarity: float = 0.0
    centre: float = 0.0
    pulls: Mapping[str, float] | None = None
    by_taste: str = ""
    second: str = ""
    ahead: float = 0.0


def placement(listener: Listener, model: Model, rules: Rules) -> Placement:
    """Say where a listener belongs, as an update without a click places them.

    Parameters
    ----------
    listener
        As it is held.
    """
    residents = Residents()
    rows = residents.add([replace(listener, rev=1, made_by=0)], model)
    update(residents, [], [listener.user_id], model, rules, listener.last_seen)
    placed, taste = residents.listener(int(rows[0])), residents.tastes(rows)
    if placed.bot:
        return Placement("", "bot")
    if not placed.cohort or placed.short_term is None:
        known = any(artist in model.index for artist in listener.affinities)
        return Placement("", "nothing" if known else "unknown")
    near = nearness(model.similarity(taste), model.similarity(placed.short_term[None, :]))[0]
    by_taste = model.similarity(taste)
    row = model.cohort_ids.index(placed.cohort)
    others = [other for other in np.argsort(-near, kind="stable").tolist() if other != row]
    reason: Literal["nearest", "lately", "stays"] = "nearest"
    if others and near[others[0]] > near[row]:
        reason = "stays"
    elif by_taste[0].argmax() != row:
        reason = "lately"
    return Placement(
        cohort=placed.cohort,
        reason=reason,
        similarity=float(by_taste[0, row]),
        centre=float((model.centers[row] ** 2).sum() / 2),
        pulls=pulls(listener.affinities, model, model.centers[row]),
        by_taste=model.cohort_ids[int(by_taste[0].argmax())],
        second=model.cohort_ids[others[0]] if others else "",
        ahead=float(near[row] - near[others[0]]) if others else 0.0,
    )
