"""The policy for servers that go away: try again until they are back, say so, lose nothing.

Whatever is tried again here must bear being done twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError
from redis import exceptions

__all__ = ["Stopped", "insist"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

FULL = "Redis takes no more writes ({error}): {mend}; what comes waits in Kafka"
MEMORY = "give it memory (maxmemory) or disk"
PRIMARY = "REFRAIN_REDIS is to name the primary, not a replica"
REFUSALS = {
    "OOM": MEMORY,
    "maxmemory": MEMORY,
    "MISCONF": MEMORY,
    "READONLY": PRIMARY,
    "read only replica": PRIMARY,
    "NOREPLICAS": "its replicas are away",
    "CLUSTERDOWN": "its cluster is incomplete",
    "LOADING": "it is still reading its data",
}
AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterError,
    exceptions.TryAgainError,
    exceptions.RedisClusterException,
    OSError,
)
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
SAY_EVERY = 10.0


class Stopped(Exception):
    """The process is to end, and what was tried has not succeeded yet."""


def _word(error: Exception, what: str) -> str | None:
    """Say what is wrong, or None where trying again cannot help."""
    if isinstance(error, KafkaError):
        return f"Kafka does not answer ({error!r}) while {what}"
    if isinstance(error, AWAY):
        return f"Redis does not answer ({error}) while {what}"
    # The client knows some refusals, and takes their first word away; from within a script it knows none.
    return next(
        (FULL.format(error=error, mend=mend) for sign, mend in REFUSALS.items() if sign in str(error)), None
    )


async def insist(attempt: Callable[[], Awaitable[T]], what: str, stop: asyncio.Event) -> T:
    """Try until it succeeds.

    Raises
    ------
    Stopped
        Where the process is to end before that.
    """
    pause, said = FIRST_PAUSE, float("-inf")
    while True:
        try:
            result = await attempt()
        except (exceptions.RedisError, exceptions.RedisClusterException, KafkaError, OSError) as error:
            word = _word(error, what)
            if word is None:
                raise
            if time.monotonic() - said > SAY_EVERY:
                logger.warning("%s; trying again", word)
                said = time.monotonic()
        else:
            if said > float("-inf"):
                logger.info("%s goes on", what)
            return result
        if stop.is_set():
            raise Stopped(what)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
