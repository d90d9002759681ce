from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from consumers.replay.plan import Plan, preview
from stream.errors import NotWritten, WrongUse
from stream.files.options import FileOptions
from stream.files.sources import readable
from tests.full_disk import no_file_longer_than

CLICKS = b"user,song_id,ts\nu1,s1,1700000000\nu2,s2,1700000001\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CLICKS)))


@pytest.mark.usefixtures("piped")
def test_what_is_piped_in_is_read_like_a_file_and_as_often() -> None:
    with readable(["-"]) as paths:
        plan = Plan("clicks", paths, FileOptions(mapping={"user_id": "user"}))
        twice = [preview(plan, 5)[0] for _ in range(2)]
    assert [key for key, _ in twice[0]] == [b"u1", b"u2"]
    assert twice[0] == twice[1]
    assert not paths[0].exists()


@pytest.mark.usefixtures("piped")
def test_a_file_of_bad_rows_outlives_the_copy_that_it_stands_beside(tmp_path: Path) -> None:
    with readable(["-"], tmp_path / "replays") as paths:
        reading = Plan("clicks", paths).reading(1.8e9, tmp_path)
        assert list(reading.events()) == []  # no column is user_id
    (bad,) = reading.tally.bad_files
    assert len(bad.read_text().splitlines()) == 2
    assert [bad] == list((tmp_path / "replays").iterdir())


@pytest.mark.parametrize(
    ("files", "again", "said"),
    [(["-"], True, "--resume needs a file"), (["-", "-"], False, "name it once")],
)
@pytest.mark.usefixtures("piped")
def test_standard_input_can_be_read_once(files: list[str], again: bool, said: str) -> None:
    with pytest.raises(WrongUse, match=said), readable(files, again=again):
        pass


def test_nobody_is_left_typing_rows_into_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(WrongUse, match="nothing is piped into it"), readable(["-"]):
        pass


@pytest.mark.parametrize("times", [1, 10_000], ids=["told at its end", "told as it is read"])
def test_no_room_for_standard_input_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CLICKS * times)))
    with (
        no_file_longer_than(10),
        pytest.raises(NotWritten, match="standard input, cannot be written: File too large"),
        readable(["-"], tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
