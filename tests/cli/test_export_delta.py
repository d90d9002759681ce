"""`refrain export --delta`: the logs of Delta tables name what the manifest names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from consumers.export.delta import follow
from consumers.export.folder import Folder
from consumers.export.manifest import Manifest
from consumers.export.tables import TABLES
from stream.settings import Settings
from tests.apart import WithRedis
from tests.cli.test_export import move
from tests.cli.warehouse import run
from tests.refrain_command import Refrain
from tests.replay.s3 import BUCKET, s3


@pytest.fixture
def filled(service: Settings, topics: Settings) -> Settings:
    return topics


def rows(table: DeltaTable) -> list[dict[str, Any]]:
    found = table.to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: (row["key_hash"], row["run"]))


def rows_of_files(folder: Path, table: str) -> list[dict[str, Any]]:
    files = Manifest.read(Folder(str(folder))).of(table)
    found = pa.concat_tables([pq.ParquetFile(folder / each.file).read() for each in files]).to_pylist()
    return sorted(found, key=lambda row: (row["key_hash"], row["run"]))


def test_delta_tables_have_the_rows_of_the_files(filled: Settings, refrain: Refrain, tmp_path: Path) -> None:
    assert run(refrain, tmp_path / "w", "--delta")["rows"]["listeners"] > 0
    for name in TABLES:
        assert rows(DeltaTable(tmp_path / "w" / name)) == rows_of_files(tmp_path / "w", name)


def test_a_later_run_adds_a_version_with_the_new_rows_alone(
    filled: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w", "--delta")
    first = DeltaTable(tmp_path / "w" / "listeners")
    with_redis(move("u1", "c2"))
    run(refrain, tmp_path / "w")  # a folder with logs is followed without the option
    second = DeltaTable(tmp_path / "w" / "listeners")
    assert second.version() == first.version() + 1
    new = [row for row in rows(second) if row not in rows(first)]
    assert [(row["user_id"], row["cohort_id"], row["run"]) for row in new] == [("u1", "c2", 2)]


def test_who_was_erased_is_in_no_delta_table(filled: Settings, refrain: Refrain, tmp_path: Path) -> None:
    run(refrain, tmp_path / "w", "--delta")
    assert refrain.run("forget", "u1").returncode == 0
    assert run(refrain, tmp_path / "w")["erased"] > 0
    users = {row["user_id"] for row in rows(DeltaTable(tmp_path / "w" / "listeners")) if row["run"] == 1}
    assert users
    assert "u1" not in users


def test_a_log_that_a_killed_run_left_behind_is_mended_by_the_next(
    filled: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w", "--delta")
    with_redis(move("u1", "c2"))
    (tmp_path / "w" / "listeners" / "_delta_log").rename(tmp_path / "aside")
    for name in TABLES.keys() - {"listeners"}:
        (tmp_path / "w" / name / "_delta_log").rename(tmp_path / f"aside-{name}")
    run(refrain, tmp_path / "w")  # a manifest, and no log: as if it had died between
    (tmp_path / "aside").rename(tmp_path / "w" / "listeners" / "_delta_log")
    assert len(DeltaTable(tmp_path / "w" / "listeners").file_uris()) == 1
    run(refrain, tmp_path / "w")
    assert rows(DeltaTable(tmp_path / "w" / "listeners")) == rows_of_files(tmp_path / "w", "listeners")


def test_a_compaction_is_a_version_that_says_that_no_row_has_changed(
    filled: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    run(refrain, tmp_path / "w", "--delta")
    with_redis(move("u1", "c2"))
    run(refrain, tmp_path / "w")
    before = DeltaTable(tmp_path / "w" / "listeners")
    expected = rows(before)
    run(refrain, tmp_path / "w", "--compact")
    after = DeltaTable(tmp_path / "w" / "listeners")
    assert rows(after) == expected
    assert len(before.file_uris()) == 2
    assert len(after.file_uris()) == 1
    log = tmp_path / "w" / "listeners" / "_delta_log" / f"{after.version():020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [
        action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action
    ]
    assert changes == [False] * 3


def test_a_log_that_was_begun_before_a_column_was_there_gets_it(
    filled: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    (tmp_path / "w" / "listeners").mkdir(parents=True)
    columns = TABLES["listeners"].schema
    earlier = columns.remove(columns.get_field_index("bot"))
    DeltaTable.create(tmp_path / "w" / "listeners", earlier)
    run(refrain, tmp_path / "w", "--delta")
    assert rows(DeltaTable(tmp_path / "w" / "listeners")) == rows_of_files(tmp_path / "w", "listeners")


def test_a_log_that_is_right_gets_no_new_version(filled: Settings, refrain: Refrain, tmp_path: Path) -> None:
    run(refrain, tmp_path / "w", "--delta")
    version = DeltaTable(tmp_path / "w" / "listeners").version()
    folder = Folder(str(tmp_path / "w"))
    follow(folder, Manifest.read(folder))
    assert DeltaTable(tmp_path / "w" / "listeners").version() == version


def test_an_object_store_has_delta_tables_too(
    filled: Settings, refrain: Refrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3(monkeypatch):
        address = f"s3://{BUCKET}/refrain"
        said = run(refrain, address, "--delta")
        table = DeltaTable(f"{address}/listeners", storage_options={"AWS_ALLOW_HTTP": "true"})
        assert len(rows(table)) == said["rows"]["listeners"]
