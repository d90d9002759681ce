"""Listeners whose history is summed up: out of a file, as clicks and labels."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import BadFile, WrongUse
from stream.files.json_values import CHUNK
from stream.files.options import Layout
from stream.files.profiles import ProfileTable, clicks_of, copies, seconds_by_name
from stream.files.tables import Bad, Row, Table
from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.refrain_command import Refrain

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "real_files" / "hotstar_train.json"
NOW = datetime(2024, 5, 15, 13, tzinfo=UTC).timestamp()  # a Wednesday


def table(path: Path, text: str, kind: Any = "clicks") -> ProfileTable:
    path.write_text(text, encoding="utf-8")
    return ProfileTable(path, Layout(), kind, NOW)


def profile(**fields: str) -> dict[str, str]:
    return {"titles": "A:600", **fields}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name == name.strip() and not name.startswith(",")
        ),
        st.integers(0, 10**6),
        max_size=5,
    )
)
def test_names_with_commas_are_read_as_they_are_written(spent: dict[str, int]) -> None:
    text = ",".join(f"{name}:{seconds}" for name, seconds in spent.items())
    assert seconds_by_name(text) == spent


def test_names_with_colons_are_read_as_far_as_no_seconds_stand_in_them() -> None:
    assert seconds_by_name("24: Live, Day 8:20,CSI: NY:5") == {"24: Live, Day 8": 20.0, "CSI: NY": 5.0}


def test_what_ends_without_seconds_is_refused() -> None:
    with pytest.raises(ValueError, match="'B' is not name:seconds"):
        seconds_by_name("A:5,B")


def test_a_title_becomes_more_clicks_the_longer_it_was_on_but_not_in_proportion() -> None:
    made = clicks_of("u", {"titles": "Long:36000,Short:30,Never:0"}, NOW)
    assert Counter(click["song_id"] for click in made) == {"Long": copies(36000), "Short": 1}
    assert copies(36000) < 12
    assert sum(click["ms_played"] for click in made) == pytest.approx(36_030_000, abs=20)


def test_clicks_spread_over_hours_weekdays_and_cities_as_the_seconds_do() -> None:
    entry = profile(titles="A:36000,B:36000", tod="3:3,20:1", dow="1:1,7:1", cities="delhi:3,pune:1")
    made = clicks_of("u", entry, NOW)
    times = [datetime.fromtimestamp(click["ts"], UTC) for click in made]
    n = len(made)
    assert Counter(time.hour for time in times)[3] == pytest.approx(0.75 * n, abs=1)
    assert Counter(time.isoweekday() for time in times)[1] == pytest.approx(0.5 * n, abs=1)
    assert {time.isoweekday() for time in times} == {1, 7}
    assert Counter(click["city"] for click in made)["delhi"] == pytest.approx(0.75 * n, abs=1)


def test_clicks_are_in_the_week_before_and_none_is_of_today_or_later() -> None:
    made = clicks_of("u", profile(titles="A:36000", tod="23:1", dow="3:1,2:1"), NOW)
    days = {datetime.fromtimestamp(click["ts"], UTC).date().isoformat() for click in made}
    assert days == {"2024-05-08", "2024-05-14"}


@pytest.mark.parametrize(
    ("field", "text"), [("tod", "24:5"), ("dow", "8:5"), ("tod", "noon:5"), ("dow", "5")]
)
def test_what_is_no_hour_or_weekday_is_refused_with_the_entry(tmp_path: Path, field: str, text: str) -> None:
    rows = list(
        table(tmp_path / "p.json", json.dumps({"u": profile(**{field: text}), "v": profile()})).rows()
    )
    assert isinstance(rows[0], Bad)
    assert rows[0].detail.startswith("u: ")
    assert all(isinstance(row, Row) and row.values["user_id"] == "v" for row in rows[1:])


@pytest.mark.parametrize("entry", [{}, {"titles": ""}, {"titles": "A:0"}, [], None, {"titles": 5}])
def test_an_entry_without_anything_to_click_is_a_bad_row(tmp_path: Path, entry: object) -> None:
    (row,) = table(tmp_path / "p.json", json.dumps({"u": entry})).rows()
    assert isinstance(row, Bad)


def test_labels_are_read_of_those_who_have_one(tmp_path: Path) -> None:
    entries = {
        "u": profile(segment="pos"), "v": profile(segment="neg"), "w": profile(), "x": profile(segment="old"),
    }  # fmt: skip
    rows = list(table(tmp_path / "p.json", json.dumps(entries), "labels").rows())
    assert [(row.values["user_id"], row.values["value"]) for row in rows if isinstance(row, Row)] == [
        ("u", 1), ("v", 0), ("x", "old"),
    ]  # fmt: skip
    assert {row.values["ts"] for row in rows if isinstance(row, Row)} == {NOW}


@given(st.integers(1, 200), st.sampled_from([None, 1, 4]), st.sampled_from([0, 7, CHUNK + 1]))
def test_every_entry_is_read_however_it_falls_into_chunks(
    tmp_path_factory: pytest.TempPathFactory, number: int, indent: int | None, longest: int
) -> None:
    entries = {
        f"ü{at}": profile(titles=f"{'x' * (longest if at == 1 else at)}:{at + 1}") for at in range(number)
    }
    path = tmp_path_factory.mktemp("profiles") / "p.json"
    read = table(path, json.dumps(entries, indent=indent, ensure_ascii=False)).entries()
    assert {user: entry for _, user, entry in read} == entries


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"u": profile()}).encode()))
    assert [user for _, user, _ in ProfileTable(path, Layout(), "clicks", NOW).entries()] == ["u"]


@pytest.mark.parametrize("text", ["", "[]", '{"u": {"titles": "A:5"}', '{"u" 5}', '{"u": {}, }', "{5: {}}"])
def test_what_is_no_whole_object_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadFile, match="cannot be read behind profile"):
        list(table(tmp_path / "p.json", text).rows())


def test_an_empty_object_has_no_rows(tmp_path: Path) -> None:
    assert list(table(tmp_path / "p.json", "{ }").rows()) == []


def test_profiles_are_no_table_for_what_is_neither_clicks_nor_labels(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(WrongUse, match="profiles"):
        Table(tmp_path / "p.json", Layout(format="profiles"))


@pytest.fixture
def log(topics: Settings) -> Any:
    with kafka_log(topics) as opened:
        yield opened


def test_profiles_go_to_clicks_and_labels_and_bad_ones_beside_the_file(
    topics: Settings, refrain: Refrain, log: KafkaLog, tmp_path: Path
) -> None:
    path = tmp_path / "profiles.json"
    entries = {
        "u1": profile(titles="One, two:60,Three:60", segment="pos"),
        "u2": profile(segment="neg"),
        "u3": {"segment": "pos"},
    }
    path.write_text(json.dumps(entries))
    done = refrain.run("replay", "profiles", str(path), "--set", "segment=teen", "--json")
    assert done.returncode == 0, done.stderr
    clicks, labels = map(json.loads, done.stdout.splitlines())
    assert (clicks["kind"], clicks["bad"], labels["kind"], labels["sent"]) == (
        "clicks", {"missing-field": 1}, "labels", 3,
    )  # fmt: skip
    assert {click["song_id"] for click in log.events("clicks")} == {"One, two", "Three", "A"}
    found = {(each["user_id"], each["segment"], each["value"]) for each in log.events("labels")}
    assert found == {("u1", "teen", 1), ("u2", "teen", 0), ("u3", "teen", 1)}
    assert (tmp_path / "profiles.json.clicks.bad.jsonl").exists()
    again = refrain.run("replay", "profiles", str(path), "--set", "segment=teen", "--resume")
    assert again.returncode == 0, again.stderr
    assert log.count("labels") == 3


def test_labels_are_replayed_from_a_table(
    topics: Settings, refrain: Refrain, log: KafkaLog, tmp_path: Path
) -> None:
    path = tmp_path / "panel.csv"
    path.write_text(
        "member,likes,when\nu1,1,2024-05-01\nu2,false,2024-05-02\nu3,,2024-05-02\nu4,much,2024-05-02\n"
    )
    columns = "user_id=member,value=likes,ts=when"
    done = refrain.run("replay", "labels", str(path), "--map", columns, "--set", "segment=rap", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bad"] == {"missing-field": 1}
    assert [each["value"] for each in sorted(log.events("labels"), key=lambda each: each["user_id"])] == [
        1, 0, "much",
    ]  # fmt: skip


@pytest.mark.skipif(not SAMPLE.is_file(), reason=f"the sample is not here: {SAMPLE}")
def test_the_sample_of_a_video_service_is_read() -> None:
    rows = list(ProfileTable(SAMPLE, Layout(), "clicks", NOW).rows())
    assert {row.values["song_id"] for row in rows if isinstance(row, Row)} >= {"India vs England, 3rd Test"}
    assert not any(isinstance(row, Bad) for row in rows)
