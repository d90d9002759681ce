"""`refrain export`: each version of a row once, and nobody in it who was erased."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.actions import forget_listener
from consumers.export import tables
from consumers.export.folder import Folder
from consumers.export.manifest import Manifest
from models.listener import Move
from stream.connect import AnyRedis
from stream.errors import NotWritten
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from tests.apart import WithRedis
from tests.cli.service import MEMBERS, NOW
from tests.cli.warehouse import Warehouse, run
from tests.consumers.kafka_log import kafka_log
from tests.refrain_command import Refrain
from tests.replay.s3 import BUCKET, s3
from tests.stream.written import listener_of, put

EVERYBODY = sorted(user for users in MEMBERS.values() for user in users)
TABLES = {
    *("listeners", "traits", "stages", "activity", "cohorts", "cohort_history", "memberships"),
    *("releases", "impressions", "feedback"),
}


@pytest.fixture
def told(service: Settings, topics: Settings, with_redis: WithRedis) -> Settings:
    """The service, and a release that it told two listeners of, one of whom clicked."""

    async def tell(redis: AnyRedis) -> None:
        about = {"state": "done", "title": "Song", "artist_ids": '["a1"]', "planned_at": NOW, "audience": 2}
        await redis.hset(keys.release("r1"), mapping=about | {"sent": 2, "clicked": 1})
        await redis.zadd(keys.RELEASES, {"r1": NOW})
        await redis.hset(keys.release_told("r1"), mapping={"u1": "c1", "u2": "c1"})
        await redis.hset(keys.release_control("r1"), mapping={"u3": "c1"})
        seen = {"u1}sent": "0:1", "u2}sent": "!0:2", "u2}clicked": "0:2"}
        await redis.hset(keys.release_seen("r1"), mapping=seen)
        await redis.hset(
            keys.user_traits("u1"), mapping={"stage": "regular", "zero_week": "0.25", "churn": ""}
        )
        await redis.hset(keys.user_traits("u2"), mapping={"stage": "fading", "zero_week": "0.75"})

    with_redis(tell)
    return topics


def change(user: str, origin: str, to: str, ts: float = NOW) -> dict[str, object]:
    return {"user_id": user, "from": origin, "to": to, "reason": "click", "model_version": 4, "ts": ts}


def move(user: str, to: str) -> Callable[[AnyRedis], Awaitable[None]]:
    async def by(redis: AnyRedis) -> None:
        listeners = Listeners(redis)
        (found,) = await listeners.read([user])
        moved = Move(user, found.cohort, to, NOW + 5)
        await put(
            listeners,
            listener_of(
                user, cohort=to, cohort_since=NOW + 5, clicks=11, first_seen=NOW - 86_400, last_seen=NOW + 5
            ),
        )
        await Cohorts(redis, listeners).follow([moved])

    return by


def test_everything_is_there_after_the_first_run(told: Settings, refrain: Refrain, tmp_path: Path) -> None:
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "", "c2", NOW - 9), change("u1", "c2", "c1")])
    said = run(refrain, tmp_path / "w")
    assert said["run"] == 1
    assert said["rows"].keys() == TABLES
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT user_id FROM listeners ORDER BY 1") == EVERYBODY
        assert found.rows(
            "SELECT cohort_id, clicks, bot FROM listeners WHERE user_id IN ('u1', 'robot')"
        ) in (
            [("c1", 10, False), (None, 10, True)],
            [(None, 10, True), ("c1", 10, False)],
        )
        assert found.rows("SELECT cohort_id, label, size FROM cohorts ORDER BY 1") == [
            ("c1", "Radiohead", 3),
            ("c2", "Sigur Rós, [bold]Björk", 2),
        ]
        assert found.rows("SELECT user_id, stage, zero_week, churn FROM traits ORDER BY 1") == [
            ("u1", "regular", 0.25, None),
            ("u2", "fading", 0.75, None),
        ]
        assert found.rows("SELECT release_id, title, audience, clicked FROM releases") == [
            ("r1", "Song", 2, 1)
        ]
        assert found.rows("SELECT user_id, control FROM impressions ORDER BY 1") == [
            ("u1", False),
            ("u2", False),
            ("u3", True),
        ]
        assert found.rows("SELECT user_id, kind, implied FROM feedback ORDER BY 1, 2") == [
            ("u1", "sent", False),
            ("u2", "clicked", False),
            ("u2", "sent", True),
        ]
        assert found.rows(
            "SELECT cohort_id, reason, until IS NULL FROM membership_history ORDER BY since"
        ) == [
            ("c2", "click", False),
            ("c1", "click", True),
        ]


def test_a_second_run_writes_nothing_where_nothing_has_changed(
    told: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "", "c1")])
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        before = found.all_versions()
    again = run(refrain, tmp_path / "w")
    assert again["run"] == 2
    assert set(again["rows"].values()) == {0}
    with Warehouse(tmp_path / "w") as found:
        assert found.all_versions() == before


def test_what_has_changed_is_one_version_more_and_the_rest_none(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w")
    with_redis(move("u1", "c2"))
    with_redis(lambda redis: redis.hset(keys.release_seen("r1"), "u1}clicked", "0:9"))
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "c1", "c2", NOW + 5)])
    rows = run(refrain, tmp_path / "w")["rows"]
    new = {name: number for name, number in rows.items() if number}
    assert new == {"listeners": 1, "cohorts": 2, "feedback": 1, "memberships": 1}
    with Warehouse(tmp_path / "w") as found:
        assert found.rows("SELECT cohort_id, clicks FROM listeners WHERE user_id = 'u1'") == [("c2", 11)]
        versions = "SELECT run, cohort_id FROM listener_versions WHERE user_id = 'u1' ORDER BY 1"
        assert found.rows(versions) == [(1, "c1"), (2, "c2")]
        assert found.rows("SELECT cohort_id, size FROM cohorts ORDER BY 1") == [("c1", 2), ("c2", 3)]


def test_files_of_a_version_that_did_not_have_a_column_yet_are_read_with_those_that_have_it(
    told: Settings, refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners = tables.TABLES["listeners"]
    fewer = {name: kind for name, kind in listeners.columns.items() if name != "bot"}
    with monkeypatch.context() as earlier:
        earlier.setitem(tables.TABLES, "listeners", replace(listeners, columns=fewer))
        run(refrain, tmp_path / "w")
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        versions = "SELECT run, clicks, bot FROM listener_versions WHERE user_id = 'robot' ORDER BY 1"
        assert found.rows(versions) == [(1, 10, None), (2, 10, True)]
        assert found.column("SELECT user_id FROM listeners WHERE bot") == ["robot"]


def test_a_change_of_cohort_that_comes_twice_is_there_once(
    told: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "", "c1"), change("u1", "", "c1")])
        assert run(refrain, tmp_path / "w")["rows"]["memberships"] == 1
        log.send("cohort-changes", [change("u1", "", "c1"), change("u2", "", "c1")])
    assert run(refrain, tmp_path / "w")["rows"]["memberships"] == 1
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT user_id FROM memberships ORDER BY 1") == ["u1", "u2"]


def test_a_listener_who_is_no_more_is_gone_and_one_who_is_back_is_there(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w")
    saved = with_redis(lambda redis: redis.dump(keys.user("v1")))
    with_redis(lambda redis: redis.delete(keys.user("v1")))
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == 1
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT count(*) FROM listeners WHERE user_id = 'v1'") == [0]
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == 0
    with_redis(lambda redis: redis.restore(keys.user("v1"), 0, saved))
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == 1
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT count(*) FROM listeners WHERE user_id = 'v1'") == [1]


def everything(folder: Path) -> bytes:
    """All that files hold, uncompressed: Parquet's own text of ids."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    tables = [pq.read_table(path).to_pylist() for path in sorted(folder.rglob("*.parquet"))]
    return json.dumps(tables, default=str).encode()


