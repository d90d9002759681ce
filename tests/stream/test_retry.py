"""A step is done again while a server is away, and only then."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from stream import retry as module
from stream.errors import Refused
from stream.retry import Retry, Stopped

AWAY = RedisAway("connection refused")


class Step:
    """Fails with each of these errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    async def __call__(self, given: int, *, more: int = 0) -> int:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return given + more


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", lambda _: 0.0)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_step_gets_its_arguments_and_gives_its_result() -> None:
    assert await Retry(asyncio.Event())("adding", Step(), 1, more=2) == 3


@pytest.mark.parametrize("error", [AWAY, KafkaConnectionError("away"), OSError("away")], ids=repr)
async def test_a_step_is_done_again_until_the_server_is_back(error: Exception) -> None:
    step = Step(*[error] * 5)
    assert await Retry(asyncio.Event())("adding", step, 1) == 1
    assert step.attempts == 6


async def test_what_does_not_pass_by_waiting_is_reported_at_once() -> None:
    step = Step(TopicAuthorizationFailedError("clicks"))
    with pytest.raises(Refused, match=r"while reading clicks \(.*clicks.*\)") as refused:
        await Retry(asyncio.Event())("reading clicks", step, 1)
    assert "ACLs" in refused.value.hint
    assert step.attempts == 1


async def test_it_is_reported_also_where_the_server_was_away_before() -> None:
    with pytest.raises(Refused):
        await Retry(asyncio.Event())("reading", Step(AWAY, AWAY, TopicAuthorizationFailedError("clicks")), 1)


@pytest.mark.parametrize("before", [(), (AWAY, AWAY)], ids=["at once", "after an outage"])
async def test_a_mistake_of_ours_comes_out_as_it_is(before: tuple[Exception, ...]) -> None:
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await Retry(asyncio.Event())("reading", Step(*before, ResponseError("WRONGTYPE")), 1)


async def test_a_step_that_never_succeeds_ends_when_the_process_is_to_end() -> None:
    stop = asyncio.Event()

    async def fail() -> None:
        stop.set()
        raise AWAY

    with pytest.raises(Stopped, match="reading") as stopped:
        await Retry(stop)("reading", fail)
    assert stopped.value.__cause__ is AWAY


async def test_a_pause_ends_when_the_process_is_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", lambda _: 10**6)
    stop, tried = asyncio.Event(), asyncio.Event()
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            tried.set()
        raise AWAY

    retrying = asyncio.create_task(Retry(stop)("reading", fail))
    await tried.wait()
    stop.set()
    with pytest.raises(Stopped):
        await retrying


async def test_a_step_of_the_background_is_done_until_the_process_is_to_end() -> None:
    stop, done = asyncio.Event(), 0

    async def step() -> None:
        nonlocal done
        done += 1
        if done == 3:
            stop.set()

    await Retry(stop).every(0.0, "tidying", step)
    assert done == 3


async def test_a_step_of_the_background_that_fails_is_left_to_the_next_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    stop = asyncio.Event()

    async def fail() -> None:
        stop.set()
        raise AWAY

    await Retry(stop).every(0.0, "tidying", fail)
    assert "tidying is left to the next process" in [record.message for record in caplog.records]


async def test_a_cancelled_step_is_not_done_again() -> None:
    step = Step(AWAY, asyncio.CancelledError())  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await Retry(asyncio.Event())("reading", step, 1)
    assert step.attempts == 2


async def test_an_outage_is_told_every_ten_seconds_and_its_end_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    seconds = iter(range(1000))
    retry = Retry(asyncio.Event(), clock=lambda: float(next(seconds)))
    await retry("reading listeners", Step(*[AWAY] * 25), 1)
    # The clock is read once for a failure that is not told, twice for one that is.
    assert warnings(caplog) == 3 * [
        "Redis does not answer (connection refused) while reading listeners; trying again."
    ]
    assert caplog.messages[-1] == "reading listeners succeeds again"


async def test_a_warning_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    await Retry(asyncio.Event())("applying clicks", Step(ResponseError("OOM command not allowed")), 1)
    assert "Give it memory (maxmemory)" in warnings(caplog)[0]


async def test_steps_side_by_side_do_not_disturb_each_other() -> None:
    retry = Retry(asyncio.Event())
    steps = [Step(*[AWAY] * number) for number in range(10)]
    assert await asyncio.gather(*[retry("adding", step, at) for at, step in enumerate(steps)]) == [*range(10)]
    assert [step.attempts for step in steps] == [*range(1, 11)]
