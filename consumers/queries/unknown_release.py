"""What to tell somebody who names a release that is not there."""

from __future__ import annotations

from stream.errors import UnknownRelease
from stream.settings import Settings

__all__ = ["unknown_release"]


def unknown_release(settings: Settings, release_id: str) -> UnknownRelease:
    """Return the error that says why it may not be there."""
    return UnknownRelease(
        f"there is no release {release_id!r}: no worker has read it yet, or it is older than "
        f"{settings.release_days:g} days",
        hint="`refrain release list` names the latest that listeners were told of; `refrain doctor` says "
        "whether a worker runs.",
    )
