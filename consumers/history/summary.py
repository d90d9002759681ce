"""What came of a load of history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from consumers.history.read import Rows
from consumers.history.write import Written

__all__ = ["LoadSummary"]


@dataclass
class LoadSummary:
    """What came of it.

    Attributes
    ----------
    rows
        What became of the rows.
    written
        What became of the listeners.
    shortened
        Listeners of whose clicks only the latest count, and how many they have (`columns.MOST_OF_ONE`).
    seconds
        How long Spark took, without its start.
    """

    rows: Rows = field(default_factory=Rows)
    written: Written = field(default_factory=Written)
    shortened: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether nothing of it was of use."""
        return not (self.written.listeners or self.written.loaded_before)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "rows": {**vars(self.rows), "bad": dict(self.rows.bad)},
            "written": vars(self.written),
            "shortened": self.shortened,
            "seconds": round(self.seconds, 3),
        }
