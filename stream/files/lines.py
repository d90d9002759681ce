"""Lines of a text, as far as memory should hold them."""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

__all__ = ["Lines", "lines_of"]


class Lines:
    """The lines of a text, which can be looked at before they are taken; memory holds none that is too long.

    Attributes
    ----------
    number
        Of the line that was taken last, from 1.
    too_long
        Whether it has more than `longest` characters: then there is its beginning only.
    """

    def __init__(self, text: IO[str], longest: int) -> None:
        self._text = text
        self._longest = longest
        self._ahead: deque[str] = deque()
        self.number = 0
        self.too_long = False
        self._fault: Exception | None = None

    def take(self) -> str:
        """Return the next line with its end; "" behind the last."""
        line = self._ahead.popleft() if self._ahead else self._read()
        self.number += bool(line)
        self.too_long = len(line) > self._longest
        return line

    def ahead(self, at: int) -> str:
        """Return the line that comes after so many others."""
        while len(self._ahead) <= at:
            self._ahead.append(self._read())
        return self._ahead[at]

    def several(self, count: int) -> Sequence[str]:
        """Return lines that come next, some `count` of them, without taking them; none behind the last."""
        if not self._ahead:
            self._check()
            try:
                self._ahead.extend(map(self._text.readline, itertools.repeat(self._longest + 1, count)))
            except Exception as fault:  # raised again when the lines before it are taken
                self._fault = fault
                if not self._ahead:
                    raise
            if not self._ahead[-1] or max(map(len, self._ahead)) > self._longest:
                self._ahead = deque(self._whole(self._ahead))
        return self._ahead

    def drop(self, count: int) -> None:
        """Take so many lines that were looked at."""
        if count == len(self._ahead):
            self._ahead.clear()
            self.number += count
            return
        for _ in range(count):
            self.take()

    def _check(self) -> None:
        if self._fault:
            raise self._fault

    def _read(self) -> str:
        self._check()
        line = self._text.readline(self._longest + 1)
        if self._is_cut(line):
            while (rest := self._text.readline(self._longest)) and not rest.endswith(("\n", "\r")):
                pass
        return line

    def _is_cut(self, line: str) -> bool:
        return len(line) > self._longest and not line.endswith(("\n", "\r"))

    def _whole(self, pieces: Iterable[str]) -> Iterator[str]:
        """Leave out what belongs to a line that is too long, but for its beginning."""
        cut = False
        for piece in pieces:
            if not cut and piece:
                yield piece
            cut = self._is_cut(piece) or (cut and not piece.endswith(("\n", "\r")))
        while cut and (rest := self._text.readline(self._longest)):
            cut = not rest.endswith(("\n", "\r"))


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text: CR, LF or both end one, and nothing else does.

    Examples
    --------
    >>> lines_of("a\u2028b\r\nc\rd")
    ['a\u2028b\r\n', 'c\r', 'd']
    """
    return io.StringIO(text, newline="").readlines()
