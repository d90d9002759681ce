"""Which artists a credit names, and which names are never split."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from consumers.replay.dry_run import dry_run
from consumers.replay.plan import Plan
from stream.errors import BadFile, WrongUse
from stream.files.band_names import BAND_NAMES
from stream.files.credits import Credits
from stream.files.options import FileOptions, Kind
from tests.refrain_command import application

ALONE = ("Queen", "David Bowie", "Drake", "The Weeknd", "Kali Uchis", "Paul Simon", "Lil Nas X")


def knowing(*more: str, everywhere: bool = False) -> Credits:
    made = Credits(everywhere=everywhere)
    made.learn([*ALONE, *more])
    return made


@pytest.mark.parametrize(
    ("credit", "artists"),
    [
        ("Queen & David Bowie", ["Queen", "David Bowie"]),
        ("Queen, David Bowie and Drake", ["Queen", "David Bowie", "Drake"]),
        ("Queen, David Bowie, & Drake", ["Queen", "David Bowie", "Drake"]),
        ("Drake x The Weeknd", ["Drake", "The Weeknd"]),
        ("Drake / Queen + The Weeknd", ["Drake", "Queen", "The Weeknd"]),
        ("Lil Nas X & Drake", ["Lil Nas X", "Drake"]),
        ("Drake with Queen", ["Drake", "Queen"]),
        ("Drake & Drake", ["Drake"]),
    ],
)
def test_a_credit_of_names_that_are_known_is_split(credit: str, artists: list[str]) -> None:
    assert knowing().artists(credit) == artists


@pytest.mark.parametrize("joined", ["feat.", "Feat.", "feat", "ft.", "FT", "featuring", "vs.", "vs"])
def test_guests_are_split_off_whoever_they_are(joined: str) -> None:
    assert Credits().artists(f"Ana {joined} Bo") == ["Ana", "Bo"]


def test_guests_in_brackets_are_split_off() -> None:
    assert Credits().artists("Ana (feat. Bo)") == Credits().artists("Ana [ft. Bo]") == ["Ana", "Bo"]
    assert Credits().artists("Ana; Bo") == Credits().artists("Ana / Bo") == ["Ana", "Bo"]


@pytest.mark.parametrize(
    "name", [*BAND_NAMES, "R&B Kids", "Featherweight", "Malcolm X", "Charlie XCX", "12,000 Voices"]
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_name_that_is_one_is_never_split(name: str, everywhere: bool) -> None:
    found = knowing(name, everywhere=everywhere)
    assert found.artists(name) == [name]
    assert found.artists(f"{name} feat. Drake") == [name, "Drake"]
    assert found.artists(f"{name} & Drake") == found.artists(f"{name}, Drake") == [name, "Drake"]
    assert found.artists(f"Drake & {name}") == ["Drake", name]


def test_parts_that_are_artists_by_chance_do_not_split_a_known_band() -> None:
    assert knowing("Earth", "Wind", "Fire").artists("Earth, Wind & Fire") == ["Earth, Wind & Fire"]


def test_what_splits_credits_does_so_too_where_another_process_has_it() -> None:
    sent = pickle.loads(pickle.dumps(knowing()))  # noqa: S301 - made here
    assert sent.artists("Queen & David Bowie feat. Drake") == ["Queen", "David Bowie", "Drake"]


def test_a_credit_stays_whole_where_not_all_parts_are_known() -> None:
    found = knowing("Drake & Nobody", "Nobody and Queen")
    assert found.artists("Drake & Nobody") == ["Drake & Nobody"]
    assert found.artists("Drake & Nobody & Queen") == ["Drake & Nobody", "Queen"]


def test_names_learned_from_what_a_guest_leaves_are_known() -> None:
    assert knowing("Ana feat. Bo").artists("Bo & Ana") == ["Bo", "Ana"]


def test_what_is_learned_does_not_depend_on_the_order_of_credits() -> None:
    rows = ["A & B", "B", "A", "A & B & C", "C", "C, D", "C, D & A"]
    one, other = Credits(), Credits()
    one.learn(rows)
    other.learn(reversed(rows))
    assert [one.artists(row) for row in rows] == [other.artists(row) for row in rows]
    assert one.artists("C, D & A") == ["C, D", "A"]


def test_everywhere_is_everywhere_but_before_the() -> None:
    found = knowing(everywhere=True)
    assert found.artists("Ana & Bo, Cy x Di") == ["Ana", "Bo", "Cy", "Di"]
    assert found.artists("Ana & The Others") == ["Ana & The Others"]
    assert found.artists("Ana & The Weeknd") == ["Ana", "The Weeknd"]


def test_case_unicode_form_and_the_word_and_do_not_matter() -> None:
    found = Credits(["Beyonce\u0301 & Jay-Z"])
    assert found.artists("Beyonc\u00e9 and JAY-Z") == ["Beyonc\u00e9 and JAY-Z"]


@given(st.text(alphabet="AB &,x/;()+.feat ", max_size=80), st.booleans())
def test_whatever_a_credit_is_no_artist_is_blank_and_none_comes_twice(credit: str, everywhere: bool) -> None:
    found = knowing("A", "B", everywhere=everywhere).artists(credit)
    assert len(set(found)) == len(found)
    assert found == [credit] or all(each.strip() == each and each for each in found)


def rows(folder: Path, kind: Kind, *events: dict[str, Any], **options: Any) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    found = dry_run(Plan(kind, (path,), FileOptions(**options)))
    return [json.loads(value) for _, value in found.events], found


def click(artist: str | list[str], song: str = "s") -> dict[str, Any]:
    return {"user_id": "u", "song_id": song, "ts": 1.7e9, "artist_ids": artist}


def test_clicks_are_of_every_artist_in_a_credit_and_how_many_were_split_is_said(tmp_path: Path) -> None:
    given = [click("Ana & Bo feat. Cy"), click("Bo"), click(["Ana", "Di"])]
    events, found = rows(tmp_path, "clicks", *given, split_artists="known")
    assert [event["artist_ids"] for event in events] == [["Ana", "Bo", "Cy"], ["Bo"], ["Ana", "Di"]]
    (remark,) = found.tally.remarks.values()
    assert (remark.what, remark.count, remark.detail) == (
        "split-artists",
        1,
        "artist_ids: 'Ana & Bo feat. Cy' is Ana | Bo | Cy",
    )


def test_credits_are_left_alone_unless_it_is_asked_for(tmp_path: Path) -> None:
    (event, *_), found = rows(tmp_path, "clicks", click("Ana feat. Bo"))
    assert (event["artist_ids"], dict(found.tally.remarks)) == (["Ana feat. Bo"], {})


def test_names_in_files_of_songs_are_known_and_their_credits_split(tmp_path: Path) -> None:
    songs = tmp_path / "songs.csv"
    songs.write_text("song_id,artist_ids\ns,Ana & Bo\nt,Ana\nv,Bo\n")
    (event,), _ = rows(tmp_path, "clicks", click("none"), split_artists="known", songs=(songs,))
    assert event["artist_ids"] == ["Ana", "Bo"]


def test_known_artists_of_a_file_are_never_split(tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("\ufeffAna & Bo\n\n", encoding="utf-8")
    options = {"split_artists": "all", "known_artists": known}
    (event,), _ = rows(tmp_path, "clicks", click("Ana & Bo, Cy"), **options)
    assert event["artist_ids"] == ["Ana & Bo", "Cy"]


def test_names_of_a_song_stay_with_its_artists(tmp_path: Path) -> None:
    by_name = {"song_id": "s", "artist_ids": ["Ana ft. Bo"], "artist_names": ["Ana ft. Bo"]}
    by_id = {"song_id": "t", "artist_ids": ["17"], "artist_names": ["Ana ft. Bo"]}
    mixed = {"song_id": "v", "artist_ids": ["Ana ft. Bo"], "artist_names": ["Somebody"]}
    (one, two, three), _ = rows(tmp_path, "songs", by_name, by_id, mixed, split_artists="known")
    assert one["artist_ids"] == one["artist_names"] == ["Ana", "Bo"]
    assert two == by_id | {"genres": []}
    assert three == {"song_id": "v", "artist_ids": ["Ana", "Bo"], "artist_names": [], "genres": []}


def test_what_is_no_name_is_left_to_the_check_of_the_event(tmp_path: Path) -> None:
    odd = [click(["Ana ft. Bo", {"id": 1}]), click([7.5, "Ana"]), click([7, "Ana ft. Bo"])]  # type: ignore[list-item]
    events, found = rows(tmp_path, "clicks", *odd, split_artists="all")
    assert [event["artist_ids"] for event in events] == [["7", "Ana", "Bo"]]
    assert found.tally.bad == {"bad-id": 2}


def test_a_credit_too_long_for_an_id_may_be_one_of_many_artists(tmp_path: Path) -> None:
    names = [f"Artist of some length {number}" for number in range(12)]
    (event,), _ = rows(tmp_path, "clicks", click("; ".join(names)), split_artists="known")
    assert event["artist_ids"] == names


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("feedback", {"split_artists": "known"}, "goes with clicks, releases, songs"),
        ("clicks", {"known_artists": Path("f")}, "does not go without"),
    ],
)
def test_options_that_do_not_go_together_are_refused(kind: Kind, options: Any, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        Plan(kind, (), FileOptions(**options))


def test_known_artists_that_are_no_text_are_refused(tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match=r"known\.txt cannot be read"):
        rows(tmp_path, "clicks", click("Ana"), split_artists="known", known_artists=known)


def test_credits_in_csv_are_split_too(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("user_id,song_id,artist_ids,ts\nu,s,Ana ft. Bo,1600000000\nu,s,Ana,1600000000\n")
    found = dry_run(Plan("clicks", (path,), FileOptions(split_artists="known")))
    assert [json.loads(value)["artist_ids"] for _, value in found.events] == [["Ana", "Bo"], ["Ana"]]


def test_several_files_of_songs_and_splitting_go_by_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "plays.csv").write_text("user_id,song_id,ts\nu,s,1.7e9\n")
    (tmp_path / "songs-1.csv").write_text("song_id,artist_ids\ns,Ana & Bo\n")
    (tmp_path / "songs-2.csv").write_text("song_id,artist_ids\ns,Cy\nt,Ana\nv,Bo\n")
    command = [
        *("replay", "clicks", str(tmp_path / "plays.csv"), "--dry-run", "--split-artists", "known"),
        *("--songs", str(tmp_path / "songs-1.csv"), "--songs", str(tmp_path / "songs-2.csv")),
    ]
    called = CliRunner().invoke(application(), command)
    assert '"artist_ids":["Ana","Bo","Cy"]' in called.stdout
    assert "1 rows have several artists in one name of artist_ids" in called.stderr
