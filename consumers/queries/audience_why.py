"""Why a listener is in an audience, or is not."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.queries.known_listener import KnownListener
from consumers.queries.placement import Pull, named_pulls
from consumers.runtime.wiring import caps_of
from consumers.work.draft import Draft
from consumers.work.member_cache import TOP
from models.audience import mean_score, play_rates
from models.directions import activity
from models.explain import neighbour_pulls, pulls
from models.model import Model
from models.taste import log_length, unit
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.listeners import Listeners
from stream.stores.told import WEEK, Told
from stream.stores.traits import Traits
from stream.wire.events import Release

__all__ = ["NamedArtist", "WhyAudience", "why_audience"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NamedArtist:
    """An artist's id and name."""

    artist_id: str
    name: str


@dataclass(frozen=True)
class WhyAudience:
    """Why a listener is told of a release, or is not.

    Attributes
    ----------
    told
        Whether they are.
    reason
        "told"; one of `stream.stores.told.REASONS`: their caps leave no place for it now; "average": their
        score is below the average, and the release sets no max_audience;
        "where": their trait `fails` does not meet the release's condition;
        "opted out"; "opted out of the artist"; "bot"; "no cohort"; "not met": the model has not met them yet;
        "min_ctr": their cohort's play rate is below what was asked for; "cohort": their cohort's members were
        not scored;
        "score": others scored higher. Once a CTR model serves: "unlikely": so few clicks are expected
        of them that a notification is not worth it, or less than min_ctr; "ctr": others are likelier to
        click. Or the reason why nobody at all is told.
    score
        `closeness` times `activity`, plus `added`; None where they have no taste.
    closeness
        Cosine of the listener's taste and the release.
    activity
        How much likelier than others they are to play any artist: 1 for a listener in the middle.
    added
        What artists add that they play and that are neighbours of the release's: artists whom its listeners
        play more often than tastes say.
    listener_play_rate
        How likely they are to play the artist, by their score and by what listeners of such scores discovered
        lately.
    audience_ends_at
        The score of the last in the audience.
    ctr, ctr_ends_at
        How likely the listener is to click, and the last in the audience; None before that is learned.
    told_lately
        Notifications of the last seven days; they count towards the listener's caps.
    place, looked_at
        Their place among the listeners who were scored, from 1, and how many that were.
    listeners
        Size of the audience.
    fails, fails_with
        The trait that does not meet the release's condition on it, and its value, "" for none; both "" where
        there is no such trait.
    play_rate, cohort_rank
        Of their cohort, and its place by that among the `cohorts`; the members of the first
        `cohorts_looked_at` were scored.
    relied_on
        What the release was known by.
    pulls
        Which artists of theirs make up the closeness, the strongest first.
    neighbours
        Which artists of theirs make up `added`, the most first.
    plays_already
        Which of the release's artists they play.
    """

    user_id: str
    told: bool
    reason: str
    score: float | None
    closeness: float | None
    activity: float | None
    added: float | None
    listener_play_rate: float | None
    audience_ends_at: float | None
    ctr: float | None
    ctr_ends_at: float | None
    told_lately: int
    place: int | None
    looked_at: int
    listeners: int
    fails: str
    fails_with: str
    cohort: str
    label: str
    play_rate: float | None
    cohort_rank: int | None
    cohorts: int
    cohorts_looked_at: int
    relied_on: str
    pulls: tuple[Pull, ...]
    neighbours: tuple[Pull, ...]
    plays_already: tuple[NamedArtist, ...]


