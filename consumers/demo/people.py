"""The people of the demo's world: what they like, how that drifts, what they do when told of a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BOTS", "People", "Reaction"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BOTS = 6
BOT_SHARE = 0.025  # of all clicks, each of them
RESTLESS = 0.05  # of the listeners change their main scene now and then
DRIFT_DAYS = 3.0  # on average from one change to the next
CURIOUS = 0.06  # of a listener's clicks go anywhere

CLICK_ANYWAY = 0.008  # probability of a click by one who has no taste for the release
CLICK_FAN = 0.22  # by one who listens to nothing else
HEED = 0.8  # spread, as a logarithm, of how much more than others a listener clicks on notifications
OPEN = 0.3  # of those who do not click
OPT_OUT = 0.001


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one listener does when told of a release."""

    user_id: str
    opened: bool
    clicked: bool
    opted_out: bool


class People:
    """Listeners, each with a main scene, often a second one, and a little curiosity; and a few bots.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    count
        How many, bots among them.
    n_scenes
        How many scenes there are to like.
    bots
        How many of them are bots.

    Examples
    --------
    >>> people = People(seed=1, count=100, n_scenes=4)
    >>> fans = [user for user in people.listeners if people.main_scene(user) == 2]
    >>> sum(reaction.clicked for reaction in people.react(fans * 100, [2])) / (len(fans) * 100) > 0.1
    True
    """

    def __init__(self, seed: int, count: int, n_scenes: int, bots: int = BOTS) -> None:
        self._rng, self._reacting = np.random.default_rng([seed, 3]), np.random.default_rng([seed, 4])
        rng = self._rng
        self.listeners = [f"listener-{number:04d}" for number in range(count)]
        self._row = {user: row for row, user in enumerate(self.listeners)}
        size = rng.permutation((np.arange(n_scenes) + 4.0) ** -0.7)
        self._scene_sizes = size / size.sum()
        self._main: Ints = rng.choice(n_scenes, size=count, p=self._scene_sizes)
        self._tastes: Floats = np.stack([self._taste(int(main)) for main in self._main])
        self._steps = np.cumsum(self._tastes, axis=1)

        everybody = rng.permutation(count)
        robots, self._restless = everybody[:bots], everybody[bots : bots + round(count * RESTLESS)]
        self.bots = [self.listeners[row] for row in robots]
        activity = rng.lognormal(sigma=0.8, size=count)
        activity[robots] = 0.0
        activity *= (1 - bots * BOT_SHARE) / activity.sum()
        activity[robots] = BOT_SHARE
        self._activity_steps = np.cumsum(activity)
        # Some click on most of what they are told, many on next to nothing; on average once as often.
        self._heed: Floats = np.random.default_rng([seed, 5]).lognormal(-(HEED**2) / 2, HEED, size=count)

    def _taste(self, main: int) -> Floats:
        """Draw a taste: shares of the scenes that sum to 1."""
        n_scenes = len(self._scene_sizes)
        taste = np.full(n_scenes, CURIOUS / n_scenes)
        share = self._rng.beta(9.0, 3.0) * (1 - CURIOUS)
        taste[main] += share
        taste[self._rng.choice(n_scenes, p=self._scene_sizes)] += 1 - CURIOUS - share
        return taste

    def main_scene(self, user_id: str) -> int:
        """Return the number of the scene that a listener truly likes best now."""
        return int(self._main[self._row[user_id]])

    def draw(self, count: int) -> tuple[list[str], list[int], list[bool]]:
        """Return who clicks next, in which scene, and whether that is their main one: `count` of each."""
        rng = self._rng
        rows = np.minimum(np.searchsorted(self._activity_steps, rng.random(count)), len(self.listeners) - 1)
        drawn = (self._steps[rows] < rng.random((count, 1))).sum(axis=1)
        in_scenes = np.minimum(drawn, len(self._scene_sizes) - 1)
        users = [self.listeners[row] for row in rows]
        return users, in_scenes.tolist(), (in_scenes == self._main[rows]).tolist()

    def drift(self, days: float) -> None:
        """Let `days` pass: some of the restless come to like another scene best."""
        expected = len(self._restless) * days / DRIFT_DAYS
        for row in self._rng.choice(self._restless, size=self._rng.poisson(expected)):
            self._main[row] = self._rng.choice(len(self._scene_sizes), p=self._scene_sizes)
            self._tastes[row] = self._taste(int(self._main[row]))
            self._steps[row] = np.cumsum(self._tastes[row])

    def react(self, user_ids: Sequence[str], in_scenes: Sequence[int]) -> list[Reaction]:
        """Return what listeners do when told of a release out of these scenes.

        Who likes them may click, and who likes notifications more so.
        """
        rng = self._reacting
        rows = [self._row[user] for user in user_ids]
        appeal = self._tastes[np.ix_(rows, in_scenes)].sum(axis=1)
        likely = (CLICK_ANYWAY + (CLICK_FAN - CLICK_ANYWAY) * appeal) * self._heed[rows]
        clicked = rng.random(len(rows)) < likely
        opened = clicked | (rng.random(len(rows)) < OPEN)
        opted_out = ~clicked & (rng.random(len(rows)) < OPT_OUT)
        return [
            Reaction(user, *did)
            for user, *did in zip(
                user_ids, opened.tolist(), clicked.tolist(), opted_out.tolist(), strict=True
            )
        ]

    def anybody(self, count: int) -> list[str]:
        """Return listeners drawn at random, each at most once."""
        chosen = self._reacting.choice(
            len(self.listeners), size=min(count, len(self.listeners)), replace=False
        )
        return [self.listeners[row] for row in chosen]
