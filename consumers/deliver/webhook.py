"""Posts to an HTTP endpoint, again and again where that may help."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    RetryError,
    retry_if_exception_type,
    wait_random_exponential,
)

from consumers.deliver.outgoing import Post
from consumers.deliver.signature import signed_headers
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.error_policy import case_of
from stream.errors import CannotStart
from stream.retry import Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.undelivered import Undelivered
from stream.webhook_secret import webhook_keys

__all__ = ["FAILING_SINCE", "FAILING_WHY", "Webhook", "retry_after"]

logger = logging.getLogger(__name__)

PAUSES = wait_random_exponential(multiplier=0.5, max=60.0)
"""Seconds between attempts: a random part of 0.5, 1, 2 ... 60, so that many that failed together spread."""
LONGEST_PAUSE = 3600.0  # seconds: an endpoint that asks for more is asked again after an hour
WARN_SECONDS = 10.0  # between two warnings
ASKS_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}

FAILING_SINCE = "failing since"
"""Gauge of the heartbeat: of the posts in hand that the endpoint does not take, since when it does not take
the oldest, in Unix seconds; 0: it takes all."""
FAILING_WHY = "failing why"
"""Likewise: what it said of that one last."""


class _Failing(NamedTuple):
    """Since when a post is not taken, in Unix seconds, and why not."""

    since: float
    why: str


class _NotTaken(Exception):
    """An attempt has failed, and another may succeed."""


class Webhook:
    """The endpoint of the settings, open as long as the ``async with`` block.

    A post is taken where the answer is 2xx. Where there is none, or it is 5xx, 408, 425 or 429, it is posted
    again, not before the time that `Retry-After` says, for `deliver_retry_hours` from the first time on,
    whichever process that was. Any other answer is final: redirects are not followed, as no other host is to
    learn who listens to what.

    Raises
    ------
    CannotStart
        Where the certificates that the endpoint's is to be checked by cannot be read.
    """

    def __init__(self, settings: Settings, redis: AnyRedis, heartbeat: Heartbeat) -> None:
        self._url = settings.deliver_url.get_secret_value()
        self._keys = webhook_keys(settings.deliver_secret.get_secret_value())
        self._seconds = settings.deliver_retry_seconds
        self._timeout = settings.deliver_timeout
        self._tls = _tls(settings)
        self._undelivered = Undelivered(redis, self._seconds)
        self._heartbeat = heartbeat
        self._failing: dict[str, _Failing] = {}
        self._ours: dict[tuple[str, int], asyncio.Event] = {}
        self._not_before = 0.0
        self._warn_at = 0.0
        self._show()

    @property
    def host(self) -> str:
        """The endpoint as it may be shown: the rest of its URL may hold a token."""
        return str(urlsplit(self._url).hostname)

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def deliver(self, post: Post, ending: asyncio.Event) -> str:
        """Post until it is taken or refused for good.

        Parameters
        ----------
        ending
            No further attempt is made once it is set; one that is under way is waited for. Each time that
            partitions are assigned it is another one.

        Returns
        -------
        "" where it is taken; else why not.

        Raises
        ------
        Stopped
            Where `ending` was set before either.
        """
        if ending.is_set():
            raise Stopped("posting")

        async def pause(seconds: float) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), seconds)
            if ending.is_set():
                raise Stopped("posting")

        partition = post.first.topic, post.first.partition
        taken_over = self._ours.get(partition) is not ending
        self._ours[partition] = ending
        policy = AsyncRetrying(
            retry=retry_if_exception_type(_NotTaken),
            wait=self._pause,
            stop=lambda _: time.time() - self._failing[post.begins].since >= self._seconds,
            sleep=pause,
            before_sleep=self._warn,
        )
        while (left := self._not_before - time.monotonic()) > 0:
            await pause(left)  # another post was told to wait
        try:
            try:
                refused: str = await policy(self._attempt, post)
            except RetryError as ended:
                refused = f"{ended.last_attempt.exception()}, for {self._seconds / 3600:g} h"
            # The first post of a partition may have failed in the process that had it before.
            if taken_over or post.begins in self._failing:
                with contextlib.suppress(*REDIS_ERRORS):  # it expires, too
                    await self._undelivered.forget(post.begins)
        finally:  # whoever takes over shows it from then on
            self._failing.pop(post.begins, None)
            self._show()
        return refused

    async def _attempt(self, post: Post) -> str:
        """Post once; return "" where it is taken, else why it is refused for good.

        Raises
        ------
        _NotTaken
            Where another attempt may succeed.
        """
        headers = signed_headers(self._keys, post.name, int(time.time()), post.body)
        headers["content-type"] = "application/json"
        if post.trace:
            headers["traceparent"] = post.trace
        try:
            async with self._client.post(
                self._url, data=post.body, headers=headers, allow_redirects=False
            ) as answer:
                status, after = answer.status, answer.headers.get("retry-after", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Their messages may have the URL in them.
            raise await self._not_taken(post, f"no answer from {self.host}: {_kind_of(error)}") from None
        said = f"{self.host} answered {status}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in ASKS_AGAIN:
            wait = min(retry_after(after, time.time()), LONGEST_PAUSE)
            self._not_before = max(self._not_before, time.monotonic() + wait)
            raise await self._not_taken(post, said)
        return "" if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES else said

    async def _not_taken(self, post: Post, why: str) -> _NotTaken:
        self._heartbeat.add("posted again")
        known = self._failing.get(post.begins)
        since = known.since if known else time.time()
        self._failing[post.begins] = _Failing(since, why)
        try:
            self._failing[post.begins] = _Failing(await self._undelivered.since(post.begins, since), why)
        except REDIS_ERRORS as error:
            if not known:
                logger.warning(
                    "%s (%s): a restart begins anew to count REFRAIN_DELIVER_RETRY_HOURS",
                    case_of(error).fact,
                    error,
                )
        self._show()
        return _NotTaken(why)

    def _show(self) -> None:
        oldest = min(self._failing.values(), default=_Failing(0.0, ""))
        self._heartbeat.gauges.update({FAILING_SINCE: oldest.since, FAILING_WHY: oldest.why})

    def _pause(self, state: RetryCallState) -> float:
        return max(PAUSES(state), self._not_before - time.monotonic())

    def _warn(self, state: RetryCallState) -> None:
        if time.monotonic() < self._warn_at or not state.outcome or not state.next_action:
            return
        self._warn_at = time.monotonic() + WARN_SECONDS
        logger.warning("%s; posting again in %.1f s", state.outcome.exception(), state.next_action.sleep)


def retry_after(said: str, now: float) -> float:
    """Return for how many seconds a header `Retry-After` asks to wait; 0 where it asks for nothing.

    Parameters
    ----------
    said
        Seconds, or a date as HTTP writes it.
    now
        Unix seconds.

    Examples
    --------
    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:01:30 GMT", 60.0), retry_after("soon", 0.0)
    (120.0, 30.0, 0.0)
    >>> retry_after("Thu, 01 Jan 1970 00:01:30 -0000", 60.0), retry_after("1 Jan 99999999999 00:00 GMT", 0.0)
    (30.0, 0.0)
    """
    if said.strip().isdecimal():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
        # A zone of -0000 stands for UTC of an unknown place.
        return max((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return 0.0


def _kind_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "none in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not trusted (REFRAIN_DELIVER_CA_FILE), or it does not speak TLS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or "it cannot be connected to"
    return "the connection broke off"


def _tls(settings: Settings) -> ssl.SSLContext:
    file = settings.deliver_ca_file
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(
            f"REFRAIN_DELIVER_CA_FILE={file} cannot be read: {error.strerror or error}",
            hint="It holds certificates in PEM.",
        ) from error
