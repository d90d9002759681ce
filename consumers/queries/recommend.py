"""Songs for a listener."""

from __future__ import annotations

import logging
from asyncio import Lock, gather, to_thread
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from json import dumps, loads
from shlex import quote
from typing import Any

import numpy as np

from consumers.queries.known_listener import KnownListener, read_known_listener
from consumers.queries.no_model import no_model
from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from consumers.runtime.newest_click import NewestClick
from models.model import Model
from models.recommend import Suggestions
from models.songs import SongModel
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.error_policy import takes_no_writes
from stream.errors import NoModel, NoTaste
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue, Described
from stream.stores.heard import Heard, song_numbers
from stream.stores.recommended import Recommended
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels

__all__ = ["Because", "RecommendedSong", "Recommender", "Recommenders", "SongsForListener", "recommend"]

logger = logging.getLogger(__name__)

OTHERS = 2
"""Listeners in the sample from whom on an artist says something: with one, where it points is chance."""
NONE_SUITS = "none that is known suits this listener's taste, or they have heard all of those lately"
KEPT = 50  # songs of an answer that is kept, at least: who asks for fewer gets the first of them
REASONS = 2  # artists named with a song
SPARE = 10  # songs of which the catalogue is asked beyond those that are wanted


@dataclass(frozen=True)
class Because:
    """An artist that a listener plays, and how much of a song's score comes of it."""

    artist_id: str
    name: str
    pull: float


@dataclass(frozen=True)
class RecommendedSong:
    """A song for a listener.

    Attributes
    ----------
    title
        "" where the catalogue has none.
    artist_ids, artists
        Who made it, and what they are called.
    score
        How likely the listener is to play it, up to a factor that is the listener's own: it ranks.
    because
        Which of the artists that they play speak most for it.
    """

    song_id: str
    title: str
    artist_ids: tuple[str, ...]
    artists: tuple[str, ...]
    score: float
    because: tuple[Because, ...]


@dataclass(frozen=True)
class SongsForListener:
    """The songs for a listener, the likeliest first.

    Attributes
    ----------
    made_at
        Unix seconds: an answer is kept for `REFRAIN_RECOMMENDED_MINUTES`.
    songs_version
        The song model that it was made with.
    asked
        How many songs were asked for; with fewer there are no more that suit the listener.
    reason
        Why there are none; "" where there are.
    """

    user_id: str
    made_at: float
    songs_version: int
    asked: int
    songs: tuple[RecommendedSong, ...]
    reason: str


async def recommend(
    redis: AnyRedis,
    settings: Settings,
    user_id: str,
    top: int,
    now: float,
    recommenders: Recommenders | None = None,
) -> SongsForListener:
    """Return the `top` songs for a listener: those of the last answer if it is kept (now: Unix seconds).

    Parameters
    ----------
    recommenders
        What serves, where it is at hand; else all of it is loaded.

    Raises
    ------
    NoModel
        Where no song model has been published yet.
    UnknownListener
        Where there is no listener of that id.
    NoTaste
        Where nothing is known of them that they like.
    """
    kept = Recommended(redis, settings.recommended_seconds)
    if (found := _read(await kept.get(user_id))) and found.asked >= top:
        return _first(found, top)
    recommender = await (recommenders.serving() if recommenders else _loaded(redis, settings))
    return _first(await recommender.answer(user_id, max(top, KEPT), now), top)


async def _loaded(redis: AnyRedis, settings: Settings) -> Recommender:
    snapshots = Snapshots(redis)
    version = await snapshots.current()
    model = None if version is None else await snapshots.load(version)
    if model is None:
        raise await no_model(redis, settings)
    model = model.as_of(await NewestClick.on(redis, settings).play_now())
    songs = await SongModels(redis).load()
    if songs is None or not songs.fits(model):
        raise _no_songs(songs)
    return Recommender(redis, settings, model, songs)


def _no_songs(songs: SongModel | None) -> NoModel:
    said = "learned yet" if songs is None else "learned for the model that serves, which has other dimensions"
    return NoModel(
        f"no songs are {said}: they come with the next model, once listeners have played songs",
        hint="Start `refrain train` if it does not run; `refrain doctor` tells.",
    )


class Recommenders:
    """Holds one `Recommender` for all who ask, made again where another model or other songs serve.

    Parameters
    ----------
    live, songs
        The model and the song model that serve.
    """

    def __init__(self, redis: AnyRedis, settings: Settings, live: LiveModel, songs: LiveSongs) -> None:
        self._redis, self._settings = redis, settings
        self._live, self._songs = live, songs
        self._making = Lock()
        self._made: Recommender | None = None

    async def serving(self) -> Recommender:
        """Return the one of what serves now.

        Raises
        ------
        NoModel
            Where no model, or no song model that fits it, has been published yet.
        """
        await self._live.refresh()
        await self._songs.refresh()
        async with self._making:
            model, songs = self._live.model, self._songs.model
            if model is None:
                raise await no_model(self._redis, self._settings)
            if songs is None or not songs.fits(model):
                raise _no_songs(songs)
            if self._made is None or not self._made.is_of(model, songs):
                # In a thread: all songs are hashed and sorted, and whoever else asks does not wait for it.
                self._made = await to_thread(self._make, model, songs)
            return self._made

    def _make(self, model: Model, songs: SongModel) -> Recommender:
        songs.prepare()
        return Recommender(self._redis, self._settings, model, songs)


