"""What goes to the workers with the files, and what is read for it."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from consumers.history import load
from consumers.history.options import Loading
from consumers.history.packets import packets
from consumers.history.plan import HistoryFile, for_workers, history_files
from consumers.history.summary import LoadSummary
from consumers.history.write import Written
from consumers.replay.times import doubtful_times
from stream.files.options import FileOptions
from stream.settings import Settings
from tests.consumers.history.years import UNTIL, write_jsonl
from tests.refrain_command import Refrain

SONGS = 2_000


def looked_at(paths: Sequence[Path], options: FileOptions, *, look: bool = True) -> list[HistoryFile]:
    """The files once their times have been looked at, as before a load."""
    files = history_files(paths, options, lambda given, _: given)
    for file in files if look else ():
        assert doubtful_times(file.plan) == ""
    return files


def there(files: Sequence[HistoryFile]) -> list[HistoryFile]:
    """The files as a worker has them."""
    sent: list[HistoryFile] = pickle.loads(pickle.dumps(for_workers(files)))  # noqa: S301 - as Spark sends them
    return sent


def artists(file: HistoryFile, spare: Path) -> list[Any]:
    return [json.loads(value)["artist_ids"] for _, value in file.reading(time.time(), spare).pairs()]


def play(*named: str, song: str = "s") -> dict[str, Any]:
    return {"user_id": "u", "song_id": song, "ts": UNTIL, **({"artist_ids": list(named)} if named else {})}


@pytest.mark.parametrize("look", [True, False])  # --yes: they are not
def test_a_worker_splits_credits_by_names_of_files_that_it_does_not_read(tmp_path: Path, look: bool) -> None:
    clicks = [play("Queen"), play("David Bowie"), play("Queen & David Bowie"), play("Belle & Bo")]
    paths = write_jsonl(tmp_path / "clicks", clicks, files=4)
    *others, both, unknown = there(looked_at(paths, FileOptions(split_artists="known"), look=look))
    for other in others:
        other.path.unlink()
    assert artists(both, tmp_path) == [["Queen", "David Bowie"]]
    assert artists(unknown, tmp_path) == [["Belle & Bo"]]


def test_loads_one_after_the_other_split_credits_each_by_its_own_names(tmp_path: Path) -> None:
    options = FileOptions(split_artists="known")
    alone = write_jsonl(tmp_path / "alone", [play("Queen & David Bowie")], files=1)
    (file,) = there(looked_at(alone, options))
    assert artists(file, tmp_path) == [["Queen & David Bowie"]]
    clicks = [play("Queen & David Bowie"), play("Queen"), play("David Bowie")]
    together = write_jsonl(tmp_path / "together", clicks, files=3)
    assert artists(there(looked_at(together, options))[0], tmp_path) == [["Queen", "David Bowie"]]


def test_songs_beside_clicks_are_read_where_they_are_needed_and_once(tmp_path: Path) -> None:
    songs = tmp_path / "songs.csv"
    rows = "".join(f"song {number},artist {number}\n" for number in range(SONGS))
    songs.write_text(f"song_id,artist_ids\n{rows}")
    paths = write_jsonl(tmp_path / "clicks", [play(song="song 1"), play(song="song 7")], files=2)
    files = looked_at(paths, FileOptions(songs=(songs,)))
    assert len(pickle.dumps(for_workers(files))) < 10 * SONGS
    first, second = there(files)
    assert artists(first, tmp_path) == [["artist 1"]]
    songs.unlink()
    # Each task unpickles all files anew.
    assert artists(there(files)[second.number], tmp_path) == [["artist 7"]]


def test_of_many_files_a_few_are_opened_before_spark_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "clicks", [play("ana")] * 100, files=100)
    opened: set[Path] = set()
    really = Path.open

    def noting(path: Path, *args: Any, **given: Any) -> Any:
        opened.add(path)
        return really(path, *args, **given)

    monkeypatch.setattr(Path, "open", noting)
    monkeypatch.setattr(load, "load", lambda *_: LoadSummary(written=Written(listeners=1)))
    nowhere: dict[str, Any] = {"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:1"}
    with Refrain(Settings(data=tmp_path / "data", **nowhere), tmp_path) as refrain:
        done = refrain.run("history", "load", "clicks", "--map", "user_id=user_id")
    assert done.returncode == 0, done.stderr
    assert 0 < sum(path.suffix == ".jsonl" for path in opened) <= 16
    assert "looking at 100 files" in done.stderr


def test_archives_are_not_unpacked_whole_before_spark_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.files.unpack.FIRST_BYTES", 1 << 20)
    rows = b"154422682 \tar \t20870993 \t1 \tsong\tsinger\t22013 \t332 \t0 \n" * 100_000
    for day in (1, 2, 3):
        with tarfile.open(tmp_path / f"2017030{day}_play.log.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo(f"2017030{day}_play.log")
            member.size = len(rows)
            archive.addfile(member, io.BytesIO(rows))
    unpacked: list[int] = []
    really = gzip.GzipFile.read1

    def noting(file: gzip.GzipFile, size: int = -1) -> bytes:
        got = really(file, size)
        unpacked.append(len(got))
        return got

    monkeypatch.setattr(gzip.GzipFile, "read1", noting)
    monkeypatch.setattr(load, "load", lambda *_: LoadSummary(written=Written(listeners=1)))
    nowhere: dict[str, Any] = {"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:1"}
    with Refrain(Settings(data=tmp_path / "data", **nowhere), tmp_path) as refrain:
        done = refrain.run("history", "load", "*_play.log.tar.gz", "--preset", "musicbox")
    assert done.returncode == 0, done.stderr
    assert "read as musicbox-play" in " ".join(done.stderr.split())
    assert 0 < sum(unpacked) < 3 * len(rows) / 2


def test_the_size_of_a_file_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = history_files(
        write_jsonl(tmp_path / "clicks", [play("ana")] * 3), FileOptions(), lambda given, _: given
    )
    asked: list[int] = []

    def size(file: HistoryFile) -> int:
        asked.append(file.number)
        return 10

    monkeypatch.setattr(HistoryFile, "size", property(size))
    spark = MagicMock()
    spark.sparkContext.defaultParallelism = 2
    packets(spark, files, Settings(data=tmp_path), Loading())
    assert sorted(asked) == [0, 1, 2]
