"""Notifications of the past: a row each, with whether it was clicked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from stream.wire.events import Feedback
from stream.wire.fields import Id, Time

__all__ = ["Impression"]


class Impression(BaseModel):
    """Somebody was told of a release, before Refrain chose whom; `ts` is when."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    release_id: Id
    user_id: Id
    ts: Time
    clicked: bool = False

    def feedback(self) -> Feedback:
        """Return what is sent of it: who clicked was sent it, too.

        Examples
        --------
        >>> Impression(release_id="r1", user_id="u1", ts=5.0, clicked=True).feedback().kind
        'clicked'
        """
        kind = "clicked" if self.clicked else "sent"
        return Feedback(release_id=self.release_id, user_id=self.user_id, kind=kind, ts=self.ts, history=True)
