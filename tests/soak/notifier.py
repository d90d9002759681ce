"""A desk that goes on publishing releases, and a notifier that reports what came of each audience."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter, defaultdict
from typing import Any

from confluent_kafka import Consumer

from stream.settings import Settings
from tests.soak.listeners import ARTISTS
from tests.soak.traffic import Traffic

__all__ = ["CLICKED", "SENT", "Notifier"]

SENT, CLICKED = 40, 10  # listeners of each release of whom it is reported
TWICE = 0.2  # of reports
BETWEEN = 3.0  # seconds from release to release
AUDIENCE = 2000


class Notifier(Traffic):
    """Publishes and reports for the time of the ``with`` block.

    Attributes
    ----------
    published
        Releases, in their order.
    pages
        Release -> number of a page -> how often it came.
    told
        Release -> listener -> how often they were told.
    summaries
        Release -> its summaries.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__(settings)
        self._random = random.Random(seed)  # noqa: S311 - who is reported of, not a secret
        self._consumer = Consumer(
            {
                **self._servers,
                "group.id": "the-notifier",
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 5_000,
            }
        )
        self._consumer.subscribe(["audiences"])
        self._publishing_ended = threading.Event()
        self._reported: set[str] = set()
        self.published: list[str] = []
        self.pages: dict[str, Counter[int]] = defaultdict(Counter)
        self.told: dict[str, Counter[str]] = defaultdict(Counter)
        self.summaries: dict[str, list[dict[str, Any]]] = defaultdict(list)

    @property
    def answered(self) -> bool:
        """Whether every release has its summary."""
        return all(name in self._reported for name in self.published)

    def work(self) -> None:
        due, numbers = time.monotonic(), itertools.count()
        while not self._ended.is_set():
            if time.monotonic() >= due and not self._publishing_ended.is_set():
                self._publish(f"r{next(numbers)}")
                due += BETWEEN
            self._read(self._consumer.poll(0.2))
            self._producer.poll(0)
        self._consumer.close()

    def end_publishing(self) -> None:
        """Publish no more, and go on reporting."""
        self._publishing_ended.set()

    def _publish(self, name: str) -> None:
        event = {"release_id": name, "artist_ids": [f"a{self._random.randrange(ARTISTS)}"]}
        self._send("releases", name, event | {"max_audience": AUDIENCE})
        self.published.append(name)

    def _read(self, message: Any) -> None:
        if message is None or message.error():
            return
        event = json.loads(message.value())
        name = event["release_id"]
        if "page" in event:
            self.pages[name][event["page"]] += 1
            self.told[name].update(event["user_ids"])
            return
        self.summaries[name].append(event)
        if name not in self._reported:
            self._reported.add(name)
            self._report(name)

    def _report(self, name: str) -> None:
        told = list(self.told[name])
        every = told[:: max(len(told) // SENT, 1)][:SENT]
        for kind, users in {"sent": every, "clicked": every[:CLICKED]}.items():
            for user in users:
                event = {"release_id": name, "user_id": user, "kind": kind, "ts": round(time.time(), 3)}
                for _ in range(1 + (self._random.random() < TWICE)):
                    self._send("feedback", user, event)

    def reports(self, name: str) -> dict[str, int]:
        """How many reports of a release count, by kind."""
        number = min(len(self.told[name]), SENT)
        return {"sent": number, "clicked": min(number, CLICKED)}
