"""How much memory processes take, and how much that grows once they are warm."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import psutil

__all__ = ["Memory"]

MB = 1e6
LOOKS = 10  # the mean of so many is what a process takes: a look by chance is in the middle of a batch
STEP = 300.0  # seconds
WARM = 300.0  # seconds from a process's first look; in a run that is shorter than six times that, less


def _lived(looks: Sequence[tuple[float, float]]) -> float:
    return looks[-1][0] - looks[0][0]


class Memory:
    """Looks at processes.

    Attributes
    ----------
    largest
        Kind -> the most that a process of it has taken, in MB.
    """

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
        self.largest: dict[str, float] = defaultdict(float)

    def look(self, kind: str, pid: int) -> None:
        """Note what a process takes, where it lives."""
        try:
            size = psutil.Process(pid).memory_info().rss / MB
        except psutil.NoSuchProcess:
            return
        self._sizes[kind, pid].append((time.monotonic(), size))
        self.largest[kind] = max(self.largest[kind], size)

    def growth(self, seconds: float) -> dict[str, float]:
        """Return of each kind the share by which its worst process has grown from when it was warm.

        Parameters
        ----------
        seconds
            That the whole run took. A process counts that was looked at for twice the time to get warm.
        """
        warm = min(WARM, seconds / 6)
        found: dict[str, float] = {}
        for (kind, _), looks in self._sizes.items():
            times, sizes = np.array(looks).T
            after = sizes[times >= times[0] + warm]
            if times[-1] - times[0] >= 2 * warm and len(after) >= 2 * LOOKS:
                grown = float(after[-LOOKS:].mean() / after[:LOOKS].mean()) - 1.0
                found[kind] = max(found.get(kind, -1.0), grown)
        return found

    def course(self, kind: str) -> list[int]:
        """Return what the process of a kind that lived longest took, in MB, every `STEP` s and at the end."""
        looks = max((looks for (each, _), looks in self._sizes.items() if each == kind), key=_lived)
        times, sizes = np.array(looks).T
        moments = [*np.arange(times[0] + STEP, times[-1], STEP), times[-1]]
        ends = np.searchsorted(times, moments, side="right").tolist()
        return [round(sizes[max(end - LOOKS, 0) : end].mean()) for end in ends]

    @staticmethod
    def is_judged(seconds: float) -> bool:
        """Say whether a run is long enough for its growth to be one, not the last of getting warm."""
        return seconds >= 6 * WARM
