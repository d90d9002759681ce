"""Tokens for OAUTHBEARER: from a file that somebody keeps fresh, or from where clients' credentials get one.

What goes wrong is an `OSError`: for Kafka's clients a server is away, and they try again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from aiokafka.abc import AbstractTokenProvider
from kafka.net.sasl.oauth import AbstractTokenProvider as AbstractBlockingTokenProvider

__all__ = ["BlockingTokens", "TokenSource", "Tokens", "credentials_tokens", "file_tokens"]

TokenSource: TypeAlias = "Callable[[], str]"
"""Returns a token that is valid now; may take a request."""

SECONDS = 5.0  # for an answer of the identity provider
USED_FOR = 0.8  # of the time that a token is valid
UNLESS_SAID = 300.0  # seconds that a token is valid whose answer does not say
LONGEST_ANSWER = 1 << 20  # bytes


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """A source as aiokafka asks it."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """Return a token."""
        return await asyncio.to_thread(self._source)


class BlockingTokens(AbstractBlockingTokenProvider):  # type: ignore[misc]
    """A source as kafka-python asks it."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def token(self) -> str:
        """Return a token."""
        return self._source()


def file_tokens(path: Path) -> TokenSource:
    """Return a source that reads the file each time: who writes it keeps it fresh."""

    def read() -> str:
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise OSError(f"no token in REFRAIN_KAFKA_TOKEN_FILE={path} ({error})") from None

    return read


@cache  # one token for all clients of a process
def credentials_tokens(
    url: str, client_id: str, secret: str, scope: str, ca_file: Path | None
) -> TokenSource:
    """Return a source that asks an identity provider (RFC 6749, section 4.4), and again before a token ends.

    Parameters
    ----------
    ca_file
        Certificates that the provider's may be signed by, beside those of the system.
    """
    return _ClientCredentials(url, client_id, secret, scope, ca_file).token


class _ClientCredentials:
    def __init__(self, url: str, client_id: str, secret: str, scope: str, ca_file: Path | None) -> None:
        self._url = url
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        # As section 2.3.1 has it: both are form-encoded first.
        both = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
        self._authorization = f"Basic {base64.b64encode(both.encode()).decode()}"
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def token(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                answer = self._ask()
                self._token = str(answer["access_token"])
                said = answer.get("expires_in")  # some say null
                seconds = UNLESS_SAID if said is None else float(str(said))
                self._until = time.monotonic() + USED_FOR * seconds
            return self._token

    def _ask(self) -> dict[str, object]:
        where = f"{urlsplit(self._url).hostname or self._url} (REFRAIN_KAFKA_TOKEN_URL)"
        request = urllib.request.Request(  # noqa: S310 - http or https, says the setting
            self._url,
            data=urlencode(self._form).encode(),
            headers={"Authorization": self._authorization, "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=self._context()) as found:  # noqa: S310
                answer = json.loads(found.read(LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:  # its connection is open until then
                reason = _reason(error)
            raise OSError(f"{where} gives no token: HTTP {error.code} {reason}") from None
        except (OSError, ValueError) as error:
            raise OSError(f"{where} gives no token: {error}") from None
        if not isinstance(answer, dict) or "access_token" not in answer:
            raise OSError(f"{where} gives no token: its answer has no access_token")
        return answer

    def _context(self) -> ssl.SSLContext | None:
        if not self._url.startswith("https:"):
            return None
        context = ssl.create_default_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return context


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the standard's word for what is wrong: `invalid_client`."""
    try:
        return str(json.loads(error.read(LONGEST_ANSWER))["error"])
    except (OSError, ValueError, LookupError, TypeError):
        return error.reason
