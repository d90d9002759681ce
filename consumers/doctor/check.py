"""What the doctor says of one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Check", "State"]


class State(StrEnum):
    """How a thing is.

    ``wrong`` is what loses, doubles or delays something now, or soon will; ``warning`` is worth knowing.
    """

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to do.

    Attributes
    ----------
    name
        The thing.
    found
        What was found.
    hint
        What to do; empty where it is fine.
    figures
        What was found in numbers, for `--json`.
    """

    name: str
    state: State
    found: str
    hint: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def fine(cls, name: str, found: str, figures: Mapping[str, object] | None = None) -> Check:
        """Return that a thing is as it should be."""
        return cls(name, State.FINE, found, "", figures or {})

    @classmethod
    def warning(cls, name: str, found: str, hint: str, figures: Mapping[str, object] | None = None) -> Check:
        """Return that a thing is worth knowing."""
        return cls(name, State.WARNING, found, hint, figures or {})

    @classmethod
    def wrong(cls, name: str, found: str, hint: str, figures: Mapping[str, object] | None = None) -> Check:
        """Return that a thing has to be put right."""
        return cls(name, State.WRONG, found, hint, figures or {})
