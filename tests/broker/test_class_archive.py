"""Java's archive of Kafka's classes: made by the first start, read by those after it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stream.broker import Servers
from stream.broker.class_archive import archive_path, making, using
from stream.broker.java import fetch_jars, find_java

SHOW = ["-Xlog:class+load", "kafka.tools.StorageTool", "random-uuid"]


def _java(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return where the archive is to be in a cache of its own, and how the real Kafka is run."""
    jars = fetch_jars(say=print)
    own = tmp_path / "cache" / jars.name
    own.parent.mkdir()
    java = str(find_java())
    return archive_path(java, own), [java, "-cp", f"{jars}/*"]


def test_what_the_first_run_leaves_is_where_the_next_has_its_classes_from(tmp_path: Path) -> None:
    archive, java = _java(tmp_path)
    assert using(archive) == []
    with making(archive) as options:
        subprocess.run([*java, *options, *SHOW[1:]], check=True, capture_output=True)
    assert [file.name for file in archive.parent.iterdir()] == [archive.name]
    said = subprocess.run([*java, *using(archive), *SHOW], check=True, capture_output=True, text=True).stdout
    assert "kafka.tools.StorageTool source: shared objects file (top)" in said


def test_one_that_is_there_is_read_and_not_made_again(tmp_path: Path) -> None:
    archive = tmp_path / "there.jsa"
    archive.touch()
    with making(archive) as options:
        assert options == using(archive) == [f"-XX:SharedArchiveFile={archive}"]


def test_where_it_cannot_be_written_java_runs_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with making(tmp_path / "none.jsa") as options:
        assert options == []


def test_a_run_that_leaves_none_is_no_error(tmp_path: Path) -> None:
    with making(tmp_path / "none.jsa"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_another_java_has_another_archive(tmp_path: Path) -> None:
    paths = []
    for version in ("17.0.1", "17.0.2"):
        java = tmp_path / version
        java.write_text(f"""#!/bin/sh\necho 'openjdk version "{version}"' >&2\n""")
        java.chmod(java.stat().st_mode | stat.S_IXUSR)
        paths.append(archive_path(str(java), tmp_path / "kafka"))
    assert len({*paths}) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process's memory")
def test_a_kafka_of_our_own_has_it(servers: Servers) -> None:
    kafka = next(child for child in servers.children if child.name == "Kafka")
    archive = archive_path(str(find_java()), fetch_jars(say=print))
    assert str(archive) in Path(f"/proc/{kafka.pid}/maps").read_text()
