"""Events in Avro, by the schemas of a registry, through all processes that read them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
import redis
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from consumers.ingest.ingester import ingest
from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.consumers.schema_registry import MISSING, RegistryStub
from tests.refrain_command import Refrain
from tests.waiting import wait_for


def record(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
    }


TIME = {"type": "long", "logicalType": "timestamp-millis"}
TEXTS = {"type": "array", "items": "string"}
CLICK = record("Click", user_id="string", song_id="string", artist_ids=["null", TEXTS], ts=TIME)
SONG = record("Song", song_id="string", artist_ids=TEXTS)
RELEASE = record("Release", release_id="string", artist_ids=TEXTS)
OTHER = record("Other", x="int")
SCHEMAS = {7: CLICK, 8: SONG, 9: RELEASE, 10: OTHER}
NOW = datetime.now(UTC)


def framed(schema: int, event: dict[str, Any]) -> bytes:
    """What a producer's serializer writes."""
    out = io.BytesIO(b"\0" + schema.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMAS[schema]), event)
    return out.getvalue()


def click(user: str, *artists: str, song: str = "s1") -> bytes:
    return framed(7, {"user_id": user, "song_id": song, "artist_ids": list(artists) or None, "ts": NOW})


def proto_of_clicks() -> FileDescriptorProto:
    """A message Click within a message Events, as a registry describes its file."""
    file = FileDescriptorProto(
        name="clicks.proto", package="music", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    click = file.message_type.add(name="Events").nested_type.add(name="Click")
    kinds = {
        "user_id": FieldDescriptorProto.TYPE_STRING,
        "song_id": FieldDescriptorProto.TYPE_STRING,
        "artist_ids": FieldDescriptorProto.TYPE_STRING,
        "ts": FieldDescriptorProto.TYPE_MESSAGE,
        "ms_played": FieldDescriptorProto.TYPE_INT64,
    }
    for number, (name, kind) in enumerate(kinds.items(), 1):
        click.field.add(
            name=name,
            number=number,
            type=kind,
            type_name=".google.protobuf.Timestamp" if name == "ts" else None,
            label=FieldDescriptorProto.LABEL_REPEATED if name == "artist_ids" else None,
        )
    return file


def in_protobuf(**fields: Any) -> bytes:
    """A click as a Protobuf serializer writes it: the frame, which message it is (0 in 0), the message."""
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file := FileDescriptorProto.FromString(proto_of_clicks().SerializeToString()))
    click = GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Events.Click"))(**fields)
    click.ts.FromDatetime(NOW)
    return b"\0\0\0\0\x0b" + bytes([4, 0, 0]) + click.SerializeToString()


@pytest.fixture
def registry() -> Iterator[RegistryStub]:
    avro = {number: ("AVRO", json.dumps(schema)) for number, schema in SCHEMAS.items()}
    proto = base64.b64encode(proto_of_clicks().SerializeToString()).decode()
    with RegistryStub({**avro, 11: ("PROTOBUF", proto), 12: ("JSON", "{}"), 13: ("PROTOBUF", "?")}) as stub:
        yield stub


@pytest.fixture
def own(settings: Settings, registry: RegistryStub) -> Settings:
    return settings.model_copy(update={"schema_registry_url": registry.url})


def test_clicks_songs_and_releases_in_avro_are_read(own: Settings, desk: Desk) -> None:
    place(own, {"c1": names("c1", 30)})
    with Running(ingest, own), Running(work, own):
        desk.log.send("clicks", [click("u", "a1"), click("u")])
        desk.log.send("songs", [framed(8, {"song_id": "s1", "artist_ids": ["a2"]})])
        wait_for(lambda: desk.db.hget("user:{u}", "clicks") == "2", "both clicks")
        desk.log.send("releases", [framed(9, {"release_id": "r1", "artist_ids": ["a1"]})])
        assert desk.wait_for("r1").summaries
    assert set(desk.db.zrange("user:{u}:artists", 0, -1)) == {"a1", "a2"}
    assert desk.log.count("dead-letters") == 0


def test_a_schema_that_imports_another_is_read_and_one_that_comes_late_is_asked_for_again(
    own: Settings, log: KafkaLog, db: redis.Redis, registry: RegistryStub
) -> None:
    action = {"type": "enum", "name": "music.Action", "symbols": ["play", "like"]}
    both = record(
        "Click", user_id="string", song_id="string", artist_ids=TEXTS, ts=TIME, action="music.Action"
    )
    parsed = fastavro.parse_schema(
        {**both, "fields": [*both["fields"][:-1], {"name": "action", "type": action}]}
    )
    out = io.BytesIO()
    event = {"user_id": "u", "song_id": "s", "artist_ids": ["a1"], "ts": NOW, "action": "like"}
    fastavro.schemaless_writer(out, parsed, event)
    value = b"\0\0\0\0\x14" + out.getvalue()
    with Running(ingest, own):
        log.send("clicks", [value], partition=0)
        wait_for(lambda: log.count("dead-letters") == 1, "a letter: there is no such schema yet")
        registry.imports["music.Action"] = json.dumps(action)
        registry.schemas[20] = ("AVRO", json.dumps(both))
        log.send("clicks", [value], partition=0)
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "the click that came later")


