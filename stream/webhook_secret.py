"""Secrets that webhooks are signed with, as Standard Webhooks writes them."""

from __future__ import annotations

import base64
import binascii

__all__ = ["webhook_keys"]

PREFIX = "whsec_"
LEAST, MOST = 24, 64  # bytes of a key, by the specification


def webhook_keys(written: str) -> tuple[bytes, ...]:
    """Return the keys of one secret or several, with blanks between.

    Raises
    ------
    ValueError
        Where one is no secret. The message does not show it.

    Examples
    --------
    >>> webhook_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")[0].hex()
    '31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0'
    """
    return tuple(_key(secret) for secret in written.split())


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not LEAST <= len(key) <= MOST:
        raise ValueError(
            f"a secret is {PREFIX} and {LEAST} to {MOST} random bytes in base64: "
            f'echo "{PREFIX}$(openssl rand -base64 32)" makes one'
        )
    return key
