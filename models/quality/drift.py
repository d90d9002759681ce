"""Notices when people begin to listen to other things than the model has learned."""

from __future__ import annotations

from collections.abc import Iterable

from river.drift import ADWIN

__all__ = ["Drift"]


class Drift:
    """Watches a figure for a lasting change for the worse.

    Parameters
    ----------
    better
        1 where a larger figure is the better one, -1 where a smaller is.
    delta
        How likely a false alarm may be, as a bound.

    References
    ----------
    [^1]: Bifet, A. and Gavalda, R., 2007. Learning from time-changing data with adaptive windowing. SDM.

    Examples
    --------
    >>> distortion = Drift(better=-1)
    >>> distortion.watch([0.2, 0.3] * 200), distortion.watch([0.7, 0.8] * 200), distortion.watch([0.3] * 400)
    (False, True, False)
    """

    def __init__(self, better: int, delta: float = 0.002) -> None:
        self._better = better
        self._window = ADWIN(delta=delta)  # type: ignore[no-untyped-call]

    def watch(self, figures: Iterable[float]) -> bool:
        """Add figures, between 0 and 1; say whether they have become worse for good."""
        worse = False
        for figure in figures:
            before = self._window.estimation
            self._window.update(figure)  # type: ignore[no-untyped-call]
            if self._window.drift_detected:
                worse = worse or (self._window.estimation - before) * self._better < 0
        return worse