def test_nothing_of_who_was_erased_is_in_any_file_after_the_next_run(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "", "c1"), change("u2", "", "c1")])
    run(refrain, tmp_path / "w")
    rows = everything(tmp_path / "w").count(b'"u1"')
    assert rows >= 5  # a listener, traits, a membership, an impression, what they did
    assert refrain.run("forget", "u1").returncode == 0
    assert run(refrain, tmp_path / "w")["erased"] == rows
    assert b'"u1"' not in everything(tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT user_id FROM listeners ORDER BY 1") == [u for u in EVERYBODY if u != "u1"]
        assert found.column("SELECT user_id FROM memberships") == ["u2"]
    assert run(refrain, tmp_path / "w")["erased"] == 0


def test_who_is_not_in_redis_any_more_is_taken_out_too(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w")
    with_redis(lambda redis: Listeners(redis).forget("v1"))  # as one who was dormant
    with_redis(lambda redis: Cohorts(redis, Listeners(redis)).drop(["v1"]))
    run(refrain, tmp_path / "w")
    rows = everything(tmp_path / "w").count(b'"v1"')
    assert rows >= 2  # what they were, and that they are gone
    assert "nothing to erase" in refrain.run("forget", "v1").stderr
    assert run(refrain, tmp_path / "w")["erased"] == rows
    assert b'"v1"' not in everything(tmp_path / "w")


def test_a_first_run_has_no_change_of_cohort_of_who_was_erased_by_then(
    told: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    with kafka_log(told) as log:
        log.send("cohort-changes", [change("u1", "", "c1", time.time() + 60)])  # a click's time may be ahead
        assert refrain.run("forget", "u1").returncode == 0
        late = change("u1", "", "c1")  # held up on its way to Kafka
        log.send("cohort-changes", [late, change("u1", "", "c2", time.time() + 60)])
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        assert found.rows("SELECT user_id, to_cohort FROM memberships") == [("u1", "c2")]


def test_who_comes_back_after_an_erasure_stays_in_later_runs(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    saved = with_redis(lambda redis: redis.dump(keys.user("u1")))
    run(refrain, tmp_path / "w")
    assert refrain.run("forget", "u1").returncode == 0
    with_redis(lambda redis: redis.restore(keys.user("u1"), 0, saved))
    with_redis(lambda redis: redis.sadd(keys.cohort_users("c1"), "u1"))
    for _ in range(2):
        run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        assert found.rows("SELECT run FROM listener_versions WHERE user_id = 'u1'") == [(2,)]


def test_nothing_stays_of_who_is_erased_while_a_run_reads_them(
    told: Settings, refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase = forget_listener._erase_listener

    async def export_first(*given: Any) -> Any:
        await asyncio.to_thread(run, refrain, tmp_path / "w")
        return await erase(*given)

    monkeypatch.setattr(forget_listener, "_erase_listener", export_first)
    assert refrain.run("forget", "u1").returncode == 0
    assert b'"u1"' in everything(tmp_path / "w")
    run(refrain, tmp_path / "w")
    assert b'"u1"' not in everything(tmp_path / "w")


def test_nothing_stays_of_who_was_erased_where_exports_run_by_a_clock_that_is_ahead(
    told: Settings, refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = time.time() + 7200
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: hours)
        run(refrain, tmp_path / "w")
    assert refrain.run("forget", "u1").returncode == 0
    run(refrain, tmp_path / "w")
    assert b'"u1"' not in everything(tmp_path / "w")


@pytest.mark.parametrize("after", ["put_table", "manifest"])
def test_a_run_that_breaks_off_changes_nothing_and_the_next_does_all(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path, after: str
) -> None:
    run(refrain, tmp_path / "w")
    assert refrain.run("forget", "u2").returncode == 0
    with_redis(move("u1", "c2"))
    before = (tmp_path / "w" / "manifest.json").read_bytes()

    class Broken(Exception):
        pass

    def breaks(*given: object) -> None:
        raise Broken

    with pytest.MonkeyPatch.context() as patch:
        if after == "manifest":
            patch.setattr(Manifest, "write", breaks)
        else:
            write, calls = Folder.put_table, iter(range(100))

            def third_breaks(*given: object) -> None:
                breaks() if next(calls) == 2 else write(*given)  # type: ignore[arg-type]

            patch.setattr(Folder, "put_table", third_breaks)
        with pytest.raises(Broken):
            refrain.run("export", str(tmp_path / "w"))
    assert (tmp_path / "w" / "manifest.json").read_bytes() == before
    with Warehouse(tmp_path / "w") as found:
        assert found.rows("SELECT cohort_id FROM listeners WHERE user_id = 'u1'") == [("c1",)]
        assert found.column("SELECT user_id FROM listeners ORDER BY 1") == EVERYBODY
    assert run(refrain, tmp_path / "w")["run"] == 2
    with Warehouse(tmp_path / "w") as found:
        assert found.rows("SELECT cohort_id FROM listeners WHERE user_id = 'u1'") == [("c2",)]
        assert found.column("SELECT count(*) FROM listener_versions WHERE user_id = 'u1'") == [2]
        named = {file["file"] for file in json.loads((tmp_path / "w" / "manifest.json").read_text())["files"]}
    there = {str(path.relative_to(tmp_path / "w")) for path in (tmp_path / "w").rglob("*.parquet")}
    assert there == named
    assert b'"u2"' not in everything(tmp_path / "w")


def test_what_a_run_that_was_killed_has_left_is_neither_read_nor_kept(
    told: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w")
    (whole,) = (tmp_path / "w" / "listeners").iterdir()
    for name in ("000002-0123456789ab.parquet", "000002-ba9876543210.parquet.tmp"):
        (whole.parent / name).write_bytes(whole.read_bytes())
    with Warehouse(tmp_path / "w") as found:
        assert found.column("SELECT count(*) FROM listener_versions") == [len(EVERYBODY)]
    run(refrain, tmp_path / "w")
    assert list(whole.parent.iterdir()) == [whole]


def test_files_of_others_stay_where_they_are(told: Settings, refrain: Refrain, tmp_path: Path) -> None:
    theirs = [tmp_path / "w" / table / "mine.csv" for table in sorted(TABLES)]
    theirs += [tmp_path / "w" / "feedback" / name for name in ("000001-mine.parquet", "2025.parquet.tmp")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    for _ in range(2):
        run(refrain, tmp_path / "w")
        assert [path.read_text() for path in theirs if path.exists()] == [path.name for path in theirs]


def with_small_files(refrain: Refrain, with_redis: WithRedis, folder: Path) -> None:
    """Three runs: what `listeners` has lies in as many files."""
    for cohort in ("c2", "c1", "c2"):
        run(refrain, folder)
        with_redis(move("u1", cohort))
    assert len(list((folder / "listeners").iterdir())) == 3


def test_compaction_joins_small_files_and_keeps_every_row(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    with_small_files(refrain, with_redis, tmp_path / "w")
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        before = found.all_versions()
    done = run(refrain, tmp_path / "w", "--compact")
    assert done["joined"] >= 4
    assert set(done["rows"].values()) == {0}
    with Warehouse(tmp_path / "w") as found:
        assert found.all_versions() == before
    assert [len(list((tmp_path / "w" / name).glob("*.parquet"))) for name in TABLES] == [1] * len(TABLES)


def test_runs_after_a_compaction_write_what_has_changed_since(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    with_small_files(refrain, with_redis, tmp_path / "w")
    run(refrain, tmp_path / "w", "--compact")
    assert set(run(refrain, tmp_path / "w")["rows"].values()) == {0}
    with_redis(move("u1", "c1"))
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == 1
    with Warehouse(tmp_path / "w") as found:
        versions = "SELECT cohort_id FROM listener_versions WHERE user_id = 'u1' ORDER BY run"
        assert found.column(versions) == ["c1", "c2", "c1", "c2", "c1"]


def test_a_row_of_an_earlier_run_is_not_taken_for_the_latest_after_an_erasure_and_a_compaction(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def click(redis: AnyRedis) -> None:
        for user in EVERYBODY:
            await redis.hset(keys.user(user), "clicks", 11)

    folder = Folder(str(tmp_path / "w"))
    run(refrain, tmp_path / "w")
    with_redis(click)
    monkeypatch.setattr("consumers.export.writer.FILE_ROWS", 3)
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == len(EVERYBODY)
    before, first, second = Manifest.read(folder).of("listeners")
    (erased, *_) = folder.table(first.file, ["user_id"])["user_id"].to_pylist()
    assert refrain.run("forget", erased).returncode == 0
    # The first run's file and the second's untouched one fit into one, with nothing of the other.
    monkeypatch.setattr("consumers.export.compaction.FILE_ROWS", before.rows - 1 + second.rows)
    assert run(refrain, tmp_path / "w", "--compact")["joined"] > 0
    assert len(Manifest.read(folder).of("listeners")) == 2
    assert run(refrain, tmp_path / "w")["rows"]["listeners"] == 0


def test_files_that_would_be_too_large_together_are_left_apart(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_small_files(refrain, with_redis, tmp_path / "w")
    monkeypatch.setattr("consumers.export.compaction.FILE_ROWS", len(EVERYBODY) + 1)
    run(refrain, tmp_path / "w", "--compact")
    sizes = [each.rows for each in Manifest.read(Folder(str(tmp_path / "w"))).of("listeners")]
    assert sizes == [len(EVERYBODY) + 1, 2]


def test_a_compaction_that_breaks_off_leaves_the_export_as_the_run_left_it(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_small_files(refrain, with_redis, tmp_path / "w")
    run(refrain, tmp_path / "w")
    with Warehouse(tmp_path / "w") as found:
        before = found.all_versions()
    write, calls = Manifest.write, iter(range(9))

    def second_breaks(manifest: Manifest, folder: Folder) -> None:
        if next(calls) == 1:
            raise NotWritten("no room", hint="")
        write(manifest, folder)

    monkeypatch.setattr(Manifest, "write", second_breaks)
    assert refrain.run("export", str(tmp_path / "w"), "--compact").returncode == 1
    with Warehouse(tmp_path / "w") as found:
        assert found.all_versions() == before
    run(refrain, tmp_path / "w")
    named = {each.file for each in Manifest.read(Folder(str(tmp_path / "w"))).files}
    there = {str(path.relative_to(tmp_path / "w")) for path in (tmp_path / "w").rglob("*.parquet")}
    assert there == named


def test_two_runs_at_once_are_refused(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    with_redis(lambda redis: Lease(redis, "another", key=keys.EXPORT_LEASE, seconds=60).hold())
    done = refrain.run("export", str(tmp_path / "w"))
    assert done.returncode == 1
    assert "another `refrain export` is at work" in done.stderr
    assert not (tmp_path / "w").exists()


def test_a_manifest_that_is_none_is_named(told: Settings, refrain: Refrain, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "manifest.json").write_text("{")
    done = refrain.run("export", str(tmp_path / "w"))
    assert done.returncode == 1
    assert "manifest.json is no manifest of an export" in done.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match=r"file/a\.txt: File exists"):
        Folder(str(tmp_path / "file")).put_text("a.txt", "")


def test_an_object_store_takes_it_too(
    told: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3(monkeypatch) as client:
        address = f"s3://{BUCKET}/refrain"
        run(refrain, address)
        assert refrain.run("forget", "u2").returncode == 0
        with_redis(move("u1", "c2"))
        assert run(refrain, address)["erased"] > 0
        for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]:  # type: ignore[attr-defined]
            path = tmp_path / each["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, each["Key"], str(path))  # type: ignore[attr-defined]
    with Warehouse(tmp_path / "refrain") as found:
        assert found.rows("SELECT cohort_id FROM listeners WHERE user_id = 'u1'") == [("c2",)]
    assert b'"u2"' not in everything(tmp_path / "refrain")
