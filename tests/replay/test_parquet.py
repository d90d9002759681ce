"""Parquet files, and files of an object store."""

from __future__ import annotations

import datetime
import gzip
import io
import itertools
import json
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.replay.plan import Plan, preview
from stream.errors import BadFile, WrongUse
from stream.files.bookmark import Bookmark
from stream.files.options import FileOptions, Layout
from stream.files.sources import files_of, readable
from stream.files.tables import Table
from tests.replay.s3 import BUCKET, s3
from tests.replay.test_tables import values

NOON = datetime.datetime(2026, 5, 1, 12, 30, 15, 250_000)
CSV = b"user_id,song_id,artist_ids,ts\nu1,s1,a,1577836800\n"
MORE = b"user_id,song_id,artist_ids,ts\nu2,s2,a,1577836801\n"


def written(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with s3(monkeypatch) as client:
        yield client


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_a_parquet_file_is_known_without_its_name(tmp_path: Path, compression: str) -> None:
    path = written(tmp_path / "part-0", {"u": ["a", "b"], "n": [1, None]}, compression=compression)
    (table,) = Table.all_of(path, Layout())
    assert (table.format, table.columns) == ("parquet", ("u", "n"))
    assert values(table, "u", "n") == [("a", 1), ("b", None)]
    assert [row.line for row in table.rows()] == [1, 2]
    assert table.read == table.size == path.stat().st_size


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([NOON], pa.timestamp("ns")), "2026-05-01T12:30:15.250000"),
        (pa.array([NOON], pa.timestamp("ms", "UTC")), "2026-05-01T12:30:15.250000+00:00"),
        (pa.array([NOON], pa.timestamp("us", "Asia/Kolkata")), "2026-05-01T18:00:15.250000+05:30"),
        (pa.array([NOON.date()], pa.date32()), "2026-05-01"),
        (pa.array([Decimal("7.50")], pa.decimal128(6, 2)), "7.50"),
        (pa.array([b"Bj\xc3\xb6rk"], pa.binary()), "Björk"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([["a", "b"]]), ["a", "b"]),
        (pa.array([True]), True),
    ],
    ids=str,
)
def test_values_are_as_other_files_have_them(tmp_path: Path, column: pa.Array, expected: Any) -> None:
    assert values(Table(written(tmp_path / "f", {"x": column}), Layout()), "x") == [(expected,)]


def test_what_stands_further_down_is_addressed_with_dots(tmp_path: Path) -> None:
    tracks = [{"id": "s1", "artists": [{"name": "A"}, {"name": "B"}]}]
    table = Table(written(tmp_path / "f", {"track": tracks, "extra": ['{"city": "Pune"}']}), Layout())
    assert values(table, "track.id", "track.artists.*.name", "extra.city") == [("s1", ["A", "B"], "Pune")]
    with pytest.raises(WrongUse, match=r"no column 'none\.id'; it has track, extra"):
        table.column("none.id")


def test_only_columns_that_were_asked_for_are_read(tmp_path: Path) -> None:
    table = Table(written(tmp_path / "f", {"u": ["a"], "large": ["x" * 1000]}), Layout())
    table.column("u")
    assert [row.values for row in table.rows()] == [["a"]]


def test_a_damaged_parquet_file_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "f", {"u": ["a"] * 1000})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadFile, match=r"f cannot be read: .*(footer|magic|corrupted)"):
        Table(path, Layout())


def test_events_come_of_parquet_as_of_csv(tmp_path: Path) -> None:
    columns = {"user_id": [7], "song_id": ["s"], "artist_ids": [["a", "b"]], "ts": pa.array([NOON])}
    path = written(tmp_path / "f.parquet", columns)
    ((key, value),), _ = preview(Plan("clicks", (path,)), 5)
    assert key == b"7"
    assert b'"artist_ids":["a","b"]' in value
    assert b'"ts":1777638615.25' in value


FAR = "1600000000000000000 as timestamp[us]"  # nanoseconds that a program took for microseconds


def strings(*texts: bytes) -> pa.StringArray:
    """Return a column of text as it is in files of programs that do not look whether it is UTF-8."""
    ends = itertools.accumulate(map(len, texts), initial=0)
    offsets, data = struct.pack(f"<{len(texts) + 1}i", *ends), b"".join(texts)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))


