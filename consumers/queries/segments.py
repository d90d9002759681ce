"""Labelled segments: what is known of them, who is in one, and what speaks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rapidfuzz.process import extract

from consumers.runtime.live_model import LiveModel
from models.model import Model
from models.traits.segment_reasons import Reasons, genre_odds, goes_by, reasons
from stream.connect import AnyRedis
from stream.errors import SnapshotUnusable, UnknownSegment
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.segments import Segments
from stream.stores.snapshots import Snapshots

__all__ = [
    "Member",
    "Segment",
    "SegmentSummary",
    "SpeakingArtist",
    "check_segment",
    "list_segments",
    "read_segment",
]


@dataclass(frozen=True)
class SegmentSummary:
    """A segment, or one class of a segment of classes (``SEGMENT:CLASS``).

    Attributes
    ----------
    labelled, positives
        Listeners with a label as they were learned from, and those of them who are in it; as they are now
        where nothing is learned yet.
    auc, auc_low, auc_high
        Of labels that were predicted before they were learned from, with a 95 % interval; None: too few.
    threshold
        The probability from which a listener is a member; None while nothing is learned.
    members
        Listeners who were predicted above it.
    version, created_at
        Of what is learned, and when in Unix seconds; 0: nothing is.
    doubt
        Why it is not to be trusted yet; "" where it may be.
    """

    segment: str
    labelled: int
    positives: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    threshold: float | None
    members: int
    version: int
    created_at: float
    doubt: str


@dataclass(frozen=True)
class Member:
    """A listener, and how likely they are in the segment."""

    user_id: str
    probability: float


@dataclass(frozen=True)
class SpeakingArtist:
    """An artist, and the odds of somebody who plays nothing else over those of labelled ones who clicked."""

    artist_id: str
    name: str
    odds: float


@dataclass(frozen=True)
class Segment(SegmentSummary):
    """A segment in full.

    Attributes
    ----------
    prior
        Share of the labelled who are in it: what is predicted where nothing is known.
    top
        Members, the likeliest first, from the one asked for.
    artists_for, artists_against
        What speaks most for it, and against it.
    cohorts, genres
        Cohort and its label, genre -> odds of who is in its middle, or of its artists; the highest first.
    goes_by
        What is looked at ("artists", "taste", "activity", "cohort", "distances", shares of activity) -> its
        share in what is learned.
    """

    prior: float
    top: tuple[Member, ...]
    artists_for: tuple[SpeakingArtist, ...]
    artists_against: tuple[SpeakingArtist, ...]
    cohorts: Mapping[str, float]
    genres: Mapping[str, float]
    goes_by: Mapping[str, float]


async def list_segments(redis: AnyRedis, _: Settings) -> tuple[SegmentSummary, ...]:
    """Return what is predicted of listeners by labels, by name."""
    store = Segments(redis)
    return tuple([await _summary(store, name) for name in sorted(await store.predicted())])


async def read_segment(
    redis: AnyRedis,
    _: Settings,
    name: str,
    artists: int = 10,
    start: int = 0,
    count: int = 20,
    live: LiveModel | None = None,
) -> Segment:
    """Return a segment in full.

    Parameters
    ----------
    artists
        How many that speak for it, and against it; half as many cohorts and genres.
    start, count
        Which members: so many from the one at this place.
    live
        The model that serves, where it is at hand; else it is loaded.

    Raises
    ------
    UnknownSegment
        Where there are no labels of it; it names those alike.
    SnapshotDamaged
        Where what is learned cannot be read.
    """
    store = Segments(redis)
    there = await store.predicted()
    check_segment(name, there)
    segment, members = await store.model(name), await store.members(name, start, count)
    model = await _serving(redis, live)
    found = reasons(segment, model) if model else Reasons({}, {})
    ordered = list(found.artists.items())
    catalogue = Catalogue(redis)
    genres = genre_odds(found.artists, await catalogue.genres(list(found.artists)))
    most, least = ordered[:artists], ordered[::-1][:artists]
    names = await catalogue.names([artist for artist, _ in (*most, *least)])
    labels = dict(zip(model.cohort_ids, model.labels, strict=True)) if model else {}
    half = max(artists // 2, 1)
    return Segment(
        **vars(await _summary(store, name)),
        prior=segment.prior,
        top=tuple(Member(user, round(p, 6)) for user, p in members[0]),
        artists_for=tuple(SpeakingArtist(a, names[a], round(o, 3)) for a, o in most if o > 1),
        artists_against=tuple(SpeakingArtist(a, names[a], round(o, 3)) for a, o in least if o < 1),
        cohorts={f"{c} {labels[c]}": round(odds, 3) for c, odds in list(found.cohorts.items())[:half]},
        genres={genre: round(odds, 3) for genre, odds in list(genres.items())[:half]},
        goes_by={name: round(share, 4) for name, share in goes_by(segment).items()},
    )


def check_segment(name: str, there: Collection[str]) -> None:
    """Make sure that a segment is among those that are there.

    Raises
    ------
    UnknownSegment
        Where it is not; it names those alike.
    """
    if name in there:
        return
    near = [other for other in there if other.startswith(f"{name}:")]
    near = near or [other for other, _, _ in extract(name, list(there), limit=3, score_cutoff=60)]
    raise UnknownSegment(
        f"there are no labels of a segment {name!r}",
        hint=f"Did you mean {' or '.join(near)}? `refrain segments` lists all."
        if near
        else "`refrain replay labels FILE` sends labels; `refrain segments` lists what there is.",
    )


async def _summary(store: Segments, name: str) -> SegmentSummary:
    about = await store.about(name)
    if not about:
        segment, side = (await store.predicted())[name]
        labelled, positives = await store.counts(segment, side)
        doubt = "it has not been learned yet"
        return SegmentSummary(name, labelled, positives, None, None, None, None, 0, 0, 0.0, doubt)
    auc, low, high, threshold = (
        round(float(about[field]), 6) if field in about else None
        for field in ("auc", "auc_low", "auc_high", "threshold")
    )
    _, members = await store.members(name, 0, 1)
    return SegmentSummary(
        segment=name,
        labelled=int(about["labelled"]),
        positives=int(about["positives"]),
        auc=auc,
        auc_low=low,
        auc_high=high,
        threshold=threshold,
        members=members,
        version=int(about["version"]),
        created_at=float(about["created_at"]),
        doubt=about["doubt"],
    )


async def _serving(redis: AnyRedis, live: LiveModel | None) -> Model | None:
    """Return the model that serves; None where there is none to be used: `refrain doctor` says why."""
    if live is not None:
        await live.refresh()
        return live.model
    snapshots = Snapshots(redis)
    version = await snapshots.current()
    if version is None:
        return None
    try:
        return await snapshots.load(version)
    except SnapshotUnusable:
        return None
