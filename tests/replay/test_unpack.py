"""Packed files and archives of history."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import psutil
import pytest
import zstandard

from consumers.replay.plan import Plan
from stream.errors import BadFile
from stream.files.options import FileOptions, Layout
from stream.files.recognise import settle
from stream.files.tables import Row, Table
from stream.files.unpack import FIRST

ROWS = b"user_id,song_id,artist_ids,ts\nu,s,a,1577836800\n"
MORE = b"u,s2,a,1577836801\n"
MANY = b"u\n" + b"".join(b"%d\n" % (number * 7919 % 100_003) for number in range(300_000))
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
PACKERS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def made(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)  # without the time: the same bytes whenever it is made
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def songs(table: Table) -> list[str]:
    song = table.column("song_id")
    return [song(row.values) for row in table.rows() if isinstance(row, Row)]


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_is_known_without_its_name_and_may_be_several_streams(
    tmp_path: Path, packer: str
) -> None:
    pack = PACKERS[packer]
    table = Table(made(tmp_path / "f.csv", pack(ROWS) + pack(MORE)), Layout())
    assert songs(table) == ["s", "s2"]
    assert table.read == table.size == (tmp_path / "f.csv").stat().st_size


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_that_breaks_off_is_told(tmp_path: Path, packer: str) -> None:
    whole = PACKERS[packer](MANY)
    table = Table(made(tmp_path / "f.csv", whole[: len(whole) * 9 // 10]), Layout())
    with pytest.raises(BadFile, match=r"breaks off after line [1-9]"):
        list(table.rows())


@pytest.mark.parametrize(
    "content",
    [
        zipped({"a/x.csv": ROWS, "b/x.csv": ROWS + MORE, "__MACOSX/a": b"no", "a/": b"", "a/_SUCCESS": b""}),
        gzip.compress(tarred({"a/x.csv": ROWS, "b/x.csv": ROWS + MORE, "b/.hidden": b"no"})),
        tarred({"a/x.csv": gzip.compress(ROWS), "b/x.csv": ROWS + MORE}),
    ],
    ids=["zip", "tar.gz", "tar of gzip"],
)
def test_each_file_of_an_archive_is_a_file_of_its_own(tmp_path: Path, content: bytes) -> None:
    path = made(tmp_path / "history", content)
    tables = Table.all_of(path, Layout())
    assert [songs(table) for table in tables] == [["s"], ["s", "s2"]]
    assert [songs(table) for table in tables] == [["s"], ["s", "s2"]]  # and again
    assert len({table.bad_rows for table in tables}) == 2
    assert len(list(Plan("clicks", (path,), FileOptions()).reading(1.8e9, None).events())) == 3
    with pytest.raises(BadFile, match=r"archive of 2 files \(a/x.csv, b/x.csv\)"):
        Table(path, Layout())


def test_a_packed_archive_is_unpacked_once_to_read_all_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        f"day-{day}.csv": ROWS + bytes(f"u,day {day},a,1577836800\n" * 20_000, "ascii") for day in range(20)
    }
    path = made(tmp_path / "f.tar.gz", gzip.compress(tarred(files)))
    read = Counter[str]()
    plain = gzip.GzipFile.read1
    monkeypatch.setattr(
        gzip.GzipFile, "read1", lambda self, size=-1: (read.update(all=len(got := plain(self, size))), got)[1]
    )
    tables = Table.all_of(path, Layout())
    assert [songs(table)[-1] for table in tables] == [f"day {day}" for day in range(20)]
    assert read["all"] < 4 * sum(map(len, files.values()))  # to name them, to know each, to read each


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_looked_through_once_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows = ROWS + bytes("u,s,a,1577836800\n" * 300_000, "ascii")
    if kind == "tar":
        path = made(tmp_path / "f.tar.gz", gzip.compress(tarred({"x.csv": rows})))
    else:
        path = made(tmp_path / "f.zip", zipped({f"{number}.csv": ROWS for number in range(20)}))
    looked = Counter[str]()
    read, listed = gzip.GzipFile.read1, zipfile.ZipFile._RealGetContents  # type: ignore[attr-defined]
    monkeypatch.setattr(
        gzip.GzipFile,
        "read1",
        lambda self, size=-1: (looked.update(tar=len(got := read(self, size))), got)[1],
    )
    monkeypatch.setattr(
        zipfile.ZipFile, "_RealGetContents", lambda self: (looked.update(zip=1), listed(self))[1]
    )
    options = settle("clicks", FileOptions(), [path]).options
    events = list(Plan("clicks", (path,), options).reading(1.8e9, None).events())
    assert len(events) == (300_001 if kind == "tar" else 20)
    assert looked["zip"] <= 1
    assert looked["tar"] < 4 * len(rows)


def test_an_archive_that_breaks_off_is_told(tmp_path: Path) -> None:
    whole = tarred({"a.csv": ROWS, "b.csv": MANY})
    with pytest.raises(BadFile, match=r"cannot be read|breaks off"):
        for table in Table.all_of(made(tmp_path / "f.tar", whole[: len(whole) // 2]), Layout()):
            list(table.rows())


def test_an_archive_that_has_changed_is_looked_through_again(tmp_path: Path) -> None:
    for made_of in (zipped, tarred):
        path = made(tmp_path / "f", made_of({"a.csv": ROWS, "b.csv": ROWS + MORE}))
        assert [songs(table) for table in Table.all_of(path, Layout())] == [["s"], ["s", "s2"]]
        made(path, made_of({"b.csv": ROWS + MORE, "a.csv": ROWS}))
        os.utime(path, (1.7e9, 1.7e9))
        assert [songs(table) for table in Table.all_of(path, Layout())] == [["s", "s2"], ["s"]]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_of_many_archives_one_is_open_at_most(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    paths = [made(tmp_path / f"{at}", pack({"x.csv": ROWS})) for at in range(30)]
    tables = [Table(path, Layout()) for path in paths]
    assert len(open_below(tmp_path)) <= 1
    assert [songs(table) for table in tables] == [["s"]] * len(paths)
    assert len(open_below(tmp_path)) <= 1


def open_below(folder: Path) -> list[Path]:
    """The files of a folder that this process has open."""
    paths = [Path(each.path) for each in psutil.Process().open_files()]
    return [path for path in paths if path.is_relative_to(folder.resolve())]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_that_are_read_at_the_same_time_do_not_disturb_each_other(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    rows = [
        ROWS + bytes("".join(f"u,{number} {at},a,1\n" for at in range(9_000)), "ascii") for number in "12"
    ]
    paths = [made(tmp_path / f"{at}", pack({"x.csv": each})) for at, each in enumerate(rows)]
    tables = [Table(path, Layout()) for path in (*paths, paths[0])]
    together = list(zip(*(table.rows() for table in tables), strict=True))
    assert len(together) == 9_001
    assert [row.values for row in together[-1] if isinstance(row, Row)] == [
        ["u", f"{number} 8999", "a", "1"] for number in "121"
    ]


def test_only_the_files_that_are_meant_are_read_of_an_archive(tmp_path: Path) -> None:
    files = {"data/Read me.pdf": b"%PDF", "data/plays_1.csv": ROWS, "data/plays_2.csv": ROWS + MORE}
    for content in (zipped(files), gzip.compress(tarred(files))):
        path = made(tmp_path / "f", content)
        tables = Table.all_of(path, Layout(member=("plays_*.csv",)))
        assert [songs(table) for table in tables] == [["s"], ["s", "s2"]]
        (alone,) = Table.all_of(path, Layout(member=("*plays_2.csv", "x")))
        assert songs(alone) == ["s", "s2"]
        with pytest.raises(BadFile, match="is a PDF") as told:
            Table.all_of(path, Layout())
        assert "--member" in told.value.hint


def test_an_archive_without_the_file_that_is_meant_says_what_it_has(tmp_path: Path) -> None:
    path = made(tmp_path / "f.zip", zipped({"a.csv": ROWS, "b.csv": ROWS}))
    with pytest.raises(BadFile, match=r"without a file named x or y; it has a\.csv, b\.csv"):
        Table.all_of(path, Layout(member=("x", "y")))
    (alone,) = Table.all_of(made(tmp_path / "f.csv", ROWS), Layout(member=("x",)))  # it is no archive
    assert songs(alone) == ["s"]


def test_the_bad_rows_of_the_only_file_in_an_archive_are_called_after_the_archive(tmp_path: Path) -> None:
    (table,) = Table.all_of(made(tmp_path / "f.zip", zipped({"x.csv": ROWS})), Layout())
    assert table.bad_rows == "f.zip.bad.jsonl"


def test_each_file_of_an_archive_has_bad_rows_of_its_own(tmp_path: Path) -> None:
    names = "x.csv", "a/b.csv", "a.b.csv", "a.b.csv.2"
    tables = Table.all_of(made(tmp_path / "f.zip", zipped(dict.fromkeys(names, ROWS))), Layout())
    first, second, *others = (table.bad_rows for table in tables)
    assert (first, second) == ("f.zip.x.csv.bad.jsonl", "f.zip.a.b.csv.bad.jsonl")
    assert others == ["f.zip.a.b.csv.2.bad.jsonl", "f.zip.a.b.csv.2.2.bad.jsonl"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1\x15\x04", "cannot be read: Parquet file size"),
        (b"SQLite format 3\x00", "is an SQLite database"),
        (zipped({"xl/workbook.xml": b"<x/>"}), "is an Excel file"),
        (zipped({}), "a zip without a file"),
        (zipped({"x.csv": ROWS})[:60], "damaged, or not whole"),
        (zipped({"p.parquet": b"PAR1\x15\x04"}), r"p\.parquet is a Parquet file"),
        (zipped({"inner.zip": zipped({"x.csv": ROWS})}), "an archive in an archive"),
    ],
)
def test_what_cannot_be_read_is_named_for_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        Table.all_of(made(tmp_path / "f", content), Layout())


def test_a_zip_of_a_method_that_python_does_not_have_is_told(tmp_path: Path) -> None:
    content = bytearray(zipped({"x.csv": ROWS}))
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(header) + place] = 9  # Deflate64
    with pytest.raises(BadFile, match=r"x\.csv is packed by a method") as told:
        Table.all_of(made(tmp_path / "f.zip", bytes(content)), Layout())
    assert told.value.hint == "Unpack it first."


@pytest.mark.skipif(not SAMPLES.exists(), reason="the folder of real files is not there")
@pytest.mark.parametrize("name", ["lastfm_r_export.zip", "lastfm_r_export.csv.bz2"])
def test_a_real_export_is_read_as_it_was_packed(name: str) -> None:
    (table,) = Table.all_of(SAMPLES / name, Layout())
    assert {"date", "artist", "track"} <= set(table.columns)
    assert sum(isinstance(row, Row) for row in table.rows()) > 100


@pytest.mark.skipif(not SAMPLES.exists(), reason="the folder of real files is not there")
def test_the_time_in_the_name_of_a_file_in_an_archive_is_that_of_its_rows() -> None:
    columns = ("user_id", "device", "song_id", "kind", "title", "artist_ids", "ms_played", "length", "paid")
    options = FileOptions(columns=columns, skip=2, time_in_name="%Y%m%d_play.log")
    plan = Plan("clicks", (SAMPLES / "edge" / "20170301_play.log.tar.gz",), options)
    key, value = next((event.key, event.value) for event in plan.reading(1.8e9, None).events())
    assert key == b"900000001"
    assert b'"ts":1488326400.0' in value
    assert b'"song_id":"20870993"' in value


def test_to_look_at_the_beginning_of_a_packed_archive_it_is_not_unpacked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.files.unpack.FIRST_BYTES", 1 << 20)
    rows = ROWS + MORE * 300_000
    path = made(tmp_path / "f.tar.gz", gzip.compress(tarred({".x": b"", "a.csv": rows, "b.csv": ROWS})))
    read, plain = Counter[str](), gzip.GzipFile.read1
    monkeypatch.setattr(
        gzip.GzipFile, "read1", lambda self, size=-1: (read.update(all=len(got := plain(self, size))), got)[1]
    )
    (first,) = Table.all_of(path, Layout(), first=True)
    assert [row.values[1] for row in islice(first.rows(), 2) if isinstance(row, Row)] == ["s", "s2"]
    assert read["all"] < len(rows) / 2
    (later,) = Table.all_of(path, Layout(member=("b.csv",)), first=True)
    assert songs(later) == ["s"]
    assert len(Table.all_of(path, Layout())) == 2


def test_the_beginning_of_a_packed_archive_has_several_files_where_they_are_small(tmp_path: Path) -> None:
    files = {f"{at}.csv": ROWS for at in range(20)}
    path = made(tmp_path / "f.tar.gz", gzip.compress(tarred(files)))
    assert [songs(table) for table in Table.all_of(path, Layout(), first=True)] == [["s"]] * FIRST
    (alone,) = Table.all_of(made(tmp_path / "f.csv", ROWS), Layout(), first=True)
    assert songs(alone) == ["s"]
