"""The learner of songs: plays in, song models out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix

from models.model import Model
from models.sample import Sampled
from models.song_vectors import artists_beside, rarity, song_vectors, to_audience
from models.songs import SongModel

__all__ = ["Play", "SongLearner"]

SONGS = 128  # of a listener, the latest
ENTRIES = 4_000_000  # of what artists say of songs: 24 MB
SLACK = 0.25
ALONE = 2  # listeners that one of a song's artists has at least
LESS = 0.5  # of the pairs that the last song model was learned from: with fewer it serves on for a time
HALVED = 86_400.0  # seconds of its age after which half of those are enough, and half of that, and so on
STAY = 16  # songs for which a listener is to be held at least, on average: else too many come for all to be
TRIALS = 9  # shares of all listeners that are tried out: all, half, and so on to one of 256
TRIED = 500  # listeners that each trial holds
WORTH = 1.5  # times the songs, where another share would hold so many, are worth changing to that
MORE = 2.0  # times the pairs that the last song model was learned from are worth one of their own


class Play(NamedTuple):
    """A listener has played a song of these artists."""

    listener: Hashable
    song: str
    artists: Sequence[str]


class SongLearner:
    """Learns song vectors from who has played which songs.

    Holds the latest songs of a sample of listeners, those who clicked last. A model is made of them and of
    what the same listeners play and like, as the learner of cohorts has it: in closed form, each time.

    Where so many listeners play that those who clicked last would have few songs each, half of all listeners
    are passed over, by a checksum of their id: always the same. Where that is not enough, half of the others.
    But only where far more songs would be held so: of visitors who come once there would not be, however many
    are passed over, and regulars would be passed over, too. So each share is tried out on a few listeners.

    Parameters
    ----------
    max_songs
        Songs held; when there are a quarter more, the least played are forgotten.
    max_listeners
        Listeners held; of more, those who have played nothing for longest give way.
    last_plays, made_at
        What the last song model was learned from (`SongModel.plays`), and when, in Unix seconds: see `ready`.
    artist_of
        Returns the artist that an id stands for by now: songs played before it did are that artist's, too.

    Examples
    --------
    >>> learner = SongLearner()
    >>> learner.learn_many([Play("u1", "s1", ["ana"]), Play("u2", "s1", ["ana"]), Play("u2", "s2", ["bo"])])
    >>> learner.songs, learner.plays, learner.ready(now=0.0)
    (['s1', 's2'], 3, True)
    """

    def __init__(
        self,
        max_songs: int = 200_000,
        max_listeners: int = 50_000,
        last_plays: int = 0,
        made_at: float = 0.0,
        artist_of: Callable[[str], str] = str,
    ) -> None:
        self.max_songs = max_songs
        self.max_listeners = max_listeners
        self.songs: list[str] = []
        self.plays = 0
        self._last_plays = self._taught_by = last_plays
        self._made_at = made_at
        self._artist_of = artist_of
        self._index: dict[str, int] = {}
        self._artists: list[tuple[str, ...]] = []
        self._played: OrderedDict[Hashable, list[int]] = OrderedDict()
        self._halved = 0  # how often all listeners were, so that many are passed over
        self._gave_way = self._added = 0  # listeners and songs, since it is that
        self._others = False  # whether who is held may be others than those who clicked last
        tried = min(TRIED, max_listeners)
        self._trials = [_Trial(tried) for _ in range(TRIALS)]
        self._tried_on = tried / max_listeners  # of the listeners of each share

    def ready(self, now: float) -> bool:
        """Say whether enough is known to replace the last song model (`now`: Unix seconds).

        That is half of what the last one was learned from; a quarter where that is a day old, and so on. Else
        a trainer that is always started anew before it knows so much would never publish another.
        """
        age = max(now - self._made_at, 0.0)
        return self.plays > 0 and self.plays >= LESS * self._last_plays * 0.5 ** (age / HALVED)

    @property
    def grown(self) -> bool:
        """Whether twice as much is known as the last snapshot was learned from."""
        return self.plays > 0 and self.plays >= MORE * self._taught_by

    def learn_many(self, plays: Iterable[Play]) -> None:
        """Take in plays, the latest last; one that comes twice changes nothing."""
        share = self._share
        for listener, song, artists in plays:
            place = _place(listener)
            self._try(place, song)
            if place >= share:
                continue
            number = self._number(song, artists)
            theirs = self._played.setdefault(listener, [])
            self._played.move_to_end(listener)
            if number in theirs:
                theirs.remove(number)
                self.plays -= 1
                self._added -= 1
            theirs.append(number)
            self.plays += 1
            self._added += 1
            if len(theirs) > SONGS:
                del theirs[0]
                self.plays -= 1
        while len(self._played) > self.max_listeners:
            self.plays -= len(self._played.popitem(last=False)[1])
            self._gave_way += 1
        if self._gave_way >= self.max_listeners:
            self._others = self._halved > 0  # all who are held have come since
            if self._added < STAY * self._gave_way and self._best() > self._halved:
                self._pass_over_half()
            self._gave_way = self._added = 0
        if self._best() < self._halved:
            self._halved -= 1
            self._gave_way = self._added = 0
        self._keep_within_bounds()

    def know(self, songs: Mapping[str, Sequence[str]]) -> None:
        """Take in songs of the catalogue -> their artists, played or not; the first to be forgotten.

        But not before more plays come: a model is to be made with them.
        """
        for song, artists in songs.items():
            self._number(song, artists)

    def beyond(self, sampled: Sampled) -> list[Hashable]:
        """Return whose songs are held and who are not in a sample; nobody where none were passed over lately.

        A sample of who clicked last has few of those who are not passed over.
        """
        if not self._others:
            return []
        there = set(sampled.listeners)
        return [listener for listener in self._played if listener not in there]

    def snapshot(self, sampled: Sampled, model: Model) -> SongModel | None:
        """Return the song model that goes with a model; None where no listener in its sample has played any.

        Songs are left out whose artists nobody but one listener plays.

        Parameters
        ----------
        sampled
            What the model was learned from (`CohortLearner.sampled`), and those `beyond` it.
        """
        self._taught_by = self.plays
        rows = [row for row, listener in enumerate(sampled.listeners) if self._played.get(listener)]
        if not rows:
            return None
        held, tastes = sampled.held[rows], sampled.tastes[rows]
        ends = np.cumsum([0, *(len(self._played[sampled.listeners[row]]) for row in rows)])
        songs = list(chain.from_iterable(self._played[sampled.listeners[row]] for row in rows))
        played = csr_matrix((np.ones(len(songs)), songs, ends), shape=(len(rows), len(self.songs)))
        made_by = self._made_by(model)
        kept = np.flatnonzero((made_by @ (model.heard_by(np.arange(len(model.artists))) >= ALONE)) > 0)
        if not len(kept):
            return None
        made_by, played = made_by[kept], played[:, kept]
        vectors = song_vectors(played, tastes, held, made_by)
        listeners = np.bincount(played.indices, minlength=len(kept)).astype(np.int32)
        rare = rarity(listeners)
        beside = artists_beside(played, tastes, held, vectors)
        beside.data *= rare[beside.indices]
        beside = _largest(beside, ENTRIES)
        used = np.flatnonzero(
            (np.diff(beside.indptr) > 0) | (np.bincount(made_by.indices, minlength=len(model.artists)) > 0)
        )
        levels = np.linalg.norm(vectors, axis=1)
        return SongModel(
            version=model.version,
            created_at=model.created_at,
            n_listeners=len(rows),
            plays=self.plays,
            songs=tuple(self.songs[song] for song in kept.tolist()),
            directions=(vectors / np.maximum(levels, 1e-300)[:, None]).astype(np.float16),
            levels=(levels * rare).astype(np.float32),
            listeners=listeners,
            artists=tuple(model.artists[row] for row in used.tolist()),
            made_by=made_by[:, used],
            beside=beside[used],
            to_audience=to_audience(tastes),
            strength=model.strength,
            activity=model.activity,
            play_now=model.play_now,
        )

    @property
    def _share(self) -> float:
        """Of all listeners, those who are not passed over: whose place is below it."""
        return 0.5**self._halved

    def _try(self, place: float, song: str) -> None:
        share = self._tried_on
        for trial in self._trials:
            if place >= share:
                return
            trial.learn(place, song)
            share /= 2

    def _best(self) -> int:
        """Return how often to halve: as often as now, unless far more songs would be held otherwise."""
        plays = [trial.plays for trial in self._trials]
        best = plays.index(max(plays))
        return best if plays[best] > WORTH * plays[self._halved] else self._halved

    def _pass_over_half(self) -> None:
        self._halved += 1
        self._others = True
        for listener in [each for each in self._played if _place(each) >= self._share]:
            self.plays -= len(self._played.pop(listener))

    def _number(self, song: str, artists: Sequence[str]) -> int:
        number = self._index.get(song)
        if number is None:
            number = self._index[song] = len(self.songs)
            self.songs.append(song)
            self._artists.append(())
        if artists:
            self._artists[number] = tuple(artists)
        return number

    def _made_by(self, model: Model) -> csr_matrix:
        known = [
            [model.index[one] for one in dict.fromkeys(map(self._artist_of, artists)) if one in model.index]
            for artists in self._artists
        ]
        ends = np.cumsum([0, *map(len, known)])
        columns = list(chain.from_iterable(known))
        return csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(known), len(model.artists)))

    def _keep_within_bounds(self) -> None:
        if len(self.songs) <= self.max_songs * (1 + SLACK):
            return
        numbers = np.fromiter(chain.from_iterable(self._played.values()), dtype=np.int64)
        counts = np.bincount(numbers, minlength=len(self.songs))
        kept = np.sort(np.argsort(-counts, kind="stable")[: self.max_songs]).tolist()
        renumbered = {old: new for new, old in enumerate(kept)}
        self.songs = [self.songs[old] for old in kept]
        self._artists = [self._artists[old] for old in kept]
        self._index = {song: number for number, song in enumerate(self.songs)}
        for listener, theirs in list(self._played.items()):
            self._played[listener] = [renumbered[old] for old in theirs if old in renumbered]
            if not self._played[listener]:
                del self._played[listener]
        self.plays = sum(map(len, self._played.values()))


class _Trial:
    """How many songs would be held of a share of all listeners.

    Their places stand for them: of a small share nobody gives way, and no id is to stay for that long.
    """

    def __init__(self, max_listeners: int) -> None:
        self.plays = 0
        self._max_listeners = max_listeners
        self._played: OrderedDict[float, set[str]] = OrderedDict()

    def learn(self, place: float, song: str) -> None:
        theirs = self._played.setdefault(place, set())
        self._played.move_to_end(place)
        if song not in theirs and len(theirs) < SONGS:
            theirs.add(song)
            self.plays += 1
        if len(self._played) > self._max_listeners:
            self.plays -= len(self._played.popitem(last=False)[1])


def _place(listener: Hashable) -> float:
    """Return a listener's place among all, from 0 to 1, always the same."""
    return crc32(str(listener).encode()) / 2**32


def _largest(entries: csr_matrix, number: int) -> csr_matrix:
    """Keep the `number` largest entries."""
    if entries.nnz > number:
        entries.data[np.argpartition(-entries.data, number)[number:]] = 0.0
        entries.eliminate_zeros()
    return entries
