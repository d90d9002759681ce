"""A listener's record, all affinities and last plays, as read by whatever explains a listener."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from consumers.runtime.wiring import rules_of
from models.listener import Listener, Rules
from stream.connect import AnyRedis
from stream.errors import UnknownListener
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.guards import guard_decay
from stream.stores.listeners import Listeners
from stream.stores.merges import Merges
from stream.stores.opted_out import OptedOut

__all__ = ["KnownListener", "read_known_listener"]


@dataclass(frozen=True)
class KnownListener:
    """A listener, and the rules by which listeners are placed.

    Attributes
    ----------
    listener
        With all affinities, the strongest first.
    """

    listener: Listener
    opted_out: bool
    rules: Rules


async def read_known_listener(redis: AnyRedis, settings: Settings, user_id: str) -> KnownListener:
    """Read a listener.

    Raises
    ------
    UnknownListener
        Where there is none of that id.
    DecayChanged
        Where affinities were stored with another half-life.
    """
    store = Listeners(redis)
    (listener,) = await store.read([user_id], activity=True)
    opted_out = user_id in await OptedOut(redis).among([user_id])
    if listener.into:
        root = (await Merges(redis).roots([user_id])).get(user_id, listener.into)
        raise UnknownListener(
            f"{user_id!r} is no listener of its own: it is part of {root!r}",
            hint=f"`refrain user {quote(root)}` shows them.",
        )
    if not listener.rev:
        known = " (who has opted out, which is remembered)" if opted_out else ""
        raise UnknownListener(
            f"there is no listener {user_id!r}{known}: either they have not clicked yet, or no ingester "
            "has read it",
            hint="`refrain doctor` says how far behind they are.",
        )
    aliases = ArtistAliases(redis)
    await aliases.refresh()
    listener = aliases.settled(listener)
    rules = rules_of(settings)
    await guard_decay(redis, rules.decay)
    listener.affinities = dict(sorted(listener.affinities.items(), key=lambda each: -each[1]))
    return KnownListener(listener, opted_out, rules)
