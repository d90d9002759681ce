"""Lines of a text, as far as memory should hold them."""

from __future__ import annotations

import io
from collections import deque
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

    def drop(self, count: int) -> None:
        """Take so many lines that were looked at."""
        for _ in range(count):
            self.take()

    def _read(self) -> str:
        line = self._text.readline(self._longest + 1)
        if len(line) > self._longest and not line.endswith(("\n", "\r")):
            while (rest := self._text.readline(self._longest)) and not rest.endswith(("\n", "\r")):
                pass
        return line


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text: CR, LF or both end one, and nothing else does.

    Examples
    --------
    >>> lines_of("a\u2028b\r\nc\rd")
    ['a\u2028b\r\n', 'c\r', 'd']
    """
    return io.StringIO(text, newline="").readlines()
