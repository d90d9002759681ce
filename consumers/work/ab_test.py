"""Two policies tried on the same release: part of the listeners are told by another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.runtime.wiring import groups_of
from models.control import USUAL, Groups
from stream.settings import Settings

__all__ = ["AbTest", "ab_test_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TASTE = "taste"


@dataclass(frozen=True)
class AbTest:
    """An A/B test: listeners are told by the usual policy or, drawn for good, by another one.

    Attributes
    ----------
    policy
        The other one: "taste", the play rate alone; or "ctr:7", the CTR model of version 7.
    share
        Of listeners who are told by it, above 0 and below 1.
    """

    groups: Groups
    policy: str
    share: float

    @property
    def ctr_version(self) -> int | None:
        """The version of the CTR model that the other policy goes by; None where it goes by taste alone."""
        return None if self.policy == TASTE else int(self.policy.partition(":")[2])

    def drawn(self, users: Sequence[str]) -> Flags:
        """Say for each listener whether they are told by the other policy, shape (n,)."""
        return np.array([self.groups.is_in_other_arm(user, self.share) for user in users], dtype=bool)

    def policies(self, users: Sequence[str]) -> list[str]:
        """Return by which policy each listener is told."""
        return [self.policy if other else USUAL for other in self.drawn(users).tolist()]

    def ranked(self, users: Sequence[str], by: Floats, by_other: Floats, least: float) -> Ints:
        """Return the places of listeners in the order of telling: each policy's best, mixed by their shares.

        Parameters
        ----------
        by, by_other
            Shape (n,), what each policy ranks by.
        least
            Who has less in `by` is not told by the usual policy. The other one tells as many, by its share.

        Examples
        --------
        >>> test, users = AbTest(Groups(), "taste", 1 / 3), ["u0", "u1", "u2", "u3", "u4", "u5"]
        >>> test.drawn(users).tolist()
        [True, False, True, True, True, False]
        >>> by, by_other = np.array([3.0, 4, 2, 0, 9, 9]), np.array([0.0, 0, 0, 0, 1, 2])
        >>> test.ranked(users, by, by_other, least=1.0).tolist()
        [5, 4, 1]
        """
        other = self.drawn(users)
        usual = np.flatnonzero(~other & (by >= least))
        usual = usual[np.argsort(-by[usual], kind="stable")]
        others = np.flatnonzero(other)
        others = others[np.argsort(-by_other[others], kind="stable")]
        others = others[: round(len(usual) * self.share / (1 - self.share))]
        turns = np.concatenate(
            [(np.arange(len(usual)) + 0.5) / (1 - self.share), (np.arange(len(others)) + 0.5) / self.share]
        )
        mixed: Ints = np.concatenate([usual, others])[np.argsort(turns, kind="stable")]
        return mixed


def ab_test_of(settings: Settings) -> AbTest | None:
    """Return the A/B test that settings ask for."""
    if not settings.ab_policy:
        return None
    return AbTest(groups_of(settings), settings.ab_policy, settings.ab_share)
