"""A part of a page: what is to say, a plot, the figures. The template is a page of tiles, facts and parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consumers.html_page.plots import Spec

__all__ = ["TEMPLATE", "Section", "sentence"]

TEMPLATE = Path(__file__).with_name("sections.html")
"""Shows `tiles` (number, words), `about` (facts), `sections`, and at its end `made_by`, `made`, `zone`."""


@dataclass(frozen=True)
class Section:
    """A part of the page: what is to say, a plot of it, the figures as a table.

    Attributes
    ----------
    name
        Id of the plot's element.
    picture
        None where there is nothing to draw.
    """

    name: str
    title: str
    says: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    picture: Spec | None = None


def sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."
