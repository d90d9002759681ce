"""How many cohorts there are to be, where nobody says: as many as still predict better."""

from __future__ import annotations

from models.quality.validation import Comparison

__all__ = ["FIRST", "CohortCount"]

FIRST = 16
LEAST = 4
STEP = 8  # an eighth more or fewer at a time
REST = 10  # snapshots between two tries when the last was in vain; twice as many each time again
LONGEST_REST = 160


class CohortCount:
    """Chooses a number of cohorts, changing it slowly.

    A step up is tried now and then, and followed by another as long as the finer cohorts predict better
    what listeners discover next; one that does not is taken back. No cohort is to be smaller, on average,
    than is useful. Where too little is discovered to judge by, nothing is tried.

    Parameters
    ----------
    smallest
        Listeners that a cohort is to have on average, at least.

    Examples
    --------
    >>> count = CohortCount(smallest=50)
    >>> count.next(16, listeners=10_000, judged=True, trial=None)
    18
    >>> count.next(18, listeners=10_000, judged=True, trial=Comparison(500, gain=0.01, error=0.001))
    20
    >>> count.next(20, listeners=10_000, judged=True, trial=Comparison(500, gain=0.0, error=0.001))
    18
    >>> count.next(18, listeners=800, judged=True, trial=None)
    16
    """

    def __init__(self, smallest: int) -> None:
        self.smallest = smallest
        self._rest, self._in_vain = 0, 0

    def next(self, now: int, listeners: int, judged: bool, trial: Comparison | None) -> int:
        """Return how many cohorts the next snapshot is to have.

        Parameters
        ----------
        now
            How many there are.
        listeners
            Who are in cohorts.
        judged
            Whether there are discoveries enough to compare snapshots by.
        trial
            The last snapshot against the one before, where it has more cohorts than that; else None.
        """
        step, most = max(now // STEP, 1), max(listeners // self.smallest, LEAST)
        if now > most:
            return max(now - step, most)
        if now < min(FIRST, most):  # so few were met that there could not be more
            return min(FIRST, most)
        if not judged:
            return now
        if trial is not None and not trial.better:
            self._rest = min(REST * 2**self._in_vain, LONGEST_REST)
            self._in_vain += 1
            return max(now - max(now // (STEP + 1), 1), LEAST)
        if trial is not None:
            self._in_vain = 0
        if self._rest:
            self._rest -= 1
            return now
        return min(now + step, most)
