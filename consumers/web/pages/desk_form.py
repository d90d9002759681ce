"""The release desk's form: what was typed, and what of it cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import ImmutableMultiDict

from consumers.web.api.releases import AskedRelease
from stream.stores.names import folded_form
from stream.wire.composed import nfc

__all__ = ["LISTS", "NAMED", "DeskForm", "suggested_id"]

NAMED = {"artists": "Artists", "featuring": "Featuring", "similar_to": "Similar to"}
"""Fields that take artists, and what they are called."""

LISTS = (*NAMED, "genres")
ONES = ("label", "song_id", "title", "max_audience", "min_ctr", "where")
CALLED = {
    **NAMED,
    "genres": "Genres",
    "label": "Label",
    "song_id": "Song",
    "title": "Title",
    "max_audience": "At most so many listeners",
    "min_ctr": "Lowest CTR",
    "where": "Conditions",
}

NOT_IN_IDS = re.compile(r"[^\w]+")
LONGEST_ID = 80


@dataclass(frozen=True)
class DeskForm:
    """What was typed.

    Attributes
    ----------
    values
        Field -> what stands in it; of `LISTS` a list.
    why
        A listener to explain.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @classmethod
    def of(cls, given: ImmutableMultiDict[str, Any]) -> DeskForm:
        """Read what a browser sends: a form, or the address of the page."""
        values: dict[str, Any] = {}
        for name in LISTS:
            said = [str(each).strip() for each in given.getlist(name)]
            if name == "genres":
                said = [genre.strip() for each in said for genre in each.split(",")]
            values[name] = [each for each in said if each]
        for name in ONES:
            values[name] = str(given.get(name, "")).strip()
        return cls(values, nfc(str(given.get("why", "")).strip()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing yet that a release could go by."""
        return not any(self.values.get(name) for name in (*LISTS, "label", "song_id"))

    def asked(self) -> tuple[AskedRelease | None, list[str]]:
        """Return the release that is asked for; None where it cannot be, and what is wrong."""
        given = {name: value for name, value in self.values.items() if value not in ("", [])}
        if "min_ctr" in given:
            given["min_ctr"] = _share(given["min_ctr"])
        try:
            return AskedRelease.model_validate(given), []
        except ValidationError as error:
            return None, [
                f"{CALLED[str(each['loc'][0])]}: {each['msg'][0].lower()}{each['msg'][1:]}"
                for each in error.errors()
            ]

    def hidden(self) -> list[tuple[str, str]]:
        """Return all of it as fields of another form: name and value."""
        lists = [(name, each) for name in LISTS for each in self.values.get(name, ())]
        return lists + [(name, self.values[name]) for name in ONES if self.values.get(name)]


def _share(percent: str) -> float | str:
    """Return a percentage as a share; what is none as it stands, which a message names."""
    try:
        return float(percent.rstrip("% ").replace(",", ".")) / 100
    except ValueError:
        return percent


def suggested_id(names: list[str], title: str) -> str:
    """Return an id for a release, of who made it and its title.

    Examples
    --------
    >>> suggested_id(["Sigur Rós"], "Ára bátur (Live)"), suggested_id([], "")
    ('sigur-ros-ara-batur-live', 'release')
    """
    words = NOT_IN_IDS.sub("-", folded_form(" ".join([*names[:1], title]))).strip("-")
    return words[:LONGEST_ID].strip("-") or "release"
