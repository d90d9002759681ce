"""Whether what was learned of clicks predicts worse than what serves, by listeners not learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.control import Groups
from models.ctr import CtrModel
from models.names import hashes
from models.quality.binary import log_losses

__all__ = ["HOLDOUT_FROM", "CtrJudge"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

JUDGES = Groups("who judges CTR models", holdout=1 / 20)
HOLDOUT_FROM = 2000  # examples learned: of fewer everybody is learned from
REMEMBERED = 100  # releases
MOST = 100_000  # notifications: of releases before the last that have so many nothing is remembered
ENOUGH = 30  # listeners to judge by
DOUBT = 2.0  # standard errors by which a model must be worse to be called worse

Seen = deque[tuple[Ints, Singles, Flags]]


class CtrJudge:
    """Remembers what listeners did who are not learned from, of the last `REMEMBERED` releases.

    Of fewer releases, where the last of these have `MOST` notifications.

    A model is judged by examples that neither it nor another has seen: a model that serves has learned all
    that came before it, and would look better on that than it is. A listener who is told often clicks in much
    the same way each time, so listeners are independent of each other, and their notifications are not.

    What a model has learned is corrected when late clicks have come. By what listeners had done before that,
    each such correction would look like an error: as soon as there are listeners enough of whom it is known
    who clicked in the end, models are judged by these alone.

    Examples
    --------
    >>> from models.ctr import features
    >>> judge, rows = CtrJudge(), features(play_rate=np.repeat([0.02, 0.5], 400))
    >>> judge.see([f"u{n}" for n in range(800)], rows, np.arange(800) >= 600)
    >>> guesses = CtrModel(coefficients=-2 * np.eye(1 + rows.shape[1])[1])
    >>> judge.is_worse(guesses, than=CtrModel()), judge.is_worse(CtrModel(), than=guesses)
    (True, False)
    """

    def __init__(self) -> None:
        self._early: Seen = deque(maxlen=REMEMBERED)
        self._final: Seen = deque(maxlen=REMEMBERED)

    @staticmethod
    def holds_out(user_ids: Sequence[str], examples: int) -> Flags:
        """Say which listeners judge, shape (n,), once so many examples are learned; the same ones always."""
        if examples < HOLDOUT_FROM:
            return np.zeros(len(user_ids), dtype=bool)
        return np.array([JUDGES.of("", user) != "" for user in user_ids], dtype=bool)

    def see(self, user_ids: Sequence[str], rows: Singles, clicked: Flags, *, final: bool = False) -> None:
        """Remember what listeners did who are not learned from.

        Parameters
        ----------
        user_ids
            n listeners.
        rows
            Shape (n, d), `models.ctr.features`.
        clicked
            Shape (n,).
        final
            Whether late clicks have come, too.
        """
        if not len(rows):
            return
        seen = self._final if final else self._early
        seen.append((hashes(user_ids), rows, clicked))
        while sum(len(some) for _, some, _ in seen) - len(seen[0][1]) >= MOST:
            seen.popleft()

    @property
    def judges(self) -> bool:
        """Whether it has seen listeners enough to compare models by."""
        return _are_enough(self._seen)

    def is_worse(self, candidate: CtrModel, than: CtrModel) -> bool:
        """Say whether a model predicts worse than another: more log loss a listener, beyond doubt."""
        seen = self._seen
        if not _are_enough(seen):
            return False
        _, listener = np.unique(np.concatenate([users for users, _, _ in seen]), return_inverse=True)
        rows = np.concatenate([rows for _, rows, _ in seen])
        clicked = np.concatenate([clicked for _, _, clicked in seen]).astype(np.float64)
        excess = log_losses(candidate.predict(rows), clicked) - log_losses(than.predict(rows), clicked)
        by_listener = np.bincount(listener, excess)
        error = float(by_listener.std()) / np.sqrt(len(by_listener))
        return bool(by_listener.mean() > DOUBT * error)

    @property
    def _seen(self) -> Seen:
        return self._final if _are_enough(self._final) else self._early


def _are_enough(seen: Seen) -> bool:
    known: set[int] = set()
    for users, _, _ in seen:
        known.update(users.tolist())
        if len(known) >= ENOUGH:
            return True
    return False