class Recommender:
    """Answers from a model and a song model at hand, and keeps the answers.

    Parameters
    ----------
    model
        The one that serves.
    """

    def __init__(self, redis: AnyRedis, settings: Settings, model: Model, songs: SongModel) -> None:
        self._redis = redis
        self._settings = settings
        self._model = model
        self._songs = songs
        self._catalogue, self._aliases = Catalogue(redis), ArtistAliases(redis)
        self._heard = Heard(redis)
        self._kept = Recommended(redis, settings.recommended_seconds)
        numbers = song_numbers(songs.songs)
        self._by_number = np.argsort(numbers, kind="stable")
        self._numbers = numbers[self._by_number]

    def is_of(self, model: Model, songs: SongModel) -> bool:
        """Say whether it answers from just these."""
        return self._model is model and self._songs is songs

    async def answer(self, user_id: str, top: int, now: float) -> SongsForListener:
        """Return the `top` songs for a listener, made again; keep them, where Redis takes writes.

        Errors are those of `recommend`.
        """
        known, lately, _ = await gather(
            read_known_listener(self._redis, self._settings, user_id),
            self._heard.of(user_id),
            self._aliases.refresh(),
        )
        affinities = known.listener.affinities
        liked = [a for a, weight in affinities.items() if weight > 0 and a in self._model.index]
        if known.listener.bot or not liked:
            raise _no_taste(known)
        if (self._model.heard_by(np.array([self._model.index[each] for each in liked])) < OTHERS).all():
            return SongsForListener(user_id, now, self._songs.version, top, (), await self._lonely(liked))
        heard = np.unique(lately)
        first, last = (np.searchsorted(self._numbers, heard, side) for side in ("left", "right"))
        spans = [self._by_number[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        left_out = np.concatenate([np.zeros(0, dtype=np.int64), *spans])
        songs = await self._named(known, top, left_out)
        found = SongsForListener(user_id, now, self._songs.version, top, songs, "" if songs else NONE_SUITS)
        try:
            await self._kept.put(user_id, dumps(asdict(found), ensure_ascii=False).encode())
        except REDIS_ERRORS as error:
            if not takes_no_writes(error):
                raise
            logger.debug("songs for a listener are not kept: %s", error)
        return found

    async def _lonely(self, artists: Sequence[str]) -> str:
        """Say that nothing can be learned of artists whom nobody else plays."""
        names = await self._catalogue.names(artists[:REASONS])
        others = len(artists) - len(names)
        said = ", ".join(names.values()) + (f" and {others:,} others" if others else "")
        return (
            f"too little is known of what this listener likes: no other listener of the sample plays {said}"
        )

    async def _named(
        self, known: KnownListener, top: int, left_out: np.ndarray[Any, np.dtype[np.int64]]
    ) -> tuple[RecommendedSong, ...]:
        """Return the first songs, with what they and their artists are called.

        Without those of zero length, and those taken off the catalogue.
        """
        suggestions = Suggestions(known.listener.affinities, self._model, self._songs)
        ranked = suggestions.ranked(left_out)
        chosen: list[tuple[int, float, Described]] = []
        while len(chosen) < top:
            some = list(islice(ranked, top - len(chosen) + SPARE))
            if not some:
                break
            ids = [self._songs.songs[row] for row, _ in some]
            there, gone = await gather(self._catalogue.described(ids), self._catalogue.taken_off(ids))
            for song, (row, score) in zip(ids, some, strict=True):
                about = there.get(song) or self._undescribed(row)
                if about.duration_ms != 0 and song not in gone:
                    artists = tuple(dict.fromkeys(map(self._aliases.of, about.artist_ids)))
                    chosen.append((row, score, about._replace(artist_ids=artists)))
        chosen = chosen[:top]
        reasons = [list(suggestions.pulls(row).items())[:REASONS] for row, _, _ in chosen]
        makers = {artist for _, _, about in chosen for artist in about.artist_ids}
        names = await self._catalogue.names(
            [*makers, *{artist for pulls in reasons for artist, _ in pulls} - makers]
        )
        return tuple(
            RecommendedSong(
                song_id=self._songs.songs[row],
                title=about.title,
                artist_ids=about.artist_ids,
                artists=tuple(names[artist] for artist in about.artist_ids),
                score=round(score, 6),
                because=tuple(Because(artist, names[artist], round(pull, 6)) for artist, pull in pulls),
            )
            for (row, score, about), pulls in zip(chosen, reasons, strict=True)
        )

    def _undescribed(self, row: int) -> Described:
        """Return what is known of a song that is not in the catalogue: its artists, as clicks named them."""
        return Described("", self._songs.artists_of(self._songs.songs[row]))


def _no_taste(known: KnownListener) -> NoTaste:
    user_id = known.listener.user_id
    if known.listener.bot:
        return NoTaste(
            f"{user_id!r} clicks like a bot, and has no taste",
            hint="REFRAIN_BOT_CLICKS_PER_HOUR and REFRAIN_BOT_PLAYS_PER_DAY say what a bot is.",
        )
    return NoTaste(
        f"nothing is known yet of what {user_id!r} likes: they like none of the artists that the model knows",
        hint="They need to play an artist that others play too; "
        f"`refrain user {quote(user_id)}` shows theirs.",
    )


def _first(found: SongsForListener, top: int) -> SongsForListener:
    return replace(found, asked=top, songs=found.songs[:top])


def _read(answer: bytes | None) -> SongsForListener | None:
    """Return an answer that was kept; None where there is none, or another version of Refrain wrote it."""
    if answer is None:
        return None
    values = loads(answer)
    try:
        songs = tuple(
            RecommendedSong(
                **{
                    **song,
                    "artist_ids": tuple(song["artist_ids"]),
                    "artists": tuple(song["artists"]),
                    "because": tuple(Because(**each) for each in song["because"]),
                }
            )
            for song in values.pop("songs")
        )
        return SongsForListener(**values, songs=songs)
    except (KeyError, TypeError):
        return None
