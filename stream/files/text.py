"""Which text the bytes of a file are."""

from __future__ import annotations

import codecs

__all__ = ["AUTO", "encoding_of", "is_text", "is_utf8"]

AUTO = "auto"

MARKS = (  # the longer ones first: the mark of UTF-16 begins the one of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MOSTLY = 0.4
"""Of UTF-16 without a mark: so much of every second byte is zero, as of any text with ASCII in it."""

CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1b")
FEW = 0.05  # of the characters, and a handful of them even in a short text


def encoding_of(head: bytes, asked: str = AUTO) -> str:
    """Return the name of the encoding of a file that begins so.

    Parameters
    ----------
    asked
        What a person said; ``auto``: UTF-8, or UTF-16 and UTF-32 by their mark or by their zeros.

    Raises
    ------
    LookupError
        Where there is no such encoding, or it is not one of text.

    Examples
    --------
    >>> encoding_of(b"user,song"), encoding_of("user,song".encode("utf-16")), encoding_of(b"u\\0,\\0")
    ('utf-8-sig', 'utf-16', 'utf-16-le')
    """
    if asked != AUTO:
        name = codecs.lookup(asked).name
        return "utf-8-sig" if name == "utf-8" else asked
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2], head[1::2]
    if odd and odd.count(0) > MOSTLY * len(odd) and not even.count(0):
        return "utf-16-le"
    if odd and even.count(0) > MOSTLY * len(even) and not odd.count(0):
        return "utf-16-be"
    return "utf-8-sig"


def is_utf8(head: bytes) -> bool:
    r"""Say whether a file that begins so may be UTF-8: not where all that is not ASCII is something else.

    Where some of it is UTF-8, a row may be damaged, and costs itself alone.

    Examples
    --------
    >>> is_utf8("Björk".encode()), is_utf8("Björk".encode("latin-1"))
    (True, False)
    >>> is_utf8("Björk, ".encode() + "Björk".encode("latin-1"))
    True
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")  # its end may be cut in a character
    others = [letter for letter in decoder.decode(head) if not letter.isascii()]
    return not others or not all("\udc80" <= letter <= "\udcff" for letter in others)


def is_text(head: str) -> bool:
    r"""Say whether it may be text: there are hardly any control characters in it.

    Examples
    --------
    >>> is_text("user\tsong\n"), is_text("\x00\x01\x02" * 9)
    (True, False)
    """
    return sum(map(head.count, CONTROL.decode())) <= max(8, FEW * len(head))
