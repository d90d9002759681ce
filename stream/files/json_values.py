"""The values of a JSON text one by one, with one of them in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from stream.files.lines import Readable

__all__ = ["LARGEST", "JsonValues"]

CHUNK = 1 << 16  # characters
LARGEST = 1 << 23
"""Characters of one value at most: a row, or what stands beside the rows. Memory holds one at a time."""


class JsonValues:
    r"""Goes through values of a JSON text: of an array, of an object, or one behind the other.

    Beside JSON it reads NaN and Infinity, as Python writes them.

    Attributes
    ----------
    line
        The line at which the value begins that came last.

    Examples
    --------
    >>> import io
    >>> list(JsonValues(io.StringIO('[{"a": 1}, {"a": 2}]')).below([]))
    [{'a': 1}, {'a': 2}]
    >>> list(JsonValues(io.StringIO('{"x": 3, "plays": [{"a": 1}]}')).below(["plays"]))
    [{'a': 1}]
    >>> list(JsonValues(io.StringIO('{"u1": {"a": 1}}')).below(["*"]))
    [('u1', {'a': 1})]
    """

    def __init__(self, text: Readable) -> None:
        self._text = text
        self._buffer, self._at, self._ended = "", 0, False
        self._counted = 0  # up to here in the buffer its line ends are counted
        self._decoder = json.JSONDecoder()
        self.line = 1

    def below(self, path: Sequence[str]) -> Iterator[Any]:
        """Go through the elements of the list at a path; where it ends in ``*``, (name, value) of an object.

        Without a path, of what there is: values one behind the other, lists opened.

        Raises
        ------
        ValueError
            Where it is not JSON, has nothing at the path, or breaks off.
        """
        if not path:
            while found := self._next():
                if found == "[":
                    yield from self._elements()
                else:
                    yield self._value()
            return
        for part in path:
            if part == "*":
                yield from self._members()
                return
            self._enter(part)
        if self._next() != "[":
            raise ValueError(f"what stands at {'.'.join(path)} is no list; {'.'.join(path)}.* is all in it")
        yield from self._elements()

    def names(self, path: Sequence[str] = ()) -> dict[str, Any]:
        """Return the members of an object that begins within the buffer, as far as it reaches.

        Where one breaks off, its first character stands for it.
        """
        found: dict[str, Any] = {}
        try:
            self._expect("{")
            while self._next() != "}":
                name = self._name()
                found[name] = self._next()
                found[name] = self._value()
                if self._expect(",}") == "}":
                    break
        except ValueError:
            pass  # what came so far is told
        return found

    def _enter(self, name: str) -> None:
        """Go to the value of a member of the object here; those before it are passed over."""
        self._expect("{")
        while self._next() != "}":
            found = self._name()
            if found == name:
                return
            self._value()
            if self._expect(",}") == "}":
                break
        raise ValueError(f"there is no {name!r}")

    def _members(self) -> Iterator[tuple[str, Any]]:
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            yield self._name(), self._value()
            if self._expect(",}") == "}":
                return

    def _elements(self) -> Iterator[Any]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._expect(",]") == "]":
                return

    def _name(self) -> str:
        name = self._value()
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is no name in quotes")  # noqa: TRY004 - wrong text, not a wrong type
        self._expect(":")
        return name

    def _next(self) -> str:
        """Return the next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at].isspace():
                self._at += 1
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def _expect(self, characters: str) -> str:
        found = self._next()
        if not found or found not in characters:
            raise ValueError(
                f"{found!r} stands where one of {characters!r} should" if found else "it breaks off"
            )
        self._at += 1
        return found

    def _value(self) -> Any:
        self._next()
        self.line += self._buffer.count("\n", self._counted, self._at)
        self._counted = self._at
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    line = self.line + self._buffer.count("\n", self._at, error.pos)
                    raise ValueError(f"{error.msg} in line {line}, column {error.colno}") from error
                continue
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def _more(self) -> bool:
        if len(self._buffer) - self._at > LARGEST:
            raise ValueError(f"a value is longer than {LARGEST:,} characters")
        # As much again as is not understood yet, so that a long value is not parsed over and over.
        part = "" if self._ended else self._text.read(max(CHUNK, len(self._buffer) - self._at))
        self._ended = not part
        self.line += self._buffer.count("\n", self._counted, self._at)
        self._buffer, self._at, self._counted = self._buffer[self._at :] + part, 0, 0
        return bool(part)
