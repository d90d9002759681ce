"""The consumer of all processes: every codec, committed records only, and no batch that stops it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import NodeNotReadyError
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import CannotStart
from stream.settings import Settings
from stream.wire.consumer import CODECS, Consumer, check_codecs
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import Release
from stream.wire.parsing import parse, parse_clicks
from stream.wire.record import Record, Undecodable
from tests.foreign_producer import batch, broken_lz4, compressed, send_batch, send_compressed, transaction

PLACE = TopicPartition("clicks", 0)
EVENTS = [{"number": number, "text": "all alike " * 20} for number in range(50)]


def unpacked(data: bytes, offset: int = 0) -> tuple[list[ConsumerRecord], int]:
    """The records of one fetch, and where the next is to begin."""
    committed = fetcher.READ_COMMITTED
    records = fetcher.PartitionRecords(PLACE, MemoryRecords(data), [], offset, None, None, True, committed)
    found = list(records)
    return found, records.next_fetch_offset


async def read(settings: Settings, number: int) -> list[ConsumerRecord]:
    """The first records of `clicks`."""
    consumer = Consumer(settings, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([PLACE])
        return [await consumer.getone() for _ in range(number)]
    finally:
        await consumer.stop()


def told(records: Iterable[ConsumerRecord]) -> list[tuple[int, bytes]]:
    return [(record.offset, record.value) for record in records]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_of_a_foreign_producer_is_read(topics: Settings, codec: str) -> None:
    send_compressed(topics, codec, "clicks", EVENTS)
    found = asyncio.run(read(topics, len(EVENTS)))
    assert [record.offset for record in found] == list(range(len(EVENTS)))
    assert all(record.value.startswith(b'{"number"') for record in found)


def test_a_broken_batch_that_the_broker_took_is_one_record_between_those_around_it(topics: Settings) -> None:
    send_batch(topics, "clicks", 0, batch([b"before"]))
    send_batch(topics, "clicks", 0, broken_lz4([b"1", b"2", b"3"]))
    send_batch(topics, "clicks", 0, batch([b"behind"]))
    before, broken, behind = asyncio.run(read(topics, 3))
    assert told([before, behind]) == [(0, b"before"), (4, b"behind")]
    assert (broken.offset, broken.value.first, broken.value.last) == (3, 1, 3)


def test_records_of_an_aborted_transaction_are_not_read(topics: Settings) -> None:
    transaction(topics, "clicks", [{"number": 1}], commit=True)
    transaction(topics, "clicks", [{"number": 2}], commit=False)
    transaction(topics, "clicks", [{"number": 3}], commit=True)
    found = asyncio.run(read(topics, 2))
    assert [record.value for record in found] == [b'{"number": 1}', b'{"number": 3}']


async def test_a_consumer_that_stops_while_no_broker_answers_cancels_nobody(
    topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def unanswered(*_: object, **__: object) -> None:
        failed.set()
        raise NodeNotReadyError

    consumer = Consumer(topics, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([PLACE])
    await consumer.seek_to_beginning(PLACE)
    monkeypatch.setattr(
        consumer._fetcher, "_retry_backoff", 60.0
    )  # not before: a first answer may be an error
    monkeypatch.setattr(consumer._client, "send", unanswered)
    await failed.wait()
    await consumer.stop()
    assert not any(connection.connected() for connection in consumer._client._conns.values())


def test_a_wrong_checksum_costs_its_batch_and_no_other() -> None:
    wrong = batch([b"1", b"2"], base=1)
    wrong[20] ^= 1
    found, position = unpacked(bytes(batch([b"0"]) + wrong + batch([b"3"], base=3)))
    assert told(found) == [(0, b"0"), (2, b""), (3, b"3")]
    assert "Invalid CRC" in found[1].value.detail
    assert position == 4


def test_a_codec_that_nobody_knows_costs_its_batch_and_no_other() -> None:
    unknown = compressed(batch([b"0", b"1"]), b"what is this", 5)
    found, position = unpacked(bytes(unknown + batch([b"2"], base=2)))
    assert told(found) == [(1, b""), (2, b"2")]
    assert "codec" in found[0].value.detail
    assert position == 3


def test_what_was_read_of_a_batch_before_it_breaks_is_not_lost() -> None:
    whole = batch([b"first", b"second", b"third"])
    payload = bytearray(whole[61:])
    payload[payload.index(b"second") - 1] = 0x7F  # the length of the value
    found, position = unpacked(bytes(compressed(whole, bytes(payload), 0)))
    assert told(found) == [(0, b"first"), (2, b"")]
    assert (found[1].value.first, found[1].value.last) == (1, 2)
    assert position == 3


def test_a_batch_read_to_its_end_is_no_dead_letter_whatever_follows_within() -> None:
    whole = batch([b"first", b"second"])
    found, position = unpacked(
        bytes(compressed(whole, bytes(whole[61:]) + b"more", 0) + batch([b"3"], base=2))
    )
    assert told(found) == [(0, b"first"), (1, b"second"), (2, b"3")]
    assert position == 3


def test_a_batch_whose_size_is_no_size_is_passed_over_by_one_offset() -> None:
    broken = bytearray(batch([b"0", b"1"]))
    struct.pack_into(">i", broken, 8, 1)
    found, position = unpacked(bytes(broken), offset=7)
    assert [(record.offset, record.value.first, record.value.last) for record in found] == [(7, 7, 7)]
    assert position == 8


@given(st.data())
def test_whatever_the_bytes_are_reading_goes_on_and_never_back(data: st.DataObject) -> None:
    made, base = bytearray(), 0
    for content in data.draw(st.lists(st.lists(st.binary(max_size=30), min_size=1), min_size=1, max_size=3)):
        single = batch(content, base=base)
        for _ in range(data.draw(st.integers(0, 3))):
            # The offset before that is outside of the checksum: nobody can tell where it is wrong.
            single[data.draw(st.integers(8, len(single) - 1))] = data.draw(st.integers(0, 255))
        made += single
        base += len(content)
    if not MemoryRecords(bytes(made)).has_next():
        return  # aiokafka itself goes on by one offset where a fetch has no batch in it
    found, position = unpacked(bytes(made))
    offsets = [record.offset for record in found]
    assert offsets == sorted(set(offsets))
    assert not offsets or position > offsets[-1]


def test_an_undecodable_batch_is_one_dead_letter_that_names_its_offsets() -> None:
    record = Record("clicks", 3, 19, None, Undecodable(10, 19, "lz4 says no"))
    _, (letter,) = parse_clicks([record], now=1.0)
    assert letter == parse(Release, record)
    assert letter.reason is Reason.UNDECODABLE
    headers = dict(letter.headers)
    assert (headers["topic"], headers["partition"]) == (b"clicks", b"3")
    assert (headers["offset"], headers["last_offset"]) == (b"10", b"19")
    assert b"10 to 19" in headers["detail"]
    assert b"lz4 says no" in headers["detail"]
    assert letter.value == b""


def test_an_ordinary_dead_letter_names_one_offset() -> None:
    letter = parse(Release, Record("releases", 0, 7, None, b"{"))
    assert isinstance(letter, DeadLetter)
    assert "last_offset" not in dict(letter.headers)


def test_what_decompresses_and_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_codecs()
    monkeypatch.setitem(CODECS, "lz4", lambda: False)
    monkeypatch.setitem(CODECS, "zstd", lambda: False)
    with pytest.raises(CannotStart, match=r"(?s)lz4 and zstd is not installed.*aiokafka\[lz4,snappy,zstd\]"):
        check_codecs()


def test_how_far_behind_a_reader_is_leaves_out_partitions_that_are_taken_away_meanwhile(
    topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TopicPartition("clicks", 1)

    async def asked() -> tuple[dict[TopicPartition, tuple[int, int]], dict[TopicPartition, tuple[int, int]]]:
        consumer = Consumer(topics, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([PLACE, other])
        while not all(consumer.highwater(place) for place in (PLACE, other)):
            await consumer.getmany(timeout_ms=200, max_records=1)
        before = await consumer.behind()
        position = consumer.position

        async def taking_away(place: TopicPartition) -> int:
            found: int = await position(place)
            consumer.assign([place])
            return found

        monkeypatch.setattr(consumer, "position", taking_away)
        meanwhile = await consumer.behind()
        await consumer.stop()
        return before, meanwhile

    for place in (PLACE, other):
        send_batch(topics, "clicks", place.partition, batch([b"1", b"2", b"3"]))
    before, meanwhile = asyncio.run(asked())
    assert before.keys() == {PLACE, other}
    assert {end for end, _ in before.values()} == {3}
    assert len(meanwhile) == 1, "the other is not ours any more"


def test_where_a_backlog_is_passed_over_a_partition_that_is_up_to_date_is_not_read_again(
    topics: Settings,
) -> None:
    other = TopicPartition("clicks", 1)
    for place in (PLACE, other):
        send_batch(topics, "clicks", place.partition, batch([b"a"] * 30))

    async def passed_over() -> tuple[list[int], list[int]]:
        consumer = Consumer(topics, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([PLACE, other])
            while await consumer.position(PLACE) < 30 or consumer.highwater(other) is None:
                await consumer.getmany(PLACE, timeout_ms=200)
            numbers = [await consumer.pass_over(most, keep=10) for most in (30, 29)]
            return numbers, [await consumer.position(place) for place in (PLACE, other)]
        finally:
            await consumer.stop()

    assert asyncio.run(passed_over()) == ([0, 25], [30, 25])
