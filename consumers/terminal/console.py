"""Where answers for people are printed: each text stands there as it came, and drives no terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from consumers.terminal.visible import visible

__all__ = ["Terminal", "shown"]


class Terminal(Console):
    """Prints texts as they are: rich takes ``[b]`` in a `str` for markup, and ``:new:`` for a picture.

    Ids, titles and names hold such things. What is to be styled is a `Text`, or is printed with ``style=``.
    A text is one line, whatever is in it.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts and tables."""
        super().print(*(shown(each) if isinstance(each, str | Text) else each for each in objects), **options)


def shown(text: str | Text, *, lines: bool = False) -> Text:
    """Return a text as it may be shown.

    Parameters
    ----------
    lines
        Whether it may have several lines.
    """
    if isinstance(text, str):
        return Text(visible(text, lines=lines))
    found = text.copy()
    found.plain = visible(text.plain, lines=lines)
    return found
