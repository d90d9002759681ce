"""What a listener is: their clicks, what Redis holds of them, how they move, what an operator sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from models.active_days import Activity
from models.affinity import ForwardDecay
from models.model import Model

__all__ = [
    "HEARD",
    "HISTORY",
    "MERGED",
    "PLAYS",
    "REFRESHED",
    "Aliased",
    "Click",
    "Listener",
    "Move",
    "OffsetSource",
    "Rules",
    "is_short",
    "last_move",
    "refreshed",
    "tag_of",
    "under",
]

Floats = npt.NDArray[np.float64]

PLAYS = frozenset({"play", "complete"})
"""What plays a song, and says for how long."""

HEARD = PLAYS | {"like", "download"}
"""What says that a listener knows a song: a search finds, and a skip leaves, none."""

REFRESHED = "model:"
"""The place of a move that a model made, no click: this and the model's version."""

MERGED = "merge"
"""In place of a source: a merge, or the undoing of one, moved the listener; the offset is when."""


def tag_of(user_id: str) -> str:
    """Return what a listener's record knows an id by that is part of it: 64 bits of BLAKE2b, 16 digits.

    Examples
    --------
    >>> tag_of("anonymous-1")
    'b986c568e26840a6'
    """
    return blake2b(user_id.encode(), digest_size=8).hexdigest()


class OffsetSource(str):
    """What offsets count within: a partition of a topic, from when the topic was created until it is deleted.

    It is the text that Redis remembers offsets under: "3", and after the topic was recreated "3.1". Clicks
    of an id that is part of another listener by now have offsets of their own: of two ids in one partition
    neither says how far the other is.

    Parameters
    ----------
    number
        The partition's number.
    epoch
        How many times the topic was created before this one; its offsets began again from 0 each time.
    of
        The id that the clicks name, where they count for another.

    Examples
    --------
    >>> OffsetSource(3), OffsetSource(3, epoch=1), OffsetSource(3, epoch=1).number
    ('3', '3.1', 3)
    >>> OffsetSource(3, of="anonymous-1") == f"3~{tag_of('anonymous-1')}"
    True
    """

    __slots__ = ("epoch", "number", "of")
    number: int
    epoch: int
    of: str

    def __new__(cls, number: int, epoch: int = 0, of: str = "") -> OffsetSource:
        text = f"{number}.{epoch}" if epoch else str(number)
        return cls._made(f"{text}~{tag_of(of)}" if of else text, number, epoch, of)

    @classmethod
    def read(cls, text: str) -> OffsetSource:
        """Read the text back; the id that clicks name is not in it.

        Examples
        --------
        >>> OffsetSource.read("3.1").epoch
        1
        """
        number, _, epoch = text.partition("~")[0].partition(".")
        return cls._made(text, int(number), int(epoch or 0), "")

    @classmethod
    def _made(cls, text: str, number: int, epoch: int, of: str) -> OffsetSource:
        source = super().__new__(cls, text)
        source.number, source.epoch, source.of = number, epoch, of
        return source


HISTORY = OffsetSource(-1)
"""In place of a partition: files. The offset is when the last click in them was, in Unix microseconds.
The epoch says how many loads of files there were before: this is the first."""


class Click(NamedTuple):
    """A click that can be used: whose, its place in Kafka, when, what, of which artists.

    One that has `waited` for its song was passed by then: its offset counts as applied. `utc_offset_min` is
    that of the listener's clock, `ms_played` milliseconds; None where it is not known, as city, device and
    `event_id` "". One that is `repeated` was counted before, at another offset: it counts as applied, and no
    more.
    `song_id` is "" for a search without a song, and for a song of no length.
    """

    user_id: str
    partition: OffsetSource
    offset: int
    ts: float
    song_id: str
    artist_ids: tuple[str, ...]
    action: str
    waited: bool = False
    utc_offset_min: int | None = None
    ms_played: int | None = None
    city: str = ""
    device: str = ""
    event_id: str = ""
    repeated: bool = False


