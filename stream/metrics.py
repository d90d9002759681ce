"""Every metric of Refrain, declared once: its name, its labels, what it means, which processes have it.

Two kinds: what a process says of itself in its heartbeat (`stream.stores.heartbeats`) is taken from there
when it is asked for (`OF_HEARTBEAT`); distributions, and what has labels of its own, are counted here, in the
process's memory (`COUNTED`). `consumers.runtime.exporter` answers Prometheus with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

__all__ = [
    "BATCH_CLICKS",
    "BATCH_SECONDS",
    "CLICK_TO_COHORT",
    "COHORT_CHANGES",
    "COUNTED",
    "DELETED",
    "HTTP_REQUESTS",
    "HTTP_SECONDS",
    "LAG",
    "LAG_SECONDS",
    "LEFT_OUT",
    "NOTIFICATIONS",
    "OF_HEARTBEAT",
    "PAGES",
    "PROCESS",
    "PROCESS_LABEL",
    "REDIS_SECONDS",
    "RELEASE_TO_FIRST_PAGE",
    "STEPS_RETRIED",
    "WAITING_SINCE",
    "Declared",
    "OfHeartbeat",
    "declared",
]

READERS = ("ingest", "train", "work", "traits", "deliver")
ALL = (*READERS, "serve")

DELETED = "deleted:"
"""Begins the name of a counter in the heartbeat: behind it topic and partition, of which so much was deleted
unread."""
PROCESS_LABEL = "process"
"""Label of what several kinds of processes say of themselves: which kind says it."""
LAG = "lag:"
"""Begins the name of a gauge in the heartbeat: behind it a topic, of which so many events wait."""
WAITING_SINCE = "waiting since:"
"""Likewise: since when they wait, in Unix seconds; 0: none does."""

disable_created_metrics()  # type: ignore[no-untyped-call]

Kind: TypeAlias = "Literal['counter', 'gauge', 'histogram']"


class Declared(NamedTuple):
    """What is to be known of a metric.

    Attributes
    ----------
    name
        As it is asked for: that of a counter ends with ``_total``, that of a histogram has
        ``_bucket``, ``_sum`` and ``_count`` appended.
    kind
        Of metric.
    labels
        Names of its labels.
    processes
        Kinds of processes that have it.
    meaning
        In a sentence.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    processes: tuple[str, ...]
    meaning: str


class OfHeartbeat(NamedTuple):
    """A metric that is taken from the heartbeat.

    Attributes
    ----------
    field
        Name of a counter or gauge there; where it ends with a colon, what those names begin with that end
        with the value of the last label.
    about
        The metric.
    """

    field: str
    about: Declared


def _of(
    field: str, kind: Kind, name: str, processes: Sequence[str], meaning: str, label: str = ""
) -> OfHeartbeat:
    shared = (PROCESS_LABEL,) if len(processes) > 1 else ()
    labels = (*shared, label) if label else shared
    return OfHeartbeat(field, Declared(name, kind, labels, tuple(processes), meaning))


PROCESS = Declared(
    "refrain_process_info", "gauge", (PROCESS_LABEL, "version"), ALL, "1 for each process that answers"
)
LAG_SECONDS = Declared(
    "refrain_lag_seconds",
    "gauge",
    (PROCESS_LABEL, "topic"),
    READERS,
    "Age of the last event that was done with, while others of the topic wait; 0 while none does",
)

