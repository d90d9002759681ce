"""What came of a replay, and what would come of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumers.replay.refused import Refused
from stream.files.options import Kind
from stream.files.shown import ShownRow
from stream.files.tally import Finding, Tally

__all__ = ["DryRun", "Pair", "Summary", "tally_json"]

Pair = tuple[bytes, bytes]
"""An event's key and value."""


@dataclass(frozen=True)
class DryRun:
    """What a replay would send.

    Attributes
    ----------
    kind
        Which events.
    events
        The first of them.
    rows, refused
        The first rows that become events, field by field, and the first that cannot be used.
    tally
        What becomes of the rows.
    whole
        Whether all rows were read.
    doubt
        What is odd about most of the times; "" where nothing is.
    """

    kind: Kind
    events: Sequence[Pair]
    rows: Sequence[ShownRow]
    refused: Sequence[Finding]
    tally: Tally
    whole: bool
    doubt: str

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "kind": self.kind,
            "events": [{"key": key.decode(), "value": json.loads(value)} for key, value in self.events],
            "read_from": [
                {
                    "file": row.file,
                    "line": row.line,
                    "fields": {
                        name: {"from": column, "raw": raw, "value": value}
                        for name, column, raw, value in row.fields
                    },
                }
                for row in self.rows
            ],
            "refused": [finding.to_json() for finding in self.refused],
            **tally_json(self.tally),
            "whole": self.whole,
            "doubt": self.doubt,
        }


@dataclass(frozen=True)
class Summary:
    """What came of a replay.

    Attributes
    ----------
    sent
        Events sent by this run.
    before
        Events that earlier runs had sent.
    finished
        Whether there is nothing left to send.
    seconds
        How long it took to send them.
    refused
        What is known of those of them that became dead letters.
    tally
        What became of the rows.
    unknown
        Whether it was to go on, and no earlier run of it is noted.
    """

    sent: int
    before: int
    finished: bool
    seconds: float
    tally: Tally
    refused: Refused = field(default_factory=Refused)
    unknown: bool = False

    @property
    def failed(self) -> bool:
        """Whether it stopped halfway, or nothing of it was of use."""
        unusable = self.tally.bad and not self.sent + self.before
        return bool(not self.finished or unusable or self.refused.all_of_them)

    def to_json(self, kind: Kind, files: Sequence[Path]) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "kind": kind,
            "files": [str(path) for path in files],
            "finished": self.finished,
            "sent": self.sent,
            "sent_before": self.before,
            "seconds": round(self.seconds, 3),
            **tally_json(self.tally),
            "bad_files": [str(path) for path in self.tally.bad_files],
            "unwritten": self.tally.unwritten,
            "read_already": self.refused.read,
            "dead_letters": dict(self.refused.reasons),
        }


def tally_json(tally: Tally) -> dict[str, Any]:
    """Return what became of rows, for programs."""
    return {
        "rows": tally.rows,
        "left_out": tally.left_out,
        "joined": tally.joined,
        "repeated": tally.repeated,
        "bad": dict(tally.bad),
        "unusable": [finding.to_json() for finding in tally.unusable.values()],
        "remarks": [finding.to_json() for finding in tally.remarks.values()],
    }
