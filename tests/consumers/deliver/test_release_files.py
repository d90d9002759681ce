"""A CSV file for each release."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from consumers.deliver.process import _files, deliver
from consumers.deliver.release_files import ReleaseFiles, file_name
from stream.errors import CannotStart, NotWritten
from stream.retry import Stopped
from stream.settings import Settings
from stream.wire.events import Page, Summary
from stream.wire.record import Record
from tests.consumers.deliver.audiences import audience, full_page, page, summary
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.full_disk import no_file_longer_than
from tests.refrain_command import Refrain
from tests.waiting import wait_for


def event(given: dict[str, Any]) -> Page | Summary:
    return Page(**given) if "page" in given else Summary(**given)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def users(path: Path) -> list[str]:
    return [row[0] for row in rows(path)[1:]]


def test_a_release_is_a_file_once_its_summary_has_come(
    settings: Settings, log: KafkaLog, tmp_path: Path
) -> None:
    folder = tmp_path / "audiences"
    changed = Settings(**settings.model_dump(include=settings.model_fields_set) | {"deliver_folder": folder})
    log.send("audiences", [page("r1", 0), page("r1", 1)])
    with Running(deliver, changed):
        log.wait_until_caught_up("deliver-files", "audiences")
        assert list(folder.glob("*.csv")) == []
        log.send("audiences", [summary("r1", 2)])
        wait_for((folder / "r1.csv").exists, "the file")
    told = [user for number in (0, 1) for user in page("r1", number)["user_ids"]]
    assert rows(folder / "r1.csv") == [
        ["user_id", "score", "cohort"],
        *([user, "0.5", "c1"] for user in told),
    ]


def test_a_full_page_of_long_ids_is_in_the_file(settings: Settings, log: KafkaLog, tmp_path: Path) -> None:
    folder = tmp_path / "audiences"
    changed = Settings(**settings.model_dump(include=settings.model_fields_set) | {"deliver_folder": folder})
    log.send("audiences", [full_page("r1"), summary("r1", 1, 1000)])
    with Running(deliver, changed):
        log.wait_until_caught_up("deliver-files", "audiences")
    assert log.count("dead-letters") == 0
    assert users(folder / "r1.csv") == full_page("r1")["user_ids"]


def test_pages_that_came_before_a_kill_are_in_the_file(
    refrain: Refrain, log: KafkaLog, tmp_path: Path
) -> None:
    folder = tmp_path / "audiences"
    log.send("audiences", [page("r1", 0), page("r1", 1)])
    first = refrain.start("deliver", deliver_folder=folder)
    log.wait_until_caught_up("deliver-files", "audiences")
    first.kill()
    log.bury("deliver-files")
    log.send("audiences", [page("r1", 2), summary("r1", 3)])
    second = refrain.start("deliver", deliver_folder=folder)
    wait_for((folder / "r1.csv").exists, "the file")
    assert second.stop() == 0
    assert users(folder / "r1.csv") == [u for number in range(3) for u in page("r1", number)["user_ids"]]
    assert list((folder / ".parts").iterdir()) == []


def test_what_there_is_no_room_for_leaves_nothing_behind(tmp_path: Path) -> None:
    files = ReleaseFiles(tmp_path)
    with no_file_longer_than(10), pytest.raises(NotWritten):
        files.take(event(page("r1", 0)))
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
    for given in audience("r1", 1):
        files.take(event(given))
    assert users(tmp_path / "r1.csv") == page("r1", 0)["user_ids"]


def test_what_a_killed_process_has_left_of_a_release_is_removed_with_the_next_page(tmp_path: Path) -> None:
    files = ReleaseFiles(tmp_path)
    files.take(event(page("r1", 0)))
    (tmp_path / ".parts" / "r1" / "half.tmp").write_text("u")
    files.take(event(page("r1", 1)))
    assert {each.name for each in (tmp_path / ".parts" / "r1").iterdir()} == {"0.csv", "1.csv"}


def test_what_comes_again_changes_nothing(tmp_path: Path) -> None:
    for given in (page("r1", 0), page("r1", 0), page("r1", 1), summary("r1", 2)):
        ReleaseFiles(tmp_path).take(event(given))
    before = (tmp_path / "r1.csv").read_bytes()
    for given in audience("r1", 2):
        ReleaseFiles(tmp_path).take(event(given))
    assert (tmp_path / "r1.csv").read_bytes() == before
    assert len(users(tmp_path / "r1.csv")) == 4
    assert list((tmp_path / ".parts").iterdir()) == []


def test_a_page_that_comes_after_the_summary_completes_the_file(tmp_path: Path) -> None:
    for given in (page("r1", 1), summary("r1", 2)):
        ReleaseFiles(tmp_path).take(event(given))
    assert not (tmp_path / "r1.csv").exists()
    ReleaseFiles(tmp_path).take(event(page("r1", 0)))
    assert users(tmp_path / "r1.csv") == [u for number in (0, 1) for u in page("r1", number)["user_ids"]]


def test_a_release_for_nobody_has_a_file_without_rows_and_may_be_published_again(tmp_path: Path) -> None:
    ReleaseFiles(tmp_path).take(event(summary("r1", 0)))
    assert rows(tmp_path / "r1.csv") == [["user_id", "score", "cohort"]]
    for given in audience("r1", 1):
        ReleaseFiles(tmp_path).take(event(given))
    assert len(users(tmp_path / "r1.csv")) == 2


@pytest.mark.parametrize(
    "release_id", ["..", "../../etc/passwd", ".parts", "a/b", "x" * 256, "ü" * 128, "-rf", "_r1"]
)
def test_an_id_that_is_no_name_of_a_file_leads_nowhere_else(tmp_path: Path, release_id: str) -> None:
    folder = tmp_path / "audiences"
    for given in audience(release_id, 1):
        ReleaseFiles(folder).take(event(given))
    assert [path.name for path in folder.glob("*.csv")] == [file_name(release_id)]
    assert [path.name for path in tmp_path.iterdir()] == ["audiences"]
    assert len(users(folder / file_name(release_id))) == 2


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="REFRAIN_DELIVER_FOLDER="):
        ReleaseFiles(tmp_path / "file")


async def test_a_file_that_cannot_be_written_does_not_hold_up_a_rebalance(tmp_path: Path) -> None:
    write = _files(ReleaseFiles(tmp_path / "audiences"))
    (tmp_path / "audiences").rename(tmp_path / "elsewhere")
    record = Record("audiences", 0, 0, b"r1", json.dumps(page("r1", 0)).encode())
    ending = asyncio.Event()
    writing = asyncio.create_task(write([record], ending))
    await asyncio.sleep(0)
    ending.set()
    with pytest.raises(Stopped):
        await asyncio.wait_for(writing, 60)


def test_a_folder_that_is_gone_is_named_and_taken_when_it_is_back(tmp_path: Path) -> None:
    files = ReleaseFiles(tmp_path / "audiences")
    (tmp_path / "audiences").rename(tmp_path / "elsewhere")
    with pytest.raises(NotWritten, match="No such file"):
        files.take(event(page("r1", 0)))
    (tmp_path / "elsewhere").rename(tmp_path / "audiences")
    for given in audience("r1", 1):
        files.take(event(given))
    assert len(users(tmp_path / "audiences" / "r1.csv")) == 2
