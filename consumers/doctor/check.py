"""What a doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Check", "State"]


class State(StrEnum):
    """How a thing is."""

    FINE = "fine"
    ODD = "odd"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to do.

    Attributes
    ----------
    name
        The thing.
    state
        ``wrong`` is what loses, doubles or delays something now, or soon will; ``odd`` is worth knowing.
    said
        What was found.
    mend
        What to do; empty where it is fine.
    """

    name: str
    state: State
    said: str
    mend: str = ""

    @classmethod
    def fine(cls, name: str, said: str) -> Check:
        """Return that a thing is as it should be."""
        return cls(name, State.FINE, said)

    @classmethod
    def odd(cls, name: str, said: str, mend: str) -> Check:
        """Return that a thing is worth knowing."""
        return cls(name, State.ODD, said, mend)

    @classmethod
    def wrong(cls, name: str, said: str, mend: str) -> Check:
        """Return that a thing has to be mended."""
        return cls(name, State.WRONG, said, mend)