def test_what_came_before_a_registry_was_configured_is_put_back_by_redrive(
    settings: Settings, own: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    with Running(ingest, settings):
        log.send("clicks", [click("u", "a1")], partition=0)
        wait_for(lambda: log.count("dead-letters") == 1, "a letter")
    with Running(ingest, own), Refrain(own, tmp_path) as refrain:
        summary = json.loads(refrain.run("redrive", "--json").stdout)
        assert summary["put_back"] == {"schema-registry": 1}
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "the click")


def test_clicks_in_protobuf_are_read(own: Settings, log: KafkaLog, db: redis.Redis) -> None:
    with Running(ingest, own):
        log.send("clicks", [in_protobuf(user_id="u", song_id="s", artist_ids=["a1", "a2"], ms_played=2**40)])
        log.send("clicks", [in_protobuf(user_id="u", song_id="s", artist_ids=["a1"])])
        wait_for(lambda: db.hget("user:{u}", "clicks") == "2", "both clicks")
    assert set(db.zrange("user:{u}:artists", 0, -1)) == {"a1", "a2"}


def test_what_does_not_fit_its_schema_is_a_dead_letter_with_its_bytes_and_stops_nothing(
    own: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    unusable = {
        b"\0\0\0\0\x07\xff\xff": "not what schema id 7 (AVRO) describes",
        b"\0\0\0\0\x63abc": "schema id 99 is no schema that the registry has",
        b"\0\0\0\0\x0babc": "not what schema id 11 (PROTOBUF) describes",
        b"\0\0\0\0\x0d\0": "schema id 13 is a schema of no use",
        framed(10, {"x": 1}): "",
    }
    as_json = b"\0\0\0\0\x0c" + json.dumps({"user_id": "u", "song_id": "s", "ts": 1.7e9}).encode()
    with Running(ingest, own):
        log.send("clicks", [*unusable, click("u", "a1"), as_json], partition=0)
        log.wait_until_caught_up("ingest", "clicks")
    letters = {each.value: dict(each.headers) for each in log.records("dead-letters")}
    assert letters.keys() == unusable.keys()
    for value, said in unusable.items():
        assert said in letters[value]["detail"].decode()
        assert letters[value]["reason"] == (b"schema-registry" if said else b"missing-field")
    assert db.hget("user:{u}", "clicks") == "1", "the other waits for its song"


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_id_that_is_none_is_a_dead_letter_and_stops_nothing_whatever_the_registry_calls_it(
    own: Settings, log: KafkaLog, db: redis.Redis, registry: RegistryStub, status: int
) -> None:
    registry.refusal = (status, MISSING)
    unusable = [b"\0\0\0\0\x63abc", b"\0\xff\xff\xff\xffabc"]
    with Running(ingest, own):
        log.send("clicks", [*unusable, click("u", "a1")], partition=0)
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "the click behind them")
    assert [each.value for each in log.records("dead-letters")] == unusable
    assert 0xFFFFFFFF not in registry.asked


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, MISSING), (403, MISSING), (429, MISSING), (503, MISSING), (400, {})],
    ids=["401", "403", "429", "503", "400 of a proxy"],
)
def test_a_registry_that_does_not_say_whether_there_is_a_schema_is_asked_again(
    own: Settings, log: KafkaLog, registry: RegistryStub, status: int, body: dict[str, object]
) -> None:
    registry.refusal = (status, body)
    with Running(ingest, own):
        log.send("clicks", [b"\0\0\0\0\x63abc"], partition=0)
        wait_for(lambda: registry.asked.count(99) > 1, "it to be asked again")
        assert log.count("dead-letters") == 0


def test_while_the_registry_does_not_answer_clicks_wait_and_are_no_dead_letters(
    own: Settings, log: KafkaLog, db: redis.Redis, registry: RegistryStub
) -> None:
    registry.away = True
    with Running(ingest, own):
        log.send("clicks", [click("u", "a1")] * 3, partition=0)
        wait_for(lambda: len(registry.asked) > 1, "it to be asked again")
        assert log.committed("ingest", "clicks") == {}
        registry.away = False
        wait_for(lambda: db.hget("user:{u}", "clicks") == "3", "the clicks")
        asked = len(registry.asked)
        log.send("clicks", [click("u", "a1")] * 3, partition=0)
        wait_for(lambda: db.hget("user:{u}", "clicks") == "6", "more clicks")
    assert len(registry.asked) == asked, "a schema never changes"
    assert log.count("dead-letters") == 0
