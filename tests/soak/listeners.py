"""Clicks that go on coming, and what is to be made of them, added up beside.

Whoever clicks has few artists, and has played nearly all of them after five minutes: what is kept of a
listener grows with their artists, and the growth of memory after that is to be of nothing else.
"""

from __future__ import annotations

import time

import numpy as np

from models.affinity import ACTION_WEIGHTS, ForwardDecay
from stream.settings import Settings
from tests.soak.traffic import Traffic

__all__ = ["ARTISTS", "CLIQUES", "Listeners", "user_of"]

CLIQUES, OF_A_CLIQUE = 8, 20
ARTISTS = CLIQUES * OF_A_CLIQUE
STEP = 0.1  # seconds
OF_A_LISTENER = 6  # artists of their clique; one more is of the next
OF_THEIR_CLIQUE = 0.9  # of clicks
LIKES, TWICE, LATE = 0.05, 0.01, 0.005  # of clicks; twice: with one `event_id`
LATE_SECONDS = 15.0  # after the first clicks on a song it is in the catalogue
NEW_SONG_SECONDS = 20.0


def user_of(number: int) -> str:
    return f"u{number}"


class Listeners(Traffic):
    """Click for the time of the ``with`` block, so many times a second.

    Attributes
    ----------
    weights
        Shape (listeners, ARTISTS): the affinities that come of all clicks sent, as they are stored.
    clicks
        Shape (listeners,): how many clicks count.
    sent
        Records in Kafka, those included that count no more.
    """

    def __init__(self, settings: Settings, listeners: int, rate: int, seed: int) -> None:
        super().__init__(settings, **{"queue.buffering.max.messages": 2_000_000, "linger.ms": 20})
        self._rate = rate
        self._random = np.random.default_rng(seed)
        self._decay = ForwardDecay(half_life=settings.half_life)
        self._shares = np.cumsum(np.arange(1, OF_A_LISTENER + 1) ** -0.8)
        self._late: list[tuple[float, str, int]] = []
        self._song, self._song_since, self._songs = ("", 0), 0.0, 0
        self.weights = np.zeros((listeners, ARTISTS))
        self.clicks = np.zeros(listeners, dtype=np.int64)
        self.sent = 0

    def work(self) -> None:
        due, number = time.monotonic(), round(self._rate * STEP)
        while not self._ended.is_set():
            self._click(number)
            self._publish_songs()
            self._producer.poll(0)
            due += STEP
            self._ended.wait(max(due - time.monotonic(), 0.0))
        self._publish_songs(all_of_them=True)

    def _click(self, number: int) -> None:
        random, now = self._random, time.time()
        users = random.integers(0, len(self.clicks), number)
        own, first = random.random(number) < OF_THEIR_CLIQUE, users // CLIQUES
        liked = np.searchsorted(self._shares, random.random(number) * self._shares[-1])
        clique = np.where(own, users, users + 1) % CLIQUES
        artists = clique * OF_A_CLIQUE + np.where(own, first + liked, first) % OF_A_CLIQUE
        times = np.round(now - random.uniform(0.0, 60.0, number), 3)
        likes, twice = random.random(number) < LIKES, random.random(number) < TWICE
        late = random.random(number) < LATE
        weights = np.where(likes, ACTION_WEIGHTS["like"], ACTION_WEIGHTS["play"])
        for at in range(number):
            event = {
                "user_id": user_of(users[at]),
                "ts": times[at],
                "action": "like" if likes[at] else "play",
            }
            if late[at]:
                event["song_id"], artists[at] = self._late_song(now)
            else:
                event |= {"song_id": f"s{artists[at]}", "artist_ids": [f"a{artists[at]}"]}
            if twice[at]:
                event["event_id"] = f"e{self.sent}"
            for _ in range(1 + twice[at]):
                self._send("clicks", event["user_id"], event)
                self.sent += 1
        np.add.at(self.weights, (users, artists), self._decay.stored(weights, times))
        np.add.at(self.clicks, users, 1)

    def _late_song(self, now: float) -> tuple[str, int]:
        if now - self._song_since > NEW_SONG_SECONDS:
            self._song = f"late-{self._songs}", self._songs % ARTISTS
            self._songs, self._song_since = self._songs + 1, now
            self._late.append((now + LATE_SECONDS, *self._song))
        return self._song

    def _publish_songs(self, *, all_of_them: bool = False) -> None:
        while self._late and (all_of_them or self._late[0][0] < time.time()):
            _, song, artist = self._late.pop(0)
            self._send("songs", song, {"song_id": song, "artist_ids": [f"a{artist}"]})
