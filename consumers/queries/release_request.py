"""A release as a person asks for it, made an event: for publishing it, or for a preview of its audience."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import ValidationError

from consumers.queries.artist_names import ArtistNames
from consumers.queries.artists import FoundArtists, find_artists
from consumers.queries.segments import check_segment
from consumers.runtime.live_model import LiveModel
from models.traits.where import SEGMENT, Where
from stream.connect import AnyRedis
from stream.errors import UnknownSong, WrongUse
from stream.stores.catalogue import Catalogue
from stream.stores.segments import Segments
from stream.stores.song_models import SongModels
from stream.wire.events import Release
from stream.wire.parsing import why
from stream.wire.where import parse_where

__all__ = ["ReleaseRequest", "release_event"]


@dataclass(frozen=True)
class ReleaseRequest:
    """A release as a person asks for it: artists are ids or names.

    Attributes
    ----------
    artists
        Who made it; where none are named, those whom the catalogue has for the song, with its genres; of a
        song that is known from clicks alone, those whom they named.
    featuring, similar_to, genres, label
        What else it may go by.
    max_audience
        The most listeners that may be told.
    min_ctr
        Cohorts with a lower play rate are left out.
    where
        Conditions on traits of listeners, as `stream.wire.where.parse_where` takes them.
    """

    artists: tuple[str, ...]
    featuring: tuple[str, ...] = ()
    similar_to: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    label: str | None = None
    max_audience: int | None = None
    min_ctr: float | None = None
    where: str | None = None
    title: str | None = None
    song_id: str | None = None


async def release_event(
    redis: AnyRedis,
    release_id: str,
    request: ReleaseRequest,
    ts: float | None = None,
    live: LiveModel | None = None,
    names: ArtistNames | None = None,
) -> tuple[Release, tuple[str, ...]]:
    """Return the event that asks for a release, and which of its artists nobody has heard of yet.

    Parameters
    ----------
    ts
        When it is published, Unix seconds.
    live
        The model that serves, where it is at hand.
    names
        All names of artists, where they are at hand.

    Raises
    ------
    UnknownSong
        Where no artists are named, and neither the catalogue nor what was learned of songs has the song.
    SnapshotDamaged
        Where what was learned of songs is needed, and cannot be read.
    UnknownArtist
        Where an artist is not known, and the release has nothing else to go by.
    AmbiguousArtist
        Where several artists have a name.
    UnknownSegment
        Where a condition is on a segment that there are no labels of: nobody would meet it.
    WrongUse
        Where an id, a title, a number or a condition cannot be.
    """
    where = await _where(redis, request.where)
    featuring = await find_artists(redis, request.featuring, live=live, names=names)
    similar_to = await find_artists(redis, request.similar_to, live=live, names=names)
    may_be_new = bool(featuring.ids or similar_to.ids or request.genres or request.label)
    if request.artists:
        artists = await find_artists(redis, request.artists, may_be_new=may_be_new, live=live, names=names)
    else:
        request = await _of_song(redis, request)
        artists = FoundArtists(request.artists, ())
    try:
        event = Release(
            release_id=release_id,
            artist_ids=list(artists.ids),
            song_id=request.song_id,
            title=request.title,
            genres=list(request.genres),
            label=request.label,
            featuring=list(featuring.ids),
            similar_to=list(similar_to.ids),
            max_audience=request.max_audience,
            min_ctr=request.min_ctr,
            where=where,
            ts=ts,
        )
    except ValidationError as error:
        reason, detail = why(error)
        raise WrongUse(f"this release cannot be published: {reason.value} ({detail})") from error
    return event, artists.new


async def _where(redis: AnyRedis, text: str | None) -> Where | None:
    if text is None:
        return None
    try:
        where = parse_where(text)
    except ValueError as error:
        raise WrongUse(f"the condition {text!r} cannot be: {error}") from error
    segments = [trait.removeprefix(SEGMENT) for trait in where.traits if trait.startswith(SEGMENT)]
    there = await Segments(redis).predicted() if segments else {}
    for segment in segments:
        check_segment(segment, there)
    return where


async def _of_song(redis: AnyRedis, request: ReleaseRequest) -> ReleaseRequest:
    """Return what is asked for a song, with its artists, and the genres that the catalogue has for it."""
    song_id = request.song_id
    if song_id is None:
        raise WrongUse("nobody can say whom this is for: name an artist, or a song of the catalogue")
    catalogue = Catalogue(redis)
    found = (await catalogue.described([song_id])).get(song_id)
    if found is not None:
        return replace(request, artists=found.artist_ids, genres=request.genres or found.genres)
    songs = await SongModels(redis).load() if not await catalogue.taken_off([song_id]) else None
    if songs is None or not (artists := songs.artists_of(song_id)):
        raise UnknownSong(
            f"neither the catalogue nor any song that was learned from clicks is {song_id!r}",
            hint="Name the artist who made it; or check the id.",
        )
    return replace(request, artists=artists)
