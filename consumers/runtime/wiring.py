"""What is made of the settings: the stores on one Redis, and the rules by which clicks change a listener."""

from __future__ import annotations

from dataclasses import dataclass

from models.affinity import ForwardDecay
from models.audience_size import Worth
from models.control import Groups
from models.listener import Rules
from models.traits.churn_span import Span
from models.traits.lifecycle import Limits
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.churn import ChurnStore
from stream.stores.cohorts import Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.decisions import Decisions
from stream.stores.durability import Durability
from stream.stores.erased import Erased
from stream.stores.expired import Expired
from stream.stores.feedback import FeedbackCounts
from stream.stores.listeners import Listeners
from stream.stores.merged_lately import MergedLately
from stream.stores.merges import Merges
from stream.stores.opted_out import OptedOut
from stream.stores.recommended import Recommended
from stream.stores.release_traces import ReleaseTraces
from stream.stores.released_songs import ReleasedSongs
from stream.stores.releases import Releases
from stream.stores.segments import Segments
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.stores.sweeps import Sweeps
from stream.stores.told import Caps, Told
from stream.stores.traits import Traits
from stream.stores.waiting import Waiting

__all__ = [
    "Stores",
    "caps_of",
    "churn_span_of",
    "decay_of",
    "groups_of",
    "limits_of",
    "rules_of",
    "worth_of",
]


@dataclass(frozen=True)
class Stores:
    """Every store, on one Redis."""

    aliases: ArtistAliases
    listeners: Listeners
    cohorts: Cohorts
    catalogue: Catalogue
    releases: Releases
    release_traces: ReleaseTraces
    released_songs: ReleasedSongs
    opted_out: OptedOut
    told: Told
    feedback_counts: FeedbackCounts
    decisions: Decisions
    ctr_models: CtrModels
    churn: ChurnStore
    segments: Segments
    snapshots: Snapshots
    song_models: SongModels
    recommended: Recommended
    sweeps: Sweeps
    waiting: Waiting
    traits: Traits
    merges: Merges
    merged_lately: MergedLately
    expired: Expired
    erased: Erased
    durability: Durability

    @classmethod
    def on(cls, redis: AnyRedis, settings: Settings) -> Stores:
        """Build them; nothing is asked of Redis yet."""
        aliases = ArtistAliases(redis)
        listeners = Listeners(redis, aliases)
        opted_out, told = OptedOut(redis), Told(redis, caps_of(settings))
        return cls(
            aliases,
            listeners,
            Cohorts(redis, listeners),
            Catalogue(redis, aliases=aliases),
            Releases(
                redis,
                settings.release_seconds,
                settings.played_within_seconds,
                settings.learn_clicks_after_seconds,
            ),
            ReleaseTraces(redis),
            ReleasedSongs(redis, settings.played_within_seconds, settings.least_ms_played),
            opted_out,
            told,
            FeedbackCounts(redis, settings.release_seconds, opted_out, told),
            Decisions(redis),
            CtrModels(redis),
            ChurnStore(redis),
            Segments(redis),
            Snapshots(redis),
            SongModels(redis),
            Recommended(redis, settings.recommended_seconds),
            Sweeps(redis),
            Waiting(redis),
            Traits(redis, listeners),
            Merges(redis),
            MergedLately(redis),
            Expired(redis),
            Erased(redis),
            Durability(redis, settings.redis_replicas),
        )


def decay_of(settings: Settings) -> ForwardDecay:
    """Return how affinities fade."""
    return ForwardDecay(half_life=settings.half_life)


def caps_of(settings: Settings) -> Caps:
    """Return how often a listener is told of releases at most."""
    return Caps(
        settings.told_a_day,
        settings.told_a_week,
        settings.told_gap_minutes * 60.0,
        settings.told_artist_hours * 3600.0,
    )


def worth_of(settings: Settings) -> Worth:
    """Return what a notification gains and costs."""
    return Worth(settings.click_value, settings.ignored_cost, settings.opt_out_cost)


def churn_span_of(settings: Settings) -> Span:
    """Return which days churn is predicted from, and for which."""
    return Span(settings.churn_history_days, settings.churn_days)


def groups_of(settings: Settings) -> Groups:
    """Return who is not told, for comparison."""
    return Groups(settings.salt, settings.control, settings.holdout)


def rules_of(settings: Settings) -> Rules:
    """Return the rules by which clicks change a listener.

    Examples
    --------
    >>> rules_of(Settings(half_life_days=7, margin=0.1)).margin
    0.1
    """
    return Rules(
        decay_of(settings),
        settings.margin,
        settings.max_artists,
        settings.bot_clicks_per_hour,
        settings.bot_plays_per_day,
        settings.least_ms_played,
    )


def limits_of(settings: Settings) -> Limits:
    """Return where stages of listeners begin and end."""
    return Limits(
        settings.new_days,
        settings.regular_days,
        settings.fading_share,
        settings.stage_dormant_days,
        settings.stage_gone_days,
        settings.returned_days,
    )
