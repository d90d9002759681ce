"""The catalogue in Redis: which artists made a song, what they are called, their genres and labels."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgpack
from rapidfuzz import fuzz, process

from models.listener import Click
from stream.connect import AnyRedis
from stream.retry import Clock
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.names import exact_form, folded_form
from stream.stores.scripts import Script
from stream.wire.composed import nfc
from stream.wire.events import Song

__all__ = ["LENGTHS_SECONDS", "Catalogue", "Described"]

LENGTHS_SECONDS = 10.0
"""How often a process looks which songs have no length."""

OPTIONAL = ("title", "label", "duration_ms", "released_at")  # fields of a song
REMEMBERED = 200_000  # songs
NEW = 5_000  # songs that are out, and may be recommended before anybody has played them
AHEAD = 50_000  # songs that are to come out, the next to do so
GONE = 1_000_000  # songs taken off that are remembered: each takes less than it had in the catalogue
AT_ONCE = 500  # names, artists or songs that Redis is asked for: what a loop can do besides
REMEMBERED_SECONDS = 30.0  # for so long a song may count that was taken off, or changed its artists

BEHIND = chr(ord("\n") + 1)  # what sorts next to a line break
OTHERWISE = True, False, False
"""What `_unlike` is at least of an artist who is called otherwise by now."""

NEVER: tuple[float, tuple[str, ...]] = float("-inf"), ()


class Described(NamedTuple):
    """A song of the catalogue: its title ("" where it has none), artists, milliseconds (if known), genres."""

    title: str
    artist_ids: tuple[str, ...]
    duration_ms: int | None = None
    genres: tuple[str, ...] = ()


class Catalogue:
    """The store of songs and artists, with the songs last asked for at hand.

    Parameters
    ----------
    clock
        Tells how long ago a song was asked for.
    aliases
        What ids of artists stand for: `artists_of` goes by it. None: for themselves.
    """

    def __init__(
        self, redis: AnyRedis, clock: Clock = time.monotonic, aliases: ArtistAliases | None = None
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._aliases = ArtistAliases(redis) if aliases is None else aliases
        self._artists: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        self._noted: set[str] = set()
        self._enter_names = Script("enter_names")
        self._no_length: set[str] = set()

    async def refresh(self) -> None:
        """Read which songs have no length."""
        members = await self._redis.smembers(keys.SONGS_OF_NO_LENGTH)
        self._no_length = {member.decode() for member in members}

    @property
    def no_length(self) -> frozenset[str]:
        """Songs of no length, as of the last `refresh`."""
        return frozenset(self._no_length)

    def without_length(self, clicks: Sequence[Click]) -> Sequence[Click]:
        """Return clicks, those on songs of no length (as of the last `refresh`) without song and artists.

        Such a song is no music: what is done with it is activity, and adds to no affinity.
        """
        if not self._no_length:
            return clicks
        return [
            click._replace(song_id="", artist_ids=()) if click.song_id in self._no_length else click
            for click in clicks
        ]

    async def put(self, songs: Iterable[Song]) -> None:
        """Enter songs, or enter them again: nothing that an earlier event said of one stays; may be repeated.

        What it said of its artists does: other songs may say the same.
        """
        there = list(songs)
        await self._put_new(there)  # before they are in the catalogue: one that fails may be repeated
        pipeline = self._redis.pipeline(transaction=False)
        entered = [song.song_id for song in there]
        for song in there:
            entry = {"artist_ids": json.dumps(song.artist_ids), "genres": json.dumps(song.genres)}
            optional = {field: getattr(song, field) for field in OPTIONAL}
            entry |= {field: value for field, value in optional.items() if value is not None}
            pipeline.hset(keys.song(song.song_id), mapping=entry)
            if withdrawn := [field for field, value in optional.items() if value is None]:
                pipeline.hdel(keys.song(song.song_id), *withdrawn)  # what an earlier event said
            note = pipeline.sadd if song.duration_ms == 0 else pipeline.srem
            note(keys.SONGS_OF_NO_LENGTH, song.song_id)
            for artist, name in zip(song.artist_ids, song.artist_names, strict=False):
                pipeline.hset(keys.artist(artist), "name", name)
            for genre in song.genres:
                pipeline.sadd(keys.genre_artists(genre), *song.artist_ids)
            if song.label:
                pipeline.sadd(keys.label_artists(song.label), *song.artist_ids)
            for artist in song.artist_ids if song.genres else ():
                pipeline.sadd(keys.artist_genres(artist), *(genre.casefold() for genre in song.genres))
        if entered:
            pipeline.zrem(keys.SONGS_GONE, *entered)
        await pipeline.execute()
        await self._put_names(there)
        if entered:
            # Only now: whoever begins to wait for a song asks for it once more, and finds it.
            await self._tell_who_waits(entered)

    async def _put_new(self, songs: Sequence[Song]) -> None:
        """Note when songs came out, or are to; of those that say no date, when they were entered first."""
        now = time.time()
        undated = [song.song_id for song in songs if song.released_at is None]
        pipeline = self._redis.pipeline(transaction=False)
        for song_id in undated:
            pipeline.exists(keys.song(song_id))
        known = await pipeline.execute() if undated else []
        # A catalogue that is sent again every night has no new songs. But a date to come may be withdrawn.
        again = {song_id: now for song_id, there in zip(undated, known, strict=True) if there}
        dates = {song.song_id: now if song.released_at is None else song.released_at for song in songs}
        if again:
            await self._redis.zadd(keys.SONGS_NEW, again, xx=True, lt=True)
        if new := {song_id: date for song_id, date in dates.items() if song_id not in again}:
            await self._redis.zadd(keys.SONGS_NEW, new)
            ahead = await self._redis.zcount(keys.SONGS_NEW, f"({now}", "+inf")
            await self._redis.zremrangebyrank(keys.SONGS_NEW, 0, -(NEW + ahead) - 1)
            if ahead > AHEAD:
                await self._redis.zremrangebyrank(keys.SONGS_NEW, AHEAD - ahead, -1)

    async def _put_names(self, songs: Sequence[Song]) -> None:
        """Let artists be found by their names; those who have one in common are noted, each of them.

        Whoever comes to a name as the first has it. All who come later see that somebody has, and note both
        before they take it: so none is lost, however many processes enter songs at once.
        """
        exact = {
            (exact_form(name), artist): folded_form(name)
            for song in songs
            for artist, name in zip(song.artist_ids, song.artist_names, strict=False)
        }
        named = list(dict.fromkeys([*exact, *((folded, artist) for (_, artist), folded in exact.items())]))
        shared = await self._enter(named)
        # A name with these very accents goes before one that has others.
        if taken := {form: artist for form, artist in shared if (form, artist) in exact}:
            await self._redis.hset(keys.ARTIST_NAMES, mapping=taken)

    async def _enter(self, named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Enter forms of names, each with an artist, where nobody has them; return those that another has."""
        if not named:
            return []
        # A command for each would take this process ten times as long: a load enters many artists at once.
        holders = list[str]()
        for at in range(0, len(named), AT_ONCE):
            forms = msgpack.packb([part for pair in named[at : at + AT_ONCE] for part in pair])
            holders += msgpack.unpackb(await self._enter_names(self._redis, [keys.ARTIST_NAMES], forms))
        shared = [
            (form, artist, holder)
            for (form, artist), holder in zip(named, holders, strict=True)
            if holder != artist
        ]
        noted = {_namesake(form, each): 0 for form, *both in shared for each in both}
        if noted:
            await self._redis.zadd(keys.ARTIST_NAMESAKES, noted)
        return [(form, artist) for form, artist, _ in shared]

    async def _tell_who_waits(self, songs: Sequence[str]) -> None:
        since = await self._redis.zmscore(keys.WAITING, songs)
        if came := [song for song, at in zip(songs, since, strict=True) if at is not None]:
            await self._redis.sadd(keys.WAITING_CAME, *came)

    async def remove(self, song_ids: Iterable[str]) -> None:
        """Take songs off; may be repeated. What they said of their artists stays: others may say the same."""
        pipeline, now = self._redis.pipeline(transaction=False), time.time()
        for song_id in song_ids:
            pipeline.delete(keys.song(song_id))
            pipeline.srem(keys.SONGS_OF_NO_LENGTH, song_id)
            pipeline.zrem(keys.SONGS_NEW, song_id)
            pipeline.zadd(keys.SONGS_GONE, {song_id: now})
        pipeline.zremrangebyrank(keys.SONGS_GONE, 0, -GONE - 1)
        await pipeline.execute()

    async def new_songs(self) -> dict[str, tuple[str, ...]]:
        """Return the songs that came out last, or entered last where they say no date, and their artists.

        These are as `named_by` has them.
        """
        found = await self._redis.zrevrangebyscore(keys.SONGS_NEW, time.time(), "-inf", start=0, num=NEW)
        return await self.named_by([song.decode() for song in found])

    async def taken_off(self, song_ids: Sequence[str]) -> set[str]:
        """Return which of some songs were taken off."""
        if not song_ids:
            return set()
        since = await self._redis.zmscore(keys.SONGS_GONE, song_ids)
        return {song for song, at in zip(song_ids, since, strict=True) if at is not None}

    async def artists_of(self, song_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the artists of songs, those at least that the catalogue knows."""
        known = await self.named_by(song_ids)
        if self._aliases.empty:
            return known
        of = self._aliases.of
        return {song: tuple(dict.fromkeys(map(of, artists))) for song, artists in known.items()}

    async def named_by(self, song_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the artists of songs by the ids that their events name, whatever these stand for."""
        known: dict[str, tuple[str, ...]] = {}
        asked = []
        now = self._clock()
        for song_id in dict.fromkeys(song_ids):
            at, artists = self._artists.get(song_id, NEVER)
            if now - at < REMEMBERED_SECONDS:
                known[song_id] = artists
            else:
                asked.append(song_id)
        for some in _some_at_a_time(asked):
            pipeline = self._redis.pipeline(transaction=False)
            for song_id in some:
                pipeline.hget(keys.song(song_id), "artist_ids")
            for song_id, answer in zip(some, await pipeline.execute(), strict=True):
                self._artists.pop(song_id, None)
                if answer:
                    known[song_id] = tuple(dict.fromkeys(json.loads(answer)))
                    self._artists[song_id] = now, known[song_id]
        while len(self._artists) > REMEMBERED:
            self._artists.popitem(last=False)
        return known

    async def described(self, song_ids: Sequence[str]) -> dict[str, Described]:
        """Return what is known of songs, of those at least that the catalogue knows."""
        found: dict[str, Described] = {}
        for some in _some_at_a_time(song_ids):
            pipeline = self._redis.pipeline(transaction=False)
            for song_id in some:
                pipeline.hmget(keys.song(song_id), ["artist_ids", "title", "duration_ms", "genres"])
            answers = await pipeline.execute()
            for song_id, (artists, title, duration, genres) in zip(some, answers, strict=True):
                if artists:
                    found[song_id] = Described(
                        (title or b"").decode(),
                        tuple(dict.fromkeys(json.loads(artists))),
                        int(duration) if duration is not None else None,
                        tuple(json.loads(genres or "[]")),
                    )
        return found

    async def note(self, artist_ids: Iterable[str]) -> None:
        """Let artists that clicks name be found by their ids, also before a song or a model names them.

        Those whose ids differ in case or accents alone are found by each other's, as artists of one name are.
        Asks Redis about each artist once as long as this store lives.
        """
        new = [artist for artist in artist_ids if artist not in self._noted]
        if not new:
            return
        # Not over another artist, whose name this may be.
        forms = [(form, artist) for artist in new for form in (exact_form(artist), folded_form(artist))]
        await self._enter(list(dict.fromkeys(forms)))
        if len(self._noted) > REMEMBERED:
            self._noted.clear()
        self._noted.update(new)

    def forget_noted(self) -> None:
        """Note again whoever comes: Redis may have lost who was noted last."""
        self._noted.clear()

    async def names(self, artist_ids: Sequence[str]) -> dict[str, str]:
        """Return what artists are called: their name, or their id where none is known."""
        return {artist: name or artist for artist, name in (await self._entered_names(artist_ids)).items()}

    async def _entered_names(self, artist_ids: Sequence[str]) -> dict[str, str]:
        """Return the names of artists; "" where none is known."""
        names: dict[str, str] = {}
        for some in _some_at_a_time(artist_ids):
            pipeline = self._redis.pipeline(transaction=False)
            for artist in some:
                pipeline.hget(keys.artist(artist), "name")
            for artist, name in zip(some, await pipeline.execute(), strict=True):
                names[artist] = (name or b"").decode()
        return names

    async def number_of_names(self) -> int:
        """Return how many names there are, those counted that differ in accents only, or in the artist."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(keys.ARTIST_NAMES)
        pipeline.zcard(keys.ARTIST_NAMESAKES)
        return int(sum(await pipeline.execute()))

    async def called(self) -> set[tuple[str, str]]:
        """Return all names, and ids that clicks name, without case and accents, each with its artist."""
        found = {
            (folded_form(name.decode()), artist.decode())
            async for name, artist in self._redis.hscan_iter(keys.ARTIST_NAMES, count=AT_ONCE)
        }
        after = "-"
        while some := await self._redis.zrange(
            keys.ARTIST_NAMESAKES, after, "+", bylex=True, offset=0, num=AT_ONCE
        ):
            named = [member.decode() for member in some]
            found |= {(folded_form(form), artist) for form, artist in map(_form_and_artist, named)}
            after = f"({named[-1]}"
        return found

    async def about_artists(self, artist_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Return what artists are called, as `names` does, and how many listeners they have."""
        about: dict[str, tuple[str, int]] = {}
        for at in range(0, len(artist_ids), AT_ONCE):
            some = artist_ids[at : at + AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for artist in some:
                pipeline.hmget(keys.artist(artist), ["name", "listeners"])
            for artist, (name, number) in zip(some, await pipeline.execute(), strict=True):
                about[artist] = name.decode() if name else artist, int(float(number or 0))
        return about

    async def genres(self, artist_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the genres of artists, in small letters, of those at least that have any."""
        pipeline = self._redis.pipeline(transaction=False)
        for artist in artist_ids:
            pipeline.smembers(keys.artist_genres(artist))
        answers = await pipeline.execute() if artist_ids else []
        return {
            artist: sorted(genre.decode() for genre in genres)
            for artist, genres in zip(artist_ids, answers, strict=True)
            if genres
        }

    async def count(self, listeners: Mapping[str, int]) -> None:
        """Write how many listeners artists have."""
        pipeline = self._redis.pipeline(transaction=False)
        for artist, number in listeners.items():
            pipeline.hset(keys.artist(artist), "listeners", number)
        await pipeline.execute()

    async def artists_of_genres(self, genres: Iterable[str]) -> dict[str, list[str]]:
        """Return for each genre the artists who have songs of it."""
        asked = list(dict.fromkeys(genres))
        pipeline = self._redis.pipeline(transaction=False)
        for genre in asked:
            pipeline.smembers(keys.genre_artists(genre))
        answers = await pipeline.execute() if asked else []
        return {genre: _decoded(artists) for genre, artists in zip(asked, answers, strict=True)}

    async def artists_of_label(self, label: str | None) -> list[str]:
        """Return the artists who have songs on a label; none where there is no label."""
        return _decoded(await self._redis.smembers(keys.label_artists(label))) if label else []

    async def find(self, name: str) -> tuple[str, ...]:
        """Return the ids of the artists of that id or name: none, one, or all who have the name in common.

        An id goes before a name, and a name with these very accents before one that has others.
        """
        if await self._redis.exists(keys.artist(nfc(name))):
            return (nfc(name),)
        exact, folded = exact_form(name), folded_form(name)
        pipeline = self._redis.pipeline(transaction=False)
        # As it stands: so it was entered by earlier versions.
        pipeline.hmget(keys.ARTIST_NAMES, [name.casefold(), exact, folded])
        for form in dict.fromkeys((exact, folded)):
            pipeline.zrange(keys.ARTIST_NAMESAKES, f"[{form}\n", f"({form}{BEHIND}", bylex=True)
        holders, *namesakes = await pipeline.execute()
        shared = [_form_and_artist(member.decode())[1] for members in namesakes for member in members]
        found = tuple(dict.fromkeys([*(holder.decode() for holder in holders if holder), *shared]))
        if not found[1:]:
            return found
        # Some may have the name only but for accents, or had it before they were renamed.
        entered = await self._entered_names(found)
        unlike = {artist: _unlike(exact, folded, artist, entered[artist]) for artist in found}
        nearest = min(unlike.values())
        if nearest >= OTHERWISE:
            return found[:1]
        alike = tuple(artist for artist in found if unlike[artist] == nearest)
        return (nfc(name),) if nfc(name) in alike else alike  # an id of clicks that nobody has counted yet

    async def nearest(self, name: str, others: Iterable[str] = (), limit: int = 3) -> list[str]:
        """Return the names of artists, of the catalogue and of `others` (ids), that look most like a name."""
        called = {other: folded_form(other) for other in others}
        async for known, artist in self._redis.hscan_iter(keys.ARTIST_NAMES, count=1000):
            artist_id, called_so = artist.decode(), folded_form(known.decode())
            if called_so != folded_form(artist_id) or artist_id not in called:  # a name goes before an id
                called[artist_id] = called_so
        typed = folded_form(name)
        # Whole words find "Lady Gaga" for "gaga", the text as a whole "Muse" rather than "M" for "mse".
        found = process.extract(typed, called, scorer=fuzz.token_set_ratio, limit=20 * limit, score_cutoff=50)
        found.sort(key=lambda entry: -(entry[1] + fuzz.ratio(typed, entry[0])))
        artists = [artist for _, _, artist in found[:limit]]
        names = await self.names(artists)
        return list(dict.fromkeys(names[artist] for artist in artists))


def _namesake(form: str, artist: str) -> str:
    return f"{form}\n{artist}"  # a form has single spaces, and no line breaks


def _form_and_artist(namesake: str) -> tuple[str, str]:
    form, _, artist = namesake.partition("\n")
    return form, artist


def _unlike(exact: str, folded: str, artist: str, name: str) -> tuple[bool, bool, bool]:
    """Return how little an artist is called by a name that was typed; an id counts where there is no name."""
    called = name or artist
    return folded_form(called) != folded, exact_form(called) != exact, not name


def _some_at_a_time(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def _decoded(members: Iterable[bytes]) -> list[str]:
    return sorted(member.decode() for member in members)
