from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from stream.errors import Unreachable
from stream.settings import Settings
from stream.wire.dead_letter import MAX_DEAD_LETTER, DeadLetter, Reason
from stream.wire.record import Record
from stream.wire.sender import Message, Sender, dead_letter, delivered, open_sender
from tests.consumers.kafka_log import KafkaLog

NO_BROKER = "127.0.0.1:1"


async def test_what_is_delivered_is_in_kafka_in_order_when_it_says_so(topics: Settings) -> None:
    messages = [
        Message("dead-letters", b"u1", b"%d" % number, [("reason", b"not-json")]) for number in range(500)
    ]
    async with open_sender(topics) as sender:
        await sender.deliver(messages)
        log = KafkaLog(topics)
        found = log.records("dead-letters")
        log.close()
    assert [record.value for record in found] == [message.value for message in messages]
    assert {(record.key, *record.headers) for record in found} == {(b"u1", ("reason", b"not-json"))}


async def test_it_is_said_where_what_is_delivered_is(topics: Settings) -> None:
    messages = [Message("dead-letters", b"u%d" % number, b"%d" % number) for number in range(50)]
    async with open_sender(topics) as sender:
        places = await sender.deliver(messages)
    log = KafkaLog(topics)
    found = {(record.partition, record.offset): record.value for record in log.records("dead-letters")}
    log.close()
    assert [found[place] for place in places] == [message.value for message in messages]


async def test_a_broker_that_does_not_answer_is_named(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kafka": NO_BROKER, "connect_timeout": 0.2})
    with pytest.raises(Unreachable, match=f"Kafka at {NO_BROKER} has not answered"):
        async with open_sender(nowhere):
            pass


class Refused(Exception):
    """Kafka does not take it."""


async def sent(outcome: asyncio.Future[None]) -> asyncio.Future[None]:
    return outcome


async def refused() -> asyncio.Future[None]:
    raise Refused


@pytest.mark.parametrize("halfway", [False, True], ids=["a batch", "a send"])
async def test_an_error_is_raised_once_nothing_is_on_its_way_any_more(*, halfway: bool) -> None:
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    begun = []

    def sending() -> Iterator[object]:
        for number, each in enumerate([sent(first), sent(second), *([refused()] if halfway else [])]):
            begun.append(number)
            yield each

    delivering = asyncio.create_task(delivered(sending()))
    if halfway:
        first.set_result(None)
    else:
        first.set_exception(Refused())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not delivering.done(), "the second is on its way"
    second.set_result(None)
    with pytest.raises(Refused):
        await delivering
    assert len(begun) == 2 + halfway


async def test_a_dead_letter_whose_key_value_and_headers_are_too_large_is_taken_by_kafka(
    topics: Settings,
) -> None:
    large = 2 * MAX_DEAD_LETTER
    event = Record("clicks", 0, 7, b"k" * large, b"v" * large, (("large", b"x" * 60_000),))
    letter = dead_letter(DeadLetter(event, Reason.TOO_LARGE, "d" * 5000))
    async with open_sender(topics) as sender:
        await sender.deliver([letter])
    log = KafkaLog(topics)
    (found,) = log.records("dead-letters")
    log.close()
    assert (found.key, found.value) == (letter.key, letter.value)


async def test_what_kafka_refuses_is_not_taken_for_delivered(topics: Settings) -> None:
    sender = Sender(topics)
    await sender.start()
    too_large = Message("dead-letters", b"u1", bytes(8 << 20))
    with pytest.raises(Exception, match="larger than"):
        await sender.deliver([too_large])
    await sender.stop()
