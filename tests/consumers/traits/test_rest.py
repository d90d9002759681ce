"""How long `refrain traits` rests after Redis or Kafka was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.runtime.rests import LONGEST_REST
from consumers.traits import clicked, expiry, rounds
from models.listener import Click
from stream.retry import Retry

AWAY = 3600.0
USERS = ["u1", "u2"]


class Outage:
    """A clock that only an outage moves, one in each step; and what is asked to rest."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stop = asyncio.Event()
        self.rested: list[float] = []

    async def score(self, users: Sequence[str]) -> dict[str, float]:
        self.now += AWAY
        return dict.fromkeys(users, 9.0)

    async def look(self, _: Sequence[str]) -> int:
        self.now += AWAY
        return 0

    async def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        self.stop.set()


class Everybody:
    """The cohort of all."""

    async def all(self) -> list[str]:
        return [""]

    async def members(self, _: str) -> AsyncIterator[list[str]]:
        yield USERS


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    found = Outage()
    clock = SimpleNamespace(monotonic=lambda: found.now, time=lambda: found.now)
    for module in (clicked, expiry, rounds):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(asyncio, "sleep", found.rest)
    return found


async def test_who_clicks_is_scored_again_soon_after_an_outage(outage: Outage) -> None:
    async def themselves(_: Collection[str]) -> dict[str, str]:
        return {}

    reader: Any = clicked.Clicked(outage, themselves, None, outage.stop, lambda: 1.0)  # type: ignore[arg-type]
    reader.note([Click(user, "0", 0, 9.0, "s", ("a",), "play") for user in USERS])  # type: ignore[arg-type]
    await reader.score()
    assert outage.rested == [LONGEST_REST]


async def test_a_round_goes_on_soon_after_an_outage(outage: Outage) -> None:
    async def keep() -> None:
        pass

    heartbeat: Any = SimpleNamespace(add=lambda _: None, gauges={})
    everybody: Any = Everybody()
    scorer: Any = outage
    retry = Retry(asyncio.Event())
    await rounds.Rounds(scorer, everybody, heartbeat, outage.stop, retry, 60.0, keep).run()
    assert outage.rested == [LONGEST_REST]


async def test_erasing_goes_on_soon_after_an_outage(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def current() -> bool:
        return True

    async def nothing_left() -> int:
        return 0

    stores: Any = SimpleNamespace(cohorts=Everybody())
    nothing: Any = None
    erasing = expiry.Expiry(
        stores,
        nothing,
        lambda: None,
        nothing,
        outage.stop,
        Retry(asyncio.Event()),
        dormant_seconds=1.0,
        quiet_seconds=1.0,
        minutes=60.0,
    )
    for name, instead in (
        ("look", outage.look),
        ("_rest", outage.rest),
        ("_go_on", nothing_left),
        ("_is_current", current),
    ):
        monkeypatch.setattr(erasing, name, instead)
    await erasing.round()
    assert outage.rested == [LONGEST_REST]
