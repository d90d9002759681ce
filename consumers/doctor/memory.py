"""What the doctor says of the memory that listeners take, and of when it will be full."""

from __future__ import annotations

import time

from consumers.doctor.check import Check
from consumers.queries.memory import MemoryForecast, read_memory
from consumers.terminal.format import size
from stream.connect import AnyRedis
from stream.settings import REMEMBERED_DAYS, Settings

__all__ = ["check_listeners_memory"]

NAME = "memory of listeners"
SOON, VERY_SOON, LONG = 30.0, 7.0, 3650.0  # days until memory is full


async def check_listeners_memory(redis: AnyRedis, settings: Settings) -> Check:
    """Look how much a listener takes, and how many days are left."""
    found = await read_memory(redis, settings, time.time())
    figures = dict(vars(found))
    if not found.listeners:
        return Check.fine(NAME, "there is no listener yet: what one takes is not known", figures)
    if found.listener is None:
        return Check.warning(
            NAME,
            "Redis's user may not ask MEMORY USAGE: what a listener takes is not known",
            "give it the right `+memory|usage`, as in scripts/redis-users.acl",
            figures,
        )
    said = f"some {size(found.listener)} each; {_totals(found)}; {_growth(found)}"
    if found.days_left is None or found.days_left > SOON:
        return Check.fine(NAME, said, figures)
    hint = f"give Redis more memory{_fewer_listeners(settings)}"
    if found.days_left < VERY_SOON:
        return Check.wrong(NAME, said, f"{hint}. When it is full, clicks wait in Kafka", figures)
    return Check.warning(NAME, said, hint, figures)


def _fewer_listeners(settings: Settings) -> str:
    """Return how else there is room, if there is a way."""
    days, whole = settings.forget_dormant_days, REMEMBERED_DAYS + settings.stage_gone_days
    if not days:
        return ", or let who is dormant go: REFRAIN_FORGET_DORMANT_DAYS=365"
    if days <= REMEMBERED_DAYS:
        return ""
    return (
        f", or lower REFRAIN_FORGET_DORMANT_DAYS: {REMEMBERED_DAYS} is the least, and below {whole:g} "
        "`refrain lifecycle` counts fewer weeks"
    )


def _totals(found: MemoryForecast) -> str:
    what = "with" if found.used is not None else "of"
    each = ", ".join(f"{size(total)} {what} {number:,}" for number, total in found.total.items())
    return each if found.used is not None else f"{each}, beside all else: INFO is refused"


def _growth(found: MemoryForecast) -> str:
    if found.growth is None:
        return "growth is not known"
    how = (
        f"measured over {found.measured_days:.0f} d"
        if found.measured_days >= 1
        else f"measured over {24 * found.measured_days:.0f} h"
        if found.measured_days
        else "by who was first seen in the last week, as `refrain traits` has measured nothing yet"
    )
    if found.growth <= 0:
        return f"does not grow ({how})"
    grows = f"grows by {size(found.growth)} a day ({how})"
    if found.days_left is None:
        return f"{grows}; when it is full is not known: Redis does not say how much there is"
    if found.days_left > LONG:
        return f"{grows}; not full within ten years"
    return f"{grows}; full in {found.days_left:,.0f} days"
