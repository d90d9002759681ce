"""Lua scripts of the folder lua/, run on a Redis or a Redis Cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis import exceptions

from stream.connect import AnyRedis

__all__ = ["Script"]


class Script:
    """One Lua script: sent by its digest, and in full where the server has not seen it yet."""

    def __init__(self, name: str) -> None:
        self._text = files("stream.stores").joinpath(f"lua/{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, redis: AnyRedis, keys: Sequence[str | bytes], *arguments: bytes | str | float
    ) -> Any:
        """Run it on the node that holds `keys`, which must be in one slot of a cluster."""
        try:
            return await redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            return await redis.eval(self._text, len(keys), *keys, *arguments)
