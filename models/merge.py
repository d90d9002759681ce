"""Two ids of one listener made one, and taken apart again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.active_days import Activity
from models.listener import MERGED, Aliased, Listener, Rules, tag_of
from models.merge_activity import activity_of_both, activity_without
from models.model import Model
from models.residents import Residents
from models.update import Changes, Settler, set_moved

__all__ = ["joined", "offsets_of", "parted", "rewrite"]

RESIDUE = 1e-9  # of a weight that is taken back: so little is left by rounding


def joined(kept: Listener, other: Listener, rules: Rules) -> Listener:
    """Return a listener with all that another id of theirs did, as if they had done it themselves.

    Sums are exact, whatever the order: forward-decayed weights add up. The cohort is still that of `kept`;
    the short-term taste, which goes by the order of clicks, is that of who clicked last.

    Examples
    --------
    >>> from models.affinity import ForwardDecay
    >>> kept, other = Listener("b", affinities={"bo": 1.0}), Listener("a", affinities={"bo": 2.0})
    >>> made = joined(kept, other, Rules(ForwardDecay()))
    >>> made.user_id, made.affinities, tag_of("a") in made.joined
    ('b', {'bo': 3.0}, True)
    """
    weights = dict(kept.affinities)
    for artist, weight in other.affinities.items():
        weights[artist] = weights.get(artist, 0.0) + weight
    strongest = sorted(weights, key=lambda artist: (weights[artist], artist))[-rules.max_artists :]
    later, earlier = (other, kept) if other.last_seen > kept.last_seen else (kept, other)
    hour = max(kept.hour, other.hour)
    hour_clicks = sum(each.hour_clicks for each in (kept, other) if each.hour == hour)
    return replace(
        kept,
        clicks=kept.clicks + other.clicks,
        first_seen=min(kept.first_seen, other.first_seen),
        last_seen=max(kept.last_seen, other.last_seen),
        bot=kept.bot or other.bot or hour_clicks > rules.bot_clicks_per_hour,
        hour=hour,
        hour_clicks=hour_clicks,
        offsets=_offsets(kept, other),
        affinities={artist: weights[artist] for artist in weights if artist in set(strongest)},
        made_by=later.made_by,
        short_term=later.short_term,
        utc_offset_min=later.utc_offset_min if later.utc_offset_min is not None else earlier.utc_offset_min,
        activity=activity_of_both(kept.activity or Activity(), other.activity or Activity()),
        joined=kept.joined | other.joined | {tag_of(other.user_id)},
        aliased=_aliased(kept, other, 1.0),
    )


def _aliased(kept: Listener, other: Listener, sign: float) -> dict[str, Aliased]:
    """Return what is remembered of aliases with what is of another id added, or (sign -1) taken out."""
    made = dict(kept.aliased)
    for alias, (artist, weight) in other.aliased.items():
        before = made[alias].weight if alias in made else 0.0
        made[alias] = Aliased(artist, before + sign * weight)
        if abs(made[alias].weight) <= RESIDUE * abs(weight):
            del made[alias]
    return made


def _offsets(kept: Listener, other: Listener) -> dict[str, int]:
    tag = tag_of(other.user_id)
    theirs = {source if "~" in source else f"{source}~{tag}": at for source, at in other.offsets.items()}
    return {**theirs, **kept.offsets}  # the source that the clicks of `kept` come from stays the last


def offsets_of(kept: Listener, other: Listener) -> Mapping[str, int]:
    """Return how far the clicks of an id that is part of a listener are applied, as its own record has it."""
    tag = tag_of(other.user_id)
    found = dict(other.offsets)
    for source, at in kept.offsets.items():
        partition, _, whose = source.partition("~")
        if whose == tag:
            found[partition] = max(at, found.get(partition, -1))
        elif whose in other.joined:
            found[source] = max(at, found.get(source, -1))
    return found


def parted(kept: Listener, other: Listener) -> Listener:
    """Return a listener without what another id had done when it was joined.

    What came since under either id stays, as it cannot be told apart.
    """
    weights = dict(kept.affinities)
    for artist, weight in other.affinities.items():
        if artist in weights:
            weights[artist] -= weight
            if abs(weights[artist]) <= RESIDUE * abs(weight):
                del weights[artist]
    tags = other.joined | {tag_of(other.user_id)}
    offsets = {source: at for source, at in kept.offsets.items() if source.partition("~")[2] not in tags}
    return replace(
        kept,
        clicks=max(kept.clicks - other.clicks, 0),
        offsets=offsets,
        affinities=weights,
        activity=activity_without(kept.activity or Activity(), other.activity or Activity()),
        joined=kept.joined - tags,
        aliased=_aliased(kept, other, -1.0),
    )


def rewrite(
    residents: Residents, before: Listener, after: Listener, model: Model | None, rules: Rules, now: float
) -> Changes:
    """Let a listener who is held be another, and settle them; return what is to be written.

    Parameters
    ----------
    before, after
        The listener as held, and as they are from now on; with one `rev`.
    now
        Unix seconds: when they moved, where they do.
    """
    residents.drop([before.user_id])
    rows = residents.add([after], model)
    (row,) = rows.tolist()
    origin = residents.cohorts.place(before.cohort)
    moved = not before.rev or not before.moved
    if model is not None:
        tastes = residents.sums(rows)
        settler = Settler(residents, rows, model, rules.margin)
        moved |= bool(
            settler.settle(np.zeros(1, np.int64), tastes, residents.short_term[rows], residents.bot[rows])[0]
        )
        residents.set_taste(rows, tastes)
        residents.made_by[row] = model.version
    elif residents.bot[row]:
        residents.cohort[row] = 0
    if moved:
        set_moved(residents, rows, now, residents.sources.place(MERGED), int(now))
        residents.cohort_from[row] = origin
    part = slice(int(residents.begin[row]), int(residents.begin[row] + residents.count[row]))
    gone = [artist for artist in before.affinities if artist not in after.affinities]
    fields = [f"o:{source}" for source in before.offsets.keys() - after.offsets.keys()]
    fields += [f"m:{tag}" for tag in before.joined - after.joined]
    fields += [f"a:{alias}" for alias in before.aliased.keys() - after.aliased.keys()]
    return Changes(
        rows,
        np.ones(1, dtype=bool),
        np.zeros(part.stop - part.start, dtype=np.int64),
        residents.artist[part].astype(np.int64),
        residents.weight[part].copy(),
        np.array([residents.activity is not None]),
        turned={row},
        dropped={row: residents.artists.places(gone).tolist()} if gone else {},
        gone={row: fields} if fields else {},
        moves=[residents.last_move(row, model)],
        now=now,
    )
