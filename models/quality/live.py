"""The model that serves, watched while it does: what listeners discover, and how well that was predicted."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.model import Model
from models.quality.validation import Discovery, Foresight, Row, Validation

__all__ = ["AT_ONCE", "LiveModel"]

Floats = npt.NDArray[np.float64]

CROWD = 512  # listeners among whom the one who discovers is ranked
ENOUGH_CROWD = 200
AT_ONCE = 50  # discoveries judged of a batch: some 10 ms


class LiveModel:
    """The model that serves, and a crowd of listeners who clicked lately, among whom discoverers are ranked.

    Attributes
    ----------
    model
        The one that serves; None before the first.
    foresight
        It and its crowd; None until there are listeners enough.
    """

    def __init__(self) -> None:
        self.model: Model | None = None
        self.foresight: Foresight | None = None
        self._running = Validation()
        self._crowd: deque[Row] = deque(maxlen=CROWD)

    def serves(self, model: Model) -> None:
        """Judge this model from now on."""
        if not self._running.discoveries:
            self._running = Validation(model.play_rate)  # goes on from what the one before has learned
        self.model, self.foresight = model, None
        self.renew()

    def renew(self, play_now: float = 0.0) -> None:
        """Rank among those who clicked lately from now on.

        Parameters
        ----------
        play_now
            The model is judged as it serves then (`Model.as_of`); 0: as before.
        """
        if self.model is None:
            return
        self.model = self.model.as_of(play_now)
        if len(self._crowd) >= ENOUGH_CROWD:
            self.foresight = Foresight(self.model, list(self._crowd))

    def see(self, rows: Sequence[Row], found: Sequence[Discovery]) -> Floats:
        """Judge some discoveries, then learn from them; return how far up each discoverer stood, 0 to 1.

        Parameters
        ----------
        rows
            Of listeners who clicked just now, as they were before (`before_clicks`): they join the crowd.
        found
            What they discovered; `AT_ONCE` of it is judged.
        """
        self._crowd.extend(rows)
        if self.foresight is None:
            self.renew()
        if self.foresight is None or not found:
            return np.zeros(0)
        judged = self._running.add(self.foresight.sights(found[:AT_ONCE]))
        ranks: Floats = judged[:, 2]
        return ranks

    @property
    def play_rate(self) -> Floats:
        """How play rates go with scores: `Model.play_rate` of the next model."""
        return self._running.play_rate

    def figures(self) -> dict[str, float]:
        """Return the running measure (`models.quality.validation.Validation.figures`)."""
        return self._running.figures()
