"""A process's metrics for Prometheus, and probes for Kubernetes, on a port of its own where one is set."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from importlib.metadata import version
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stream.errors import CannotStart
from stream.metrics import COUNTED, LAG_SECONDS, OF_HEARTBEAT, PROCESS, PROCESS_LABEL, WAITING_SINCE, Declared
from stream.settings import Settings
from stream.stores.heartbeats import SECONDS, STARTING, Heartbeat

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["exporting", "registry_of"]

TURN_SECONDS = 5.0  # in which the event loop has to take a turn


def registry_of(heartbeat: Heartbeat) -> CollectorRegistry:
    """Return all metrics of a process: what its heartbeat says, what is counted, what the system says."""
    registry = CollectorRegistry()
    registry.register(_OfHeartbeat(heartbeat))
    for metric, about in COUNTED.items():
        if heartbeat.kind in about.processes:
            registry.register(metric)
    ProcessCollector(registry=registry)
    return registry


@contextmanager
def exporting(settings: Settings, heartbeat: Heartbeat) -> Iterator[None]:
    """Answer Prometheus and probes as long as the block runs, where a port is set.

    ``/metrics`` has the metrics. ``/healthz`` says whether the process lives: whether its event loop takes
    turns. ``/readyz`` says whether it is at work: whether it has given a sign of life in Redis lately. Those
    two answer 503 and a reason where not.

    Raises
    ------
    CannotStart
        Where the port is taken.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        yield
        return
    app = _app(registry_of(heartbeat), heartbeat, asyncio.get_running_loop())
    try:
        server = make_server(host, port, app, _server_for(host), handler_class=_Silent)
    except OSError as error:
        raise CannotStart(
            f"metrics cannot be had at {host}:{port}: {error.strerror}",
            hint="Each process of a machine needs a port of its own: REFRAIN_METRICS_PORT, 0 for none.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of a request: there is one every few seconds."""


def _server_for(host: str) -> type[_Server]:
    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server


def _app(
    registry: CollectorRegistry, heartbeat: Heartbeat, loop: asyncio.AbstractEventLoop
) -> WSGIApplication:
    probes: Mapping[str, Callable[[], str]] = {
        "/healthz": lambda: _stands_still(loop),
        "/readyz": lambda: _unheard(heartbeat),
    }
    metrics: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        probe = probes.get(environ["PATH_INFO"])
        if probe is None:
            return metrics(environ, start_response)
        trouble = probe()
        status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{trouble or 'well'}\n".encode()]

    return answer


def _stands_still(loop: asyncio.AbstractEventLoop) -> str:
    turned = threading.Event()
    try:
        loop.call_soon_threadsafe(turned.set)
    except RuntimeError:  # it is closed: the process ends
        return "ending"
    return "" if turned.wait(TURN_SECONDS) else f"its event loop has taken no turn for {TURN_SECONDS:g} s"


def _unheard(heartbeat: Heartbeat) -> str:
    if heartbeat.written == 0.0:
        return "starting: no sign of life in Redis yet"
    if STARTING in heartbeat.gauges:
        return "starting: not at work yet"
    ago = time.monotonic() - heartbeat.written
    return "" if ago < SECONDS else f"no sign of life in Redis for {ago:.0f} s"


class _OfHeartbeat(Collector):
    """What a heartbeat says, under the names of metrics."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat

    def collect(self) -> Iterator[Metric]:
        kind = self._heartbeat.kind
        # Copied at once: the process goes on counting while another thread asks.
        said = self._heartbeat.says()
        process = _family(PROCESS)
        process.add_metric([kind, version("refrain-cohorts")], 1)
        yield process
        for field, about in OF_HEARTBEAT:
            if kind in about.processes and (found := _samples(said, field)):
                yield self._filled(about, found)
        if since := _samples(said, WAITING_SINCE):
            now = time.time()
            ages = {topic: max(now - at, 0.0) if at else 0.0 for topic, at in since.items()}
            yield self._filled(LAG_SECONDS, ages)

    def _filled(self, about: Declared, found: Mapping[str, float]) -> Metric:
        family = _family(about)
        shared = [self._heartbeat.kind] if PROCESS_LABEL in about.labels else []
        for label, value in found.items():
            family.add_metric([*shared, label] if label else shared, value)
        return family


def _samples(said: Mapping[str, str | float], field: str) -> dict[str, float]:
    """Return what a heartbeat says under a name, by label; "": it has none."""
    if not field.endswith(":"):
        return {"": float(said[field])} if field in said else {}
    return {name.removeprefix(field): float(said[name]) for name in said if name.startswith(field)}


def _family(about: Declared) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if about.kind == "counter" else GaugeMetricFamily
    return kind(about.name, about.meaning, labels=about.labels)