def times(*values: int | None) -> pa.Array:
    return pa.array([1_577_836_800_000_000, *values, 1_577_836_800_000_000], pa.timestamp("us"))


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"ts": times(1_600_000_000_000_000_000)}, "bad-time"),
        ({"ts": times(-1_600_000_000_000_000_000)}, "bad-time"),
        ({"song_id": strings(b"s1", b"\xff", b"s3")}, "bad-id"),
        ({"song_id": strings(b"s1", b"\xff", b"s3").dictionary_encode()}, "bad-id"),
    ],
    ids=["after year 9999", "before year 1", "no UTF-8", "no UTF-8, each text once"],
)
def test_a_value_that_python_cannot_hold_costs_its_own_row_alone(
    tmp_path: Path, odd: dict[str, pa.Array], reason: str
) -> None:
    columns = {"user_id": ["u1", "u2", "u3"], "song_id": ["s1", "s2", "s3"], "artist_ids": [["a"]] * 3}
    path = written(tmp_path / "f.parquet", {**columns, "ts": times(1_577_836_800_000_000), **odd})
    reading = Plan("clicks", (path,)).reading(1.8e9, tmp_path)
    assert [key for key, _ in reading.pairs()] == [b"u1", b"u3"]
    assert reading.tally.bad == {reason: 1}
    (side,) = reading.tally.bad_files
    assert json.loads(side.read_text())["line"] == 2


def test_what_python_cannot_hold_is_told_apart_also_further_down(tmp_path: Path) -> None:
    at = times(1_600_000_000_000_000_000, None)
    names = strings(b"a", b"\xff", b"c", b"d")
    lists = pa.ListArray.from_arrays([0, 1, 2, 2, 4], names)
    parts = {"at": at, "by": names, "of": names.dictionary_encode()}
    columns = {"x": pa.StructArray.from_arrays(list(parts.values()), list(parts)), "names": lists}
    table = Table(written(tmp_path / "f", columns), Layout())
    new_year = "2020-01-01T00:00:00"
    assert values(table, "x.at", "x.by", "x.of", "names") == [
        (new_year, "a", "a", ["a"]),
        (FAR, "\udcff", "\udcff", ["\udcff"]),
        (None, "c", "c", []),
        (new_year, "d", "d", ["c", "d"]),
    ]


MARS = pa.array([1_577_836_800_000_000], pa.timestamp("us", "Mars/Base"))


@pytest.mark.parametrize(
    ("ts", "name"),
    [
        (MARS, "ts"),
        (MARS.cast(pa.timestamp("ns", "Mars/Base")), "ts"),
        (pa.StructArray.from_arrays([MARS], ["at"]), "ts.at"),
        (pa.ListArray.from_arrays([0, 1], MARS), "ts.0"),
    ],
    ids=["microseconds", "nanoseconds", "further down", "in a list"],
)
def test_a_time_zone_that_python_does_not_know_is_told_before_any_row_is_read(
    tmp_path: Path, ts: pa.Array, name: str
) -> None:
    columns = {"user_id": ["u1"], "song_id": ["s1"], "artist_ids": [["a"]], "ts": ts}
    path = written(tmp_path / "f.parquet", columns)
    said = r"f\.parquet: the times of its column 'ts' have the time zone 'Mars/Base'"
    with pytest.raises(BadFile, match=said) as caught:
        Plan("clicks", (path,), FileOptions(mapping={"ts": name})).reading(1.8e9, tmp_path)
    assert "tzdata" in caught.value.hint


def test_other_columns_are_read_beside_one_of_an_unknown_time_zone(tmp_path: Path) -> None:
    table = Table(written(tmp_path / "f", {"u": ["a"], "ts": MARS}), Layout())
    assert values(table, "u") == [("a",)]


def test_an_unknown_time_zone_is_told_where_all_columns_are_read(tmp_path: Path) -> None:
    table = Table(written(tmp_path / "f", {"u": ["a"], "ts": MARS}), Layout())
    with pytest.raises(BadFile, match=r"'ts' have the time zone 'Mars/Base'"):
        list(table.rows())


def test_a_folder_is_the_files_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "clicks.parquet"
    (folder / "day=1").mkdir(parents=True)
    (folder / "day=1" / "part-00001.csv.gz").write_bytes(gzip.compress(MORE))
    (folder / "day=1" / "part-00000").write_bytes(CSV)
    for name in ("_SUCCESS", ".part-00000.crc", "_metadata"):
        (folder / name).write_bytes(b"")
    with readable([str(folder)]) as paths:
        assert [path.name for path in paths] == ["part-00000", "part-00001.csv.gz"]
        assert [key for key, _ in preview(Plan("clicks", paths), 5)[0]] == [b"u1", b"u2"]


def test_a_pattern_is_the_files_that_fit(tmp_path: Path) -> None:
    for name in ("b-2.csv", "a-1.csv", "c.txt"):
        (tmp_path / name).write_bytes(CSV)
    with readable([f"{tmp_path}/*-?.csv"]) as paths:
        assert [path.name for path in paths] == ["a-1.csv", "b-2.csv"]


