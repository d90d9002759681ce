"""What follows a listener's move: member sets and sizes in Redis, `cohort-changes` in Kafka."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from pydantic_core import to_json

from models.listener import Move
from models.model import Model
from stream.metrics import COHORT_CHANGES
from stream.retry import Retry
from stream.stores.cohorts import Cohorts
from stream.wire.sender import delivered

__all__ = ["Moves"]


class Moves:
    """Follows moves that are on record until all agree with it.

    Where two move the same listener one after the other (the sweep and an ingester, two ingesters), they may
    arrive here in the other order. So whoever has said a move looks at the record once more, and where that
    has moved on, says so too: what is said last of a listener is what their record says. Both may say it.
    """

    def __init__(self, cohorts: Cohorts, producer: AIOKafkaProducer, retry: Retry) -> None:
        self._cohorts = cohorts
        self._producer = producer
        self._retry = retry

    async def follow(self, moves: Sequence[Move], model: Model | None) -> None:
        """Let all that depends on moves follow them; Kafka and Redis have it when this returns.

        Raises
        ------
        Stopped
            Where the process is to end before that.
        """
        while moves:
            await self._retry("moving members", self._cohorts.place, moves)
            await self._retry("emitting cohort changes", self.say, moves, model)
            moves = await self._retry("looking where members are", self._cohorts.moved_on, moves, model)

    async def say(self, moves: Sequence[Move], model: Model | None) -> None:
        """Emit moves, and wait until Kafka has them."""
        version = model.version if model else 0
        said = [(move.user_id.encode(), _event(move, version)) for move in moves if move.origin != move.to]
        await delivered(self._producer.send("cohort-changes", key=key, value=value) for key, value in said)
        for reason, number in Counter(move.reason for move in moves if move.origin != move.to).items():
            COHORT_CHANGES.labels(reason).inc(number)


def _event(move: Move, version: int) -> bytes:
    # `CohortChange` as JSON: a listener may move with every click, and a model takes ten times as long.
    event = {
        "user_id": move.user_id,
        "from": move.origin,
        "to": move.to,
        "reason": move.reason,
        "model_version": version,
        "ts": move.ts,
    }
    return to_json(event)
