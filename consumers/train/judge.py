"""The trainer's judge: what the live model foresaw, whether a new one is worse, whether listening drifts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from zlib import crc32

from consumers.train.schedule import Candidate
from models.model import Model
from models.quality.change import moved
from models.quality.drift import Drift
from models.quality.validation import (
    ENOUGH,
    Comparison,
    Discovery,
    Foresight,
    Validation,
    compare,
    discoveries,
)

__all__ = ["Judge"]

CROWD = 512  # listeners among whom the one who discovers is ranked
ENOUGH_CROWD = 200
HOLDOUT = 20  # one listener in so many is not learned from: they judge
HOLDOUT_FROM = 2000  # listeners in the sample: of fewer everybody is learned from
AT_ONCE = 50  # discoveries judged of a batch: some 10 ms
REMEMBERED = 2000  # discoveries of those held out

Row = tuple[Sequence[str], Sequence[float]]


class Judge:
    """Looks at discoveries before the learner does."""

    def __init__(self) -> None:
        self._running = Validation()
        self._crowd: deque[Row] = deque(maxlen=CROWD)
        self._held_out: deque[Discovery] = deque(maxlen=REMEMBERED)
        self._live: Foresight | None = None
        self._model: Model | None = None
        self._ranks, self._distortion = Drift(better=1), Drift(better=-1)

    def holds_out(self, user_id: str, listeners: int) -> bool:
        """Say whether a listener is one who judges, whom the learner must not see."""
        return listeners >= HOLDOUT_FROM and _may_judge(user_id)

    def see(
        self, users: Sequence[str], rows: Sequence[Row], added: Mapping[str, Mapping[str, float]]
    ) -> bool:
        """Judge the live model by what listeners just discovered.

        Parameters
        ----------
        users, rows
            Who clicked, and their rows now.
        added
            For each of them what these clicks add to each artist, stored weights.

        Returns
        -------
        Whether the model has begun to foresee worse.
        """
        found: list[Discovery] = []
        for user, (artists, stored) in zip(users, rows, strict=True):
            new = discoveries(artists, stored, added.get(user, {}))
            found += new
            if _may_judge(user):
                self._held_out.extend(new)
        self._crowd.extend(rows)
        if self._live is None:
            self.renew()
        if self._live is None or not found:
            return False
        judged = self._live.judge(found[:AT_ONCE])
        self._running.add(judged)
        return self._ranks.watch(rank for rank in judged[:, 2].tolist() if not math.isnan(rank))

    def distorted(self, distortion: float) -> bool:
        """Say whether listeners have begun to be farther from their cohorts' centres than they were."""
        return not math.isnan(distortion) and self._distortion.watch([distortion])

    def compare(self, candidate: Model) -> Comparison:
        """Compare a candidate with the live model, by what the listeners held out discovered last."""
        return self._compare(candidate, "both")

    @property
    def judges(self) -> bool:
        """Whether the listeners held out have discovered enough to compare models by."""
        return self._live is not None and len(self._held_out) >= ENOUGH

    def candidate(self, model: Model, *, trial: bool) -> Candidate:
        """Say all that is to be known of a candidate beside the model that serves."""
        live = self._model
        if live is None:
            return Candidate(self.compare(model))
        return Candidate(
            self.compare(model),
            self.trial(model) if trial else None,
            moved(live, model),
            set(live.cohort_ids) != set(model.cohort_ids),
        )

    def trial(self, candidate: Model) -> Comparison | None:
        """Compare its cohorts with the live model's, where it has more of them; else None."""
        if self._model is None or len(candidate.cohort_ids) <= len(self._model.cohort_ids):
            return None
        return self._compare(candidate, "cohort")

    def _compare(self, candidate: Model, by: str) -> Comparison:
        if self._live is None:
            return Comparison(0, 0.0, math.inf)
        return compare(Foresight(candidate, self._live.crowd), self._live, list(self._held_out), by)

    @property
    def judged(self) -> int | None:
        """The version that is judged, and candidates are compared with; None before the first."""
        return self._model.version if self._model else None

    def serves(self, model: Model) -> None:
        """Judge this model from now on."""
        self._model = model
        self._live = None
        self.renew()

    def renew(self) -> None:
        """Rank among those who clicked lately from now on."""
        if self._model is not None and len(self._crowd) >= ENOUGH_CROWD:
            self._live = Foresight(self._model, list(self._crowd))

    def figures(self) -> dict[str, float]:
        """Return the running measure (`models.quality.validation.Validation.figures`)."""
        return self._running.figures()


def _may_judge(user_id: str) -> bool:
    # By a checksum: the same listeners after a restart, and in every trainer.
    return crc32(user_id.encode()) % HOLDOUT == 0
