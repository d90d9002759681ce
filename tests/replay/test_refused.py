"""What a replay says where those who read its events cannot use them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from stream.settings import Settings
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.record import Headers, Record
from stream.wire.sender import Message, Sender, dead_letter, open_sender
from tests.consumers.kafka_log import KafkaLog
from tests.refrain_command import Refrain
from tests.waiting import wait_for

ROWS = 200


@contextmanager
def ingester(settings: Settings, refuses: Callable[[Record], bool], headers: Headers = ()) -> Iterator[None]:
    """Read clicks as an ingester does, and make dead letters of some, as if they had had such headers."""
    stop = threading.Event()

    async def work() -> None:
        consumer = AIOKafkaConsumer(
            "clicks",
            bootstrap_servers=settings.kafka,
            group_id=f"{settings.group}-ingest",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        sender = Sender(settings)
        await consumer.start()
        await sender.start()
        while not stop.is_set():
            found = await consumer.getmany(timeout_ms=100)
            messages = [message for messages in found.values() for message in messages]
            records = [Record.of(message)._replace(headers=headers) for message in messages]
            bad = [DeadLetter(record, Reason.UNKNOWN_SONG, "") for record in records if refuses(record)]
            await sender.deliver(dead_letter(letter) for letter in bad)
            # A commit speaks for every partition that was read: it waits for the letters of all of them.
            await consumer.commit()
        await sender.stop()
        await consumer.stop()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    log = KafkaLog(settings)
    try:
        wait_for(lambda: log.members("ingest"), "a member of the group")
        yield
    finally:
        stop.set()
        thread.join()
        log.close()


@pytest.fixture
def clicks(tmp_path: Path) -> str:
    path = tmp_path / "clicks.csv"
    rows = "".join(f"u{row},s{row},{1.7e9 + row}\n" for row in range(ROWS))
    path.write_text("user_id,song_id,ts\n" + rows)
    return str(path)


def test_a_replay_of_which_nothing_can_be_used_fails_and_says_why(
    topics: Settings, refrain: Refrain, clicks: str
) -> None:
    with ingester(topics, lambda record: True):
        failed = refrain.run("replay", "clicks", clicks)
    assert failed.returncode == 1
    assert f"all {ROWS} clicks that were read became dead letters ({ROWS} unknown-song)" in failed.stderr
    assert "Send the songs first" in failed.stderr


def test_a_replay_reads_letters_with_headers_of_any_kind_and_passes_over_those_of_others(
    topics: Settings, refrain: Refrain, clicks: str
) -> None:
    theirs: list[Headers] = [
        [("trace", b"\xff\x01")],
        [("topic", b"clicks")],
        [("topic", b"clicks"), ("reason", b"bad-id"), ("partition", b"first"), ("offset", b"0")],
        [("topic", b"clicks"), ("reason", b"\xff"), ("partition", b"0"), ("offset", b"0")],
        [("topic", b"clicks"), ("reason", None), ("partition", None), ("offset", b"0")],
    ]

    async def send() -> None:
        async with open_sender(topics) as sender:
            await sender.deliver(Message("dead-letters", b"k", b"{}", headers) for headers in theirs)

    asyncio.run(send())
    with ingester(topics, lambda record: True, headers=[("trace", b"\xff\x01"), ("n", None)]):
        failed = refrain.run("replay", "clicks", clicks)
    assert failed.returncode == 1
    assert f"all {ROWS} clicks that were read became dead letters ({ROWS} unknown-song)" in failed.stderr


def test_a_replay_of_which_some_can_be_used_has_done_its_work(
    topics: Settings, refrain: Refrain, clicks: str
) -> None:
    with ingester(topics, lambda record: record.offset % 2 == 0):
        done = refrain.run("replay", "clicks", clicks)
    assert done.returncode == 0, done.stderr


def test_a_replay_does_not_wait_for_an_ingester_that_does_not_run(
    topics: Settings, refrain: Refrain, clicks: str
) -> None:
    done = refrain.run("replay", "clicks", clicks, "--json")
    assert done.returncode == 0, done.stderr
    assert '"read_already": 0, "dead_letters": {}' in done.stdout
