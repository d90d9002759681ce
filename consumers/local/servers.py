"""Which Kafka and Redis a command speaks to: those of the settings, else those that `refrain up` runs."""

from __future__ import annotations

from consumers.local.demo_settings import demo_settings
from stream.errors import Unreachable
from stream.settings import Settings, load_settings

__all__ = ["connected_settings"]


def connected_settings(*, kafka: bool = True, redis: bool = True) -> Settings:
    """Return the settings, with the addresses of what `refrain up` or the demo runs where none are given.

    Of the demo's servers with the settings that a demo runs with, too: its topics have fewer partitions.

    Parameters
    ----------
    kafka, redis
        What the command cannot do without.

    Raises
    ------
    Unreachable
        Where an address is needed and nobody has one.
    """
    settings = load_settings()
    if not settings.kafka or not settings.redis:
        settings = _found(settings)
    missing = [
        name
        for name, needed in (("kafka", kafka), ("redis", redis))
        if needed and not getattr(settings, name)
    ]
    if missing:
        variables = " and ".join(f"REFRAIN_{name.upper()}" for name in missing)
        raise Unreachable(
            f"no {' and no '.join(name.capitalize() for name in missing)} to speak to: {variables} not set, "
            f"and no `refrain up` runs on the data folder {settings.data}",
            hint=f"Set {variables}, or start `refrain up`.",
        )
    return settings


def _found(settings: Settings) -> Settings:
    from stream.broker import find_running

    for own in (settings, demo_settings(settings)):
        if running := find_running(own.data):
            return own.model_copy(
                update={"kafka": own.kafka or running.kafka, "redis": own.redis or running.redis}
            )
    return settings
