"""A simulated world of listeners whose answers to notifications are known, to learn from and to judge by.

Nothing here is fitted to data, nor chosen for figures to come out: the assumptions are round numbers of what
is commonly reported of push notifications (one to a dozen in a hundred clicked), and what Refrain sees is no
more than it would see: plays, and feedback. What is assumed:

**Tastes.** Artists belong to scenes of unequal size. A listener has a scene, and leans towards another. How
much a listener likes an artist is 4 times the cosine of two vectors of 16 dimensions, plus a whim of their
own for this one artist (standard deviation 0.5), which nothing but their plays of it tells. They play artists
in proportion to exp(liking) times popularity; the number of plays is log-normal (median 20). Tastes do not
change.

**Clicks.** The log-odds that a notification is clicked are
    -5 + liking of the artist
    + how readily the listener clicks on notifications at all (standard deviation 0.8, and 0.3 for a standard
      deviation of how much they listen)
    + what the scene is like (0.3), how good the release is (0.3), how it suits each scene (0.4)
    + 0.5 at 7 in the evening where the listener is, -0.5 at 7 in the morning; 0.2 at weekends
    - 0.4 for each notification that annoys
    - 0.1 for each day since the release came out.

**Annoyance.** Each notification that is ignored annoys by 1, each that is clicked by 0.3; half is forgotten
in two days. After one that is ignored a listener opts out with probability

    0.001 exp(0.8 annoyance) (1.5 - relevance), relevance = 1 / (1 + exp(2 - liking)),

more where annoyed, and where it is beside the point; at most 0.5.

**Feedback.** A click comes after a log-normal delay: the median is 30 minutes, one in forty takes over a day.
One report in a hundred is lost, two in a hundred come twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.special import expit

__all__ = ["DAY", "HOUR", "LOST", "START", "Feedback", "Outcome", "Release", "World"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HOUR, DAY = 3600.0, 86_400.0
START = 1_767_571_200.0  # Monday, 2026-01-05, 00:00 UTC
DIMS = 16
OFFSETS = np.array([-8.0, -5.0, 0.0, 1.0, 5.5, 9.0])  # hours from UTC, of listeners' time zones

LIKING, WHIM = 4.0, 0.5
CLICK_LEVEL = -5.0
READINESS, READINESS_OF_ACTIVE = 0.8, 0.3
SCENE, RELEASE, RELEASE_IN_SCENE = 0.3, 0.3, 0.4
EVENING, WEEKEND = 0.5, 0.2
ANNOYED_CLICKS, STALE = 0.4, 0.1
ANNOYED_BY_CLICKED, FORGOTTEN = 0.3, 2 * DAY
OPT_OUT, OPT_OUT_ANNOYED, MOST_OPT_OUT = 0.001, 0.8, 0.5
DELAY, DELAY_SPREAD = 30 * 60.0, 2.0
LOST, DOUBLED = 0.01, 0.02


@dataclass(frozen=True, eq=False)
class Release:
    """A release: whose, when it came out (Unix seconds), and how much better it is clicked than others."""

    id: str
    artist: int
    at: float
    by_scene: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What listeners made of notifications, an entry each; the truth, before any report is lost."""

    listeners: Ints
    clicked: Flags
    delay: Floats
    opted_out: Flags


@dataclass(frozen=True)
class Feedback:
    """One report of the notifier: "sent", "clicked", "dismissed" or "opted_out"."""

    at: float
    listener: str
    release: str
    kind: str


