"""What a dry run says, and whether times can be right."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumers.replay import dry_run as module
from consumers.replay.dry_run import dry_run
from consumers.replay.plan import Plan
from consumers.replay.summary import DryRun
from consumers.replay.times import doubtful_times
from stream.files.options import FileOptions, Kind, Layout, Order
from stream.files.reading import GIVE_UP, Reading
from stream.files.recipe import Recipe
from stream.files.tables import Table
from stream.settings import Settings
from tests.refrain_command import Refrain, application

HEAD = "user_id,song_id,ts,ms_played\n"
ROWS = f"{HEAD}u1,s1,20200101,5\n,s2,20200101,5\nu3,s3,31/12/2020,5\nu4.0,s4,2020-01-02,long\nu5,s5,2020,7\n"


def plan(folder: Path, text: str, kind: Kind = "clicks", **options: Any) -> Plan:
    path = folder / "rows.csv"
    path.write_text(text)
    return Plan(kind, (path,), FileOptions(**options))


@pytest.fixture
def found(tmp_path: Path) -> DryRun:
    return dry_run(plan(tmp_path, ROWS))


def test_each_field_of_the_first_events_says_what_it_was_read_from(found: DryRun) -> None:
    (first, second, third) = found.rows
    assert (first.file, first.line) == ("rows.csv", 2)
    assert [tuple(field) for field in first.fields] == [
        ("user_id", "user_id", "'u1'", "u1"),
        ("song_id", "song_id", "'s1'", "s1"),
        ("ts", "ts", "'20200101'", 1577836800.0),
        ("ms_played", "ms_played", "'5'", 5),
    ]
    assert ("ms_played", "ms_played", "'long'", None) in second.fields
    assert (second.line, third.line) == (5, 6)


def test_rows_that_cannot_be_used_say_line_field_value_reason_and_what_to_try(found: DryRun) -> None:
    missing, time = found.refused
    assert (missing.line, missing.field, missing.value, missing.what) == (3, "user_id", "''", "missing-field")
    assert missing.hint.startswith("--where 'user_id!=' leaves such rows out")
    assert (time.line, time.field, time.value, time.what) == (4, "ts", "'31/12/2020'", "bad-time")
    assert time.hint == "--time-format '%d/%m/%Y'"


def test_the_summary_counts_by_reason_and_field_with_an_example_of_each(tmp_path: Path) -> None:
    found = dry_run(plan(tmp_path, ROWS + ",s6,20200101,5\nu,s,2020,x\n1.0,s,2020,y\n"))
    unusable = [(each.what, each.field, each.count, each.line) for each in found.tally.unusable.values()]
    assert unusable == [("missing-field", "user_id", 2, 3), ("bad-time", "ts", 1, 4)]
    remarks = [(each.what, each.field, each.count, each.line) for each in found.tally.remarks.values()]
    assert remarks == [("dropped", "ms_played", 3, 5), ("float-id", "user_id", 1, 9)]
    assert json.dumps(found.to_json())


def test_a_column_that_is_not_there_is_asked_for_by_the_columns_that_are(tmp_path: Path) -> None:
    (missing,) = dry_run(plan(tmp_path, "user,song_id,ts\nu,s,2020\n")).refused
    assert "--map user_id=COLUMN says which column it is (there are user, song_id, ts)" in missing.hint


def test_events_of_several_rows_are_shown_together_and_their_rows_one_by_one(tmp_path: Path) -> None:
    found = dry_run(plan(tmp_path, "song_id,artist_ids\ns,a\nt,b\ns,c\n", "songs"))
    assert [json.loads(value)["artist_ids"] for _, value in found.events] == [["a", "c"], ["b"]]
    assert [row.line for row in found.rows] == [2, 3, 4]


def test_a_dry_run_goes_on_where_a_replay_gives_up_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 2 * GIVE_UP)
    found = dry_run(plan(tmp_path, HEAD + ",s,2020,5\n" * (2 * GIVE_UP + 5)))
    assert (found.tally.bad["missing-field"], found.whole, list(found.events)) == (2 * GIVE_UP, False, [])


def run(*arguments: str) -> Any:
    """Run the command in this process."""
    return CliRunner().invoke(application(), ["replay", *arguments])


def test_nothing_that_can_be_used_is_a_failure_with_every_reason(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("user_id,song_id,ts\n,s,2020\nu,s,never\n")
    done = run("clicks", str(path), "--dry-run")
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert "line 2 of f.csv cannot be used: missing-field" in said
    assert "line 3 of f.csv has 'never'" in said
    assert "nothing here can be sent as clicks" in said


def test_the_command_shows_what_a_field_became_and_what_to_try(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(ROWS)
    done = run("clicks", str(path), "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    said = " ".join(done.stderr.split())
    assert "ts 1577836800.0 (2020-01-01 00:00:00 UTC) from ts: '20200101'" in said
    assert "ms_played dropped from ms_played: 'long'" in said
    assert "1 bad-time in ts: line 4 of f.csv has '31/12/2020'" in said
    assert "try --time-format '%d/%m/%Y'" in said


def test_the_summary_of_a_replay_says_the_same(topics: Settings, refrain: Refrain, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(ROWS.replace("2020", "1980"))
    done = refrain.run("replay", "clicks", str(path), "--yes")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "3 clicks sent" in said
    assert "2 of 5 rows cannot be used (1 missing-field, 1 bad-time)" in said
    assert "3 times are before 2000: line 2 of f.csv has '19800101'" in said
    assert "1 bad-time in ts: line 4 of f.csv has '31/12/1980'" in said
    assert "ms_played dropped from 1 rows, which are used without it" in said


def doubt(folder: Path, *times: object, kind: Kind = "clicks", order: Order | None = None) -> str:
    head = "release_id,user_id,song_id,kind,ts\n"
    text = head + "".join(f"r,u,s,sent,{each}\n" for each in times)
    asked = plan(folder, text, kind)
    return doubtful_times(asked if order is None else Plan(kind, asked.files, asked.options, order))


GOOD, EARLY, LATE = 1.6e9, 1_541_106, 4_102_444_800


def test_most_times_before_2000_or_in_the_future_are_doubtful(tmp_path: Path) -> None:
    assert doubt(tmp_path, EARLY, EARLY, GOOD).startswith("2 of the first 3 times are before 2000; ")
    assert "line 2 of rows.csv ('1541106'), for one: ts: 1541106 is 1970-01-18" in doubt(tmp_path, EARLY)
    assert "2 of the first 3 times are in the future" in doubt(tmp_path, LATE, LATE, GOOD)
    assert "2 of the first 3 times are in the future" in doubt(tmp_path, LATE, LATE, GOOD, kind="feedback")
    assert "are before 2000 or in the future" in doubt(tmp_path, EARLY, LATE, GOOD)


def test_a_few_odd_times_are_none_to_ask_about(tmp_path: Path) -> None:
    assert doubt(tmp_path, EARLY, GOOD, GOOD) == doubt(tmp_path, LATE, GOOD) == doubt(tmp_path) == ""
    assert doubt(tmp_path, EARLY, "never", "never", "") != "", "rows that cannot be used have no say"


def test_times_that_are_given_are_not_doubted(tmp_path: Path) -> None:
    assert doubt(tmp_path, EARLY, order=Order(spread="30d")) == ""
    assert doubtful_times(plan(tmp_path, "song_id,artist_ids,released_at\ns,a,1969\n", "songs")) == ""


@pytest.fixture
def early(tmp_path: Path) -> Path:
    path = tmp_path / "early.csv"
    path.write_text(f"user_id,song_id,ts\nu,s,{EARLY}\nu,t,{EARLY}\n")
    return path


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_doubtful_times_are_refused_where_nobody_can_be_asked(
    early: Path, arguments: tuple[str, ...]
) -> None:
    done = run("clicks", str(early), *arguments)
    assert done.exit_code == 2
    said = done.stdout if arguments else done.stderr
    assert "2 of the first 2 times are before 2000" in said
    assert "--yes sends them all the same" in " ".join(said.split())


@pytest.mark.parametrize(
    ("answer", "said"), [(b"n\n", b"Aborted"), (b"y\n", b"no Kafka broker answers")], ids=["no", "yes"]
)
def test_at_a_terminal_it_is_asked(early: Path, answer: bytes, said: bytes) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [sys.executable, "-m", "consumers.cli", "replay", "clicks", str(early)],
        stdin=theirs,
        capture_output=True,
        env=os.environ | {"REFRAIN_KAFKA": "127.0.0.1:1", "REFRAIN_CONNECT_TIMEOUT": "1"},
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert b"Send them all the same?" in done.stderr
    assert said in b" ".join(done.stderr.split())


def test_looking_at_the_first_rows_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(ROWS)
    reading = Reading([Table(tmp_path / "f.csv", Layout())], Recipe("clicks"), None, tmp_path)
    assert reading.first_rows(3).rows == 3
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]
