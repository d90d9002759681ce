"""What is learned of who does not come back, and the listeners who were frozen to learn from them later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from models.quality.prequential import Prequential
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["ChurnFigures", "ChurnStore", "FrozenDay", "LearnedChurn"]

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrozenDay:
    """Some listeners as they were when a day began, until it is known who of them came back.

    Attributes
    ----------
    until
        The day, the first on which they may come back.
    span
        By which they were predicted.
    user_ids
        n listeners.
    names
        The columns of `rows`.
    rows
        Shape (n, d), what was known of them.
    predicted
        Shape (n,), how likely each was not to come back, as predicted then; NaN before anything was learned.
    """

    until: int
    span: Span
    user_ids: tuple[str, ...]
    names: tuple[str, ...]
    rows: Singles
    predicted: Singles


@dataclass(frozen=True, eq=False)
class LearnedChurn:
    """What is learned, written in one step with the day up to which it is.

    Attributes
    ----------
    version
        1, 2, ...; 0: nothing is learned.
    made_at
        Unix seconds.
    learned
        The latest of the frozen days that were learned; -1: none. Those up to it are never learned again.
    """

    model: ChurnModel
    quality: Prequential = field(default_factory=Prequential)
    span: Span = field(default_factory=Span)
    version: int = 0
    made_at: float = 0.0
    learned: int = -1


@dataclass(frozen=True)
class ChurnFigures:
    """What is said of the model that serves.

    Attributes
    ----------
    version, made_at, learned
        As in `LearnedChurn`.
    history, outcome
        The spans in days.
    examples, churned
        What it was learned from.
    foresight
        How well churn was predicted when it was not known yet (`models.quality.prequential`); empty where too
        few predictions have become known.
    """

    version: int
    made_at: float
    learned: int
    history: int
    outcome: int
    examples: int
    churned: int
    foresight: Mapping[str, float]


FIELDS = tuple(ChurnFigures.__dataclass_fields__)


class ChurnStore:
    """The store of churn."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._keep, self._replace = Script("keep_churn"), Script("replace_frozen")

    async def learned(self) -> LearnedChurn | None:
        """Return what is learned; None where nothing is.

        Raises
        ------
        SnapshotDamaged
            Where it cannot be read, or has diverged.
        """
        packed = await self._redis.hget(keys.CHURN_MODEL, "packed")
        if packed is None:
            return None
        try:
            header, arrays = _unpacked(packed)
            return LearnedChurn(
                ChurnModel.from_arrays(header["model"], arrays),
                Prequential(arrays["quality"]),
                Span(*header["span"]),
                header["version"],
                header["made_at"],
                header["learned"],
            )
        except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            raise SnapshotDamaged(
                f"what was learned of churn cannot be read ({error})",
                hint="`refrain traits` learns it again from what listeners did in the last 60 days.",
            ) from error

    async def version(self) -> int:
        """Return the version that serves; 0 while none does."""
        return int(await self._redis.hget(keys.CHURN_MODEL, "version") or 0)

    async def keep(self, learned: LearnedChurn, instead_of: int) -> bool:
        """Write what is learned, and let it serve; False, and nothing, where another version is there.

        Parameters
        ----------
        instead_of
            The version that it goes on from.
        """
        figures = ChurnFigures(
            learned.version,
            learned.made_at,
            learned.learned,
            *learned.span,
            learned.model.examples,
            learned.model.churned,
            learned.quality.figures(),
        )
        fields = {**vars(figures), "foresight": json.dumps(figures.foresight), "packed": _packed(learned)}
        pairs = [part for pair in fields.items() for part in pair]
        return bool(await self._keep(self._redis, [keys.CHURN_MODEL], instead_of, *pairs))

    async def figures(self) -> ChurnFigures | None:
        """Return what is said of what is learned; None where nothing is."""
        found = await self._redis.hmget(keys.CHURN_MODEL, FIELDS)
        if found[0] is None:
            return None
        version, made_at, learned, history, outcome, examples, churned, foresight = found
        return ChurnFigures(
            int(version),
            float(made_at),
            int(learned),
            int(history),
            int(outcome),
            int(examples),
            int(churned),
            json.loads(foresight),
        )

    async def freeze(self, frozen: FrozenDay) -> bool:
        """Keep a day's listeners; False where that day has been frozen already: the first stays."""
        return bool(await self._redis.hsetnx(keys.CHURN_FROZEN, str(frozen.until), _packed_day(frozen)))

    async def frozen_days(self) -> list[int]:
        """Return the days that are frozen, the earliest first."""
        return sorted(int(day) for day in await self._redis.hkeys(keys.CHURN_FROZEN))

    async def frozen(self, until: int) -> FrozenDay | None:
        """Return a frozen day; None where it is not there, or not any more.

        Raises
        ------
        SnapshotDamaged
            Where it cannot be read.
        """
        packed = await self._redis.hget(keys.CHURN_FROZEN, str(until))
        return _unpacked_day(until, packed) if packed else None

    async def drop(self, until: Sequence[int]) -> None:
        """Drop frozen days."""
        if until:
            await self._redis.hdel(keys.CHURN_FROZEN, *map(str, until))

    async def forget(self, user_id: str) -> None:
        """Take a listener out of the frozen days: nothing will be learned from them.

        What was learned already says nothing of one listener: coefficients that thousands have in common.
        """
        for day in await self.frozen_days():
            while not await self._without(day, user_id):
                pass  # another listener has been forgotten meanwhile

    async def _without(self, day: int, user_id: str) -> bool:
        """Take a listener out of a day; False, and nothing, where somebody else has written it meanwhile."""
        packed = await self._redis.hget(keys.CHURN_FROZEN, str(day))
        if packed is None:
            return True
        try:
            frozen = _unpacked_day(day, packed)
        except SnapshotDamaged:
            await self.drop([day])  # nobody can say who is in it
            return True
        if user_id not in frozen.user_ids:
            return True
        others = np.array([user != user_id for user in frozen.user_ids])
        left = FrozenDay(
            day,
            frozen.span,
            tuple(user for user in frozen.user_ids if user != user_id),
            frozen.names,
            frozen.rows[others],
            frozen.predicted[others],
        )
        written = await self._replace(self._redis, [keys.CHURN_FROZEN], str(day), packed, _packed_day(left))
        return bool(written)


