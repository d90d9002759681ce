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
        """Whether it goes on later: with another wave, or when quiet hours end."""
        return self.fields.get("state") == State.PAUSED

    @property
    def wave(self) -> int | None:
        """The wave that is out; None: it does not go out in waves."""
        return int(self.fields["wave"]) if "wave" in self.fields else None

    @property
    def held(self) -> int:
        """How many listeners are told when their quiet hours end."""
        return int(self.fields.get("held", 0))

    @property
    def held_until(self) -> float:
        """When the first of these quiet hours end, in Unix seconds."""
        return float(self.fields.get("held_until", 0.0))

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
