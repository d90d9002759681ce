"""How many cohorts there are to be, where nobody says: as many as still foresee better."""

from __future__ import annotations

from models.validation import Comparison

__all__ = ["FIRST", "CohortCount"]

FIRST = 16
LEAST = 4
STEP = 8  # an eighth more or fewer at a time
REST = 10  # snapshots between two tries when the last was in vain


class CohortCount:
    """Chooses a number of cohorts, changing it slowly.

    A step up is tried now and then, and followed by another as long as the finer cohorts foresee better
    what listeners discover next; a step that foresees worse is taken back. No cohort is to be smaller, on
    average, than is useful.

    Parameters
    ----------
    smallest
        Listeners that a cohort is to have on average, at least.

    Examples
    --------
    >>> count = CohortCount(smallest=50)
    >>> count.next(16, listeners=10_000, trial=None)
    18
    >>> count.next(18, listeners=10_000, trial=Comparison(500, gain=0.01, error=0.001))
    20
    >>> count.next(20, listeners=10_000, trial=Comparison(500, gain=0.0, error=0.001))
    20
    >>> count.next(20, listeners=800, trial=None)
    18
    """

    def __init__(self, smallest: int) -> None:
        self.smallest = smallest
        self._rest = 0

    def next(self, now: int, listeners: int, trial: Comparison | None) -> int:
        """Return how many cohorts the next snapshot is to have.

        Parameters
        ----------
        now
            How many there are.
        listeners
            Who are in cohorts.
        trial
            The last snapshot against the one before, where it has more cohorts than that; else None.
        """
        step, most = max(now // STEP, 1), max(listeners // self.smallest, LEAST)
        if now > most:
            return max(now - step, most)
        if trial is not None and trial.worse:
            self._rest = REST
            return max(now - step, LEAST)
        if trial is not None and not trial.better:
            self._rest = REST
        if self._rest:
            self._rest -= 1
            return now
        return min(now + step, most)
