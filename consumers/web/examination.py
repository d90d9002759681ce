"""What the doctor says: one examination at a time, shared by everybody who asks."""

from __future__ import annotations

from consumers.doctor import Check, examine
from consumers.web.shared import Shared
from stream.settings import Settings

__all__ = ["examination"]

KEPT_SECONDS = 5.0
"""An examination opens clients of Kafka and threads; what somebody has just mended is seen soon enough."""


def examination(settings: Settings) -> Shared[list[Check]]:
    """Return what the doctor says of all that Refrain needs."""
    return Shared(lambda: examine(settings), KEPT_SECONDS)
