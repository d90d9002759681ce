"""Traces of releases, as a collector of the test's own receives them by OTLP."""

from __future__ import annotations

import asyncio
import gzip
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import NoOpTracer

from consumers.work.tracing import open_tracer, traceparent_of
from consumers.work.worker import work
from stream.connect import open_redis
from stream.errors import CannotStart
from stream.settings import Settings
from stream.stores.releases import Releases
from stream.wire.connection import blocking_connection
from tests.consumers.desk import Desk
from tests.consumers.http_server import Answers, HttpServer
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.waiting import wait_for

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(HttpServer):
    """Receives spans at `address`."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        collector = self

        class Receives(Answers):
            def do_POST(self) -> None:  # noqa: N802 - http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                collector.receive(ExportTraceServiceRequest.FromString(body))
                self.answer(200, {})

        super().__init__(Receives)

    def receive(self, request: ExportTraceServiceRequest) -> None:
        for each in request.resource_spans:
            self.services |= {
                attribute.value.string_value
                for attribute in each.resource.attributes
                if attribute.key == "service.name"
            }
            for scope in each.scope_spans:
                self.spans += scope.spans

    @property
    def by_name(self) -> dict[str, Any]:
        return {span.name: span for span in self.spans}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def publish(desk: Desk, release_id: str, traceparent: str) -> None:
    producer = KafkaProducer(**blocking_connection(desk.settings))
    event = f'{{"release_id": "{release_id}", "artist_ids": ["a1"], "max_audience": 5000}}'
    headers = [("traceparent", traceparent.encode())]
    producer.send("releases", key=release_id.encode(), value=event.encode(), headers=headers)
    producer.flush()
    producer.close()


def passed_on(desk: Desk, release_id: str) -> set[str]:
    records = [each for each in desk.log.records("audiences") if each.key == release_id.encode()]
    return {dict(record.headers).get("traceparent", b"").decode() for record in records}


def test_a_release_is_a_trace_from_its_event_to_its_summary(desk: Desk, collector: Collector) -> None:
    place(desk.settings, {"c1": names("c1", 2500)})
    ours = desk.settings.model_copy(update={"otel_endpoint": collector.address})
    with Running(work, ours):
        publish(desk, "r1", f"00-{TRACE}-{SPAN}-01")
        desk.wait_for("r1")
    spans = wait_for(lambda: "release" in collector.by_name and collector.by_name, "the spans")
    assert set(spans) == {"release", "plan", "first page", "pages", "summary"}
    release = spans["release"]
    assert release.parent_span_id.hex() == SPAN
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    steps = [spans[name] for name in ("plan", "first page", "pages", "summary")]
    assert {span.parent_span_id for span in steps} == {release.span_id}
    times = [time for span in steps for time in (span.start_time_unix_nano, span.end_time_unix_nano)]
    assert times == sorted(times)
    assert release.start_time_unix_nano <= times[0]
    assert release.end_time_unix_nano >= times[-1]
    about = {attribute.key: attribute.value for attribute in release.attributes}
    assert about["refrain.release_id"].string_value == "r1"
    assert (about["refrain.pages"].int_value, about["refrain.told"].int_value) == (3, 2500)
    assert collector.services == {"refrain-work"}
    assert passed_on(desk, "r1") == {f"00-{TRACE}-{release.span_id.hex()}-01"}


def test_what_follows_later_is_in_the_trace_of_its_release(desk: Desk, collector: Collector) -> None:
    listeners = names("c1", 30)
    place(desk.settings, {"c1": listeners}, clocks=dict.fromkeys(listeners, 0))
    asleep = {"quiet_hours": _now_is_quiet(), "otel_endpoint": collector.address}
    with Running(work, desk.settings.model_copy(update=asleep)):
        publish(desk, "r1", f"00-{TRACE}-{SPAN}-01")
        wait_for(lambda: desk.db.hget("release:{r1}", "state") == "paused", "the release to be paused")
        known = desk.db.hget("release:{r1}", "traceparent")
        asyncio.run(_stop(desk.settings, "r1"))
        desk.wait_for("r1")
    spans = wait_for(lambda: "release goes on" in collector.by_name and collector.by_name, "the spans")
    first, later = spans["release"], spans["release goes on"]
    assert known == f"00-{TRACE}-{first.span_id.hex()}-01"
    assert (later.trace_id.hex(), later.parent_span_id) == (TRACE, first.span_id)
    assert spans["summary"].parent_span_id == later.span_id


async def _stop(settings: Settings, release_id: str) -> None:
    redis = await open_redis(settings)
    await Releases(redis, settings.release_seconds).stop(release_id, time.time())
    await redis.aclose()


def _now_is_quiet() -> str:
    hour = datetime.now(UTC).hour
    return f"{(hour - 2) % 24}-{(hour + 3) % 24}"


def test_without_an_endpoint_the_trace_is_passed_on_as_it_came(desk: Desk) -> None:
    place(desk.settings, {"c1": names("c1", 5)})
    with Running(work, desk.settings):
        publish(desk, "r1", f"00-{TRACE}-{SPAN}-01")
        desk.wait_for("r1")
        desk.ask("r2", "a1")
    assert passed_on(desk, "r1") == {f"00-{TRACE}-{SPAN}-01"}
    assert passed_on(desk, "r2") == {""}


async def test_without_an_endpoint_no_spans_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    async with AsyncExitStack() as stack:
        assert isinstance(open_tracer(Settings(), stack), NoOpTracer)


async def test_the_standard_variable_is_gone_by(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    async with AsyncExitStack() as stack:
        open_tracer(Settings(), stack).start_span("one").end()
    assert set(collector.by_name) == {"one"}


async def test_what_is_missing_is_named_where_an_endpoint_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotStart, match=r"opentelemetry\.sdk\.trace") as told:
            open_tracer(Settings(otel_endpoint="http://127.0.0.1:4318"), stack)
    assert "refrain-cohorts[otel]" in told.value.hint


@pytest.mark.parametrize("headers", [(), (("traceparent", None),), (("other", b"x"),)])
def test_an_event_without_the_header_is_part_of_no_trace(headers: Any) -> None:
    assert traceparent_of(headers) == ""
