"""Metrics, asked for as Prometheus does: of real processes on a real Kafka and Redis."""

from __future__ import annotations

import asyncio
import re
import time
from importlib.metadata import version

import pytest
import redis
import requests
from prometheus_client.parser import text_string_to_metric_families

from consumers.ingest.ingester import ingest
from consumers.runtime import lead
from consumers.runtime.exporter import exporting, registry_of
from consumers.runtime.reader_lag import ReaderLag
from consumers.runtime.supervisor import environment
from consumers.train.trainer import train
from consumers.traits.process import traits
from consumers.work.worker import work
from stream.broker.ports import free_port
from stream.errors import CannotStart
from stream.metrics import declared
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Main, Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

Samples = dict[str, float]


def exported(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_port": free_port()})


def scrape(settings: Settings) -> Samples:
    """Return all samples, with labels as in ``refrain_lag_events{process=ingest,topic=clicks}``."""
    try:
        answer = requests.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=30)
    except requests.ConnectionError:
        return {}
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def wait_for_samples(settings: Settings, name: str, least: float, before: Samples | None = None) -> Samples:
    """Wait until a metric has grown by so much since `before`; return all samples then."""

    def grown() -> Samples:
        samples = scrape(settings)
        return samples if name in samples and samples[name] - (before or {}).get(name, 0.0) >= least else {}

    return wait_for(grown, f"{name} of {least}")


def click(number: int, **more: object) -> dict[str, object]:
    known = {"user_id": f"u{number % 7}", "song_id": f"s{number % 3}", "artist_ids": [f"a{number % 3}"]}
    return {**known, "ts": time.time(), **more}


