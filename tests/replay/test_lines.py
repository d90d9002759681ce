"""The lines of a text come the same in whatever pieces the text is read."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.files import lines as module
from stream.files.lines import Lines, Text, lines_of

ENDS = st.lists(st.sampled_from(("a", "bc", "\r", "\n", "\r\n", "é", "d" * 30)), max_size=40)
LONGEST = 20


def taken(text: str, chunk: int, looks: int) -> list[tuple[int, str, bool]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        lines = Lines(Text(io.BufferedReader(io.BytesIO(text.encode())), "utf-8"), LONGEST)
        found = []
        while line := lines.take():
            found.append((lines.number, line, lines.too_long))
            if looks:
                lines.ahead(looks)
                assert "".join(lines_of(lines.several())) == lines.several()
        return found


@given(ENDS, st.integers(2, 12), st.integers(0, 3))
def test_lines_are_those_of_the_whole_text_and_of_one_too_long_there_is_the_beginning(
    parts: list[str], chunk: int, looks: int
) -> None:
    text = "".join(parts)
    found = taken(text, chunk, looks)
    whole = lines_of(text)
    assert [number for number, _, _ in found] == list(range(1, len(whole) + 1))
    assert [too_long for *_, too_long in found] == [len(line) > LONGEST for line in whole]
    for (_, line, too_long), meant in zip(found, whole, strict=True):
        assert line[:LONGEST] == meant[:LONGEST] if too_long else line == meant
        assert len(line) <= LONGEST + 1


@given(ENDS, st.integers(2, 12))
def test_lines_that_are_dropped_together_are_those_that_were_looked_at(parts: list[str], chunk: int) -> None:
    text = "".join(parts).replace("d" * 30, "d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        lines = Lines(Text(io.BufferedReader(io.BytesIO(text.encode())), "utf-8"), 1000)
        found = ""
        for take_one in itertools.cycle((True, False)):
            if take_one:
                found += lines.take()
                continue
            if not (several := lines.several()):
                break
            lines.drop(lines.count())
            found += several
    assert (found, lines.number) == (text, len(lines_of(text)))


class Damaged(io.RawIOBase):
    def __init__(self, good: bytes) -> None:
        self._good = io.BytesIO(good)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        got = self._good.read(len(buffer))
        if not got:
            raise OSError("damaged")
        buffer[: len(got)] = got
        return len(got)


def test_whole_lines_before_damage_come_and_the_one_it_cuts_does_not() -> None:
    lines = Lines(Text(io.BufferedReader(Damaged(b"one\ntwo\nthr")), "utf-8"), LONGEST)
    assert (lines.take(), lines.several(), lines.take()) == ("one\n", "two\n", "two\n")
    for _ in range(2):
        with pytest.raises(OSError, match="damaged"):
            lines.take()
