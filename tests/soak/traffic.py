"""What goes on beside the faults, in a thread of its own, on a producer of its own."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer

from stream.settings import Settings

__all__ = ["Traffic"]

PATIENCE = 600  # seconds, until all that was sent is in Kafka


class Traffic:
    """Does its `work` until the end of the ``with`` block, which raises what has failed.

    Parameters
    ----------
    more
        Of the producer's configuration.
    """

    def __init__(self, settings: Settings, **more: Any) -> None:
        # That a broker is away is meant to be: nothing is said of it.
        self._servers = {"bootstrap.servers": settings.kafka, "log_level": 0}
        kept = {"enable.idempotence": True, "message.timeout.ms": 1000 * PATIENCE}
        self._producer = Producer(self._servers | kept | more)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._failed: BaseException | None = None

    def work(self) -> None:
        """Go on until `_ended` is set."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.work()
            left = self._producer.flush(PATIENCE)
            assert left == 0, f"{left} events are not in Kafka"
        except BaseException as error:  # noqa: BLE001 - raised by __exit__
            self._failed = error

    def _send(self, topic: str, key: str, event: dict[str, object]) -> None:
        self._producer.produce(topic, json.dumps(event).encode(), key.encode())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if error is None:  # else Kafka may be gone, and what is not delivered would be waited for
            self._thread.join()
            if self._failed:
                raise self._failed
