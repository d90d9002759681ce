from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.replay.plan import Plan, preview
from stream.errors import BadFile, NotWritten
from stream.files import distinct
from stream.files.bookmark import Bookmark
from stream.files.gathered import Gathered, Part
from stream.files.options import FileOptions, Kind, Layout
from stream.files.reading import GIVE_UP, PASSED, Reading
from stream.files.recipe import Event, Recipe
from stream.files.spool import Spool
from stream.files.tables import Table
from tests.full_disk import no_file_longer_than


def reading(folder: Path, content: str, name: str = "f.csv", spare: Path | None = None) -> Reading:
    (folder / name).write_text(content)
    return Reading([Table(folder / name, Layout())], Recipe("clicks"), None, spare)


HEAD = "user_id,song_id,ts\n"


def test_bad_rows_are_counted_and_written_down(tmp_path: Path) -> None:
    found = reading(tmp_path, f"{HEAD}u,s,1\n,s,2\nu,{{,3\nu,s,4\n", spare=tmp_path / "spare")
    assert len(list(found.events())) == 2
    assert found.tally.bad == Counter({"missing-field": 1, "bad-id": 1})
    (file,) = found.tally.bad_files
    assert file == tmp_path / "f.csv.bad.jsonl"
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["line"], first["reason"], first["row"]) == (3, "missing-field", ["", "s", "2"])
    assert (second["line"], second["reason"]) == (4, "bad-id")


@pytest.mark.parametrize("bad", [1, GIVE_UP], ids=["told as it is closed", "told as it is written"])
def test_no_room_for_bad_rows_stops_no_events_and_is_told_once(tmp_path: Path, bad: int) -> None:
    found = reading(tmp_path, HEAD + "u,s,1\n" + ",s,2\n" * bad + "u,s,3\n", spare=tmp_path / "spare")
    with no_file_longer_than(10):
        assert len(list(found.events())) == 2
    assert found.tally.bad == Counter({"missing-field": bad})
    assert found.tally.unwritten == [f"{tmp_path / 'f.csv.bad.jsonl'}: File too large"]


@pytest.mark.parametrize("seed", [None, 1], ids=["in order", "shuffled"])
@pytest.mark.parametrize("count", [1, 10_000], ids=["told as it is read", "told as it is written"])
def test_no_room_for_events_that_wait_is_told(seed: int | None, count: int) -> None:
    with (
        no_file_longer_than(10),
        pytest.raises(NotWritten, match="File too large") as told,
        Spool(seed) as spool,
    ):
        for _ in range(count):
            spool.put(Event(b"u", b"{%s}" % bytes(100)))
        next(iter(spool))
    assert "TMPDIR" in told.value.hint


@pytest.mark.parametrize(
    ("kind", "head", "options"),
    [
        ("clicks", "user_id,song_id,ts", FileOptions(distinct=True)),
        ("songs", "song_id,artist_ids,title", FileOptions()),
    ],
)
def test_no_room_for_what_is_remembered_of_rows_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, head: str, options: FileOptions
) -> None:
    monkeypatch.setattr(distinct, "CACHE_KB", 1)
    path = tmp_path / "f.csv"
    path.write_text(f"{head}\n" + "".join(f"{row:0250},a,{row}\n" for row in range(12_000)))
    found = Reading([Table(path, Layout())], Recipe(kind, options), None)
    with no_file_longer_than(10), pytest.raises(NotWritten, match="temporary file"):
        list(found.events())


def test_no_room_for_a_bookmark_is_told_and_the_one_before_stands(tmp_path: Path) -> None:
    bookmark = Bookmark(tmp_path / "b.json", [])
    bookmark.save()
    before = bookmark.path.read_text()
    with no_file_longer_than(10), pytest.raises(NotWritten, match=r"b\.json.* File too large") as told:
        bookmark.at(7, {}).save()
    assert "--resume" in told.value.hint
    assert bookmark.path.read_text() == before


