"""Keys of the HTTP API: who may ask what. Redis holds digests alone, and which role each key has."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from enum import IntEnum

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["SESSION_SECONDS", "ApiKey", "ApiKeys", "Role"]

PREFIX = "refrain"
ID_BYTES, SECRET_BYTES = 6, 32
SESSION_SECONDS = 12 * 3600
FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_([\w-]{{43}})")


class Role(IntEnum):
    """What somebody may do; each role may do what those before it may.

    Attributes
    ----------
    LOOK
        Ask about anything.
    PUBLISH
        Publish and stop releases.
    ADMINISTER
        Let another model serve; erase listeners.
    """

    LOOK = 1
    PUBLISH = 2
    ADMINISTER = 3

    @property
    def word(self) -> str:
        """The role as people write it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """Return the role of a word.

        Raises
        ------
        KeyError
            Where there is none of that name.

        Examples
        --------
        >>> Role.of("publish") >= Role.LOOK
        True
        """
        return cls[word.upper()]


@dataclass(frozen=True)
class ApiKey:
    """A key, but for its secret.

    Attributes
    ----------
    key_id
        What it is called in lists and logs; it opens nothing.
    name
        Whom or what it was made for.
    created_at
        Unix seconds.
    """

    key_id: str
    name: str
    role: Role
    created_at: float


class ApiKeys:
    """The store of keys.

    A key is ``refrain_ID_SECRET``. Its secret are 256 random bits, so that one round of SHA-256 is enough to
    keep it: a slow hash is for passwords, which can be guessed.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def add(self, name: str, role: Role, now: float) -> tuple[ApiKey, str]:
        """Make a key; return it, and its text, which is kept nowhere."""
        key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        held = {"name": name, "role": role.word, "created_at": now, "digest": _digest(secret)}
        await self._redis.hset(keys.API_KEYS, key_id, json.dumps(held, ensure_ascii=False))
        return ApiKey(key_id, name, role, now), f"{PREFIX}_{key_id}_{secret}"

    async def all(self) -> list[ApiKey]:
        """Return all keys, the oldest first."""
        found = await self._redis.hgetall(keys.API_KEYS)
        every = [_read(key_id.decode(), json.loads(held)) for key_id, held in found.items()]
        return sorted(every, key=lambda key: (key.created_at, key.key_id))

    async def any(self) -> bool:
        """Say whether there is any."""
        return bool(await self._redis.hlen(keys.API_KEYS))

    async def check(self, text: str) -> ApiKey | None:
        """Return the key whose text this is; None where it is none's, or it was revoked."""
        parts = FORM.fullmatch(text)
        if parts is None:
            return None
        key_id, secret = parts.groups()
        held = await self._redis.hget(keys.API_KEYS, key_id)
        if held is None:
            return None
        about = json.loads(held)
        if not hmac.compare_digest(about["digest"], _digest(secret)):
            return None
        return _read(key_id, about)

    async def revoke(self, key_id: str) -> bool:
        """Let a key, and who signed in with it, open nothing from now on. False: there is none of that id."""
        return bool(await self._redis.hdel(keys.API_KEYS, key_id))

    async def sign_in(self, key: ApiKey) -> str:
        """Begin a session of a browser; return what its cookie is to say, for `SESSION_SECONDS`."""
        cookie = secrets.token_urlsafe(SECRET_BYTES)
        await self._redis.set(keys.api_session(_digest(cookie)), key.key_id, ex=SESSION_SECONDS)
        return cookie

    async def signed_in(self, cookie: str) -> ApiKey | None:
        """Return the key that a session was begun with; None where it has ended, or the key was revoked."""
        key_id = await self._redis.get(keys.api_session(_digest(cookie)))
        held = await self._redis.hget(keys.API_KEYS, key_id.decode()) if key_id else None
        return _read(key_id.decode(), json.loads(held)) if held else None

    async def sign_out(self, cookie: str) -> None:
        """End a session."""
        await self._redis.delete(keys.api_session(_digest(cookie)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(key_id: str, held: dict[str, str]) -> ApiKey:
    return ApiKey(key_id, held["name"], Role.of(held["role"]), float(held["created_at"]))
