"""What is learned of listeners' next week, in Redis."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import msgpack
import numpy as np

from models.traits.next_week import FEATURES, Foresight, NextWeek
from models.traits.online_glm import Glm
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys

__all__ = ["NextWeekModel"]

FORMAT = 1


class NextWeekModel:
    """The store of the one model that there is: it learns on, there are no versions to go back to."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def load(self) -> NextWeek:
        """Return the model; one that has learned nothing where none is kept, or of other features.

        Raises
        ------
        SnapshotDamaged
            Where it cannot be read, or has diverged.
        """
        packed = await self._redis.get(keys.NEXT_WEEK)
        try:
            return _unpacked(packed) if packed else NextWeek()
        except (ValueError, KeyError, TypeError, AttributeError, msgpack.UnpackException) as error:
            raise SnapshotDamaged(
                f"what was learned of listeners' next week cannot be read ({error})",
                hint="`refrain traits` learns it again when it starts.",
            ) from error

    async def keep(self, model: NextWeek) -> None:
        """Write the model."""
        held = {
            "format": FORMAT,
            "features": list(FEATURES),
            "zero": _packed(model.zero),
            "count": _packed(model.count),
            "judged": astuple(model.foresight),
        }
        await self._redis.set(keys.NEXT_WEEK, msgpack.packb(held))


def _unpacked(packed: bytes) -> NextWeek:
    held, blank = msgpack.unpackb(packed), NextWeek()
    if held.get("format") != FORMAT or held["features"] != list(FEATURES):
        return blank
    model = NextWeek(
        _glm(held["zero"], blank.zero),
        _glm(held["count"], blank.count),
        # Not "foresight", which an earlier version wrote: sums over listeners of whom others are judged now.
        Foresight(*held.get("judged", ())),
    )
    if not model.finite:
        raise ValueError("it has diverged: its coefficients are no numbers")
    return model


def _packed(glm: Glm) -> list[Any]:
    return [glm.mean.tobytes(), glm.precision.tobytes(), glm.dispersion, glm.examples]


def _glm(held: list[Any], blank: Glm) -> Glm:
    mean, precision, dispersion, examples = held
    size = len(blank.prior)
    return Glm(
        blank.family,
        np.frombuffer(mean, dtype=np.float64).copy(),
        np.frombuffer(precision, dtype=np.float64).reshape(size, size).copy(),
        blank.prior,
        dispersion,
        examples,
    )
