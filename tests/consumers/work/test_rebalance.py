"""Workers killed one after the other while releases and feedback come: nothing is lost, nothing is twice.

The short test kills two workers. `make test-long` has one killed every 15 s for five minutes, and one
stand still for longer than Kafka waits for it, again and again.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stream.broker import Child
from tests.consumers.desk import Answer, Desk, feedback
from tests.consumers.kafka_log import kafka_log
from tests.consumers.placed import names, place
from tests.refrain_command import Refrain
from tests.waiting import wait_for

MEMBERS = {"c1": names("c1", 1200), "c2": names("c2", 700), "c5": names("c5", 300)}
EVERYBODY = {user for users in MEMBERS.values() for user in users}
SENT, CLICKED = 40, 10  # listeners of each release of whom it is reported
BETWEEN = 0.3  # seconds from release to release


class Traffic:
    """A desk that goes on publishing, and a notifier that reports of each audience."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ended = threading.Event()
        self._reported: set[str] = set()
        self.published: list[str] = []
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            with kafka_log(self._desk.settings) as log:
                desk = Desk(self._desk.settings, log, self._desk.db)
                for number in itertools.count():
                    if self._ended.wait(BETWEEN):
                        break
                    desk.publish(name := f"r{number}", "a1")
                    self.published.append(name)
                    self._report(desk)
                wait_for(lambda: self._report(desk) == len(self.published), "all audiences")
        except BaseException as error:  # noqa: BLE001 - raised by the test
            self.failed = error

    def _report(self, desk: Desk) -> int:
        for name, answer in desk.answers().items():
            if answer.summaries and name not in self._reported:
                self._reported.add(name)
                desk.log.send("feedback", feedback(name, _done_by(answer)))
        return len(self._reported)

    @property
    def reported(self) -> int:
        return len(self._reported)

    def end(self) -> None:
        self._ended.set()


def _done_by(answer: Answer) -> list[tuple[str, str]]:
    told = [user for page in answer.pages for user in page["user_ids"]]
    every = told[:: len(told) // SENT][:SENT]
    return [(user, "sent") for user in every] + [(user, "clicked") for user in every[:CLICKED]]


@contextmanager
def traffic(desk: Desk) -> Iterator[Traffic]:
    """Run it beside the block; at the end all audiences are out and reported."""
    running = Traffic(desk)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.end()
        thread.join()
    if running.failed:
        raise running.failed


def settle(desk: Desk, number: int) -> None:
    """Wait until so many workers share the partitions: a dead one has been given up by then."""
    wait_for(
        lambda: len(desk.log.members("work")) == number and desk.log.settled("work"), f"{number} to share"
    )


def assert_all_once(desk: Desk, published: list[str]) -> None:
    """Every release has one whole audience and one summary; every report of it counts once, everywhere."""
    answers = desk.answers()
    assert answers.keys() == set(published)
    for name, answer in answers.items():
        assert [page["page"] for page in answer.pages] == list(range(len(answer.pages))), name
        assert answer.told == EVERYBODY, name
        assert (answer.summary["users"], answer.summary["pages"]) == (len(EVERYBODY), len(answer.pages)), name
    counts = {name: desk.counts(f"release:{{{name}}}") for name in published}
    wrong = {
        name: found
        for name, found in counts.items()
        if (found.get("sent"), found.get("clicked")) != (SENT, CLICKED)
    }
    assert not wrong
    total: Counter[str] = Counter()
    for cohort in MEMBERS:
        total.update(
            {kind: int(n) for kind, n in desk.counts(f"cohort:{{{cohort}}}").items() if kind != "ctr"}
        )
    assert total == {"sent": SENT * len(published), "clicked": CLICKED * len(published)}


def kill_in_turn(desk: Desk, refrain: Refrain, kills: int, every: float) -> None:
    """Two workers, of whom the older is killed and replaced, again and again, under traffic."""
    place(desk.settings, MEMBERS)
    more: dict[str, Any] = {"max_audience": len(EVERYBODY)}
    workers: list[Child] = [refrain.start("work", **more), refrain.start("work", **more)]
    settle(desk, 2)
    with traffic(desk) as running:
        for _ in range(kills):
            until, answered = time.monotonic() + every, running.reported + 3
            wait_for(lambda until=until: time.monotonic() >= until, "the next to die")  # type: ignore[misc]
            wait_for(lambda answered=answered: running.reported >= answered, "releases meanwhile")  # type: ignore[misc]
            workers.pop(0).kill()
            workers.append(refrain.start("work", **more))
        settle(desk, 2)
    desk.log.wait_until_caught_up("work", "feedback")
    for worker in workers:
        assert worker.stop() == 0
    assert_all_once(desk, running.published)


def test_two_workers_are_killed_in_turn_and_every_release_and_every_report_counts_once(
    desk: Desk, refrain: Refrain
) -> None:
    kill_in_turn(desk, refrain, kills=2, every=0.0)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_workers_that_stand_still_in_turn_until_kafka_gives_them_up_change_nothing(
    desk: Desk, refrain: Refrain
) -> None:
    place(desk.settings, MEMBERS)
    workers = [refrain.start("work", max_audience=len(EVERYBODY)) for _ in range(2)]
    settle(desk, 2)
    with traffic(desk) as running:
        for worker in workers * 3:
            worker.signal(signal.SIGSTOP)
            settle(desk, 1)
            answered = running.reported + 3
            wait_for(lambda answered=answered: running.reported >= answered, "releases meanwhile")  # type: ignore[misc]
            worker.signal(signal.SIGCONT)
            settle(desk, 2)
    desk.log.wait_until_caught_up("work", "feedback")
    for worker in workers:
        assert worker.stop() == 0
    assert_all_once(desk, running.published)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_of_two_workers_is_killed_every_15_seconds_for_five_minutes(desk: Desk, refrain: Refrain) -> None:
    kill_in_turn(desk, refrain, kills=20, every=15.0)
