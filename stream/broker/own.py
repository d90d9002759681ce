"""A server of our own, as `refrain up` starts it."""

from __future__ import annotations

from dataclasses import dataclass

from stream.broker.child import Child

__all__ = ["OwnServer"]


@dataclass(frozen=True)
class OwnServer:
    """A server that was started and may not answer yet."""

    address: str
    """As clients want it: "host:port" for Kafka, a URL for Redis."""
    child: Child
    about: str
    """What it is, where, and where its data are: for people."""
