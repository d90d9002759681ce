"""What became of the rows of files, counted, with an example of each thing that went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Finding", "Tally"]


@dataclass
class Finding:
    """So many rows of which the same is to be said, and the first of them.

    Attributes
    ----------
    what
        The reason that they cannot be used, or what was remarked on them.
    field
        The field that it is about; "" where it is the whole row.
    detail
        What is wrong with the first.
    file, line, value
        Where the first is, and what stands there, for people.
    hint
        What to try.
    count
        How many there are.
    """

    what: str
    field: str
    detail: str
    file: str
    line: int
    value: str
    hint: str = ""
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        example = {"file": self.file, "line": self.line, "value": self.value, "detail": self.detail}
        return {"what": self.what, "field": self.field, "rows": self.count, **example, "try": self.hint}


@dataclass
class Tally:
    """What became of the rows so far.

    Attributes
    ----------
    rows, left_out
        How many were read, and how many of them were not asked for.
    joined
        Those that are parts of the event of an earlier row.
    repeated
        Those that are the same click as an earlier row (``--distinct``).
    bad, bad_files
        Those that cannot be used by reason, and where they were written.
    unwritten
        The files that not all of these could be written to, and why.
    unusable
        The same by reason and field, with an example each.
    remarks
        What is to be said of rows that became events, by remark and field: dropped fields and the like.
    """

    rows: int = 0
    left_out: int = 0
    joined: int = 0
    repeated: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    bad_files: list[Path] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)
    unusable: dict[tuple[str, str], Finding] = field(default_factory=dict)
    remarks: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def remarked(self, *what: str) -> int:
        """Return on how many rows, or fields of them, this was remarked."""
        return sum(finding.count for finding in self.remarks.values() if finding.what in what)