def test_no_place_for_bad_rows_stops_no_events(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = reading(tmp_path, f"{HEAD}u,s,1\n,s,2\n,s,3\n", spare=tmp_path / "file")
    (tmp_path / "f.csv.bad.jsonl").mkdir()
    assert len(list(found.events())) == 1
    assert (found.tally.bad_files, len(found.tally.unwritten)) == ([], 1)


def test_a_limit_counts_events_alone_however_many_rows_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(HEAD + "u,s,1\n" * PASSED + "u,s,3\n" + "u,s,1\n" * PASSED + "v,s,3\nw,s,3\n")
    plan = Plan("clicks", (path,), FileOptions(since="1970-01-01T00:00:02", limit=2))
    assert [key for key, _ in preview(plan, 5)[0]] == [b"u", b"v"]


def test_reading_again_writes_the_bad_rows_once(tmp_path: Path) -> None:
    found = reading(tmp_path, f"{HEAD}u,s,1\n,s,2\n", spare=tmp_path)
    first, second = list(found.events()), list(found.events())
    assert first == second
    assert found.tally.bad.total() == 1
    assert len((tmp_path / "f.csv.bad.jsonl").read_text().splitlines()) == 1


def test_bad_rows_of_an_earlier_run_do_not_outlive_it(tmp_path: Path) -> None:
    list(reading(tmp_path, f"{HEAD}u,s,1\n,s,2\n", spare=tmp_path).events())
    list(reading(tmp_path, f"{HEAD}u,s,1\n", spare=tmp_path).events())
    assert not (tmp_path / "f.csv.bad.jsonl").exists()


def test_where_nothing_can_be_written_beside_the_file_the_side_file_goes_elsewhere(tmp_path: Path) -> None:
    found = reading(tmp_path, f"{HEAD}u,s,1\n,s,2\n", spare=tmp_path / "spare")
    (tmp_path / "f.csv.bad.jsonl").mkdir()  # nobody can write a file of that name, not even root
    list(found.events())
    spare = tmp_path / "spare"
    (side,) = found.tally.bad_files
    assert side == spare.joinpath(*tmp_path.resolve().parts[1:], "f.csv.bad.jsonl")
    list(reading(tmp_path, f"{HEAD}u,s,1\n", spare=spare).events())
    assert not side.exists()


def test_a_file_in_which_nothing_can_be_used_is_given_up_soon(tmp_path: Path) -> None:
    with pytest.raises(
        BadFile, match=r"none of the first 1000 rows .*; line 1001, for one, has missing-field"
    ):
        list(reading(tmp_path, HEAD + ",s,2\n" * 5000).events())


def test_a_good_row_keeps_it_going(tmp_path: Path) -> None:
    found = reading(tmp_path, HEAD + "u,s,1\n" + ",s,2\n" * 1500)
    assert len(list(found.events())) == 1
    assert found.tally.bad.total() == 1500


def gathered(
    folder: Path, kind: Kind, *files: str, spare: Path | None = None
) -> tuple[Reading, list[dict[str, Any]]]:
    for number, content in enumerate(files):
        (folder / f"part-{number}.csv").write_text(content)
    tables = [Table(folder / f"part-{number}.csv", Layout()) for number in range(len(files))]
    found = Reading(tables, Recipe(kind), None, spare)
    return found, [json.loads(event.value) for event in found.events()]


@pytest.mark.parametrize(("kind", "key"), [("songs", "song_id"), ("releases", "release_id")])
def test_several_rows_of_a_song_or_a_release_are_one_event_with_all_artists(
    tmp_path: Path, kind: Kind, key: str
) -> None:
    head = f"{key},artist_ids\n"
    found, events = gathered(tmp_path, kind, f"{head}x,a1\ny,a9\nx,a2\n", f"{head}x,a3\nx,a1\n")
    assert [(event[key], event["artist_ids"]) for event in events] == [
        ("x", ["a1", "a2", "a3"]),
        ("y", ["a9"]),
    ]
    assert (found.tally.rows, found.tally.joined, found.tally.bad.total()) == (5, 3, 0)


def test_names_stay_with_their_artists_when_rows_come_together(tmp_path: Path) -> None:
    head = "song_id,artist_ids,artist_names,title\n"
    _, (event,) = gathered(tmp_path, "songs", f"{head}s,a1,,Old\ns,a2,Bo,\ns,a3,Cy,New\n")
    assert (event["artist_ids"], event["artist_names"]) == (["a1", "a2", "a3"], ["a1", "Bo", "Cy"])
    assert event["title"] == "New"


def test_rows_that_make_no_event_together_are_written_down_each_with_its_file_and_line(
    tmp_path: Path,
) -> None:
    head = "release_id,artist_ids\n"
    many = "".join(f"r,a{number}\n" for number in range(32))
    found, events = gathered(tmp_path, "releases", head + many, f"{head}q,b\nr,a32\n", spare=tmp_path)
    assert [event["release_id"] for event in events] == ["q"]
    assert found.tally.bad == Counter({"bad-value": 33})
    first, second = (
        [json.loads(line) for line in file.read_text().splitlines()] for file in sorted(found.tally.bad_files)
    )
    assert ([row["line"] for row in first], [row["line"] for row in second]) == ([*range(2, 34)], [3])
    assert "33 ids; there may be 32" in first[0]["detail"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), min_size=1))
def test_rows_come_together_whatever_their_order(rows: list[tuple[str, int]]) -> None:
    with Gathered() as waiting:
        for line, (key, number) in enumerate(rows):
            waiting.put(Part(key.encode(), b"%d" % number, 0, line))
        found = [[(part.key.decode(), int(part.value)) for part in parts] for parts in waiting]
    keys = list(dict.fromkeys(key for key, _ in rows))
    assert found == [[row for row in rows if row[0] == key] for key in keys]


def spooled(seed: int | None, events: list[Event]) -> list[tuple[bytes, bytes]]:
    with Spool(seed) as spool:
        for event in events:
            spool.put(event)
        assert len(spool) == sum(event.copies for event in events)
        return list(spool)


EVENTS = st.lists(
    st.builds(
        Event,
        st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).map(str.encode),
        st.text(st.characters(exclude_categories=("Cs",))).map(lambda text: json.dumps({"t": text}).encode()),
        st.integers(1, 4),
    )
)


@given(EVENTS)
def test_a_spool_gives_back_what_it_took_in_order(events: list[Event]) -> None:
    assert spooled(None, events) == [(e.key, e.value) for e in events for _ in range(e.copies)]


@given(EVENTS, st.integers(0, 9))
def test_a_shuffle_loses_and_doubles_nothing_and_is_the_same_for_the_same_seed(
    events: list[Event], seed: int
) -> None:
    shuffled = spooled(seed, events)
    assert Counter(shuffled) == Counter(spooled(None, events))
    assert shuffled == spooled(seed, events)


def test_a_shuffle_puts_every_event_anywhere() -> None:
    events = [Event(b"%d" % number, b"{}") for number in range(10)]
    firsts = Counter(spooled(seed, events)[0][0] for seed in range(300))
    assert len(firsts) == 10
    assert all(10 < count < 60 for count in firsts.values()), firsts
