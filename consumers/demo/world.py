"""The world of the demo: people, music, and a clock that clicks drive. Refrain never sees inside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consumers.demo.music import Music
from consumers.demo.people import BOTS, People
from stream.wire.events import Action, Song

__all__ = ["CLICKS_A_DAY", "Play", "World"]

DAY = 86_400.0
CLICKS_A_DAY = 100_000
"""At a thousand clicks a second a day passes in 100 seconds. Were the world's clock ours, each of its few
thousand listeners would click hundreds of times an hour, as only bots do, and nothing would ever fade."""

SKIPS, SKIPS_ABROAD = 0.02, 0.10  # of the clicks in a listener's main scene, and elsewhere
LIKES, COMPLETES = 0.04, 0.20


@dataclass(frozen=True, slots=True)
class Play:
    """A click as it happens in the world."""

    user_id: str
    song: Song
    ts: float
    action: Action


class World:
    """The same seed gives the same world, click by click.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    began_at
        Unix seconds on the world's clock before the first click.
    n_listeners
        How many, bots among them.
    bots
        How many of them are bots.
    clicks_a_day
        On the world's clock.

    Examples
    --------
    >>> world, again = (World(seed=1, began_at=0.0, n_listeners=200) for _ in range(2))
    >>> world.plays(100) == again.plays(100), round(world.now, 1)
    (True, 86.4)
    """

    def __init__(
        self,
        seed: int,
        began_at: float,
        n_listeners: int = 5000,
        bots: int = BOTS,
        clicks_a_day: float = CLICKS_A_DAY,
    ) -> None:
        self.music = Music(seed)
        self.people = People(seed, n_listeners, len(self.music.scenes), bots)
        self._clicks_a_day = clicks_a_day
        self.now = began_at
        self._rng = np.random.default_rng([seed, 0])

    def plays(self, count: int, until: float = math.inf) -> list[Play]:
        """Return the next clicks, in the order in which they happen: so many, or those that happen by then.

        Parameters
        ----------
        until
            Unix seconds on the world's clock.
        """
        count = int(min(count, max((until - self.now) * self._clicks_a_day / DAY, 0)))
        times = self.now + np.arange(1, count + 1) * (DAY / self._clicks_a_day)
        self.now += count * (DAY / self._clicks_a_day)
        self.people.drift(count / self._clicks_a_day)
        users, in_scenes, at_home = self.people.draw(count)
        songs = self.music.draw(in_scenes, self._rng)
        chances = self._rng.random(count)
        return [
            Play(user, song, ts, _action(chance, home))
            for user, song, ts, chance, home in zip(
                users, songs, times.tolist(), chances.tolist(), at_home, strict=True
            )
        ]


def _action(chance: float, at_home: bool) -> Action:
    if chance < (SKIPS if at_home else SKIPS_ABROAD):
        return "skip"
    if chance > 1 - LIKES:
        return "like"
    return "complete" if chance > 1 - LIKES - COMPLETES else "play"