class World:
    """Listeners and artists, drawn from a seed; see the module's docstring.

    Parameters
    ----------
    n_listeners, n_artists, n_scenes
        How many.
    seed
        The same seed, the same world, and the same answers to the same questions in the same order.

    Attributes
    ----------
    liking
        Shape (n_listeners, n_artists), half precision: the truth.
    readiness, scene, activity
        Shape (n_listeners,).
    opted_out
        Shape (n_listeners,), so far.
    """

    def __init__(
        self, n_listeners: int = 2000, n_artists: int = 200, n_scenes: int = 20, seed: int = 0
    ) -> None:
        self.random = random = np.random.default_rng([seed, 1])
        shares = 1.0 / np.arange(1, n_scenes + 1) ** 0.5
        self.scene = random.choice(n_scenes, n_listeners, p=shares / shares.sum())
        self.artist_scene = np.arange(n_artists) % n_scenes
        scenes = _unit(random.normal(size=(n_scenes, DIMS)))
        others = scenes[random.integers(n_scenes, size=n_listeners)]
        noise = random.normal(size=(n_listeners, DIMS)) / DIMS**0.5
        tastes = _unit(scenes[self.scene] + random.random((n_listeners, 1)) * 0.6 * others + 0.5 * noise)
        artists = _unit(scenes[self.artist_scene] + 0.7 * random.normal(size=(n_artists, DIMS)) / DIMS**0.5)
        self.popularity = 1.0 / (1 + np.arange(n_artists) // n_scenes) ** 0.7
        self.liking = np.empty((n_listeners, n_artists), dtype=np.float16)
        for rows in _blocks(n_listeners):
            whim = WHIM * random.standard_normal((len(tastes[rows]), n_artists), dtype=np.float32)
            self.liking[rows] = LIKING * tastes[rows] @ artists.T + whim
        self.activity = random.normal(size=n_listeners)
        self.readiness = READINESS * random.normal(size=n_listeners) + READINESS_OF_ACTIVE * self.activity
        self._zone = random.integers(len(OFFSETS), size=n_listeners)
        self._of_scene = SCENE * random.normal(size=n_scenes)
        self.opted_out = np.zeros(n_listeners, dtype=np.bool_)
        self._annoyance = np.zeros(n_listeners)
        self._annoyed_at = np.full(n_listeners, START)

    @property
    def n_listeners(self) -> int:
        """How many there are, opted out or not."""
        return len(self.scene)

    def twin(self, seed: int) -> Self:
        """Return the same listeners before any notification, with chance of their own: for another policy."""
        twin = copy(self)
        twin.random = np.random.default_rng([seed, 4])
        twin.opted_out = np.zeros(self.n_listeners, dtype=np.bool_)
        twin._annoyance = np.zeros(self.n_listeners)
        twin._annoyed_at = np.full(self.n_listeners, START)
        return twin

    def listener(self, row: int) -> str:
        """Return the id of a listener."""
        return f"u{row}"

    def artist(self, row: int) -> str:
        """Return the id of an artist."""
        return f"s{self.artist_scene[row]}a{row}"

    def plays(self, seed: int = 0) -> csr_matrix:
        """Return how often each listener played each artist, shape (n_listeners, n_artists)."""
        random = np.random.default_rng([seed, 2])
        number = np.maximum(np.round(20 * np.exp(0.8 * self.activity)), 3).astype(np.int64)
        at, artists = [], []
        for rows in _blocks(self.n_listeners):
            odds = np.exp(self.liking[rows].astype(np.float32)) * self.popularity.astype(np.float32)
            upto = np.cumsum(odds, axis=1, dtype=np.float64)
            upto = upto / upto[:, -1:] + np.arange(len(odds))[:, None]
            who = np.repeat(np.arange(len(odds)), number[rows])
            cell = np.searchsorted(upto.ravel(), who + random.random(len(who)), side="right")
            at.append(who + rows.start)
            artists.append(np.minimum(cell - who * odds.shape[1], odds.shape[1] - 1))
        cells = (np.concatenate(at), np.concatenate(artists))
        counts = csr_matrix((np.ones(len(cells[0])), cells), shape=self.liking.shape)
        counts.sum_duplicates()
        return counts

    def releases(self, number: int, per_day: float = 2.0, seed: int = 0) -> list[Release]:
        """Return releases in order of time: of artists at random, at any hour."""
        random = np.random.default_rng([seed, 3])
        times = START + DAY + np.sort(random.random(number)) * number / per_day * DAY
        n_artists, n_scenes = self.liking.shape[1], len(self._of_scene)
        return [
            Release(
                f"r{at}",
                int(random.integers(n_artists)),
                float(times[at]),
                RELEASE * random.normal() + RELEASE_IN_SCENE * random.normal(size=n_scenes),
            )
            for at in range(number)
        ]

    def local_hour(self, at: float) -> Floats:
        """Return the hour of the day where each listener is, at a time (Unix seconds)."""
        return ((at / HOUR + OFFSETS) % 24.0)[self._zone]

    def weekday(self, at: float) -> Ints:
        """Return the weekday where each listener is, 0 for Monday."""
        days = ((at / HOUR + OFFSETS) // 24.0).astype(np.int64)
        return ((days + 3) % 7)[self._zone]  # 1970 began on a Thursday

    def annoyance(self, at: float, listeners: Ints | slice = slice(None)) -> Floats:
        """Return how annoyed listeners are; all of them by default."""
        return self._annoyance[listeners] * np.exp2(-(at - self._annoyed_at[listeners]) / FORGOTTEN)

    def click_probability(self, release: Release, at: float, listeners: Ints | slice = slice(None)) -> Floats:
        """Return how likely listeners are to click on a notification of a release sent now: the truth."""
        phase = 2 * np.pi * (at / HOUR + OFFSETS - 19.0) / 24.0
        weekend = ((at / HOUR + OFFSETS) // 24.0 + 3) % 7 >= 5
        by_zone = EVENING * np.cos(phase) + WEEKEND * weekend
        by_scene = self._of_scene + release.by_scene - STALE * max(at - release.at, 0.0) / DAY
        odds = self.liking[listeners, release.artist] + self.readiness[listeners] + CLICK_LEVEL
        odds += by_zone[self._zone[listeners]] + by_scene[self.scene[listeners]]
        odds -= ANNOYED_CLICKS * self.annoyance(at, listeners)
        return expit(odds)

    def notify(self, release: Release, listeners: Ints, at: float) -> Outcome:
        """Notify listeners, each once: they click or not, are annoyed, and may opt out."""
        random, annoyed = self.random, self.annoyance(at, listeners)
        clicked = random.random(len(listeners)) < self.click_probability(release, at, listeners)
        self._annoyance[listeners] = annoyed + np.where(clicked, ANNOYED_BY_CLICKED, 1.0)
        self._annoyed_at[listeners] = at
        relevance = expit(self.liking[listeners, release.artist].astype(np.float64) - 2.0)
        leaves = OPT_OUT * np.exp(OPT_OUT_ANNOYED * annoyed) * (1.5 - relevance)
        opted_out = ~clicked & (random.random(len(listeners)) < np.minimum(leaves, MOST_OPT_OUT))
        self.opted_out[listeners[opted_out]] = True
        delay = DELAY * np.exp(DELAY_SPREAD * random.normal(size=len(listeners)))
        return Outcome(listeners, clicked, delay, opted_out)

    def feedback(self, release: Release, outcome: Outcome, at: float) -> Iterator[Feedback]:
        """Tell what a notifier reports: some reports are lost, some come twice, in any order."""
        reports: list[Feedback] = []
        for listener, clicked, delay, opted_out in zip(
            outcome.listeners, outcome.clicked, outcome.delay, outcome.opted_out, strict=True
        ):
            name = self.listener(int(listener))
            reports.append(Feedback(at, name, release.id, "sent"))
            if clicked:
                reports.append(Feedback(at + float(delay), name, release.id, "clicked"))
            if opted_out:
                reports.append(Feedback(at + float(delay), name, release.id, "opted_out"))
        copies = np.where(self.random.random(len(reports)) < DOUBLED, 2, 1)
        copies[self.random.random(len(reports)) < LOST] = 0
        repeated = [report for report, times in zip(reports, copies, strict=True) for _ in range(times)]
        for row in self.random.permutation(len(repeated)):
            yield repeated[row]


def _unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _blocks(n: int, size: int = 10_000) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
