"""Who has just clicked, and when they are scored."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from consumers.traits import clicked as clicked_module
from consumers.traits.clicked import PATIENCE, Clicked
from models.listener import Click


class Scored:
    """Notes who is scored; their record says that they were seen last at a time."""

    def __init__(self, last_seen: float) -> None:
        self.last_seen = last_seen
        self.users: list[str] = []

    async def score(self, users: Sequence[str]) -> dict[str, float]:
        self.users += users
        return dict.fromkeys(users, self.last_seen)


def click(ts: float, user: str = "u1") -> Click:
    return Click(user, "0", 0, ts, "s1", ("a",), "play")  # type: ignore[arg-type]


def clicked_by(record: Scored, now: Sequence[float], **roots: str) -> Clicked:
    async def whose(users: Collection[str]) -> dict[str, str]:
        return {user: roots[user] for user in users if user in roots}

    return Clicked(record, whose, None, asyncio.Event(), lambda: now[0])  # type: ignore[arg-type]


def scored_after(seconds: Sequence[float], times: Sequence[float], last_seen: float) -> list[int]:
    """Return how often u1 had been scored so many seconds after clicks of these times were read at once."""
    now, record = [1000.0], Scored(last_seen)
    clicked = clicked_by(record, now)
    clicked.note([click(ts) for ts in times])
    found = []
    for later in seconds:
        now[0] = 1000.0 + later
        asyncio.run(clicked.score_noted())
        found.append(len(record.users))
    return found


def test_who_clicks_is_scored_once_where_their_record_knows_of_it() -> None:
    assert scored_after([0, 1, PATIENCE, 9 * PATIENCE], [5.0, 7.0], last_seen=7.0) == [1, 1, 1, 1]


def test_who_clicks_is_scored_until_their_record_knows_of_it() -> None:
    assert scored_after([0, 1, 2, PATIENCE, 9 * PATIENCE], [7.0], last_seen=5.0) == [1, 2, 3, 4, 4]


def test_who_clicks_out_of_order_is_scored_once_more_later() -> None:
    assert scored_after([0, 1, PATIENCE, 9 * PATIENCE], [7.0, 5.0], last_seen=7.0) == [1, 1, 2, 2]


def test_a_click_earlier_than_the_last_one_on_record_is_scored_once_more_later() -> None:
    assert scored_after([0, 1, PATIENCE, 9 * PATIENCE], [5.0], last_seen=7.0) == [1, 1, 2, 2]


def test_clicks_of_two_ids_of_a_listener_are_scored_once_as_theirs() -> None:
    record = Scored(last_seen=9.0)
    clicked = clicked_by(record, [1000.0], visitor="ana")
    clicked.note([click(9.0, "visitor"), click(9.0, "ana"), click(9.0, "u1")])
    for _ in range(2):
        asyncio.run(clicked.score_noted())
    assert record.users == ["ana", "u1"]


@pytest.mark.parametrize("first", ["ana", "visitor"])
def test_of_clicks_of_two_ids_that_differ_in_time_the_listener_is_scored_once_more_later(first: str) -> None:
    now, record = [1000.0], Scored(last_seen=9.0)
    second = {"ana": "visitor", "visitor": "ana"}[first]
    clicked = clicked_by(record, now, visitor="ana")
    clicked.note([click(9.0, first), click(5.0, second)])
    for now[0] in (1000.0, 1001.0, 1000.0 + PATIENCE, 1000.0 + 9 * PATIENCE):
        asyncio.run(clicked.score_noted())
    assert record.users == ["ana", "ana"]


def test_whose_record_changes_without_a_click_is_scored_once_when_that_is_surely_done() -> None:
    now, record = [1000.0], Scored(last_seen=9.0)
    clicked = clicked_by(record, now, visitor="ana")
    clicked.look_again(["visitor", "ana"])
    found = []
    for now[0] in (1000.0, 1000.0 + PATIENCE, 1000.0 + 9 * PATIENCE):
        asyncio.run(clicked.score_noted())
        found.append(list(record.users))
    assert found == [[], ["ana"], ["ana"]]


def test_of_more_listeners_than_may_wait_as_many_are_scored_and_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clicked_module, "MOST", 2)
    record = Scored(last_seen=9.0)
    clicked = clicked_by(record, [1000.0])
    for _ in range(2):
        clicked.note([click(9.0, user) for user in ("u1", "u2", "u3", "u1", "u4")])
        asyncio.run(clicked.score_noted())
    assert record.users == ["u1", "u2", "u1", "u2"]
    assert len(caplog.records) == 1
    asyncio.run(clicked.score_noted())
    clicked.note([click(9.0, "u3")])
    asyncio.run(clicked.score_noted())
    assert record.users[4:] == ["u3"]
