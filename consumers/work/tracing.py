"""Traces of releases: spans from a release to its last page, and where they are sent.

OpenTelemetry's API alone, which is always there, makes no spans and passes on the trace that a release came
with; its SDK (extra ``otel``) makes spans where an endpoint is set.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.errors import CannotStart
from stream.settings import Settings
from stream.stores.releases import Asked
from stream.wire.record import Headers

__all__ = ["ReleaseTrace", "open_tracer", "traceparent_of"]

HEADER = "traceparent"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SEND_SECONDS = 3.0  # for an answer: a process that is to end waits for it
NANO = 1_000_000_000

_w3c = TraceContextTextMapPropagator()


def traceparent_of(headers: Headers) -> str:
    """Return the trace that an event is part of, "" for none."""
    found = next((value for name, value in headers if name == HEADER), None)
    return (found or b"").decode(errors="replace")


def open_tracer(settings: Settings, stack: AsyncExitStack) -> Tracer:
    """Return what makes spans; what is not sent yet at the end of `stack` is sent then.

    Raises
    ------
    CannotStart
        Where an endpoint is set and the SDK is not installed.
    """
    if not (settings.otel_endpoint or any(os.environ.get(name) for name in ENDPOINTS)):
        return NoOpTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra, which may be absent
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise CannotStart(
            f"traces are to be sent, and what sends them is not installed ({error.name})",
            hint="`pip install 'refrain-cohorts[otel]'`; or unset REFRAIN_OTEL_ENDPOINT and "
            f"{' and '.join(ENDPOINTS)}.",
        ) from error
    # Without one of ours the exporter goes by the standard variables.
    endpoint = f"{settings.otel_endpoint.rstrip('/')}/v1/traces" if settings.otel_endpoint else None
    named = {"service.version": version("refrain-cohorts")}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        named["service.name"] = "refrain-work"
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=SEND_SECONDS)))
    stack.push_async_callback(asyncio.to_thread, provider.shutdown)
    return provider.get_tracer("refrain.work")


class ReleaseTrace:
    """The spans of one part of a release: all at once, or a wave of it.

    Parameters
    ----------
    asked
        The release; its first part begins when it was published, and is part of the trace that it came with.
    first
        Whether this is its first part.
    """

    def __init__(self, tracer: Tracer, asked: Asked, *, first: bool) -> None:
        self._tracer = tracer
        at = asked.published_at if first else None
        self._span: Span = tracer.start_span(
            "release" if first else "release goes on",
            _w3c.extract({HEADER: asked.traceparent}),
            SpanKind.CONSUMER if first else SpanKind.INTERNAL,
            {"refrain.release_id": asked.release.release_id},
            start_time=int(at * NANO) if at is not None else None,
        )
        self._step: Span = trace.INVALID_SPAN
        self._context: Context = trace.set_span_in_context(self._span)
        carrier: dict[str, str] = {}
        _w3c.inject(carrier, self._context)
        self.traceparent = carrier.get(HEADER, "")

    @property
    def trace_id(self) -> str:
        """The trace that it is part of; "": none."""
        return self.traceparent.split("-")[1] if self.traceparent else ""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """What events that follow from the release carry."""
        return [(HEADER, self.traceparent.encode())] if self.traceparent else []

    def begin(self, name: str) -> None:
        """Begin the next step of this part; the one before it has ended."""
        self._end(self._step)
        self._step = self._tracer.start_span(name, self._context)

    def end(self, **about: str | int) -> None:
        """End this part, where it has not ended."""
        self._end(self._step)
        if self._span.is_recording():
            self._span.set_attributes({f"refrain.{name}": value for name, value in about.items()})
        self._end(self._span)

    @staticmethod
    def _end(span: Span) -> None:
        if span.is_recording():
            span.end()
