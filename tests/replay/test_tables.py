from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from stream.errors import BadFile, WrongUse
from stream.files.tables import Bad, Layout, Row, Table
from stream.wire.dead_letter import Reason


def table(folder: Path, name: str, content: str | bytes, layout: Layout | None = None) -> Table:
    path = folder / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return Table(path, layout or Layout())


def values(found: Table, *columns: str) -> list[tuple[Any, ...]]:
    getters = [found.column(name) for name in columns]
    return [tuple(get(row.values) for get in getters) for row in found.rows() if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.csv", "u,s\n1,2\n3,4\n"),
        ("f.csv.gz", "u,s\n1,2\n3,4\n"),
        ("f.tsv", "u\ts\n1\t2\n3\t4\n"),
        ("f.dat", "u\ts\n1\t2\n3\t4\n"),
        ("f.dat.gz", "u,s\r\n1,2\r\n\r\n3,4"),
        ("f.jsonl", '{"u": "1", "s": "2"}\n\n{"s": "4", "u": "3"}'),
        ("f.json.gz", '{"u": "1", "s": "2"}\n{"s": "4", "u": "3"}\n'),
    ],
)
def test_a_format_is_known_by_name_or_first_line(tmp_path: Path, name: str, content: str) -> None:
    assert values(table(tmp_path, name, content), "u", "s") == [("1", "2"), ("3", "4")]


def test_what_is_gzipped_is_known_without_its_name(tmp_path: Path) -> None:
    assert values(table(tmp_path, "f.csv", gzip.compress(b"u\n1\n")), "u") == [("1",)]


def test_a_file_without_a_header_has_the_columns_that_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, "f.tsv", "1\tAna\n2\tBo\n", Layout(columns=("id", "name")))
    assert values(found, "id", "name") == [("1", "Ana"), ("2", "Bo")]


def test_any_header_can_be_addressed(tmp_path: Path) -> None:
    found = table(tmp_path, "f.dat", "//userID\tartistID\n2\t51\n")
    assert values(found, "//userID", "artistID") == [("2", "51")]


def test_a_delimiter_that_is_given_is_taken(tmp_path: Path) -> None:
    assert values(table(tmp_path, "f.txt", 'u;s\n1;"a;b"\n', Layout(delimiter=";")), "s") == [("a;b",)]


def test_a_quote_in_tsv_is_a_quote(tmp_path: Path) -> None:
    found = table(tmp_path, "f.tsv", 'u\ts\n1\t"Weird Al" Yankovic\n2\t"x\n')
    assert values(found, "s") == [('"Weird Al" Yankovic',), ('"x',)]


def test_a_quoted_field_of_csv_goes_over_lines_and_the_line_number_counts_them(tmp_path: Path) -> None:
    rows = list(table(tmp_path, "f.csv", 'u,s\n1,"a\nb"\n2,c\n').rows())
    assert rows == [Row(3, ["1", "a\nb"]), Row(4, ["2", "c"])]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert values(table(tmp_path, "f.csv", b"\xef\xbb\xbfu\n1\n"), "u") == [("1",)]


def test_a_column_further_down_in_json_is_addressed_with_dots(tmp_path: Path) -> None:
    found = table(tmp_path, "f.jsonl", '{"user": {"id": 7}}\n{"user": 3}\n{"user.id": 9}\n{}\n')
    assert values(found, "user.id") == [(7,), (None,), (9,), (None,)]


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no column 'x'; it has u, s"):
        table(tmp_path, "f.csv", "u,s\n").column("x")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("f.csv", "u,s\n1\n3,4\n", Bad(2, Reason.BAD_VALUE, "1 columns, not 2", ["1"])),
        ("f.jsonl", '{"u"\n{"u": 3}\n', Reason.NOT_JSON),
        ("f.jsonl", '[1]\n{"u": 3}\n', Reason.NOT_JSON),
        ("f.csv", f"u,s\n{'x' * 200_000},1\n3,4\n", Reason.TOO_LARGE),
    ],
)
def test_a_row_that_cannot_be_read_does_not_take_the_next_with_it(
    tmp_path: Path, name: str, content: str, expected: Bad | Reason
) -> None:
    bad, good = table(tmp_path, name, content).rows()
    assert isinstance(bad, Bad)
    assert expected in (bad, bad.reason)
    assert isinstance(good, Row)


def test_a_file_that_breaks_off_is_told(tmp_path: Path) -> None:
    whole = gzip.compress(b"u\n" + b"".join(b"%d\n" % number for number in range(9000)))
    found = table(tmp_path, "f.csv", whole[: len(whole) // 2])
    with pytest.raises(BadFile, match=r"breaks off after line [1-9]"):
        list(found.rows())


def test_a_file_can_be_read_again_and_says_how_far_it_is(tmp_path: Path) -> None:
    found = table(tmp_path, "f.csv.gz", "u\n1\n")
    assert list(found.rows()) == list(found.rows()) == [Row(2, ["1"])]
    assert found.read == found.size == (tmp_path / "f.csv.gz").stat().st_size


def test_text_that_was_read_as_latin_1_is_mended_where_asked(tmp_path: Path) -> None:
    twice = "Björk".encode().decode("latin-1").encode().decode("latin-1")
    content = f'{{"a": "{twice}", "b": ["{twice}", "Ana"], "c": 7}}\n'
    mended = table(tmp_path, "f.jsonl", content, Layout(mend=True))
    assert values(mended, "a", "b", "c") == [("Björk", ["Björk", "Ana"], 7)]
    assert values(table(tmp_path, "f.jsonl", content), "a") == [(twice,)]


@pytest.mark.parametrize("name", ["klingon", "hex"])
def test_an_encoding_that_there_is_not_is_wrong_use(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUse, match=f"{name}.*use a name like utf-8"):
        table(tmp_path, "f.csv", "u\n1\n", Layout(encoding=name))


LATIN = "song_id\nPercées\nplain\n".encode("latin-1")


def test_text_that_is_no_utf8_is_refused_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"f\.csv is no UTF-8") as told:
        table(tmp_path, "f.csv", LATIN)
    assert "--encoding cp1252" in told.value.hint
    assert values(table(tmp_path, "f.csv", LATIN, Layout(encoding="cp1252")), "song_id")[0] == ("Percées",)
    assert len(values(table(tmp_path, "f.csv", LATIN, Layout(encoding="utf-8")), "song_id")) == 2


def test_a_row_that_is_no_utf8_among_others_that_are_costs_itself_alone(tmp_path: Path) -> None:
    assert len(values(table(tmp_path, "f.csv", LATIN + "Björk\n".encode()), "song_id")) == 3


def test_a_character_that_the_first_bytes_break_off_in_is_no_fault(tmp_path: Path) -> None:
    for shift in range(3):
        content = "u\n" + "x" * (2**16 - 4 + shift) + "音\n"
        assert len(values(table(tmp_path, "f.csv", content), "u")) == 1


@pytest.mark.parametrize("content", ["<!DOCTYPE html><html></html>", '\n<?xml version="1.0"?>\n<plist/>'])
def test_a_web_page_is_named_for_what_it_is(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadFile, match="is a web page or XML"):
        table(tmp_path, "f.html", content)


def test_another_encoding_can_be_named(tmp_path: Path) -> None:
    found = table(tmp_path, "f.csv", "u\nBjörk\n".encode("cp1252"), Layout(encoding="cp1252"))
    assert values(found, "u") == [("Björk",)]
