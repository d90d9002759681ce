"""A process's metrics, as Prometheus asks for them: on a port of its own, where one is set."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stream.errors import CannotStart
from stream.metrics import COUNTED, LAG_SECONDS, OF_HEARTBEAT, PROCESS, PROCESS_LABEL, WAITING_SINCE, Declared
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat

__all__ = ["exporting", "registry_of"]


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
    """Answer Prometheus as long as the block runs, where a port is set.

    Raises
    ------
    CannotStart
        Where the port is taken.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry_of(heartbeat))
    except OSError as error:
        raise CannotStart(
            f"metrics cannot be had at {host}:{port}: {error.strerror}",
            hint="Each process of a machine needs a port of its own: REFRAIN_METRICS_PORT, 0 for none.",
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _OfHeartbeat(Collector):
    """What a heartbeat says, under the names of metrics."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat

    def collect(self) -> Iterator[Metric]:
        kind = self._heartbeat.kind
        # Copied at once: the process goes on counting while another thread asks.
        said = {**self._heartbeat.counters, **self._heartbeat.gauges}
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
