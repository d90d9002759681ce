"""CSV and TSV as systems and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import BadFile, WrongUse
from stream.files.options import Layout
from stream.files.tables import Bad, Row, Table
from stream.wire.dead_letter import Reason

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
MUSICBOX = ("user", "device", "song", "kind", "title", "singer", "played", "length", "paid")


def table(folder: Path, content: str | bytes, layout: Layout | None = None, name: str = "f.csv") -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Table(path, layout or Layout())


def cells(found: Table) -> list[list[str]]:
    getters = [found.column(name) for name in found.columns]
    return [[get(row.values) for get in getters] for row in found.rows() if isinstance(row, Row)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::"])
@pytest.mark.parametrize("name", ["f.csv", "f.dat", "f"])
def test_a_delimiter_is_found_by_the_first_lines(tmp_path: Path, delimiter: str, name: str) -> None:
    content = f"user id{delimiter}song\nu 1{delimiter}One; two, three\n"
    if delimiter in ";,":
        content = content.replace("One; two, three", '"One; two, three"')
    found = table(tmp_path, content, name=name)
    assert found.columns == ("user id", "song")
    assert cells(found) == [["u 1", "One; two, three"]]


def test_columns_that_are_named_help_to_find_the_delimiter(tmp_path: Path) -> None:
    found = table(tmp_path, "1::11,93::5\n1::6,61::3\n", Layout(columns=("u", "s", "n")))
    assert cells(found) == [["1", "11,93", "5"], ["1", "6,61", "3"]]


def test_a_file_of_one_column_has_no_delimiter(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "user\nu1\nu;2\n")) == [["u1"], ["u;2"]]


def test_decimal_commas_are_no_delimiter(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "u;n\na;1,5\nb;2,5\n")) == [["a", "1,5"], ["b", "2,5"]]


def test_excel_may_say_the_delimiter_first(tmp_path: Path) -> None:
    found = table(tmp_path, "sep=;\r\nu;s\r\n1;2\r\n")
    assert (found.columns, cells(found)) == (("u", "s"), [["1", "2"]])
    assert [row.line for row in found.rows()] == [3]


def test_blanks_around_names_and_values_are_no_part_of_them(tmp_path: Path) -> None:
    found = table(tmp_path, 'User ID, Song ID , Title\nu1 , s1, "Hey, you "\n')
    assert found.columns == ("User ID", "Song ID", "Title")
    assert cells(found) == [["u1", "s1", "Hey, you"]]


def test_lines_before_the_header_are_passed_over_where_asked(tmp_path: Path) -> None:
    found = table(tmp_path, '"Title","The, Rack"\n"DJ"\n\nu,s\n1,2\n', Layout(skip=2))
    assert (found.columns, cells(found)) == (("u", "s"), [["1", "2"]])


@pytest.mark.parametrize("before", ["", "a,b\n", '"Title","The, Rack"\n\n'])
def test_a_header_is_found_by_how_it_begins(tmp_path: Path, before: str) -> None:
    found = table(tmp_path, f"{before}user id,s\n1,2\n", Layout(header="user"))
    assert (found.columns, cells(found)) == (("user id", "s"), [["1", "2"]])


def test_a_header_is_passed_over_where_the_columns_are_named(tmp_path: Path) -> None:
    layout = Layout(header="user", columns=("a", "b"))
    assert cells(table(tmp_path, "x,y\nuser,s\n1,2\n", layout)) == [["1", "2"]]


def test_a_header_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"f\.csv: no line near its beginning begins with 'user'"):
        table(tmp_path, "u,s\n1,2\n", Layout(header="user"))


def test_an_empty_file_has_every_column_and_no_row(tmp_path: Path) -> None:
    found = table(tmp_path, "")
    assert (found.column("user_id")([]), list(found.rows())) == ("", [])


def test_lines_before_the_first_row_are_passed_over_where_asked(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "264715 \n1\t2\n", Layout(skip=1, columns=("u", "s")))) == [["1", "2"]]


def test_comments_are_no_rows_and_the_last_before_the_rows_may_name_the_columns(tmp_path: Path) -> None:
    content = "#V/1.1\n#ARTIST\t#TITLE\n<x>\ty\n# said\tin between\nz\t\n"
    found = table(tmp_path, content, Layout(comment="#"), "f.log")
    assert (found.columns, cells(found)) == (("ARTIST", "TITLE"), [["<x>", "y"], ["z", ""]])


def test_a_header_that_is_no_comment_names_the_columns(tmp_path: Path) -> None:
    found = table(tmp_path, "# made by x\nu,s\n1,2\n", Layout(comment="#"))
    assert (found.columns, cells(found)) == (("u", "s"), [["1", "2"]])


def test_rows_that_r_has_named_keep_their_columns(tmp_path: Path) -> None:
    found = table(tmp_path, '"u","s"\n"1","a","b"\n"2","c","d"\n')
    assert cells(found) == [["1", "a", "b"], ["2", "c", "d"]]
    assert found.columns == ("", "u", "s")


def test_empty_cells_behind_the_last_column_do_no_harm(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "u,s\n1,2,\n3,4, ,\n")) == [["1", "2"], ["3", "4"]]


def test_a_row_of_more_cells_than_columns_is_bad(tmp_path: Path) -> None:
    bad, good = table(tmp_path, "u,s\n3,4,5\n1,2\n").rows()
    assert bad == Bad(2, Reason.BAD_VALUE, "3 columns, not 2", ["3", "4", "5"])
    assert good == Row(3, ["1", "2"])


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        ('"Weird Al" Yankovic', '"Weird Al" Yankovic'),
        ('12" mix', '12" mix'),
        ('"12"" mix"', '12" mix'),
        ('"say \\"hi\\""', 'say "hi"'),
        ('"two\nlines"', "two\nlines"),
        ('"two ""quoted""\r\nlines, of\n\nthem"', 'two "quoted"\r\nlines, of\n\nthem'),
        ('"a, b"', "a, b"),
        ('""', ""),
    ],
)
def test_quotes_enclose_a_cell_or_are_a_part_of_it(tmp_path: Path, row: str, cell: str) -> None:
    found = table(tmp_path, f"u,s,t\nu1,{row},1\nu2,s,2\n")
    assert cells(found) == [["u1", cell, "1"], ["u2", "s", "2"]]


def test_a_quote_that_is_not_closed_costs_one_row(tmp_path: Path) -> None:
    rest = "".join(f'u{number},s,"x"\n' for number in range(300))
    bad, *good = table(tmp_path, f'u,s,t\nu,"open,1\n{rest}').rows()
    assert (bad.line, bad.reason) == (2, Reason.BAD_VALUE)
    assert "quote is opened" in bad.detail
    assert [row.line for row in good] == list(range(3, 303))
    assert all(isinstance(row, Row) for row in good)


def test_tsv_that_is_quoted_throughout_is_read_without_its_quotes(tmp_path: Path) -> None:
    assert cells(table(tmp_path, '"u"\t"s"\n"1"\t"two\twords"\n', name="f.tsv")) == [["1", "two\twords"]]


def test_json_in_a_column_is_addressed_with_dots(tmp_path: Path) -> None:
    found = table(tmp_path, 'u,props\n1,"{""song"": {""id"": ""s1""}, ""n"": [1, 2]}"\n2,\n')
    get = [found.column(name) for name in ("props.song.id", "props.n.*", "props.none")]
    rows = [[each(row.values) for each in get] for row in found.rows()]
    assert rows == [["s1", [1, 2], None], [None, None, None]]


def test_a_column_that_is_not_there_says_what_may_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no column 'x'") as caught:
        table(tmp_path, "u1,s1\n").column("x")
    assert "--columns" in caught.value.hint
    assert "--skip" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_unicode_is_known_by_its_first_bytes_and_any_line_end_is_one(
    tmp_path: Path, encoding: str, end: str
) -> None:
    content = end.join(("user,song", "1,Björk", "2,b", "")).encode(encoding)
    found = table(tmp_path, content)
    assert (found.columns, cells(found)) == (("user", "song"), [["1", "Björk"], ["2", "b"]])


def test_a_separator_of_unicode_is_no_line_end(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "u,s\n1,a\u2028b\x0b\x85\n")) == [["1", "a\u2028b"]]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no rows of text"):
        table(tmp_path, bytes(range(256)) * 20)


@given(
    st.lists(
        st.lists(
            st.text(
                st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\x0b\x85"), max_size=12
            ),
            min_size=2,
            max_size=4,
        ),
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t", "|", "::"]),
)
def test_any_lines_are_rows_or_bad_rows_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], delimiter: str
) -> None:
    content = f"a{delimiter}b{delimiter}c\n" + "".join(f"{delimiter.join(line)}\n" for line in lines)
    content += f"x{delimiter}y{delimiter}z\n"
    found = table(
        tmp_path_factory.mktemp("any"), content, Layout(delimiter=delimiter, columns=("a", "b", "c"))
    )
    rows = list(found.rows())
    assert rows[-1] == Row(rows[-1].line, ["x", "y", "z"])
    numbers = [row.line for row in rows]
    assert numbers == sorted(set(numbers))
    given = sum(1 for line in lines if delimiter.join(line).strip())
    assert given == 0 or len(rows) > 1 or '"' in content


@pytest.mark.skipif(not SAMPLES.exists(), reason="the folder of real files is not there")
@pytest.mark.parametrize(
    ("name", "layout", "rows", "first"),
    [
        ("20170301_play.log", Layout(skip=2, columns=MUSICBOX), 8, "900000001"),
        ("edge/20170301_play.log.tar.gz", Layout(skip=2, columns=MUSICBOX), 8, "900000001"),
        ("musicbox_all_play.log.fn", Layout(skip=2, columns=(*MUSICBOX, "file")), 8, "900000001"),
        ("rockbox.scrobbler.log", Layout(comment="#"), 4, "The Beatles"),
        ("spinitron_sample.csv", Layout(skip=6), 5, "2024-09-05T03:03:07-0500"),
        ("lastfm_r_export.bom.crlf.semicolon.csv", Layout(), 199, "1"),
        ("lastfm_r_export.utf16.csv", Layout(), 199, "1"),
        ("edge/dc.dat", Layout(columns=("u", "s", "r", "ts")), 2, "1"),
        ("edge/spaces.csv", Layout(), 1, "u1"),
        ("edge/cr.csv", Layout(), 2, "u"),
        ("edge/quote.csv", Layout(), 7, "u"),
    ],
)
def test_a_real_file_is_read(name: str, layout: Layout, rows: int, first: str) -> None:
    (found,) = Table.all_of(SAMPLES / name, layout)
    read = cells(found)
    assert (len(read), read[0][0]) == (rows, first)
