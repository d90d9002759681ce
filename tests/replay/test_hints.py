"""What a person is told to try where a row cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from stream.files.fields import Remark
from stream.files.hints import hint_for
from stream.files.options import Kind
from stream.wire.dead_letter import Reason


@pytest.mark.parametrize(
    ("kind", "what", "field", "value", "column", "said"),
    [
        ("clicks", Reason.BAD_ID, "song_id", "Perc\udce9es", "s", "--encoding cp1252"),
        ("clicks", Reason.NOT_JSON, "", "{", "", "--format csv"),
        ("clicks", Reason.BAD_VALUE, "", ["a"], "", "--delimiter"),
        ("clicks", Reason.FUTURE, "ts", 4e9, "ts", "--time-format says what the numbers are"),
        ("clicks", Reason.UNKNOWN_SONG, "", None, "", "--map artist_ids=COLUMN"),
        ("clicks", Reason.MISSING_FIELD, "ts", None, "", "--spread 30d"),
        ("clicks", Reason.MISSING_FIELD, "ts", "", "day", "--where 'day!='"),
        ("clicks", Reason.MISSING_FIELD, "song_id", None, "", "--set action=search"),
        ("feedback", Reason.MISSING_FIELD, "kind", None, "", "--set kind=VALUE"),
        ("labels", Reason.MISSING_FIELD, "ts", None, "", "--set ts=2026-05-01"),
        ("clicks", Reason.BAD_TIME, "ts", "01/02/2023", "ts", "'%d/%m/%Y' or --time-format '%m/%d/%Y'"),
        ("clicks", Reason.BAD_TIME, "ts", "soon", "ts", "--time-format says how times are written"),
        ("clicks", Reason.BAD_VALUE, "action", "thumbs up", "a", "--value 'action:thumbs up=MEANING'"),
        ("clicks", Reason.BAD_ID, "user_id", ["u"], "u", "--map user_id=COLUMN of a column with one id"),
        ("clicks", Reason.BAD_ID, "artist_ids", [{"id": 1}], "a", "--map artist_ids=COLUMN.ENTRY"),
        ("clicks", Reason.BAD_ID, "song_id", "a%7Bb", "s", "--percent-decode song_id"),
        ("clicks", Reason.BAD_ID, "song_id", "{a}", "s", "no braces and no control characters"),
        ("clicks", Remark.DROPPED, "ms_played", "x", "ms", "--map ms_played=COLUMN"),
        ("clicks", Remark.EARLY, "ts", 5, "ts", "--time-format says what the numbers are"),
        ("clicks", Remark.FLOAT_ID, "user_id", 5.0, "u", "as whole numbers"),
    ],
)
def test_each_fault_has_a_way_out(
    kind: Kind, what: str, field: str, value: Any, column: str, said: str
) -> None:
    assert said in hint_for(kind, what, field, value, column)


@pytest.mark.parametrize(("columns", "said"), [(("u", "1533115844"), True), (("u", "2nd"), False)])
def test_a_header_that_looks_like_a_row_is_told(columns: tuple[str, ...], said: bool) -> None:
    hint = hint_for("clicks", Reason.MISSING_FIELD, "user_id", None, "", columns)
    assert ("--columns A,B,... names them, where the first line is a row" in hint) is said
