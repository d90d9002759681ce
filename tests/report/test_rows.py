from __future__ import annotations

import json
from pathlib import Path

from consumers.report.rows import click_rows, clicks_in
from stream.files.options import RowOptions, replacements


def test_clicks_of_a_report_may_have_their_time_in_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "clicks-20240701.csv"
    path.write_text("release_id,user_id\nr1,u1\n")
    rows = click_rows([path], RowOptions(time_in_name="clicks-%Y%m%d.csv", since="2024-01-01"))
    assert [json.loads(event.value)["ts"] for event in rows.events()] == [1719792000.0]
    rows = click_rows([path], RowOptions(time_in_name="clicks-%Y%m%d.csv"))
    assert list(clicks_in(rows)) == [("r1", "u1")]


def test_clicks_of_a_report_may_have_another_word(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("release_id,user_id,kind\nr1,u1,Tapped\nr1,u2,Seen\n")
    words = replacements(["kind:tapped=clicked,seen=opened"])
    assert list(clicks_in(click_rows([path], RowOptions(values=words)))) == [("r1", "u1")]
