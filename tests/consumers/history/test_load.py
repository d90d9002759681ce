"""What loading does with who is there already, with clicks of Kafka, with a model; what is left out."""

from __future__ import annotations

import gzip
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import redis

from benchmarks.play_logs import write_logs
from consumers.history import columns, session
from consumers.history.columns import EVENTS, of_events, pack
from consumers.history.guard import before_load
from consumers.history.load import load
from consumers.history.options import Loading
from consumers.history.plan import history_files
from consumers.ingest.ingester import ingest
from consumers.runtime import wiring
from consumers.terminal.history_summary import show_load
from consumers.train.trainer import train
from stream.errors import BadFile, CannotStart, WrongUse
from stream.files.options import FileOptions
from stream.files.sources import files_of
from stream.settings import Settings
from stream.stores.listeners import Listeners
from tests.consumers.crowd import crowd_model, publish
from tests.consumers.history.held import held
from tests.consumers.history.here import load_here
from tests.consumers.history.years import UNTIL, history, write_jsonl
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import asked
from tests.consumers.losing_redis import LosingRedis
from tests.consumers.own_redis import OwnRedis
from tests.consumers.running import Running
from tests.redis_cluster import cluster_client
from tests.replay.s3 import BUCKET, s3
from tests.waiting import wait_for


def counted(db: redis.Redis) -> dict[str, int]:
    """Listener -> clicks that count."""
    users = [key for key in db.scan_iter("user:{*", count=1000) if key.endswith("}")]
    return {user[6:-1]: int(db.hget(user, "clicks") or 0) for user in users}