OF_HEARTBEAT: tuple[OfHeartbeat, ...] = (
    _of(LAG, "gauge", "refrain_lag_events", READERS,
        "Events of a topic, of the partitions that are this process's, that are not done with", "topic"),
    _of("dead:", "counter", "refrain_dead_letters_total", ("ingest", "work", "traits", "deliver"),
        "Events that could not be used, by reason (docs/contract.md)", "reason"),
    _of(DELETED, "counter", "refrain_events_deleted_unread_total", READERS,
        "Events that Kafka deleted before they were read", "partition"),
    _of("read", "counter", "refrain_clicks_read_total", ("ingest",), "Click events fetched from Kafka"),
    _of("clicks", "counter", "refrain_clicks_applied_total", ("ingest",),
        "Clicks of which all is written and committed, those that wait for a song among them"),
    _of("repeated", "counter", "refrain_clicks_repeated_total", ("ingest",),
        "Clicks that were not counted, as a click of the same event_id had been"),
    _of("late", "counter", "refrain_clicks_late_total", ("ingest",),
        "Clicks that began to wait for their song"),
    _of("waited", "counter", "refrain_clicks_waited_total", ("ingest",),
        "Clicks applied after they had waited for their song"),
    _of("songs missing", "gauge", "refrain_songs_waited_for", ("ingest",),
        "Songs that clicks wait for; of the one ingester that looks after them"),
    _of("met", "counter", "refrain_listeners_met_total", ("ingest",),
        "Listeners that batches had clicks of, or that a migration to a new model came to"),
    _of("fetched", "counter", "refrain_listeners_read_total", ("ingest",),
        "Those of them who were not in memory, and were read from Redis"),
    _of("swept", "counter", "refrain_listeners_swept_total", ("ingest",),
        "Listeners migrated to a new model in the background"),
    _of("partitions", "gauge", "refrain_partitions", ("ingest",), "Partitions of `clicks` that are its own"),
    _of("model", "gauge", "refrain_model_version", ("ingest", "work", "traits"),
        "Version of the model that the process serves from"),
    _of("model_created", "gauge", "refrain_model_created_timestamp_seconds", ("ingest", "work", "traits"),
        "When that model was made, in Unix seconds"),
    _of("leads", "gauge", "refrain_leads", ("train", "traits"),
        "1: it does the work; 0: it stands by while another does"),
    _of("clicks", "counter", "refrain_clicks_seen_total", ("train", "traits"),
        "Clicks read to know who is active"),
    _of("rows", "counter", "refrain_listeners_learned_total", ("train",), "Listeners learned from"),
    _of("snapshots", "counter", "refrain_models_published_total", ("train",), "Models that were published"),
    _of("refused", "counter", "refrain_models_refused_total", ("train",),
        "Candidates that predicted worse than the model that serves"),
    _of("drifts", "counter", "refrain_drifts_total", ("train",),
        "How often listening began to drift away from the model"),
    _of("lift_cohort", "gauge", "refrain_model_cohort_lift", ("train",),
        "Lift at 5 % of the predictions by cohort, over the latest discoveries (docs/operating.md)"),
    _of("lift_listener", "gauge", "refrain_model_listener_lift", ("train",),
        "Lift at 5 % of the predictions by listener"),
    _of("auc_cohort", "gauge", "refrain_model_cohort_auc", ("train",), "AUC of the predictions by cohort"),
    _of("auc_listener", "gauge", "refrain_model_listener_auc", ("train",),
        "AUC of the predictions by listener"),
    _of("discoveries", "gauge", "refrain_model_discoveries", ("train",),
        "Discoveries that lift and AUC are of"),
    _of("ctr ctr", "gauge", "refrain_ctr", ("train",),
        "CTR of the recent notifications that the CTR model is measured on: clicked / sent"),
    _of("ctr predicted_ctr", "gauge", "refrain_ctr_predicted", ("train",),
        "What was predicted for them before, on average"),
    _of("ctr calibration_error", "gauge", "refrain_ctr_calibration_error", ("train",),
        "Mean difference of predicted and found CTR, over tenths by what was predicted"),
    _of("ctr auc", "gauge", "refrain_ctr_auc", ("train",),
        "How often one who clicked was predicted above one who did not"),
    _of("ctr refused", "counter", "refrain_ctr_models_refused_total", ("train",),
        "CTR models that predicted worse than the one that serves"),
    _of("releases", "counter", "refrain_releases_answered_total", ("work",),
        "Releases answered, once for each time that something of them went out"),
    _of("overdue", "gauge", "refrain_releases_overdue", ("work",),
        "Releases that wait for their audience, or the next part of it, for more than a minute"),
    _of("feedback", "counter", "refrain_feedback_total", ("work",), "Feedback events read"),
    _of("feedback counted", "counter", "refrain_feedback_counted_total", ("work",),
        "Those of them that changed a count: each kind counts once a listener and release"),
    _of("songs", "counter", "refrain_songs_total", ("work",),
        "Songs entered into the catalogue, or taken off"),
    _of("scored", "counter", "refrain_traits_scored_total", ("traits",),
        "Listeners whose traits were computed"),
    _of("stage changes", "counter", "refrain_stage_changes_total", ("traits",),
        "Listeners who came into another stage"),
    _of("expired", "counter", "refrain_listeners_expired_total", ("traits",),
        "Listeners erased as they were dormant for long"),
    _of("delivered:", "counter", "refrain_delivered_total", ("deliver",),
        "Events that an endpoint has taken, or that are in files, by reader (docs/deliver.md)", "reader"),
    _of("posted again", "counter", "refrain_posts_failed_total", ("deliver",),
        "Posts that the endpoint did not take, and that are posted again"),
    _of("redis used", "gauge", "refrain_redis_memory_bytes", ("traits",),
        "Memory of the fullest server of Redis; of the process that leads, where its user may ask INFO"),
    _of("redis limit", "gauge", "refrain_redis_memory_limit_bytes", ("traits",),
        "What that server has: maxmemory, or the machine's"),
)  # fmt: skip
"""Those that are taken from the heartbeat."""

