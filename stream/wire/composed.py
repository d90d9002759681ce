"""Ids and names in one Unicode form: what looks the same is the same."""

from __future__ import annotations

import unicodedata

__all__ = ["nfc"]


def nfc(text: str) -> str:
    """Return a text in the composed form, NFC, in which most of the world writes.

    macOS, some tags of music files and some databases write letters and their accents apart (NFD).

    Examples
    --------
    >>> nfc("Beyonce\\N{COMBINING ACUTE ACCENT}") == "Beyoncé"
    True
    """
    # Most ids are ASCII, and of the others most are composed: neither is copied.
    return (
        text
        if text.isascii() or unicodedata.is_normalized("NFC", text)
        else unicodedata.normalize("NFC", text)
    )
