"""Where answers for people are printed: each text stands there as it came."""

from __future__ import annotations

from rich.console import Console

__all__ = ["Terminal"]


class Terminal(Console):
    """Prints texts as they are: rich takes ``[b]`` in a `str` for markup, and ``:new:`` for a picture.

    Ids, titles and names hold such things. What is to be styled is a `Text`, or is printed with ``style=``.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)