def test_clicks_that_are_applied_are_seen_in_the_counts_of_a_real_process(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    ours = exported(settings)
    refrain.start("ingest", metrics_port=ours.metrics_port)
    log.send("clicks", [click(number) for number in range(200)])
    log.send("clicks", [b"{}", *[click(1, event_id="once")] * 2])
    samples = wait_for_samples(ours, "refrain_batch_clicks_sum", 203)
    assert samples[f"refrain_process_info{{process=ingest,version={version('refrain-cohorts')}}}"] == 1
    assert samples["refrain_clicks_read_total"] == 203
    assert samples["refrain_clicks_applied_total"] == 202
    assert samples["refrain_dead_letters_total{process=ingest,reason=missing-field}"] == 1
    assert samples["refrain_batch_clicks_count"] >= 1
    assert samples["refrain_clicks_repeated_total"] == 1
    assert samples["refrain_listeners_read_total"] == 7
    assert samples["refrain_listeners_met_total"] >= 7
    assert samples["refrain_redis_seconds_count"] > 0
    assert samples["process_cpu_seconds_total"] > 0
    lag = "refrain_lag_events{process=ingest,topic=clicks}"
    wait_for(lambda: scrape(ours)[lag] == 0, "no lag")
    assert scrape(ours)["refrain_lag_seconds{process=ingest,topic=clicks}"] == 0


def test_an_ingester_says_in_its_heartbeat_how_many_clicks_wait_in_kafka(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    with Running(ingest, settings):
        log.send("clicks", [click(1)])

        def behind() -> set[str | None]:
            return {db.hget(key, "behind") for key in db.scan_iter("process:*ingest*")}

        wait_for(lambda: behind() == {"0"}, "nothing behind")


def test_a_click_that_waits_for_its_song_is_counted_when_it_begins_to_and_when_it_ends(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    ours = exported(settings)
    with Running(ingest, ours), Running(work, settings):
        log.send("clicks", [click(1, artist_ids=[], song_id="late")])
        wait_for_samples(ours, "refrain_clicks_late_total", 1)
        assert "refrain_clicks_waited_total" not in scrape(ours)
        log.send("songs", [{"song_id": "late", "artist_ids": ["a1"]}])
        wait_for_samples(ours, "refrain_clicks_waited_total", 1)


def test_a_change_of_cohort_is_timed_from_its_clicks_time_in_kafka(settings: Settings, log: KafkaLog) -> None:
    ours = exported(settings)
    place(ours, {"c1": ["somebody"]})  # a model with a cohort, into which those who click come
    with Running(ingest, ours):
        before = wait_for_samples(ours, "refrain_model_version{process=ingest}", 1)
        assert before["refrain_model_created_timestamp_seconds{process=ingest}"] >= 0
        log.send("clicks", [click(1, artist_ids=["a1"])])
        after = wait_for_samples(ours, "refrain_cohort_changes_total{reason=click}", 1, before)
        name = "refrain_click_to_cohort_seconds"
        after = wait_for_samples(ours, f"{name}_count", 1, before)
        took = after[f"{name}_sum"] - before.get(f"{name}_sum", 0.0)
        assert 0 < took < 3600  # not since 1970


def test_a_release_is_seen_in_a_workers_pages_and_in_the_time_to_the_first(desk: Desk) -> None:
    ours = exported(desk.settings)
    place(ours, {"c1": names("c1", 1500)})
    with Running(work, ours):
        before = wait_for_samples(ours, "refrain_model_version{process=work}", 1)
        desk.ask("r1", "a1")
        after = wait_for_samples(ours, "refrain_releases_answered_total", 1, before)
        grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
        assert grown["refrain_pages_total"] == 2
        assert grown["refrain_notifications_total"] == 1500
        assert grown["refrain_release_to_first_page_seconds_count"] == 1
        assert after["refrain_releases_overdue"] == 0
        desk.report("r1", ("c1-ü1", "sent"), ("c1-ü1", "clicked"))
        wait_for_samples(ours, "refrain_feedback_counted_total", 2, before)
        lags = {f"refrain_lag_events{{process=work,topic={topic}}}" for topic in ("releases", "feedback")}
        wait_for(lambda: {scrape(ours).get(lag) for lag in lags} == {0.0}, "no lag")


@pytest.mark.parametrize("main", [train, traits], ids=["train", "traits"])
def test_trainers_and_traits_answer_too(settings: Settings, log: KafkaLog, main: Main) -> None:
    ours, kind = exported(settings), main.__name__
    with Running(main, ours):
        wait_for_samples(ours, f"refrain_leads{{process={kind}}}", 1)
        log.send("clicks", [click(1)])
        wait_for_samples(ours, f"refrain_lag_events{{process={kind},topic=clicks}}", 0)


def test_a_process_that_leads_no_more_does_not_say_how_full_redis_is(
    settings: Settings, db: redis.Redis, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 0.1)
    ours = exported(settings)
    with Running(traits, ours):
        wait_for_samples(ours, "refrain_redis_memory_bytes", 1)
        db.set(keys.TRAITS_LEASE, "another")
        wait_for(lambda: scrape(ours).get("refrain_leads{process=traits}") == 0, "it to stand by")
        assert "refrain_redis_memory_bytes" not in scrape(ours)


@pytest.mark.parametrize(
    ("main", "lease"), [(train, keys.MODEL_LEASE), (traits, keys.TRAITS_LEASE)], ids=["train", "traits"]
)
def test_a_process_that_leads_no_more_has_no_lag(
    settings: Settings,
    db: redis.Redis,
    log: KafkaLog,
    monkeypatch: pytest.MonkeyPatch,
    main: Main,
    lease: str,
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(ReaderLag, "done", lambda *_: None)  # it is in the middle of what it has read
    ours, kind = exported(settings), main.__name__
    lag = f"refrain_lag_events{{process={kind},topic=clicks}}"

    def reads() -> bool:
        log.send("clicks", [click(1)])
        return scrape(ours).get(lag, 0) > 0

    with Running(main, ours):
        wait_for(reads, "it to have clicks in hand")
        db.set(lease, "another")
        wait_for(lambda: scrape(ours).get(f"refrain_leads{{process={kind}}}") == 0, "it to stand by")
        assert scrape(ours)[lag] == 0


def test_what_a_process_answers_is_declared_with_its_labels(settings: Settings, log: KafkaLog) -> None:
    ours, known = exported(settings), {each.name: each for each in declared()}
    with Running(ingest, ours):
        log.send("clicks", [click(1)])
        samples = wait_for_samples(ours, "refrain_clicks_applied_total", 1)
    for name in samples:
        if name.startswith("refrain_"):
            bare = re.sub(r"(_bucket|_sum|_count)?({.*)?$", "", name)
            about = known[bare]
            assert "ingest" in about.processes
            labels = set(re.findall(r"[{,](\w+)=", name)) - {"le"}
            assert labels == set(about.labels)


def test_names_have_base_units_and_counters_end_with_total() -> None:
    for each in declared():
        assert re.fullmatch(r"refrain_[a-z0-9_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert not re.search(r"_(ms|millis|minutes|hours|days|mb|kb)(_|$)", each.name)
        assert each.meaning
        assert each.processes


def test_no_two_metrics_have_one_name() -> None:
    names = [each.name for each in declared()]
    assert len(set(names)) == len(names)


async def test_a_port_that_is_taken_is_told_with_what_to_do(settings: Settings) -> None:
    ours, heartbeat = exported(settings), Heartbeat(None, "ingest")  # type: ignore[arg-type]
    with (
        exporting(ours, heartbeat),
        pytest.raises(CannotStart, match=f"127.0.0.1:{ours.metrics_port}") as told,
        exporting(ours, heartbeat),
    ):
        pass
    assert "REFRAIN_METRICS_PORT" in told.value.hint


async def test_the_port_is_free_again_at_the_end(settings: Settings) -> None:
    ours, heartbeat = exported(settings), Heartbeat(None, "ingest")  # type: ignore[arg-type]
    for _ in range(2):
        with exporting(ours, heartbeat):
            assert await asyncio.to_thread(scrape, ours)


def test_without_a_port_nothing_listens(settings: Settings) -> None:
    assert settings.metrics_port == 0
    with exporting(settings, Heartbeat(None, "ingest")):  # type: ignore[arg-type]
        pass


def test_processes_of_one_machine_have_ports_one_after_the_other(settings: Settings) -> None:
    ours = settings.model_copy(update={"metrics_port": 9400})
    ports = [environment(ours, number)["REFRAIN_METRICS_PORT"] for number in range(3)]
    assert ports == ["9400", "9401", "9402"]
    assert environment(settings, 1)["REFRAIN_METRICS_PORT"] == "0"


def test_a_process_has_no_metrics_of_another_kind() -> None:
    names = {family.name for family in registry_of(Heartbeat(None, "work")).collect()}  # type: ignore[arg-type]
    assert "refrain_pages" in names
    assert "refrain_batch_seconds" not in names
