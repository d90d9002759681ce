"""Kafka's admin client, as kafka-python has it, without what it leaves behind."""

from __future__ import annotations

from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

__all__ = ["AdminClient"]


class AdminClient(KafkaAdminClient):  # type: ignore[misc]
    """Leaves nothing behind where no broker answers; kafka-python 3.0 leaves a thread and its sockets."""

    def __init__(self, **configs: Any) -> None:
        try:
            super().__init__(**configs)
        except KafkaError:
            self._closed = False  # else it takes itself for closed
            self.close()
            raise
