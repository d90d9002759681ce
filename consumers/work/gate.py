"""Who of the best listeners is told: not the control group, nor who has been told often enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.control import Groups
from stream.stores.told import Caps, Told

__all__ = ["Admitted", "Gate"]

CONTROL = {"control": "control group", "holdout": "holdout"}


class Admitted(NamedTuple):
    """Whether some listeners are told.

    Attributes
    ----------
    reasons
        For each "", or why they are not.
    control
        Those who would be told, were they not drawn for comparison.
    """

    reasons: Sequence[str]
    control: Sequence[bool]


@dataclass(frozen=True)
class Gate:
    """Lets listeners into an audience.

    Who is drawn for comparison is asked after like all others: those whom their caps keep out are in neither
    group, so that the groups differ by nothing but being told.
    """

    told: Told
    groups: Groups
    caps: Caps

    def drawn(self, release_id: str, users: Sequence[str]) -> list[str]:
        """Say for each listener whether they are drawn for comparison: "", or one of `CONTROL`."""
        groups = self.groups
        if not (groups.control or groups.holdout):
            return [""] * len(users)
        return [groups.of(release_id, user) for user in users]

    async def admit(
        self, release_id: str, users: Sequence[str], drawn: Sequence[str], now: float
    ) -> Admitted:
        """Reserve a place for each listener who is told of a release; may be repeated.

        Parameters
        ----------
        drawn
            Of `drawn`.
        now
            Unix seconds.
        """
        reasons = [""] * len(users)
        if any(self.caps):
            reasons = await self.told.reserve(release_id, users, [group != "" for group in drawn], now)
        control = [group != "" and not reason for group, reason in zip(drawn, reasons, strict=True)]
        return Admitted(
            [reason or CONTROL.get(group, "") for group, reason in zip(drawn, reasons, strict=True)], control
        )
