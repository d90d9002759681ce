"""The music of the demo's world: scenes, their artists, their songs, and what is released next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from consumers.demo.names import artist_names, scenes, title
from stream.wire.events import Release, Song

__all__ = ["Music"]

ARTISTS = 40  # in a scene, before guests
GUESTS = 2  # of other scenes that are at home in it too
SONGS = 3  # of an artist
NEWCOMER = 6  # every sixth release is by an artist nobody has heard
SIMILAR = 3  # artists that a newcomer is said to be like


class Music:
    """Artists in scenes, as popular there as Zipf says, and a desk that releases their songs.

    Parameters
    ----------
    seed
        Of everything that is drawn.

    Attributes
    ----------
    scenes
        Their names.
    songs
        The catalogue as it is at first.

    Examples
    --------
    >>> music = Music(seed=1)
    >>> len(music.scenes), len(music.songs)
    (24, 2880)
    >>> release, song = music.release("r1", max_audience=100)
    >>> release.title == song.title, music.scenes[music.scenes_of(release.artist_ids[0])[0]] in release.genres
    (True, True)
    """

    def __init__(self, seed: int) -> None:
        self._rng, self._desk = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
        self._words = scenes()
        self.scenes = [words.name for words in self._words]
        self.songs: list[Song] = []
        self._scenes_of: dict[str, list[int]] = {}
        for number, words in enumerate(self._words):
            for name in artist_names(words, ARTISTS, self._rng):
                self._scenes_of[_artist_id(name)] = [number]
                self.songs += [self._song(name, number, self._rng) for _ in range(SONGS)]
        self._ranked = [self._ranks(number) for number in range(len(self.scenes))]
        share = 1.0 / np.arange(1, ARTISTS + GUESTS + 1)
        self._steps = np.cumsum(share / share.sum())
        self._released = 0

    def _ranks(self, scene: int) -> npt.NDArray[np.int64]:
        """Return a scene's artists by number, the most popular first; guests of other scenes among them."""
        own = np.arange(scene * ARTISTS, (scene + 1) * ARTISTS)
        others = np.setdiff1d(np.arange(len(self.scenes) * ARTISTS), own)
        guests = self._rng.choice(others, size=GUESTS, replace=False)
        for guest in guests:
            self._scenes_of[self._by(int(guest)).artist_ids[0]].append(scene)
        return self._rng.permutation(np.concatenate([own, guests]))

    def _by(self, artist: int, track: int = 0) -> Song:
        return self.songs[artist * SONGS + track]

    def _song(self, name: str, scene: int, rng: np.random.Generator) -> Song:
        artist = _artist_id(name)
        return Song(
            song_id=f"{artist}-{int(rng.integers(1 << 32)):08x}",
            artist_ids=[artist],
            title=title(rng),
            artist_names=[name],
            genres=[self.scenes[scene]],
            duration_ms=int(rng.integers(120_000, 320_000)),
        )

    def scenes_of(self, artist: str) -> list[int]:
        """Return the scenes that an artist is at home in, by number."""
        return self._scenes_of[artist]

    def draw(self, in_scenes: Sequence[int], rng: np.random.Generator) -> list[Song]:
        """Return a song out of each of these scenes, as listeners there would choose it."""
        count = len(in_scenes)
        ranks = np.minimum(np.searchsorted(self._steps, rng.random(count)), len(self._steps) - 1)
        # Of an artist's songs, two in three clicks are for the one that everybody knows.
        tracks = np.minimum(rng.geometric(0.66, size=count) - 1, SONGS - 1)
        return [
            self._by(int(self._ranked[scene][rank]), track)
            for scene, rank, track in zip(in_scenes, ranks, tracks.tolist(), strict=True)
        ]

    def release(self, release_id: str, max_audience: int) -> tuple[Release, Song]:
        """Return the next release and its song; a newcomer's names artists that it is similar to."""
        self._released += 1
        scene = int(self._desk.integers(len(self.scenes)))
        similar: list[str] = []
        if self._released % NEWCOMER == 0:
            name = self._newcomer(scene)
            self._scenes_of[_artist_id(name)] = [scene]
            similar = [self._by(int(artist)).artist_ids[0] for artist in self._ranked[scene][:SIMILAR]]
        else:
            popular = self._ranked[scene][: ARTISTS // 2]
            name = self._by(int(self._desk.choice(popular))).artist_names[0]
        song = self._song(name, scene, self._desk)
        release = Release(
            release_id=release_id,
            artist_ids=song.artist_ids,
            song_id=song.song_id,
            title=song.title,
            genres=song.genres,
            similar_to=similar,
            max_audience=max_audience,
        )
        return release, song

    def _newcomer(self, scene: int) -> str:
        words = self._words[scene]
        names = [f"{first} {second}" for first in words.first for second in words.second]
        fresh = [name for name in names if _artist_id(name) not in self._scenes_of]
        # When all names are taken the next generation begins.
        return (
            str(self._desk.choice(fresh)) if fresh else f"{words.first[0]} {words.second[0]} {self._released}"
        )


def _artist_id(name: str) -> str:
    return name.casefold().replace(" ", "-")
