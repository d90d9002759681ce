"""What each kind of event is: its fields, its key, its topic, and which fields it can do without."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from stream.files.impressions import Impression
from stream.wire.events import Action, ArtistAlias, ClickEvent, Feedback, Label, Merge, Release, Song

__all__ = ["CHOICES", "ID_LISTS", "KINDS", "LISTS", "NO_NAMES", "TIMES", "Shape", "is_id"]


class Shape(NamedTuple):
    """What a kind of event is.

    Attributes
    ----------
    model
        What parses it.
    key
        The field that is its key.
    fields
        All it may have.
    topic
        Where it goes.
    droppable
        Fields that only add something: where one cannot be used, the event goes without it. Not those that
        decide what an event means, or who is told.
    """

    model: Any
    key: str
    fields: frozenset[str]
    topic: str
    droppable: frozenset[str] = frozenset()


KINDS: dict[str, Shape] = {
    "clicks": Shape(
        ClickEvent,
        "user_id",
        frozenset(ClickEvent.__annotations__),
        "clicks",
        frozenset({"ms_played", "event_id", "city", "utc_offset_min", "device", "query"}),
    ),
    "songs": Shape(
        Song,
        "song_id",
        frozenset(Song.model_fields),
        "songs",
        frozenset({"title", "artist_names", "genres", "label", "duration_ms", "released_at"}),
    ),
    "releases": Shape(
        Release,
        "release_id",
        frozenset(Release.model_fields),
        "releases",
        frozenset({"title", "genres", "label"}),
    ),
    "feedback": Shape(Feedback, "user_id", frozenset(Feedback.model_fields), "feedback"),
    "labels": Shape(Label, "user_id", frozenset(Label.model_fields), "labels"),
    "merges": Shape(Merge, "user_id", frozenset(Merge.model_fields), "merges"),
    "artist-aliases": Shape(ArtistAlias, "alias", frozenset(ArtistAlias.model_fields), "artist-aliases"),
    "impressions": Shape(Impression, "user_id", frozenset(Impression.model_fields), "feedback"),
}
"""Each kind by its name."""

ID_LISTS = frozenset({"artist_ids", "featuring", "similar_to"})
LISTS = ID_LISTS | {"artist_names", "genres"}
TIMES = frozenset({"ts", "released_at"})

NO_NAMES = frozenset({"user_id", "release_id", "event_id"})
"""Ids that are no names of songs or artists: ``null`` there is no id, where a song may be called so."""

CHOICES: dict[str, tuple[str, ...]] = {
    "action": get_args(Action),
    "kind": get_args(Feedback.model_fields["kind"].annotation),
}
"""Fields that are one of a few words, and these words."""


def is_id(field: str) -> bool:
    """Say whether a field names something, or a list of such.

    Examples
    --------
    >>> [is_id(field) for field in ("song_id", "artist_ids", "alias", "city")]
    [True, True, True, False]
    """
    return field in ID_LISTS or field.endswith("_id") or field == "alias"