def under(click: Click, user_id: str) -> Click:
    """Return a click as it counts for a listener, be it for the id that it names or for another.

    Examples
    --------
    >>> click = Click("a", OffsetSource(3), 25, 0.0, "s1", (), "play")
    >>> counted = under(click, "b")
    >>> counted.user_id, counted.partition.of, under(counted, "a") == click
    ('b', 'a', True)
    """
    source = click.partition
    if "~" in source and not source.of:
        return click._replace(user_id=user_id)  # it has waited as a click of theirs before
    named = source.of or click.user_id
    plain = OffsetSource(source.number, source.epoch, "" if named == user_id else named)
    return click._replace(user_id=user_id, partition=plain)


def is_short(click: Click, least_ms_played: int) -> bool:
    """Say whether a click is a play of fewer milliseconds; of one that does not say how long it was, no.

    Examples
    --------
    >>> click = Click("a", OffsetSource(3), 25, 0.0, "s1", (), "play", ms_played=2000)
    >>> is_short(click, 30_000), is_short(click, 0), is_short(click._replace(action="skip"), 30_000)
    (True, False, False)
    """
    return click.action in PLAYS and click.ms_played is not None and click.ms_played < least_ms_played


class Move(NamedTuple):
    """A listener's way from one cohort to another; "" is no cohort. A birth comes from "".

    The reason is a click; a refresh of the model; a rebirth: the model no longer has the cohort left; a merge
    of two listeners; or that the listener was dormant for so long that they are erased.
    """

    user_id: str
    origin: str
    to: str
    ts: float
    reason: Literal["click", "refresh", "rebirth", "merge", "dormant"] = "click"


class Aliased(NamedTuple):
    """How much of an affinity to an artist was stored under an alias of theirs."""

    artist: str
    weight: float


@dataclass(slots=True)
class Listener:
    """A listener as Redis holds them.

    `affinities` are stored weights (forward-decayed). `rev` is another number after each write: 0 is a
    listener who is not there yet, a negative one was written by an earlier version. `moved` is the place of
    the click, or the model (`REFRESHED`), that moved them last. `made_by` is the version of the model that
    summed their taste. `short_term`, shape (d,), sums the vectors of the artists last clicked, each click
    weighing `FADES` of the next (`models.short_term`). `utc_offset_min` is that of their clock, None where no
    click has said it. `activity` is what they did day by day; None where that is not recorded. `joined` are
    the tags (`tag_of`) of ids that are part of this listener. A listener who is part of another is not there,
    and `into` names the other. `aliased` remembers, by alias, which part of `affinities` was stored under it
    before it was one (`models.aliases`). `unrecorded`: until when what they did was not recorded, in Unix
    seconds (`models.traits.activity.Activities`).
    """

    user_id: str
    rev: int = 0
    cohort: str = ""
    cohort_from: str = ""
    cohort_since: float = 0.0
    moved: str = ""
    clicks: int = 0
    first_seen: float = float("inf")
    last_seen: float = float("-inf")
    bot: bool = False
    hour: int = 0
    hour_clicks: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    affinities: dict[str, float] = field(default_factory=dict)
    made_by: int = 0
    short_term: Floats | None = None
    utc_offset_min: int | None = None
    activity: Activity | None = None
    joined: frozenset[str] = frozenset()
    into: str = ""
    aliased: dict[str, Aliased] = field(default_factory=dict)
    unrecorded: float = float("-inf")


@dataclass(frozen=True)
class Rules:
    """What an operator sets and an update goes by.

    More than `bot_clicks_per_hour`, or where activity is recorded `bot_plays_per_day` (or 24 hours of playing
    in one day), makes a bot. A play of less than `least_ms_played` milliseconds adds to no affinity.
    """

    decay: ForwardDecay
    margin: float = 0.03
    max_artists: int = 200
    bot_clicks_per_hour: int = 1000
    bot_plays_per_day: int = 2880
    least_ms_played: int = 0


def last_move(listener: Listener, model: Model | None = None) -> Move:
    """Say the last move on record. Whether it was a rebirth, only the model can tell."""
    reason: Literal["click", "refresh", "rebirth", "merge"] = "click"
    if listener.moved.startswith(f"{MERGED}:"):
        reason = "merge"
    elif listener.cohort_from and model and listener.cohort_from not in model.cohort_ids:
        reason = "rebirth"
    elif refreshed(listener):
        reason = "refresh"
    return Move(listener.user_id, listener.cohort_from, listener.cohort, listener.cohort_since, reason)


def refreshed(listener: Listener) -> bool:
    """Say whether a model moved the listener last, and no click."""
    return listener.moved.startswith(REFRESHED)
