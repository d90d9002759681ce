"""The whole way of an anonymous id that turns out to be a known listener: topics, two processes, Redis."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.ingest.ingester import ingest
from consumers.traits.process import traits
from consumers.work.worker import work
from tests.consumers.desk import Desk
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.waiting import wait_for

OTHERS = names("c1", 20)


def clicks(user: str, number: int, first: int = 0) -> list[dict[str, Any]]:
    now = time.time() - 3600
    artists = ["a0", "a1", "a2"]
    return [
        {"user_id": user, "song_id": f"s{at}", "artist_ids": artists, "ts": now + at}
        for at in range(first, first + number)
    ]


@pytest.fixture
def app(desk: Desk) -> Iterator[Desk]:
    """A listener and a visitor who have clicked, an ingester and a worker."""
    place(desk.settings, {"c1": OTHERS, "c2": names("c2", 5), "c5": names("c5", 5)})
    with Running(ingest, desk.settings), Running(work, desk.settings):
        desk.log.send("clicks", [*clicks("visitor", 5), *clicks("ana", 3)])
        desk.log.wait_until_caught_up("ingest", "clicks")
        yield desk


def merge(app: Desk, **event: Any) -> None:
    app.log.send("merges", [{"user_id": "visitor", "ts": time.time()} | event])
    app.log.wait_until_caught_up("merges", "merges")


def wait_until_known(app: Desk) -> None:
    """Wait until the worker, which had the members of cohorts in memory before, has heard of both."""
    numbers = itertools.count()

    def told() -> set[str]:
        return app.ask(f"before {next(numbers)}", "a0").told

    wait_for(lambda: {"visitor", "ana"} <= told(), "the worker to tell both ids")


def test_only_the_listener_is_told_of_a_release_and_once(app: Desk) -> None:
    wait_until_known(app)
    merge(app, into="ana")
    after = app.ask("after", "a0")
    assert "ana" in after.told
    assert "visitor" not in after.told
    assert app.db.hget("user:{ana}", "clicks") == "8"


def test_late_clicks_of_the_visitor_are_the_listeners(app: Desk) -> None:
    merge(app, into="ana")
    app.log.send("clicks", clicks("visitor", 4, first=5))
    app.log.wait_until_caught_up("ingest", "clicks")
    assert app.db.hget("user:{ana}", "clicks") == "12"
    assert not app.db.exists("user:{visitor}")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_opt_out_of_the_visitor_holds_for_the_listener(app: Desk, when: str) -> None:
    opt_out = {"release_id": "r", "user_id": "visitor", "kind": "opted_out", "ts": 5.0}
    if when == "before":
        app.log.send("feedback", [opt_out])
        app.log.wait_until_caught_up("work", "feedback")
    merge(app, into="ana")
    if when == "after":
        app.log.send("feedback", [opt_out])
        app.log.wait_until_caught_up("work", "feedback")
    assert not {"visitor", "ana"} & app.ask("r", "a0").told


def test_what_the_listener_does_counts_for_a_release_that_the_visitor_was_told_of(app: Desk) -> None:
    wait_until_known(app)
    told = app.ask("r", "a0", max_audience=1000).told
    app.db.hdel("release:{r}:told", "ana")  # as if it had been told to one of them
    assert "visitor" in told
    merge(app, into="ana")
    app.report("r", ("ana", "clicked"), ("visitor", "clicked"))
    assert app.counts("release:{r}")["clicked"] == 1


def test_a_change_of_cohort_says_that_the_visitor_is_in_none_any_more(app: Desk) -> None:
    merge(app, into="ana")
    changes = [event for event in app.log.events("cohort-changes") if event["user_id"] == "visitor"]
    assert (changes[-1]["to"], changes[-1]["reason"]) == ("", "merge")
    assert not any(app.db.sismember(key, "visitor") for key in app.db.scan_iter("cohort:*:users"))


def test_a_change_of_stage_says_that_the_visitor_is_in_none_any_more(app: Desk) -> None:
    def said_of_visitor() -> list[str]:
        return [each["to"] for each in app.log.events("stage-changes") if each["user_id"] == "visitor"]

    with Running(traits, app.settings):
        wait_for(said_of_visitor, "the visitor to be in a stage")
        merge(app, into="ana")
        wait_for(lambda: said_of_visitor()[-1] == "", "the visitor to be in none")
    assert not any(app.db.sismember(key, "visitor") for key in app.db.scan_iter("stage:*:users"))


def test_a_merge_that_cannot_be_made_is_a_dead_letter_that_says_why(app: Desk) -> None:
    merge(app, into="ana")
    wrong = [{"user_id": "ana", "into": "visitor"}, {"user_id": "ana", "into": "ana"}, {"user_id": "ana"}]
    app.log.send("merges", [each | {"ts": 5.0} for each in wrong])
    app.log.wait_until_caught_up("merges", "merges")
    letters = [dict(record.headers) for record in app.log.records("dead-letters")]
    assert [letter["reason"] for letter in letters] == [b"bad-value"] * 3
    assert b"'visitor' is part of" in letters[0]["detail"] or b"part of 'ana' already" in letters[0]["detail"]


def test_undone_both_are_told_again(app: Desk) -> None:
    merge(app, into="ana")
    merge(app, undo=True)
    wait_for(lambda: {"visitor", "ana"} <= app.ask(f"r{time.time()}", "a0").told, "both to be told")
    assert (app.db.hget("user:{visitor}", "clicks"), app.db.hget("user:{ana}", "clicks")) == ("5", "3")
