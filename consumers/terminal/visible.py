"""Text from outside, such as a title, a city or a segment, as a terminal may show it."""

from __future__ import annotations

import typer

__all__ = ["say", "visible"]

PICTURES = 0x2400  # where Unicode has a picture of each control character
NO_PICTURE = "\N{REPLACEMENT CHARACTER}"
TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""What turns the order of the letters that follow, so that one text looks like another."""

IN_SIGHT = {
    **{code: chr(PICTURES + code) for code in range(0x20)},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys((*range(0x80, 0xA0), *TURNS), NO_PICTURE),
}
WITH_LINES = {code: sign for code, sign in IN_SIGHT.items() if code != ord("\n")}


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text with a sign for each character that a terminal would obey in place of showing it.

    Parameters
    ----------
    lines
        Whether it may have several lines.

    Examples
    --------
    >>> visible("Pune\x1b[2J\n"), visible("Pune\x9b2J\n", lines=True), visible("شيرين Sól")
    ('Pune␛[2J␊', 'Pune�2J\n', 'شيرين Sól')
    """
    if text.isprintable():
        return text
    return text.translate(WITH_LINES if lines else IN_SIGHT)


def say(line: str, *, err: bool = False) -> None:
    """Print a line for people, on standard output or standard error."""
    typer.echo(visible(line), err=err)