COUNTED: dict[Counter | Gauge | Histogram, Declared] = {}
"""Those that are counted here."""


def _counter(name: str, processes: Sequence[str], meaning: str, labels: Sequence[str] = ()) -> Counter:
    made = Counter(name, meaning, labels, registry=None)
    COUNTED[made] = Declared(name, "counter", tuple(labels), tuple(processes), meaning)
    return made


def _histogram(
    name: str, processes: Sequence[str], meaning: str, buckets: Sequence[float], labels: Sequence[str] = ()
) -> Histogram:
    made = Histogram(name, meaning, labels, registry=None, buckets=buckets)
    COUNTED[made] = Declared(name, "histogram", tuple(labels), tuple(processes), meaning)
    return made


BATCH_CLICKS = _histogram(
    "refrain_batch_clicks",
    ("ingest",),
    "Clicks of a batch",
    (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000),
)
BATCH_SECONDS = _histogram(
    "refrain_batch_seconds",
    ("ingest",),
    "From when a batch was fetched until its offsets are committed",
    (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
CLICK_TO_COHORT = _histogram(
    "refrain_click_to_cohort_seconds",
    ("ingest",),
    "From a click's Kafka timestamp until Kafka has the change of cohort that it brought",
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800),
)
COHORT_CHANGES = _counter(
    "refrain_cohort_changes_total", ("ingest",), "Changes of cohort emitted, by reason", ["reason"]
)
RELEASE_TO_FIRST_PAGE = _histogram(
    "refrain_release_to_first_page_seconds",
    ("work",),
    "From a release's Kafka timestamp until Kafka has the first page of its audience",
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
PAGES = _counter("refrain_pages_total", ("work",), "Pages of audiences emitted")
NOTIFICATIONS = _counter("refrain_notifications_total", ("work",), "Listeners on the pages emitted")
LEFT_OUT = _counter(
    "refrain_left_out_total",
    ("work",),
    "Listeners who would have been on a page and are not, by reason (docs/contract.md)",
    ["reason"],
)
REDIS_SECONDS = _histogram(
    "refrain_redis_seconds",
    ALL,
    "A round trip to Redis, a command or a pipeline, as the process that waits for it sees it",
    (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
STEPS_RETRIED = _counter(
    "refrain_steps_retried_total",
    READERS,
    "Attempts of steps that failed, as Kafka or Redis was away, and were made again, by step",
    ["step"],
)
HTTP_REQUESTS = _counter(
    "refrain_http_requests_total",
    ("serve",),
    "Requests answered, by method, route and status",
    ["method", "route", "status"],
)
HTTP_SECONDS = _histogram(
    "refrain_http_request_seconds",
    ("serve",),
    "From a request until its answer begins, by route",
    (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    ["route"],
)


def declared() -> list[Declared]:
    """Return all metrics, in the order in which they are documented."""
    return [PROCESS, LAG_SECONDS, *(each.about for each in OF_HEARTBEAT), *COUNTED.values()]
