"""What clicks make of listeners: affinity, taste and cohort, click by click, for many listeners at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.affinity import ACTION_WEIGHTS, DAY
from models.cohorts import settle
from models.listener import REFRESHED, Click, Listener, Move, Rules, last_move, refreshed
from models.model import Model
from models.short_term import FADES, nearness

__all__ = ["Digest", "digest"]

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Digest:
    """What is to be written for one listener, and the moves whose member sets have to follow."""

    listener: Listener
    changed: bool
    affinities: dict[str, float]
    dropped: list[str]
    taste: Floats | None
    moves: list[Move]


HOUR = 3600.0
RESIDUE = 1e-6  # of a taste that is taken back: so little is left by rounding, it is no taste


def digest(
    listeners: Sequence[Listener],
    tastes: Floats | None,
    clicks: Sequence[Sequence[Click]],
    model: Model | None,
    rules: Rules,
    now: float,
) -> list[Digest]:
    """Say what some listeners become by their next clicks.

    The result does not depend on how clicks are cut into batches: a cohort is settled after every click.

    Parameters
    ----------
    listeners
        n listeners as they are; they are changed in place.
    tastes
        Shape (n, d), the raw sums of their tastes in the stored scale; rows of listeners who are `whole` are
        not read, theirs are summed anew. None where there is no model.
    clicks
        For each listener the clicks, in the order of each partition. One at or below the offset applied is
        skipped. None at all is right too: the listener is then only taken over to the model.
    model
        The live model; None before the first: affinities are kept, cohorts stay "".
    now
        Unix seconds: when a listener who moves without a click has moved.

    Returns
    -------
    One digest a listener, in the same order.
    """
    digests = [Digest(listener, False, {}, [], None, []) for listener in listeners]
    start = [(listener.cohort, listener.moved) for listener in listeners]
    steps = _Steps()
    for row, (entry, new) in enumerate(zip(digests, clicks, strict=True)):
        _count(row, entry, new, steps, rules, model)
    if model is not None:
        if tastes is None:
            raise ValueError("where there is a model, tastes are needed")
        tastes = tastes.copy()
        whole = [row for row, listener in enumerate(listeners) if listener.whole]
        if whole:
            tastes[whole] = _sums([steps.before[row] for row in whole], model)
        _place(digests, tastes, steps, model, rules, now)
    for entry, (origin, moved) in zip(digests, start, strict=True):
        listener = entry.listener
        # Also who was born, and who left and came back: the record says when.
        if (listener.cohort, listener.moved) != (origin, moved):
            listener.cohort_from = origin
            entry.moves.append(last_move(listener, model))
    return digests


@dataclass(slots=True)
class _Steps:
    """The clicks as steps of the listeners' tastes: step s changes the root of artist a by r."""

    before: dict[int, dict[str, float]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    at: list[tuple[float, str]] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    bots: list[bool] = field(default_factory=list)
    artists: list[str] = field(default_factory=list)
    roots: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def _count(
    row: int, entry: Digest, clicks: Sequence[Click], steps: _Steps, rules: Rules, model: Model | None
) -> None:
    listener = entry.listener
    weights = listener.affinities
    if listener.whole:
        steps.before[row] = dict(weights)
    rank = 0
    for click in clicks:
        place = f"{click.partition}:{click.offset}"
        if click.offset <= listener.offsets.get(click.partition, -1):
            if place == listener.moved:
                # Redelivered, and the last that moved the listener: whether the member sets and the
                # change's event followed is not known, so both are done again.
                entry.moves.append(last_move(listener, model))
            continue
        if listener.rev == 0 and not entry.changed:
            listener.moved = place
            listener.cohort_since = click.ts
        entry.changed = True
        listener.offsets[click.partition] = click.offset
        fresh = click.ts >= listener.last_seen - DAY  # what comes late says nothing of now
        _see(listener, click.ts, rules)
        weight = ACTION_WEIGHTS[click.action]
        added = rules.decay.stored(weight, click.ts)
        for artist in click.artist_ids:
            old = weights.get(artist, 0.0)
            new = old + added
            weights[artist] = entry.affinities[artist] = new
            steps.artists.append(artist)
            steps.roots.append(_root(new) - _root(old))
            steps.weights.append(weight * fresh)
        if listener.whole:
            while len(weights) > rules.max_artists:
                artist = min(weights, key=lambda name: (weights[name], name))
                steps.artists.append(artist)
                steps.roots.append(-_root(weights.pop(artist)))
                steps.weights.append(0.0)
                entry.affinities.pop(artist, None)
                if artist in steps.before[row]:
                    entry.dropped.append(artist)
        steps.rows.append(row)
        steps.ranks.append(rank)
        steps.at.append((click.ts, place))
        steps.fresh.append(fresh)
        steps.bots.append(listener.bot)
        steps.ends.append(len(steps.artists))
        rank += 1


def _root(stored: float) -> float:
    # models.taste.root for one number: NumPy takes ten times as long for it.
    return math.sqrt(stored) if stored > 0 else 0.0


def _see(listener: Listener, ts: float, rules: Rules) -> None:
    listener.clicks += 1
    listener.first_seen = min(listener.first_seen, ts)
    listener.last_seen = max(listener.last_seen, ts)
    hour = int(ts // HOUR)
    if hour > listener.hour:
        listener.hour, listener.hour_clicks = hour, 0
    if hour == listener.hour:
        listener.hour_clicks += 1
        listener.bot = listener.bot or listener.hour_clicks > rules.bot_clicks_per_hour


def _sums(rows: Sequence[Mapping[str, float]], model: Model) -> Floats:
    ends, columns, roots = [0], [], []
    for weights in rows:
        for artist, weight in weights.items():
            column = model.index.get(artist)
            if column is not None:
                columns.append(column)
                roots.append(_root(weight))
        ends.append(len(columns))
    return _weighted(ends, columns, [roots], model)[0]


def _weighted(
    ends: list[int], columns: list[int], weightings: Sequence[list[float]], model: Model
) -> list[Floats]:
    """Sum factors, by each weighting: row i sums weights x factors over entries ends[i] to ends[i+1]."""
    used, local = np.unique(np.asarray(columns, dtype=np.int64), return_inverse=True)
    factors, shape = model.factors[used].astype(np.float64), (len(ends) - 1, len(used))
    return [
        np.asarray(csr_matrix((np.asarray(weights, dtype=np.float64), local, ends), shape) @ factors)
        for weights in weightings
    ]


def _place(
    digests: list[Digest], tastes: Floats, steps: _Steps, model: Model, rules: Rules, now: float
) -> None:
    ends, columns, roots, weights = [0], [], [], []
    begin = 0
    for end in steps.ends:
        for at in range(begin, end):
            column = model.index.get(steps.artists[at])
            if column is not None:
                columns.append(column)
                roots.append(steps.roots[at])
                weights.append(steps.weights[at])
        ends.append(len(columns))
        begin = end
    changes, heard = _weighted(ends, columns, [roots, weights], model)
    fades = np.where(steps.fresh, FADES, 1.0)[:, None]
    lately = np.array([_lately(entry.listener, model) for entry in digests]).reshape(tastes.shape)
    for entry in digests:
        if entry.listener.whole:
            _take_back(entry.listener, model, now)
    number = {cohort: position for position, cohort in enumerate(model.cohort_ids)}
    cohorts = np.array([number.get(entry.listener.cohort, -1) for entry in digests], dtype=np.int64)
    rows, ranks = np.asarray(steps.rows, dtype=np.int64), np.asarray(steps.ranks, dtype=np.int64)
    order = np.argsort(ranks, kind="stable")
    bounds = np.searchsorted(ranks[order], np.arange(ranks.max() + 2)) if len(order) else np.zeros(1, int)
    for first, last in itertools.pairwise(bounds):
        chosen = order[first:last]
        row = rows[chosen]
        tastes[row] = _added(tastes[row], changes[chosen])
        lately[row] = fades[chosen] * lately[row] + heard[chosen]
        bots = [steps.bots[step] for step in chosen]
        places = [steps.at[step] for step in chosen]
        _settle(digests, cohorts, row, tastes, lately, bots, places, model, rules)
    stale = [
        at
        for at, entry in enumerate(digests)
        if entry.listener.whole and entry.listener.rev and not entry.changed
    ]
    if stale:
        # No click of theirs counts, so only a new model can move them.
        bots = [digests[at].listener.bot for at in stale]
        places = [(now, f"{REFRESHED}{model.version}")] * len(stale)
        _settle(digests, cohorts, np.asarray(stale), tastes, lately, bots, places, model, rules)
        for at in stale:
            digests[at].changed = True
    for entry, taste, last in zip(digests, tastes, lately, strict=True):
        entry.taste, entry.listener.lately = taste, last.copy()


def _take_back(listener: Listener, model: Model, now: float) -> None:
    # Gone back to an earlier model: whom a later one has moved is where they were, and settles from there.
    # Who is near two cohorts would else stay in the one that the later model chose.
    if refreshed(listener) and int(listener.moved[len(REFRESHED) :]) > model.version:
        listener.cohort, listener.cohort_since = listener.cohort_from, now
        listener.moved = f"{REFRESHED}{model.version}"


def _lately(listener: Listener, model: Model) -> Floats:
    # Versions are aligned, so what was summed under another goes on; not so in other dimensions.
    if listener.lately is None or len(listener.lately) != model.n_dims:
        return np.zeros(model.n_dims)
    return listener.lately


def _added(tastes: Floats, changes: Floats) -> Floats:
    added = tastes + changes
    scale = np.maximum(np.abs(tastes).max(axis=1), np.abs(changes).max(axis=1))
    added[np.abs(added).max(axis=1) <= RESIDUE * scale] = 0.0
    return added


def _settle(
    digests: list[Digest],
    cohorts: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    tastes: Floats,
    lately: Floats,
    bots: Sequence[bool],
    places: Sequence[tuple[float, str]],
    model: Model,
    rules: Rules,
) -> None:
    near = nearness(model.similarity(tastes[rows]), model.similarity(lately[rows]))
    settled = settle(near, cohorts[rows], rules.margin)
    settled[~tastes[rows].any(axis=1)] = -1
    cohorts[rows] = settled
    for row, cohort, bot, (ts, place) in zip(rows, settled, bots, places, strict=True):
        listener = digests[row].listener
        name = "" if bot or cohort < 0 else model.cohort_ids[cohort]
        if name != listener.cohort:
            listener.cohort, listener.cohort_since, listener.moved = name, ts, place
            digests[row].changed = True
