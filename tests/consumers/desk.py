"""The label desk and the notifier as a test plays them: what they send a worker, what they get back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis

from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog
from tests.waiting import wait_for

__all__ = ["Answer", "Desk", "feedback"]

EVERYBODY = 100_000


@dataclass(frozen=True)
class Answer:
    """Pages and summaries that came for a release, in the order in which they came."""

    pages: tuple[dict[str, Any], ...]
    summaries: tuple[dict[str, Any], ...]

    @property
    def summary(self) -> dict[str, Any]:
        (summary,) = self.summaries
        return summary

    @property
    def scores(self) -> dict[str, float]:
        """Listener -> score; an AssertionError where somebody is told twice."""
        told = [pair for page in self.pages for pair in zip(page["user_ids"], page["scores"], strict=True)]
        found = dict(told)
        assert len(found) == len(told), "somebody is told twice"
        return found

    @property
    def told(self) -> set[str]:
        return set(self.scores)


@dataclass(frozen=True)
class Desk:
    """Sends events and waits for what a worker makes of them."""

    settings: Settings
    log: KafkaLog
    db: redis.Redis

    def publish(self, release_id: str, *artists: str, **more: Any) -> None:
        """Publish a release, to everybody unless more is said."""
        event = {"release_id": release_id, "artist_ids": artists, "max_audience": EVERYBODY}
        self.log.send("releases", [event | more])

    def publish_all(self, release_ids: Iterable[str], *artists: str) -> None:
        """Publish many releases."""
        to_all = {"artist_ids": artists, "max_audience": EVERYBODY}
        self.log.send("releases", [{"release_id": name, **to_all} for name in release_ids])

    def ask(self, release_id: str, *artists: str, **more: Any) -> Answer:
        """Publish a release and wait for its audience."""
        self.publish(release_id, *artists, **more)
        return self.wait_for(release_id)

    def wait_for(self, release_id: str, summaries: int = 1) -> Answer:
        """Wait until its audience is out, for the first time or once more."""
        wait_for(lambda: len(self.answer(release_id).summaries) >= summaries, f"the audience of {release_id}")
        return self.answer(release_id)

    def answer(self, release_id: str) -> Answer:
        """What has come so far for a release."""
        return self.answers().get(release_id, Answer((), ()))

    def answers(self) -> dict[str, Answer]:
        """What has come so far, by release."""
        events: dict[str, list[dict[str, Any]]] = {}
        for event in self.log.events("audiences"):
            events.setdefault(event["release_id"], []).append(event)
        return {
            release_id: Answer(
                tuple(event for event in own if "page" in event),
                tuple(event for event in own if "page" not in event),
            )
            for release_id, own in events.items()
        }

    def report(self, release_id: str, *did: tuple[str, str]) -> None:
        """Report what listeners did (who, kind), and wait until that is counted."""
        self.log.send("feedback", feedback(release_id, did))
        self.log.wait_until_caught_up("work", "feedback")

    def counts(self, key: str) -> dict[str, float]:
        """The counts of feedback, and the CTR, in a hash."""
        kinds = ("sent", "opened", "clicked", "dismissed", "opted_out", "ctr")
        return {kind: float(value) for kind, value in self.db.hgetall(key).items() if kind in kinds}


def feedback(release_id: str, did: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Feedback as the notifier sends it: who, kind."""
    return [{"release_id": release_id, "user_id": user, "kind": kind, "ts": 5.0} for user, kind in did]
