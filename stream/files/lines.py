"""Lines of a text, as far as memory should hold them."""

from __future__ import annotations

import codecs
import io
from collections import deque
from typing import Protocol

__all__ = ["Lines", "Readable", "Text", "lines_of"]

CHUNK = 1 << 14
"""Characters that are read at once: what one odd line makes slower, and what memory holds, is no more."""


class Readable(Protocol):
    """What text is read from."""

    def read(self, size: int, /) -> str:
        """Return the next characters, about `size`; fewer before the end or damage, "" at the end."""


class Text:
    r"""The text of a file; unlike `io.TextIOWrapper` it gives what stands before damage before the error.

    What is no text in the encoding stays recognisable (``surrogateescape``), and makes its own row bad, not
    the whole file. Line ends are as they are.

    Examples
    --------
    >>> text = Text(io.BufferedReader(io.BytesIO("Björk\r\n".encode())), "utf-8")
    >>> text.read(3), text.read(9), text.read(9)
    ('Bj', 'örk\r\n', '')
    """

    def __init__(self, plain: io.BufferedReader, encoding: str) -> None:
        self._plain = plain
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._fault: Exception | None = None

    def read(self, size: int, /) -> str:
        """Return the next characters, about `size`; fewer before the end or damage, "" at the end.

        Raises
        ------
        OSError, EOFError, UnicodeError
            Where the file is damaged.
        """
        if self._fault:
            raise self._fault
        text, data = "", b"any"
        try:
            while data and 2 * len(text) < size:
                data = self._plain.read1(size - len(text))
                text += self._decoder.decode(data, final=not data)
        except (OSError, EOFError, UnicodeError) as fault:
            self._fault = fault
            if not text:
                raise
        return text


class Lines:
    """The lines of a text, which can be looked at before they are taken; memory holds none that is too long.

    Attributes
    ----------
    number
        Of the line that was taken last, from 1.
    too_long
        Whether it has more than `longest` characters: then there is its beginning only.
    """

    def __init__(self, text: Readable, longest: int) -> None:
        self._text = text
        self._longest = longest
        self._ahead: deque[str] = deque()
        self._behind = ""  # lines that come after those, not taken apart yet
        self._rest = ""  # of a line whose end was not read yet
        self.number = 0
        self.too_long = False

    def take(self) -> str:
        """Return the next line with its end; "" behind the last."""
        line = self._ahead.popleft() if self._ahead or self._take_apart() else ""
        self.number += bool(line)
        self.too_long = len(line) > self._longest
        return line

    def ahead(self, at: int) -> str:
        """Return the line that comes after so many others; "" behind the last."""
        while len(self._ahead) <= at:
            if not self._take_apart():
                return ""
        return self._ahead[at]

    def several(self) -> str:
        """Return lines that come next, without taking them: the text of all of them; "" behind the last."""
        if not self._ahead and not self._behind:
            self._read()
        return "".join(self._ahead) or self._behind

    def count(self) -> int:
        """Return how many lines `several` gives."""
        return len(self._ahead) if self._ahead or self._take_apart() else 0

    def drop(self, count: int) -> None:
        """Take so many lines that were looked at: all of `several`, or some of those `ahead`."""
        self.number += count
        if not self._ahead:
            self._behind = ""
            return
        for _ in range(count):
            self._ahead.popleft()

    def _take_apart(self) -> bool:
        """Take apart the lines that come next. False: there are none."""
        before = len(self._ahead)
        if not self._behind:
            self._read()
        self._ahead.extend(lines_of(self._behind))
        self._behind = ""
        return len(self._ahead) > before

    def _read(self) -> None:
        text, end = self._rest, 0
        while not end and (piece := self._text.read(CHUNK)):
            start = max(len(text) - 1, 0)
            text += piece
            # A CR at its end may have an LF after it.
            end = max(text.rfind("\n", start), text.rfind("\r", start, len(text) - 1)) + 1
            if not end and len(text) > self._longest:
                text = text[: self._longest] + text[-1]
        end = end or len(text)
        self._behind, self._rest = text[:end], text[end:]
        if end > self._longest:  # only the first line can be as long
            first, *others = lines_of(self._behind)
            self._ahead.append(first[: self._longest + 1])
            self._behind = "".join(others)


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text: CR, LF or both end one, and nothing else does.

    Examples
    --------
    >>> lines_of("a\u2028b\r\nc\rd")
    ['a\u2028b\r\n', 'c\r', 'd']
    """
    return io.StringIO(text, newline="").readlines()
