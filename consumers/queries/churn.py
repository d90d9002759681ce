"""How well churn is predicted."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.churn import ChurnFigures, ChurnStore

__all__ = ["ChurnFigures", "read_churn"]


async def read_churn(redis: AnyRedis, _: Settings) -> ChurnFigures | None:
    """Return what is said of what is learned; None where nothing is yet."""
    return await ChurnStore(redis).figures()
