"""The artists in a credit such as "A & B feat. C", without splitting a name that is one.

What joins artists is taken from MusicBrainz's join phrases and Maloja's delimiters (its settings
``delimiters_feat`` and ``delimiters_informal``). Those of Maloja split whatever is not on a list; here what
also stands within names (``&``, a comma, ``and``) splits only where that is borne out by other names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from stream.files.band_names import BAND_NAMES

__all__ = ["Credits"]

_GUEST = r"feat(?:uring)?\.?|ft\.?"
_IN_BRACKETS = re.compile(rf"\s*[(\[]\s*(?:{_GUEST})\s+([^()\[\]]*)[)\]]", re.IGNORECASE)
_ALWAYS = re.compile(rf"\s+(?:{_GUEST}|vs\.?|/)(?=\s)|\s*;(?=\s)", re.IGNORECASE)
"""What stands between artists and hardly in a name."""

_MAYBE = re.compile(
    r"\s*,(?=\s)(?:\s+(?:&|and)(?=\s))?|\s*、|\s+(?:&|\+|x|\N{MULTIPLICATION SIGN}|and|with)(?=\s)",
    re.IGNORECASE,
)
"""What stands between artists and in names. Not ``AC/DC`` and ``R&B``: blanks belong to it."""

MOST_PARTS = 64  # of one credit: twice as many as an event may have artists
CACHED = 100_000  # credits


class Credits:
    """Says who the artists in a credit are, going by the names that are known.

    Known are `BAND_NAMES`, `known` and every name of `learn` that stands alone: a credit, or what a "feat."
    leaves of one, with nothing in it that could join two artists. Case, Unicode form and ``&`` for ``and`` do
    not matter. A known name is never split. Of all else

    - ``feat.``, ``ft.``, ``featuring``, ``vs.``, ``;`` and ``/`` with blanks around it always split,
    - ``,``, ``&``, ``+``, ``and``, ``with``, ``x`` split where all parts are known.

    A credit of which not all parts are known is a name of its own, and known as such to longer ones: with
    "Tyler, The Creator" and "Kali Uchis" in the data, "Tyler, The Creator & Kali Uchis" are these two.

    Parameters
    ----------
    known
        Names that are never split.
    everywhere
        Whether parts are split off that are not known, too, but for those that begin with ``The``.

    Examples
    --------
    >>> credits = Credits()
    >>> credits.learn(["Queen", "David Bowie", "Queen & David Bowie", "Belle & Bo", "Tyler, The Creator"])
    >>> credits.artists("Queen & David Bowie"), credits.artists("Belle & Bo (feat. Queen)")
    (['Queen', 'David Bowie'], ['Belle & Bo', 'Queen'])
    >>> credits.artists("Tyler, The Creator & Queen ft. AC/DC")
    ['Tyler, The Creator', 'Queen', 'AC/DC']
    >>> Credits(everywhere=True).artists("Belle & Bo, Florence & The Machine")
    ['Belle', 'Bo', 'Florence & The Machine']
    """

    def __init__(self, known: Iterable[str] = (), *, everywhere: bool = False) -> None:
        self._known = {_same(name) for name in (*BAND_NAMES, *known)}
        self._everywhere = everywhere
        self._cached = lru_cache(CACHED)(self._artists)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_cached"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._cached = lru_cache(CACHED)(self._artists)

    def learn(self, names: Iterable[str]) -> None:
        """Learn names from all credits that there are. Holds each name in memory."""
        joined: set[str] = set()
        for credit in names:
            for part in _always_split(credit):
                if len(_places(part)) == 1:
                    self._known.add(_same(part))
                else:
                    joined.add(part)
        if not self._everywhere:
            for part in sorted(joined, key=lambda part: (len(_places(part)), part)):
                if not self._of_known(part):
                    self._known.add(_same(part))
        self._cached.cache_clear()

    def artists(self, credit: str) -> list[str]:
        """Return the artists in a credit, each once, as they are written there."""
        return list(self._cached(credit))

    def _artists(self, credit: str) -> tuple[str, ...]:
        if _same(credit) in self._known:
            return (credit,)
        found: dict[str, None] = {}
        for part in _always_split(credit):
            found |= dict.fromkeys(self._within(part))
        return tuple(found) or (credit,)

    def _within(self, part: str) -> list[str]:
        if _same(part) in self._known:
            return [part]
        return self._of_known(part) or (self._one_by_one(part) if self._everywhere else [part])

    def _of_known(self, part: str) -> list[str]:
        """Return the known names, as few as possible, that a part is made of; none where it is not."""
        places = _places(part)
        if len(places) > MOST_PARTS:
            return []
        until: list[list[str] | None] = [[], *(None for _ in places)]
        for end in range(1, len(places) + 1):
            for begin in range(end):
                before, name = until[begin], part[places[begin][0] : places[end - 1][1]].strip()
                if before is None or not name or _same(name) not in self._known:
                    continue
                best = until[end]
                if best is None or len(before) + 1 <= len(best):
                    until[end] = [*before, name]
        return until[-1] or []

    def _one_by_one(self, part: str) -> list[str]:
        """Return a part split wherever it can be, but not within or before what is rather one name."""
        places, found, at = _places(part), [], 0
        while at < len(places):
            begin, end = places[at][0], at + 1
            longest = (
                until
                for until in range(min(len(places), at + MOST_PARTS), at, -1)
                if _same(part[begin : places[until - 1][1]]) in self._known
            )
            if known := next(longest, 0):
                end = known
            else:
                while end < len(places) and self._goes_on(part[slice(*places[end])]):
                    end += 1
            if name := part[begin : places[end - 1][1]].strip():
                found.append(name)
            at = end
        return found

    def _goes_on(self, name: str) -> bool:
        """Say whether a name rather belongs to the one before: "Florence & The Machine"."""
        return not name.strip() or (_same(name).startswith("the ") and _same(name) not in self._known)


def _always_split(credit: str) -> list[str]:
    parts = _ALWAYS.split(_IN_BRACKETS.sub(r" feat. \1", credit))
    return [part for part in map(str.strip, parts) if part]


def _places(part: str) -> list[tuple[int, int]]:
    """Return begin and end of what is between places where a part may be split."""
    begins, ends = [0], []
    for found in _MAYBE.finditer(part):
        ends.append(found.start())
        begins.append(found.end())
    return list(zip(begins, [*ends, len(part)], strict=True))


def _same(name: str) -> str:
    """Return what is equal for two ways to write a name."""
    words = unicodedata.normalize("NFC", name).casefold().split()
    return " ".join("and" if word in ("&", "+") else word for word in words)
