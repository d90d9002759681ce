"""The trainer's judge: what the live model predicted, if a new one is worse, whether listening drifts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from consumers.train.schedule import Candidate
from models.model import Model
from models.quality.change import moved
from models.quality.drift import Drift
from models.quality.live import LiveModel
from models.quality.validation import (
    ENOUGH,
    Comparison,
    Discovery,
    Foresight,
    Row,
    before_clicks,
    compare,
    discoveries,
)

__all__ = ["Judge"]

HOLDOUT = 20  # one listener in so many is not learned from: they judge
HOLDOUT_FROM = 2000  # listeners in the sample: of fewer everybody is learned from
REMEMBERED = 2000  # discoveries of those held out

Floats = npt.NDArray[np.float64]


class Judge:
    """Looks at discoveries before the learner does."""

    def __init__(self) -> None:
        self._live = LiveModel()
        self._held_out: deque[Discovery] = deque(maxlen=REMEMBERED)
        self._ranks, self._distortion = Drift(better=1), Drift(better=-1)
        self._vectors: float | str | None = None

    def holds_out(self, user_id: str, listeners: int) -> bool:
        """Say whether a listener is one who judges, whom the learner must not see."""
        return listeners >= HOLDOUT_FROM and _may_judge(user_id)

    def see(
        self,
        users: Sequence[str],
        rows: Sequence[Row],
        added: Mapping[str, Mapping[str, float]],
        listeners: int,
    ) -> bool:
        """Judge the live model by what listeners just discovered.

        Parameters
        ----------
        users, rows
            Who clicked, and their rows now.
        added
            For each of them what these clicks add to each artist, stored weights.
        listeners
            In the sample: of fewer than `HOLDOUT_FROM` all are learned from, and nobody judges candidates.

        Returns
        -------
        Whether the model has begun to predict worse.
        """
        found: list[Discovery] = []
        before: list[Row] = []
        for user, (artists, stored) in zip(users, rows, strict=True):
            new = discoveries(artists, stored, added.get(user, {}))
            found += new
            before.append(before_clicks(artists, stored, added.get(user, {})))
            if self.holds_out(user, listeners):
                self._held_out.extend(new)
        return self._ranks.watch(self._live.see(before, found).tolist())

    def distorted(self, distortion: float) -> bool:
        """Say whether listeners have begun to be farther from their cohorts' centres than they were."""
        return not math.isnan(distortion) and self._distortion.watch([distortion])

    def learned(self, model: Model) -> None:
        """Take note of what was learned: along vectors of another kind distances are others, and no drift."""
        if model.settings.get("vectors") != self._vectors:
            self._vectors, self._distortion = model.settings.get("vectors"), Drift(better=-1)

    def compare(self, candidate: Model) -> Comparison:
        """Compare a candidate with the live model, by what the listeners held out discovered last."""
        return self._compare(candidate, "both")

    @property
    def judges(self) -> bool:
        """Whether the listeners held out have discovered enough to compare models by."""
        return self._live.foresight is not None and len(self._held_out) >= ENOUGH

    def candidate(self, model: Model, *, trial: bool) -> Candidate:
        """Say all that is to be known of a candidate beside the model that serves."""
        live = self._live.model
        if live is None:
            return Candidate(self.compare(model))
        return Candidate(
            self.compare(model),
            self.trial(model) if trial else None,
            moved(live, model),
            set(live.cohort_ids) != set(model.cohort_ids),
            live.activity != model.activity,
        )

    def trial(self, candidate: Model) -> Comparison | None:
        """Compare its cohorts with the live model's, where it has more of them; else None."""
        live = self._live.model
        if live is None or len(candidate.cohort_ids) <= len(live.cohort_ids):
            return None
        return self._compare(candidate, "cohort")

    def _compare(self, candidate: Model, by: str) -> Comparison:
        live = self._live.foresight
        if live is None:
            return Comparison(0, 0.0, math.inf)
        return compare(Foresight(candidate, live.crowd), live, list(self._held_out), by)

    @property
    def judged(self) -> int | None:
        """The version that is judged, and candidates are compared with; None before the first."""
        return self._live.model.version if self._live.model else None

    def serves(self, model: Model) -> None:
        """Judge this model from now on."""
        self._live.serves(model)

    def renew(self, play_now: float) -> None:
        """Rank among those who clicked lately from now on, by the model as it serves now (`Model.as_of`)."""
        self._live.renew(play_now)

    @property
    def play_rate(self) -> Floats:
        """How play rates go with scores, as far as discoveries have shown (`Model.play_rate`)."""
        return self._live.play_rate

    def figures(self) -> dict[str, float]:
        """Return the running measure (`models.quality.validation.Validation.figures`)."""
        return self._live.figures()


def _may_judge(user_id: str) -> bool:
    # By a checksum: the same listeners after a restart, and in every trainer.
    return crc32(user_id.encode()) % HOLDOUT == 0
