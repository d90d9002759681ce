"""What Redis knows of a release that was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases, State

__all__ = ["KnownRelease", "read_release"]


@dataclass(frozen=True)
class KnownRelease:
    """What Redis knows of a release that was published.

    Attributes
    ----------
    fields
        The release's hash (docs/contract.md).
    """

    fields: Mapping[str, str]

    @property
    def done(self) -> bool:
        """Whether its audience is out, or it was found that nobody is to be told."""
        return self.fields.get("state") == State.DONE

    @property
    def waits(self) -> bool:
        """Whether a wave of it is out, and the next is not due yet."""
        return self.fields.get("state") == State.PAUSED

    @property
    def audience(self) -> int:
        """How many listeners are told."""
        return int(self.fields.get("audience", 0))

    @property
    def reason(self) -> str:
        """Return "done", or why nobody was told."""
        return self.fields.get("reason", "")

    @property
    def relied_on(self) -> str:
        """What it was known by; "" before it is planned."""
        return self.fields.get("relied_on", "")


async def read_release(redis: AnyRedis, settings: Settings, release_id: str) -> KnownRelease | None:
    """Return what is known of a release; None where no worker has met one of that id."""
    fields = await Releases(redis, settings.release_seconds).about(release_id)
    return KnownRelease(fields) if fields else None
