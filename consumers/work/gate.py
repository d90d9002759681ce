"""Who of the best listeners is told: not the control group, nor who has been told often enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consumers.runtime.wiring import caps_of, groups_of
from models.control import Groups
from models.quiet_hours import QuietHours
from stream.settings import Settings
from stream.stores.erased_lately import ErasedLately
from stream.stores.told import Caps, Told
from stream.wire.events import Release

__all__ = ["CONTROL", "NOBODY", "Admitted", "Gate", "gate_of"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CONTROL = {"control": "control group", "holdout": "holdout"}
NOBODY: Mapping[str, str] = MappingProxyType({})


class Admitted(NamedTuple):
    """Whether some listeners are told.

    Attributes
    ----------
    reasons
        For each "", or why they are not.
    control
        Those who would be told, were they not drawn for the control group of this release. Nobody of the
        holdout is: no cap ever keeps them out, as it does the best of the others, whom they would be compared
        with.
    """

    reasons: Sequence[str]
    control: Sequence[bool]


@dataclass(frozen=True)
class Gate:
    """Lets listeners into an audience.

    Who is drawn for comparison is asked after like all others: those whom their caps keep out are neither
    told nor in the control group, so that the two differ by nothing but being told.

    Attributes
    ----------
    quiet_hours
        When nobody is told, by each listener's clock; None: listeners are told at any hour.
    erased
        Who has just been erased, and is in memory still; None: nobody.
    """

    told: Told
    groups: Groups
    caps: Caps
    quiet_hours: QuietHours | None = None
    erased: ErasedLately | None = None

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
        self,
        release: Release,
        users: Sequence[str],
        drawn: Sequence[str],
        now: float,
        asked: Mapping[str, str] = NOBODY,
        *,
        reserve: bool = True,
    ) -> Admitted:
        """Reserve a place for each listener who is told of a release; may be repeated.

        Parameters
        ----------
        drawn
            Of `drawn`.
        now
            Unix seconds.
        asked
            Listeners of whom it is known already: why they are not told; of those drawn for comparison also
            "", where they would be.
        reserve
            False: it is only asked who would be told.
        """
        reasons = [asked.get(user, "") for user in users]
        if any(self.caps):
            new = [at for at, user in enumerate(users) if user not in asked]
            only_ask = [drawn[at] != "" or not reserve for at in new]
            found = await self.told.reserve(
                release.release_id, release.artist_ids, [users[at] for at in new], only_ask, now
            )
            for at, reason in zip(new, found, strict=True):
                reasons[at] = reason
        if not any(drawn):
            return Admitted(reasons, [False] * len(users))
        control = [group == "control" and not reason for group, reason in zip(drawn, reasons, strict=True)]
        return Admitted(
            [reason or CONTROL.get(group, "") for group, reason in zip(drawn, reasons, strict=True)], control
        )


def gate_of(told: Told, settings: Settings, erased: ErasedLately | None = None) -> Gate:
    """Return the gate that settings ask for; `erased` as in `Gate`."""
    quiet_hours = QuietHours.parse(settings.quiet_hours) if settings.quiet_hours else None
    return Gate(told, groups_of(settings), caps_of(settings), quiet_hours, erased)
