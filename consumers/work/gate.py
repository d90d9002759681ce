"""Who of the best listeners is told: not the control group, nor who has been told often enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consumers.runtime.wiring import caps_of, groups_of
from models.affinity import DAY
from models.control import Groups
from models.quiet_hours import QuietHours
from stream.settings import Settings
from stream.stores.told import Caps, Told
from stream.wire.events import Release

__all__ = ["CONTROL", "DORMANT", "Admitted", "Gate", "gate_of"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CONTROL = {"control": "control group", "holdout": "holdout"}
DORMANT = "dormant"


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

    Attributes
    ----------
    quiet_hours
        When nobody is told, by each listener's clock; None: listeners are told at any hour.
    dormant_days
        Days without a click after which a listener is not told; 0: everybody is.
    """

    told: Told
    groups: Groups
    caps: Caps
    quiet_hours: QuietHours | None = None
    dormant_days: float = 0.0

    def drawn(self, release_id: str, users: Sequence[str]) -> list[str]:
        """Say for each listener whether they are drawn for comparison: "", or one of `CONTROL`."""
        groups = self.groups
        if not (groups.control or groups.holdout):
            return [""] * len(users)
        return [groups.of(release_id, user) for user in users]

    def quiet_until(self, utc_offset_min: Singles, now: float) -> Floats:
        """Return when listeners may be disturbed again, in Unix seconds, shape (n,); 0: they may be now.

        Parameters
        ----------
        utc_offset_min
            As in `models.quiet_hours.QuietHours.until`.
        """
        if self.quiet_hours is None:
            return np.zeros(len(utc_offset_min))
        return self.quiet_hours.until(now, utc_offset_min)

    async def admit(
        self, release: Release, users: Sequence[str], drawn: Sequence[str], last_seen: Singles, now: float
    ) -> Admitted:
        """Reserve a place for each listener who is told of a release; may be repeated.

        Parameters
        ----------
        drawn
            Of `drawn`.
        last_seen
            Shape (n,), when each clicked last, in Unix seconds; NaN where it is not known.
        now
            Unix seconds.
        """
        reasons = [""] * len(users)
        if self.dormant_days:
            dormant = last_seen < now - DAY * self.dormant_days
            reasons = [DORMANT if asleep else "" for asleep in dormant.tolist()]
        if any(self.caps):
            awake = [at for at, reason in enumerate(reasons) if not reason]
            found = await self.told.reserve(
                release.release_id,
                release.artist_ids,
                [users[at] for at in awake],
                [drawn[at] != "" for at in awake],
                now,
            )
            for at, reason in zip(awake, found, strict=True):
                reasons[at] = reason
        control = [group != "" and not reason for group, reason in zip(drawn, reasons, strict=True)]
        return Admitted(
            [reason or CONTROL.get(group, "") for group, reason in zip(drawn, reasons, strict=True)], control
        )


def gate_of(told: Told, settings: Settings) -> Gate:
    """Return the gate that settings ask for."""
    quiet_hours = QuietHours.parse(settings.quiet_hours) if settings.quiet_hours else None
    return Gate(told, groups_of(settings), caps_of(settings), quiet_hours, settings.dormant_days)