def plain(clicks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Clicks of which each counts: with artists, and no two with one `event_id`."""
    return [{"artist_ids": ["ana"], **click, "event_id": str(at)} for at, click in enumerate(clicks)]


def test_who_was_loaded_is_not_loaded_again(settings: Settings, tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "clicks", history(800))
    _, first = load_here(settings, files)
    before = held(settings.redis)
    _, second = load_here(settings, files)
    assert (second.listeners, second.clicks, second.known) == (0, 0, 0)
    assert second.loaded_before == first.listeners > 20
    assert held(settings.redis) == before


def test_a_load_that_was_killed_goes_on_to_what_it_would_have_been(
    settings: Settings, tmp_path: Path
) -> None:
    files = write_jsonl(tmp_path / "clicks", history(800))
    load_here(settings, files)
    whole = held(settings.redis)
    with redis.Redis.from_url(settings.redis) as db:
        db.flushall()
        _, part = load_here(settings, files, buckets=[0, 2])
        # Whoever wrote these died before the set of those without a cohort followed.
        db.delete("cohort:{}:users")
    _, rest = load_here(settings, files)
    assert rest.loaded_before == part.listeners > 0 < rest.listeners
    assert held(settings.redis) == whole


def test_who_was_written_before_a_connection_broke_counts_as_loaded(
    settings: Settings, db: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_jsonl(tmp_path / "clicks", history(800))
    _, undisturbed = load_here(settings, files)
    db.flushall()
    write, broken = Listeners.write, list[Listeners]()

    async def break_once(listeners: Listeners, *given: Any) -> list[str]:
        there = await write(listeners, *given)
        if listeners not in broken:
            broken.append(listeners)
            raise redis.ConnectionError("reset by peer")
        return there

    monkeypatch.setattr(Listeners, "write", break_once)
    _, written = load_here(settings, files)
    assert len(broken) > 1
    assert written == undisturbed
    _, again = load_here(settings, files)
    assert (again.listeners, again.clicks, again.loaded_before) == (0, 0, undisturbed.listeners)


def test_what_a_redis_lost_when_it_was_killed_is_loaded_once_more(
    settings: Settings, own_redis: OwnRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_redis.start()
    settings = settings.model_copy(update={"redis": own_redis.url})
    files = write_jsonl(tmp_path / "clicks", history(800))
    load_here(settings, files)
    whole = held(own_redis.url)
    assert whole["waiting"]
    with own_redis.client() as client:
        client.flushall()
    end = own_redis.appended()
    lost: list[int] = []

    def lose_once() -> None:
        if not lost:
            lost.append(own_redis.appended() - end)
            own_redis.lose(end)

    monkeypatch.setattr(wiring, "Durability", lambda redis, _: LosingRedis(redis, lose_once))
    load_here(settings, files)
    assert lost[0] > 0
    assert held(own_redis.url) == whole


def test_who_was_known_before_stays_as_they_are(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    log.send("clicks", [{"user_id": "u1", "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL}])
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    before = db.hgetall("user:{u1}")
    clicks = history(800)
    _, written = load_here(settings, write_jsonl(tmp_path / "clicks", clicks))
    assert written.known == 1
    assert written.clicks == sum(click["user_id"] != "u1" for click in clicks)
    assert db.hgetall("user:{u1}") == before


def test_clicks_that_files_had_count_once_and_later_ones_count(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    clicks = plain(history(1_000))
    files = write_jsonl(tmp_path / "clicks", clicks[:700])
    for click in clicks[500:]:
        del click["event_id"]
    log.send("clicks", clicks[500:])
    load_here(settings, files)
    # What comes after the load counts, however old it is.
    late = {**clicks[0], "event_id": "another"}
    log.send("clicks", [late])
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    assert counted(db) == Counter(click["user_id"] for click in [*clicks, late])


@pytest.mark.parametrize("unit", [1, 60])
def test_clicks_that_files_had_count_once_though_their_times_are_coarser_than_those_of_kafka(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path, unit: int
) -> None:
    hour = UNTIL // 3_600 * 3_600
    # No two of them in one minute.
    clicks = [{**click, "ts": hour - 3_600 * at} for at, click in enumerate(plain(history(99)))][::-1]
    files = write_jsonl(tmp_path / "clicks", [{**click, "ts": click["ts"] + unit} for click in clicks[:700]])
    for click in clicks[500:]:
        del click["event_id"]
    log.send("clicks", [{**click, "ts": click["ts"] + 1.9 * unit} for click in clicks[500:]])
    load_here(settings, files)
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    assert counted(db) == Counter(click["user_id"] for click in clicks)


def test_a_later_click_of_the_same_second_counts_where_files_have_milliseconds(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    click = {"user_id": "u", "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL + 0.25}
    log.send("clicks", [click, {**click, "ts": UNTIL + 0.75}])
    load_here(settings, write_jsonl(tmp_path / "clicks", [click]))
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    assert counted(db) == {"u": 2}


def test_clicks_that_come_between_two_loads_count_for_those_of_the_first_however_old(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    clicks = plain(history(1_000))
    files = write_jsonl(tmp_path / "clicks", clicks)
    load_here(settings, files, buckets=[0])
    first = counted(db)
    again = {}  # the last click of each listener: files have it, and Kafka too
    for click in clicks:
        again[click["user_id"]] = {name: value for name, value in click.items() if name != "event_id"}
    log.send("clicks", list(again.values()))
    _, rest = load_here(settings, files)
    assert rest.loaded_before == len(first) > 0 < rest.listeners
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    of_files = Counter(click["user_id"] for click in clicks)
    assert counted(db) == of_files + Counter(dict.fromkeys(first, 1))


def test_a_click_of_files_that_waits_for_its_song_and_comes_from_kafka_too_waits_once(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    heard = {"user_id": "u1", "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL - 20}
    waits = {"user_id": "u1", "song_id": "unknown", "ts": UNTIL - 10}
    log.send("clicks", [waits])
    _, written = load_here(settings, write_jsonl(tmp_path / "clicks", [heard, waits]))
    assert written.waiting == 1
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    assert db.hlen("user:{u1}:waiting") == 1


def test_what_a_restarted_ingester_reads_again_counts_once(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    clicks = plain(history(400))
    files = write_jsonl(tmp_path / "clicks", clicks[:300])
    for click in clicks[200:]:
        del click["event_id"]
    log.send("clicks", clicks[200:])
    load_here(settings, files)
    for _ in range(2):
        with Running(ingest, settings):
            log.wait_until_caught_up("ingest", "clicks")
        log.reset("ingest", "clicks")
    assert counted(db) == Counter(click["user_id"] for click in clicks)


@pytest.mark.parametrize("process", [ingest, train])
async def test_nothing_is_loaded_while_others_hold_listeners(
    settings: Settings, log: KafkaLog, db: redis.Redis, process: Any
) -> None:
    with Running(process, settings):
        wait_for(lambda: db.zcard("processes"), "a sign of life")
        with pytest.raises(WrongUse, match=f"1 {process.__name__} running"):
            await before_load(settings)
    await before_load(settings)


def test_a_model_is_learned_from_who_was_loaded_and_places_them(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    few = settings.model_copy(
        update={"first_model_listeners": 30, "cohorts": 3, "dims": 8, "bot_clicks_per_hour": 150}
    )
    _, written = load_here(few, write_jsonl(tmp_path / "clicks", plain(history(3_000))))
    with Running(train, few), Running(ingest, few):
        wait_for(lambda: db.get("model:current"), "a model")
        wait_for(lambda: db.hget("model:sweep", "done") == db.get("model:current"), "its sweep")
    members = [db.scard(f"cohort:{{{cohort}}}:users") for cohort in db.zrange("cohorts", 0, -1)]
    assert sum(members) == written.listeners - written.bots
    assert db.smembers("cohort:{}:users") == {"bot"}


def test_a_model_of_who_was_loaded_is_as_of_their_newest_click_though_nobody_clicks(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    few = settings.model_copy(
        update={"first_model_listeners": 30, "cohorts": 3, "dims": 8, "bot_clicks_per_hour": 150}
    )
    load_here(few, write_jsonl(tmp_path / "clicks", plain(history(3_000))))
    with Running(train, few):
        wait_for(lambda: db.get("model:current"), "a model")
    model = asked(few, lambda store: store.load(int(db.get("model:current"))))
    assert model.play_now == pytest.approx(wiring.decay_of(few).stored(1.0, UNTIL))


def test_a_model_that_serves_places_who_was_loaded(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    publish(settings, crowd_model())
    with Running(ingest, settings):
        wait_for(lambda: db.hget("model:sweep", "done") == "1", "a sweep of nobody")
    clicks = [{**click, "artist_ids": [f"artist {at % 40}"]} for at, click in enumerate(plain(history(600)))]
    _, written = load_here(settings, write_jsonl(tmp_path / "clicks", clicks))
    assert db.scard("cohort:{}:users") == written.listeners
    with Running(ingest, settings):
        wait_for(lambda: db.hget("model:sweep", "done") == "1", "a sweep of those who are new")
    members = [db.scard(f"cohort:{{{cohort}}}:users") for cohort in db.zrange("cohorts", 0, -1)]
    assert sum(members) >= written.listeners - 1  # the bot, where it is one


def test_a_redis_cluster_takes_listeners_too(
    settings: Settings, redis_cluster_url: str, tmp_path: Path
) -> None:
    on_cluster = settings.model_copy(update={"redis": redis_cluster_url})
    files = write_jsonl(tmp_path / "clicks", history(400))
    _, first = load_here(on_cluster, files)
    _, again = load_here(on_cluster, files)
    assert first.listeners == again.loaded_before > 20
    with cluster_client(redis_cluster_url) as db:
        assert db.scard("cohort:{}:users") == first.listeners


def test_a_sample_has_all_of_some_listeners_and_nothing_of_others(
    settings: Settings, db: redis.Redis, tmp_path: Path
) -> None:
    clicks = plain(history(800))
    rows, _ = load_here(settings, write_jsonl(tmp_path / "clicks", clicks), share=0.4)
    of_each = Counter(click["user_id"] for click in clicks)
    found = counted(db)
    assert 5 < len(found) < 35
    assert found == {user: of_each[user] for user in found}
    assert rows.unsampled == len(clicks) - sum(found.values())


def test_plays_of_no_length_are_left_out_where_that_is_asked_for(
    settings: Settings, db: redis.Redis, tmp_path: Path
) -> None:
    play = {"user_id": "u", "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL}
    clicks = [
        {**play, "ms_played": 0},
        {**play, "ms_played": 1},
        {**play, "ms_played": 0, "action": "like"},
        play,
    ]
    rows, _ = load_here(settings, write_jsonl(tmp_path / "clicks", clicks), drop_zero_plays=True)
    assert (rows.zero_plays, counted(db)) == (1, {"u": 3})


def test_files_of_an_object_store_are_loaded(
    settings: Settings, db: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = plain(history(200))
    with s3(monkeypatch) as store:
        for path in write_jsonl(tmp_path / "clicks", clicks):
            store.upload_file(str(path), BUCKET, f"2026/{path.name}")
        rows, _ = load_here(settings, files_of([f"s3://{BUCKET}/2026/"]))
    assert rows.rows == len(clicks)
    assert counted(db) == Counter(click["user_id"] for click in clicks)


def test_a_click_that_stands_in_two_files_counts_once_where_that_is_asked_for(
    settings: Settings, db: redis.Redis, tmp_path: Path
) -> None:
    clicks = plain(history(300))
    for click in clicks:
        del click["event_id"]
    twice = write_jsonl(tmp_path / "clicks", clicks, files=2) + write_jsonl(
        tmp_path / "again", clicks[100:200]
    )
    _, written = load_here(settings, twice, distinct=True)
    assert counted(db) == Counter(click["user_id"] for click in clicks)
    assert written.repeated == 100


def test_plays_searches_and_downloads_of_music_box_make_one_listener(
    settings: Settings, db: redis.Redis, tmp_path: Path
) -> None:
    kinds = "play", "search", "down"
    write_logs(tmp_path / "logs", 3_000, 3, 100, tar=True, kinds=kinds)
    rows, written = load_here(settings, sorted((tmp_path / "logs").iterdir()), preset="musicbox")
    assert (rows.rows, rows.bad.total()) == (pytest.approx(3_000, abs=9), 0)
    assert rows.rows == rows.clicks == written.clicks == sum(counted(db).values())
    days = [
        day
        for key, activity in held(settings.redis).items()
        if key.endswith(":activity")
        for day in activity["days"]
    ]
    plays, downloads, searches = (sum(day[number] for day in days) for number in (1, 4, 5))
    assert plays == pytest.approx(2_700, abs=9)
    assert (searches, downloads) == (pytest.approx(180, abs=9), pytest.approx(120, abs=9))


def test_rows_that_cannot_be_used_are_counted_and_stand_beside_their_file(
    settings: Settings, tmp_path: Path
) -> None:
    (file,) = write_jsonl(tmp_path / "clicks", history(100), files=1)
    file.write_text(file.read_text() + '{"user_id": "u"}\n{"user_id": "u", "song_id": "s", "ts": 9e9}\n')
    rows, _ = load_here(settings, [file])
    assert rows.bad == {"missing-field": 1, "too-far-in-the-future": 1}
    assert [Path(path).name for path in rows.bad_files] == ["part-0.jsonl.bad.jsonl"]


def test_a_file_that_breaks_off_loads_nothing(settings: Settings, db: redis.Redis, tmp_path: Path) -> None:
    (file,) = write_jsonl(tmp_path / "clicks", history(3_000), files=1)
    packed = file.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(file.read_bytes())[:-2_000])
    with pytest.raises(BadFile, match="part-0"):
        load_here(settings, [packed])
    assert counted(db) == {}


def packed(*users: str, since: float = UNTIL) -> bytes:
    """A click of each, a second apart."""
    clicks = [
        {"user_id": user, "song_id": "s", "artist_ids": ["ana"], "ts": since + at}
        for at, user in enumerate(users)
    ]
    return pack(of_events(pa.Table.from_pylist(clicks, schema=EVENTS), np.arange(len(clicks))))


class Packets:
    """Stands for what Spark holds of the packets of buckets."""

    def __init__(self, *buckets: list[bytes]) -> None:
        self._buckets = buckets

    def mapPartitions(self, work: Any) -> Packets:  # noqa: N802 - as Spark spells it
        self._work = work
        return self

    def collect(self) -> list[dict[str, Any]]:
        return [
            said
            for number, parts in enumerate(self._buckets)
            for said in self._work(iter([(number, part) for part in parts]))
        ]


def test_of_listeners_with_more_clicks_than_memory_is_reckoned_with_the_latest_count_and_all_are_named(
    settings: Settings,
    topics: Settings,
    db: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("consumers.history.columns.MOST_OF_ONE", 5)
    monkeypatch.setattr("consumers.history.load.session", lambda *_, **__: nullcontext())
    first = [packed("-", "a", "-", "b"), packed("-", "-", "c", "a"), packed("a", "-", "-", since=UNTIL - 9)]
    second = [packed(*"xxxxxxxy", since=UNTIL - number) for number in (20, 10, 30)]
    monkeypatch.setattr("consumers.history.load.packets", lambda *_: Packets(first, second))
    summary = load([], settings, Loading())
    assert counted(db) == {"-": 5, "a": 3, "b": 1, "c": 1, "x": 5, "y": 3}
    times = {user: db.hmget(f"user:{{{user}}}", "first_seen", "last_seen") for user in "-x"}
    seen = {user: [float(at) - UNTIL for at in found] for user, found in times.items()}
    assert seen == {"-": [-7, 2], "x": [-8, -4]}
    assert summary.shortened == {"-": 6, "x": 21}
    assert summary.written.clicks == 18
    show_load(summary)
    assert "of 2 listeners: 'x' (21 clicks), '-' (6 clicks)" in capsys.readouterr().out


def test_of_a_listener_with_very_many_clicks_no_more_than_twice_those_that_count_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumers.history.columns.MOST_OF_ONE", 5)
    unpacked, unpack = list[int](), columns.unpack

    def noted(parts: list[bytes]) -> pa.Table:
        clicks = unpack(parts)
        unpacked.append(len(clicks))
        return clicks

    monkeypatch.setattr("consumers.history.columns.unpack", noted)
    held = columns.Packets()
    for number in range(50):
        held.add(packed("x", "x", since=UNTIL + 10 * number))
    assert held.clicks()["ts"].to_pylist() == [UNTIL + at for at in (471, 480, 481, 490, 491)]
    assert max(unpacked) <= 2 * 5 + 1


def test_what_is_missing_is_said_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", {"pandas": 1, "pyarrow": 1}.get)
    with pytest.raises(CannotStart, match=r"\(pyspark\)") as error:
        session.check_installed()
    assert "refrain-cohorts[spark]" in error.value.hint


def test_an_error_on_a_worker_is_told_as_it_would_be_here() -> None:
    def work(_: object) -> Any:
        yield 1
        raise BadFile("a.csv breaks off", hint="Fetch it again.")

    told = session.told(work)
    with pytest.raises(RuntimeError) as error:
        list(told(None))
    ours = session.told_in(str(error.value))
    assert (type(ours), str(ours), ours.hint) == (BadFile, "a.csv breaks off", "Fetch it again.")


@pytest.mark.parametrize("options", [FileOptions(limit=3), FileOptions(format="profiles")])
def test_options_that_need_an_order_or_no_times_are_refused(options: FileOptions, tmp_path: Path) -> None:
    with pytest.raises(WrongUse):
        history_files([tmp_path / "a.csv"], options, lambda given, _: given)
