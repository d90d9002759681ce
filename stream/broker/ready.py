"""Waiting until Kafka and Redis answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis.exceptions
from kafka.errors import KafkaError

from stream.errors import Unreachable
from stream.patience import Patience
from stream.redis_client import client_of
from stream.redis_url import shown
from stream.retry import report
from stream.wire.admin_client import AdminClient
from stream.wire.diagnosis import first_reachable

__all__ = ["wait_for_kafka", "wait_for_redis"]

_PAUSE = 0.05
_SAY_AFTER = 3.0


class _Busy(str):
    """What a server says that is only not ready yet."""

    __slots__ = ()


def _wait(
    what: str, answers: Callable[[], str | None], timeout: float, say: Callable[[str], None], way_out: str
) -> None:
    """Poll `answers`, which gives None when all is well, else what is wrong, for `timeout` seconds."""
    started, patience = time.monotonic(), Patience(timeout)
    said = False
    while (problem := answers()) is not None:
        if isinstance(problem, _Busy):
            patience.begin_anew()
        if patience.is_over:
            raise Unreachable(
                f"{what} does not answer, for {timeout:g} seconds now ({problem})", hint=way_out
            )
        if time.monotonic() - started > _SAY_AFTER and not said:
            at_most = "" if isinstance(problem, _Busy) else f", {timeout:g} seconds at most"
            say(f"waiting for {what}{at_most} ({problem})")
            said = True
        time.sleep(_PAUSE)


def wait_for_kafka(
    bootstrap: str,
    *,
    timeout: float,
    say: Callable[[str], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
    **security: Any,
) -> None:
    """Return as soon as a broker of `bootstrap` ("host:port,host:port") answers for its cluster.

    Parameters
    ----------
    timeout
        Seconds before giving up.
    say
        Is told, once, when the wait is longer than three seconds.
    check
        Is called before each attempt, and may raise to end the wait.
    security
        What TLS and passwords ask for (`stream.wire.connection.security`, blocking).

    Raises
    ------
    Unreachable
        Where none answered in time.
    """

    def answers() -> str | None:
        check()
        reachable, problem = first_reachable(bootstrap)
        if reachable is None:
            return problem
        try:
            admin = AdminClient(
                bootstrap_servers=reachable,
                bootstrap_timeout_ms=2_000,
                request_timeout_ms=5_000,
                reconnect_backoff_max_ms=200,
                **security,
            )
        except KafkaError as error:
            report(error, f"connecting to Kafka at {bootstrap}")
            return str(error)
        try:
            return None if admin.describe_cluster()["brokers"] else "the cluster has no broker yet"
        except KafkaError as error:
            report(error, f"connecting to Kafka at {bootstrap}")
            return str(error)
        finally:
            admin.close()

    _wait(
        f"Kafka at {bootstrap}", answers, timeout, say, "Is it running there? REFRAIN_KAFKA says where it is."
    )


def wait_for_redis(
    url: str,
    *,
    timeout: float,
    say: Callable[[str], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return as soon as the Redis at `url` answers and has read its data.

    Parameters
    ----------
    timeout
        As in :func:`wait_for_kafka`; while Redis says that it reads its data, time does not count.
    say, check
        As in :func:`wait_for_kafka`.

    Raises
    ------
    Unreachable
        Where it did not answer in time, or does not let us in.
    """

    address = shown(url)

    async def ping() -> None:
        client = client_of(url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    def answers() -> str | None:
        check()
        try:
            pool.submit(asyncio.run, ping()).result()
        except redis.exceptions.BusyLoadingError as error:
            return _Busy(error)
        except redis.exceptions.RedisError as error:
            report(error, f"connecting to Redis at {address}")
            return str(error)
        return None

    way_out = "Is it running there? REFRAIN_REDIS says where it is."
    with ThreadPoolExecutor(1) as pool:  # in this thread a loop may run already
        _wait(f"Redis at {address}", answers, timeout, say, way_out)