def _packed(learned: LearnedChurn) -> bytes:
    model, arrays = learned.model.to_arrays()
    header = {
        "model": model,
        "span": list(learned.span),
        "version": learned.version,
        "made_at": learned.made_at,
        "learned": learned.learned,
    }
    every = {**arrays, "quality": learned.quality.cells}
    held = {name: [array.dtype.str, list(array.shape), array.tobytes()] for name, array in every.items()}
    packed: bytes = msgpack.packb([header, held])
    return packed


def _unpacked(packed: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    header, held = msgpack.unpackb(packed)
    arrays = {
        name: np.frombuffer(content, dtype=dtype).reshape(shape).copy()
        for name, (dtype, shape, content) in held.items()
    }
    return header, arrays


def _packed_day(frozen: FrozenDay) -> bytes:
    packed: bytes = msgpack.packb(
        [
            list(frozen.span),
            list(frozen.user_ids),
            list(frozen.names),
            frozen.rows.astype("<f4").tobytes(),
            frozen.predicted.astype("<f4").tobytes(),
        ]
    )
    return packed


def _unpacked_day(until: int, packed: bytes) -> FrozenDay:
    try:
        span, users, names, rows, predicted = msgpack.unpackb(packed)
        return FrozenDay(
            until,
            Span(*span),
            tuple(users),
            tuple(names),
            np.frombuffer(rows, dtype="<f4").reshape(len(users), len(names)),
            np.frombuffer(predicted, dtype="<f4"),
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise SnapshotDamaged(f"who was frozen on day {until} cannot be read ({error})") from error
