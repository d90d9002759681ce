"""Notices when people begin to listen to other things than the model has learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
        self._delta = delta
        self._window: Any = None

    def watch(self, figures: Iterable[float]) -> bool:
        """Add figures, between 0 and 1; say whether they have become worse for good."""
        worse = False
        for figure in figures:
            if self._window is None:
                self._window = _adwin(self._delta)
            before = self._window.estimation
            self._window.update(figure)
            if self._window.drift_detected:
                worse = worse or (self._window.estimation - before) * self._better < 0
        return worse


def _adwin(delta: float) -> Any:
    # Imported with the first figure: River's package of drift brings pandas and scikit-learn, and a trainer
    # starts a second sooner without them.
    from river.drift import ADWIN  # noqa: PLC0415

    return ADWIN(delta=delta)  # type: ignore[no-untyped-call]