async def why_audience(
    redis: AnyRedis,
    settings: Settings,
    release: Release,
    model: Model,
    draft: Draft,
    rows: Ints,
    known: KnownListener,
) -> WhyAudience:
    """Return why a listener is in an audience, or is not.

    Parameters
    ----------
    rows
        Of the draft's candidates: those who would be told, as far as caps are known.
    """
    user, cohort, candidates = known.listener.user_id, known.listener.cohort, draft.candidates
    told, planned = candidates.users_at(rows), candidates.users_at(draft.told)
    caps = Told(redis, caps_of(settings))
    now = time.time()
    (full,) = await caps.reserve(release.release_id, release.artist_ids, [user], [True], now)
    (lately,) = await caps.of([user])
    row = candidates.row_of(user)
    scores = candidates.scores.astype(float)
    parts = await _parts(redis, model, draft, user)
    affinities = known.listener.affinities
    strongest = dict(sorted(affinities.items(), key=lambda pair: -pair[1])[:TOP])
    neighbours = neighbour_pulls(strongest, model, draft.target)
    added = sum(neighbours.values())
    rate = draft.play_rate.get(cohort)
    fails, fails_with = await _fails(redis, release, user)
    catalogue = Catalogue(redis)
    plays = [artist for artist in release.artist_ids if affinities.get(artist, 0.0) > 0]
    names = await catalogue.names(plays)
    return WhyAudience(
        user_id=user,
        told=user in told and not full,
        reason=full or "told"
        if user in planned or user in told
        else _reason(known, release, draft, None if row is None else float(scores[row]), model, fails),
        score=None if parts is None else round(parts[0] * parts[1] + added, 6),
        closeness=None if parts is None else round(parts[0], 6),
        activity=None if parts is None else round(parts[1], 6),
        added=None if parts is None else round(added, 6),
        listener_play_rate=None if parts is None else _play_rate(model, draft, parts[0] * parts[1] + added),
        audience_ends_at=round(float(scores[rows[-1]]), 6) if told else None,
        ctr=_ctr(draft, row),
        ctr_ends_at=_ctr(draft, int(rows[-1])) if told else None,
        told_lately=sum(at > now - WEEK for at in lately.releases.values()),
        place=None if row is None else _place(draft, row),
        looked_at=len(candidates.scores),
        listeners=len(told),
        fails=fails,
        fails_with=fails_with,
        cohort=cohort,
        label=dict(zip(model.cohort_ids, model.labels, strict=True)).get(cohort, ""),
        play_rate=rate,
        cohort_rank=None if rate is None else 1 + sum(other > rate for other in draft.play_rate.values()),
        cohorts=len(draft.play_rate),
        cohorts_looked_at=len(draft.chosen),
        relied_on=draft.target.relied_on,
        pulls=await named_pulls(pulls(affinities, model, draft.target.vector), catalogue),
        neighbours=await named_pulls(neighbours, catalogue),
        plays_already=tuple(NamedArtist(artist, names[artist]) for artist in plays),
    )


def _ctr(draft: Draft, row: int | None) -> float | None:
    if row is None or draft.known is None or not draft.ctr.version:
        return None
    return round(float(draft.ctr.predict(draft.known(np.array([row])))[0]), 6)


def _play_rate(model: Model, draft: Draft, score: float) -> float:
    return round(float(play_rates(model, draft.target, np.array([score]))[0]), 6)


def _place(draft: Draft, row: int) -> int:
    """Return a candidate's place in the ranking, from 1; of equal scores those that are told come first."""
    scores, told = draft.candidates.ranks, draft.told
    others = np.ones(len(scores), dtype=bool)
    others[told] = False
    better_others = int((others & (scores > scores[row])).sum())
    if others[row]:
        return 1 + better_others + int((scores[told] >= scores[row]).sum())
    place_among_told: int = told.tolist().index(row)
    return 1 + better_others + place_among_told


async def _parts(redis: AnyRedis, model: Model, draft: Draft, user: str) -> tuple[float, float] | None:
    """Return closeness and activity of a listener; None where they have no taste, or the release no aim."""
    _, sums = await Listeners(redis).tastes([user], model.n_dims)
    if not sums.any() or draft.target.relied_on == "nothing":
        return None
    closeness = float((unit(sums) @ draft.target.vector)[0])
    return closeness, float(activity(log_length(sums), model.strength, model.activity)[0])


async def _fails(redis: AnyRedis, release: Release, user: str) -> tuple[str, str]:
    """Return the trait by which a listener does not meet the release's conditions, and its value."""
    if not release.where:
        return "", ""
    traits, names = Traits(redis, Listeners(redis)), release.where.traits
    failing = int(release.where.failing(await traits.columns([user], names))[0])
    if failing < 0:
        return "", ""
    (values,) = await traits.read([user], names)
    return names[failing], values[failing]


def _reason(
    known: KnownListener, release: Release, draft: Draft, score: float | None, model: Model, fails: str
) -> str:
    user, cohort = known.listener.user_id, known.listener.cohort
    rate = draft.play_rate.get(cohort)
    learned = draft.ctr.version > 0
    reasons = (
        (known.opted_out, "opted out"),
        (draft.ranking is not None and user in draft.ranking.artist_opted_out, "opted out of the artist"),
        (known.listener.bot, "bot"),
        (not draft.play_rate, draft.reason),
        (not cohort, "no cohort"),
        (rate is None, "not met"),
        (not learned and rate is not None and rate < (release.min_ctr or 0.0), "min_ctr"),
        (cohort not in draft.chosen, "cohort"),
        (score is None, "not met"),
        (fails != "", "where"),
        (learned and len(draft.told) < draft.places, "unlikely"),
        (learned, "ctr"),
        (release.max_audience is None and (score or 0.0) < mean_score(model, draft.target), "average"),
        (True, "score"),
    )
    return next(reason for holds, reason in reasons if holds)
