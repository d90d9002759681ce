"""Replays through the real broker."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.replay.carry_out import carry_out
from consumers.replay.options import Sending
from consumers.replay.plan import Plan
from consumers.replay.sender import partition_of
from stream.broker import Child, servers
from stream.files.bookmark import HEADER
from stream.files.options import Condition, FileOptions
from stream.files.reading import PASSED
from stream.settings import Settings
from stream.wire.parsing import FUTURE_SECONDS
from tests.consumers.kafka_log import kafka_log
from tests.refrain_command import NO_BROKER, Refrain
from tests.waiting import wait_for

ROWS = 30_000
LISTENERS = 500
AN_HOUR_AGO = (
    "import time; clock = time.time; time.time = lambda: clock() - 3600; "
    "from consumers import cli; cli.main()"
)


def held(settings: Settings, topic: str = "clicks") -> list[tuple[int, bytes, bytes, bytes]]:
    """Partition, key, value and header of all events of a topic, in the order of their partitions."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    found = []
    while any(consumer.position(place) < ends[place] for place in places):
        for messages in consumer.poll(timeout_ms=500, max_records=10_000).values():
            found += [(m.partition, m.key, m.value, dict(m.headers).get(HEADER, b"")) for m in messages]
    consumer.close()
    return found


def count(settings: Settings) -> int:
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    places = [TopicPartition("clicks", number) for number in range(settings.partitions)]
    number = sum(consumer.end_offsets(places).values())
    consumer.close()
    return number


def clicks(folder: Path, rows: int = ROWS) -> Path:
    path = folder / "clicks.csv"
    lines = (f"u{row % LISTENERS},s{row},{1.7e9 + row}\n" for row in range(rows))
    path.write_text("user_id,song_id,ts\n" + "".join(lines))
    return path


def songs(settings: Settings) -> Counter[str]:
    return Counter(json.loads(value)["song_id"] for _, _, value, _ in held(settings))


def noted(settings: Settings) -> int:
    """How many events the bookmark takes for sent."""
    found = list((settings.data / "replays").glob("*.json"))
    return int(json.loads(found[0].read_text())["events"]) if found else -1


ONCE = Counter({f"s{row}": 1 for row in range(ROWS)})


