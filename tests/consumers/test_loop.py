"""The loop, on real servers: what listeners click on is learned, and ranks the next audience."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest
import redis

from consumers.train.trainer import train
from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.desk import Desk, feedback
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.waiting import wait_for

MEMBERS = {"c1": names("c1", 400), "c2": names("c2", 300), "c5": names("c5", 100)}


@pytest.fixture
def shop(settings: Settings, log: KafkaLog, db: redis.Redis) -> Iterator[Desk]:
    """A worker, and a trainer that learns clicks and no cohorts."""
    settings = settings.model_copy(update={"first_model_listeners": 10**6})
    place(settings, MEMBERS)
    with Running(work, settings), Running(train, settings):
        yield Desk(settings, log, db)


def ranked(answer: Any) -> list[str]:
    return [user for page in answer.pages for user in page["user_ids"]]


def report(shop: Desk, release_id: str, sent: list[str], clicked: set[str]) -> None:
    """Report it as of now: what is long ago counts for nothing."""
    events = feedback(
        release_id, [*((user, "sent") for user in sent), *((user, "clicked") for user in clicked)]
    )
    shop.log.send("feedback", [event | {"ts": time.time()} for event in events])
    shop.log.wait_until_caught_up("work", "feedback")


def learned(shop: Desk) -> int:
    """How often something was learned of clicks."""
    return int(shop.db.get("ctr-models:current") or 0)


def test_who_clicks_on_notifications_comes_first_in_the_next_audience(shop: Desk) -> None:
    eager = set(ranked(shop.ask("r0", "a1"))[1::2])  # half of them, wherever taste has them
    for n in range(3):
        told = ranked(shop.answer("r0") if n == 0 else shop.ask(f"r{n}", "a1"))
        report(shop, f"r{n}", told, eager)
        shop.db.zadd("releases:to-learn", {f"r{n}": 0})  # its hour is over
        wait_for(lambda n=n: learned(shop) > n, "what was clicked to be learned")
    numbers = count()

    def ctrs_of(answer: Any) -> list[float]:
        return [ctr for page in answer.pages for ctr in page["ctrs"]]

    def next_audience() -> Any:
        answer = shop.ask(f"later {next(numbers)}", "a1")
        first = set(ranked(answer)[:200])
        if first and first <= eager and ctrs_of(answer)[0] > 0.5 > ctrs_of(answer)[-1]:
            return answer
        return None

    answer = wait_for(next_audience, "who clicks to come first, expected to click, and the last not to")
    ctrs = ctrs_of(answer)
    assert all(earlier > later - 1e-5 for earlier, later in pairwise(ctrs)), "rounding aside"


def test_before_anything_is_learned_taste_ranks_and_no_ctr_is_said(shop: Desk) -> None:
    answer = shop.ask("r0", "a1")
    scores = [score for page in answer.pages for score in page["scores"]]
    assert scores == sorted(scores, reverse=True)
    assert not any("ctrs" in page for page in answer.pages)
