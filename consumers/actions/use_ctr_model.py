"""Lets another CTR model rank audiences."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores.ctr_models import CtrModels

__all__ = ["use_ctr_model"]


async def use_ctr_model(redis: AnyRedis, version: int) -> None:
    """Let a version serve, in every worker within seconds, until the trainer publishes the next.

    Parameters
    ----------
    version
        0: taste alone.

    Raises
    ------
    SnapshotUnusable
        Where it is not kept, or cannot be read.
    """
    store = CtrModels(redis)
    await store.load(version)
    await store.use(version)