def test_every_event_goes_once_and_in_order(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    done = refrain.run("replay", "clicks", str(clicks(tmp_path)), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["sent"], summary["finished"], summary["bad"]) == (ROWS, True, {})
    assert songs(topics) == ONCE
    by_listener: dict[bytes, list[int]] = {}
    for _, key, value, _ in held(topics):
        by_listener.setdefault(key, []).append(int(json.loads(value)["song_id"][1:]))
    assert all(rows == sorted(rows) for rows in by_listener.values())


def test_a_listener_is_in_the_partition_that_other_producers_choose(topics: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    keys = [f"u{number}".encode() for number in range(50)] + ["Sigur Rós".encode(), b"x" * 256, b"1", b"ab"]
    for key in keys:
        producer.send("clicks", key=key, value=b"{}")
    producer.close()
    assert {(partition, key) for partition, key, _, _ in held(topics)} == {
        (partition_of(key, topics.partitions), key) for key in keys
    }


def test_one_that_is_killed_goes_on_and_sends_nothing_twice(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    arguments = ("replay", "clicks", str(clicks(tmp_path)))
    killed = refrain.start(*arguments, "--rate", "9000")
    # After its first note, and with events in Kafka that are in no note.
    wait_for(lambda: 0 < noted(topics) < count(topics), "events that are not noted")
    killed.kill()
    assert 0 < noted(topics) < count(topics) < ROWS
    refused = refrain.run(*arguments)
    assert refused.returncode == 2
    assert "--resume goes on there" in refused.stderr
    before = count(topics)
    done = refrain.run(*arguments, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent_before"] == before
    assert songs(topics) == ONCE


def test_rows_that_are_in_the_future_no_more_shift_nothing_when_it_goes_on(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    path, early, late = clicks(tmp_path), 1.7e9, time.time() + FUTURE_SECONDS - 600
    head, *rows = path.read_text().splitlines()
    rows[:100] = [f"u{row % LISTENERS},s{row},{(early, late)[row % 2]}" for row in range(100)]
    path.write_text("\n".join([head, *rows, ""]))
    arguments = ("replay", "clicks", str(path))
    killed = refrain.start_python(AN_HOUR_AGO, *arguments, "--rate", "9000")
    wait_for(lambda: 0 < noted(topics) < count(topics), "events that are not noted")
    killed.kill()
    assert 0 < noted(topics) < count(topics) < ROWS
    done = refrain.run(*arguments, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bad"] == {"too-far-in-the-future": 50}
    assert songs(topics) == ONCE - Counter(f"s{row}" for row in range(1, 100, 2))


def test_one_that_is_interrupted_says_how_to_go_on(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    arguments = ("replay", "clicks", str(clicks(tmp_path)), "--shuffle", "3", "--spread", "30d")
    interrupted = refrain.start(*arguments, "--rate", "9000")
    wait_for(lambda: count(topics) > 0, "the first events")
    interrupted.signal(signal.SIGINT)
    assert interrupted.wait() == 1
    assert "--resume goes on" in interrupted.log.read_text()
    assert noted(topics) == count(topics) < ROWS
    assert refrain.run(*arguments, "--resume").returncode == 0
    assert songs(topics) == ONCE
    times = {header.split(b":")[1]: json.loads(value)["ts"] for _, _, value, header in held(topics)}
    in_order = [times[b"%d" % number] for number in range(ROWS)]
    steps = {round(later - earlier) for earlier, later in itertools.pairwise(in_order)}
    assert steps == {round(30 * 86_400 / ROWS)}  # evenly, over the interruption


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ("u,s,1.5e9", FileOptions(since="2020-01-01")),
        ("u,s,1.7e9", FileOptions(where=(Condition("song_id", "new"),))),
        ("u,new,1.7e9", FileOptions(distinct=True)),
        ("u,,1.7e9", FileOptions()),
    ],
    ids=["old", "not asked for", "repeated", "unusable"],
)
def test_one_is_interrupted_also_while_it_passes_over_rows(
    topics: Settings, tmp_path: Path, row: str, options: FileOptions
) -> None:
    many = 5 * PASSED
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(["user_id,song_id,ts", "u,new,1.7e9", *[row] * many, "v,new,1.7e9", ""]))
    plan = Plan("clicks", (path,), options)
    stopped = carry_out(plan, topics, Sending(), lambda _: signal.raise_signal(signal.SIGINT))
    assert (stopped.finished, stopped.sent) == (False, 1)
    assert stopped.tally.rows < many
    gone_on = carry_out(plan, topics, Sending(resume=True), lambda _: None)
    assert (gone_on.finished, gone_on.sent) == (True, 1)
    assert sorted(key for _, key, _, _ in held(topics)) == [b"u", b"v"]


def test_one_that_is_done_sends_nothing_more_when_resumed(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    arguments = ("replay", "clicks", str(clicks(tmp_path, 10)))
    assert refrain.run(*arguments, "--resume").returncode == 0
    again = refrain.run(*arguments, "--resume", "--json")
    assert (json.loads(again.stdout)["sent"], json.loads(again.stdout)["sent_before"]) == (0, 10)
    assert count(topics) == 10
    assert refrain.run(*arguments).returncode == 0  # asked for without --resume, it is another replay
    assert count(topics) == 20


def test_a_folder_with_bad_rows_is_sent_once_however_often_it_is_resumed(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    path = clicks(folder, 10)
    path.write_text(path.read_text() + ",s,1\n")
    first, again = (refrain.run("replay", "clicks", str(folder), "--resume") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0)
    assert (folder / "clicks.csv.bad.jsonl").exists()
    assert count(topics) == 10
    said = "--resume found no earlier replay of the same files with the same options"
    assert (said in first.stdout, said in again.stdout) == (True, False)


def test_another_file_of_the_same_name_does_not_go_on(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    assert refrain.run("replay", "clicks", str(clicks(tmp_path, 10))).returncode == 0
    changed = refrain.run("replay", "clicks", str(clicks(tmp_path, 11)), "--resume", "--json")
    assert changed.returncode == 2
    assert "has changed since it was replayed" in json.loads(changed.stdout)["error"]
    assert count(topics) == 10


def test_a_folder_that_has_got_a_file_is_not_sent_again(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    arguments = ("replay", "clicks", str(folder), "--resume")
    clicks(folder, 10)
    assert refrain.run(*arguments).returncode == 0
    new = folder / "more.csv"
    new.write_text("user_id,song_id,ts\nu1,s10,1700000010\n")
    refused = refrain.run(*arguments, "--json")
    assert refused.returncode == 2
    said = json.loads(refused.stdout)
    assert f"{folder / 'clicks.csv'} was replayed before" in said["error"]
    assert "10 events of that are in Kafka" in said["error"]
    assert f"named alone: {new}." in said["hint"]
    assert count(topics) == 10
    assert refrain.run("replay", "clicks", str(new), "--resume").returncode == 0
    assert refrain.run("replay", "clicks", str(folder)).returncode == 0  # not to go on: all, again
    assert count(topics) == 22


def test_one_that_stopped_halfway_is_not_begun_again_for_a_new_file(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    path, new = clicks(tmp_path), tmp_path / "more.csv"
    interrupted = refrain.start("replay", "clicks", str(path), "--rate", "9000")
    wait_for(lambda: count(topics) > 0, "the first events")
    interrupted.signal(signal.SIGINT)
    assert interrupted.wait() == 1
    new.write_text("user_id,song_id,ts\nu1,s10,1700000010\n")
    before = count(topics)
    refused = refrain.run("replay", "clicks", str(path), str(new), "--resume", "--json")
    assert refused.returncode == 2
    assert "stopped halfway" in json.loads(refused.stdout)["hint"]
    assert count(topics) == before
    assert refrain.run("replay", "clicks", str(path), "--resume").returncode == 0
    assert songs(topics) == ONCE


def test_other_producers_between_ours_do_no_harm(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    arguments = ("replay", "clicks", str(clicks(tmp_path)))
    killed = refrain.start(*arguments, "--rate", "9000")
    wait_for(lambda: 0 < noted(topics) < count(topics), "events that are not noted")
    killed.kill()
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    for partition in range(topics.partitions):
        producer.send("clicks", partition=partition, value=b"{}", headers=[(HEADER, b"another:70000")])
        producer.send("clicks", partition=partition, value=b"{}")
    producer.close()
    assert refrain.run(*arguments, "--resume").returncode == 0
    ours = Counter(json.loads(value).get("song_id") for _, _, value, _ in held(topics))
    assert ours.pop(None) == 2 * topics.partitions
    assert ours == ONCE


def test_a_broker_that_dies_is_told_and_the_replay_goes_on_with_the_next(
    refrain: Refrain, redis_url: str, tmp_path: Path
) -> None:
    own = Settings(redis=redis_url, data=tmp_path / "own", broker="java", connect_timeout=60)
    arguments = ("replay", "clicks", str(clicks(tmp_path)))
    with servers(own) as running:
        cut = refrain.start(*arguments, "--rate", "9000", kafka=running.kafka, connect_timeout=2)
        there = own.model_copy(update={"kafka": running.kafka, "partitions": 4})
        wait_for(lambda: _there(there), "the first events")
        _kafka(running.children).kill()
        assert cut.wait() == 1
        said = " ".join(cut.log.read_text().split())
        assert "has not answered for 2 s" in said
        assert "node with id" not in said
    with servers(own) as running:
        done = refrain.run(*arguments, "--resume", kafka=running.kafka)
        assert done.returncode == 0, done.stderr
        assert songs(own.model_copy(update={"kafka": running.kafka})) == ONCE


def _there(settings: Settings) -> bool:
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    try:
        return "clicks" in consumer.topics() and count(settings) > 0
    finally:
        consumer.close()


def _kafka(children: tuple[Child, ...]) -> Child:
    return next(child for child in children if "afka" in child.name)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_broker_is_told_in_a_sentence(
    refrain: Refrain, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    failed = refrain.run_program("replay", "clicks", str(clicks(tmp_path, 1)), *arguments, kafka=NO_BROKER)
    assert failed.returncode == 1
    told = json.loads(failed.stdout) if arguments else {"error": failed.stderr, "hint": failed.stderr}
    assert "no Kafka broker answers at 127.0.0.1:1" in told["error"]
    assert "REFRAIN_KAFKA" in told["hint"]
    assert "Traceback" not in failed.stderr


def test_every_option_reaches_the_events(refrain: Refrain, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("7;Soul Deep;The Box Tops;01/07/2024;14:00;3;NextSong\n7;;;01/07/2024;14:00;3;Home\n")
    catalogue = tmp_path / "songs.txt"
    catalogue.write_text("S1;Soul Deep;The Box Tops;A1|A2\n".replace(";", "\t"))
    done = refrain.run(
        *("replay", "clicks", str(log), "--columns", "user,song,artist,day,clock,plays,page"),
        *("--delimiter", ";", "--map", "user_id=user,ts=day+clock", "--set", "action=like"),
        *("--time-format", "%d/%m/%Y %H:%M", "--timezone", "Europe/Berlin", "--since", "2024-07-01"),
        *("--where", "page=NextSong", "--where", "song!=", "--repeat", "plays", "--repeat-scale", "log2"),
        *("--songs", str(catalogue), "--songs-columns", "song_id,title,name,artists"),
        *("--songs-map", "artist_ids=artists", "--songs-on", "song=title,artist=name", "--separator", "|"),
        *("--limit", "5", "--dry-run", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    click = {
        "user_id": "7",
        "action": "like",
        "ts": 1719835200.0,
        "song_id": "S1",
        "artist_ids": ["A1", "A2"],
    }
    assert found["events"] == [{"key": "7", "value": click}] * 2
    assert (found["rows"], found["left_out"]) == (2, 1)


def test_a_dry_run_needs_no_broker_and_writes_nothing(refrain: Refrain, tmp_path: Path) -> None:
    path = clicks(tmp_path, 9)
    path.write_text(path.read_text() + ",s,1\n")
    before = sorted(tmp_path.iterdir())
    done = refrain.run("replay", "clicks", str(path), "--dry-run", kafka=NO_BROKER)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert sorted(tmp_path.iterdir()) == before


def test_bad_rows_are_summed_up(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("user_id,song_id,ts\nu,s,1.7e9\n,s,1.7e9\nu,s,never\n")
    done = refrain.run("replay", "clicks", str(path))
    assert done.returncode == 0, done.stderr
    assert "1 clicks sent" in done.stdout
    assert "2 of 3 rows cannot be used (1 missing-field, 1 bad-time)" in done.stdout
    assert count(topics) == 1


def test_nothing_that_can_be_used_is_a_failure(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("user_id,song_id,ts\n,s,1\n")
    assert refrain.run("replay", "clicks", str(path)).returncode == 1


def test_labels_without_times_are_told_how_to_say_one(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    path = tmp_path / "panel.csv"
    path.write_text("user_id,segment,value\nu,rap,1\nv,rap,0\n")
    done = refrain.run("replay", "labels", str(path))
    assert done.returncode == 1
    assert "--set ts=" in done.stdout
    done = refrain.run("replay", "labels", str(path), "--set", "ts=2026-01-31T12:00:00Z")
    assert "2 labels sent" in done.stdout, done.stderr


def test_logins_are_replayed_as_merges(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    path = tmp_path / "logins.csv"
    path.write_text(
        "device,account,at,taken_back\nd1,u1,2026-01-31T12:00:00Z,\nd2,,2026-01-31T12:00:00Z,true\n"
    )
    columns = "user_id=device,into=account,ts=at,undo=taken_back"
    done = refrain.run("replay", "merges", str(path), "--map", columns)
    assert "2 merges sent" in done.stdout, done.stderr
    with kafka_log(topics) as log:
        made, undone = sorted(log.events("merges"), key=lambda event: event["user_id"])
    assert (made["into"], "undo" in made) == ("u1", False)
    assert (undone["undo"], "into" in undone) == (True, False)