def test_bad_rows_that_stand_beside_their_file_are_read_only_where_they_are_meant(tmp_path: Path) -> None:
    folder = tmp_path / "clicks"
    folder.mkdir()
    (folder / "f.jsonl").write_text('{"user_id": "u", "song_id": "s", "ts": 1}\n{}\n')
    names = [str(folder), f"{folder}/*", f"{tmp_path}/*/*.jsonl"]
    before = [files_of([name]) for name in names]
    reading = Plan("clicks", before[0]).reading(0.0, tmp_path)
    list(reading.events())
    (side,) = reading.tally.bad_files
    assert side == folder / "f.jsonl.bad.jsonl"
    assert [files_of([name]) for name in names] == before
    assert [files_of([name]) for name in (str(side), f"{folder}/*.bad.jsonl")] == [(side,)] * 2


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_bytes(CSV)
    with readable([f"{tmp_path}/a[1].csv"]) as paths:
        assert [path.name for path in paths] == ["a[1].csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.csv", "the file .*none.csv does not exist"),
        ("*.none", "no file fits"),
        ("empty", "there are no files in"),
    ],
)
def test_no_file_is_told(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongUse, match=said), readable([f"{tmp_path}/{name}"]):
        pass


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("ftp://host/x.csv", "from disk, or from s3://", ""),
        ("gs://bucket/x.csv", "gs:// needs packages", r"refrain-cohorts[gs]"),
        ("abfss://bucket/x.csv", "abfss:// needs packages", r"refrain-cohorts[az]"),
    ],
)
def test_a_store_that_cannot_be_read_says_what_is_missing(name: str, said: str, hint: str) -> None:
    with pytest.raises(WrongUse, match=said) as caught, readable([name]):
        pass
    assert hint in (caught.value.hint or "")


def test_an_object_store_is_read_like_a_disk(store: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"user_id": ["u3"], "song_id": ["s"], "artist_ids": ["a"], "ts": [1.0]}), buffer)
    for key, content in {
        "clicks/day=1/part-0.csv.gz": gzip.compress(CSV),
        "clicks/day=2/part-0.csv": MORE,
        "clicks/day=3/part-0.parquet": buffer.getvalue(),
        "clicks/_SUCCESS": b"",
    }.items():
        store.put_object(Bucket=BUCKET, Key=key, Body=content)
    for at, (names, found) in enumerate(
        {
            (f"s3://{BUCKET}/clicks/",): [b"u1", b"u2", b"u3"],
            (f"s3://{BUCKET}/clicks",): [b"u1", b"u2", b"u3"],
            (f"s3://{BUCKET}/clicks/*/part-0.csv",): [b"u2"],
            (f"s3://{BUCKET}/clicks/day=3/part-0.parquet", f"s3://{BUCKET}/clicks/day=2/part-0.csv"): [
                b"u3",
                b"u2",
            ],
        }.items()
    ):
        with readable(names) as paths:
            assert [key for key, _ in preview(Plan("clicks", paths), 5)[0]] == found
            bookmark, old = Bookmark.find(tmp_path / str(at), "topic", paths, "")
            assert not old
            bookmark.save()
            again, old = Bookmark.find(tmp_path / str(at), "topic", paths, "")
            assert (again, old) == (bookmark, True)
            assert again.changed is None
    store.put_object(Bucket=BUCKET, Key="clicks/day=2/part-0.csv", Body=MORE + b"more")
    assert again.changed == f"s3://{BUCKET}/clicks/day=2/part-0.csv"


def test_bad_rows_of_an_object_store_are_written_down_here(store: Any, tmp_path: Path) -> None:
    store.put_object(Bucket=BUCKET, Key="f.csv", Body=CSV + b"x\n")
    with readable([f"s3://{BUCKET}/f.csv"]) as paths:
        reading = Plan("clicks", paths).reading(1.8e9, tmp_path)
        assert len(list(reading.events())) == 1
    assert reading.tally.bad_files == [tmp_path / "s3" / BUCKET / "f.csv.bad.jsonl"]
    assert [entry["Key"] for entry in store.list_objects(Bucket=BUCKET, Prefix="f")["Contents"]] == ["f.csv"]


def test_bad_rows_of_objects_of_one_name_in_several_folders_are_all_written_down(
    store: Any, tmp_path: Path
) -> None:
    keys = ["clicks/day=1/f.csv", "clicks/day=2/f.csv", "clicks/../f.csv", "clicks//f.csv", "f.csv"]
    for key in keys:
        store.put_object(Bucket=BUCKET, Key=key, Body=CSV + b"x\n" * 3)
    spare = tmp_path / "data" / "replays"
    with readable([f"s3://{BUCKET}/{key}" for key in keys]) as paths:
        reading = Plan("clicks", paths).reading(1.8e9, spare)
        assert len(list(reading.events())) == len(keys)
    rows = [json.loads(line) for path in reading.tally.bad_files for line in path.read_text().splitlines()]
    assert len(rows) == 3 * len(keys)
    assert reading.tally.bad_files[0] == spare / "s3" / BUCKET / "clicks" / "day=1" / "f.csv.bad.jsonl"
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(reading.tally.bad_files)


def test_a_bucket_that_is_not_there_is_told(store: Any) -> None:
    with pytest.raises((BadFile, WrongUse), match=r"s3://nowhere/f\.csv"), readable(["s3://nowhere/f.csv"]):
        pass
