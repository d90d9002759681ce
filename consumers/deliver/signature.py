"""Signatures of posts, as Standard Webhooks has them (https://www.standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

__all__ = ["signed_headers"]


def signed_headers(keys: Sequence[bytes], name: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers that a post is checked by.

    Parameters
    ----------
    keys
        A signature is made with each: while a key is replaced, the endpoint may know either.
    name
        The idempotency key. It has no full stop, which separates it from what follows.
    at
        When it is posted, in Unix seconds. An endpoint refuses what is old, so it is that of the attempt.

    Examples
    --------
    The example of the specification's own libraries:

    >>> key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> body = b'{"test": 2432232314}'
    >>> signed_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{name}.{at}.".encode() + body
    digests = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
