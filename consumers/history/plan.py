"""Which files there are, and how each of them is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from consumers.replay.plan import Plan
from stream.errors import WrongUse
from stream.files.options import FileOptions
from stream.files.reading import Reading
from stream.files.unpack import PACKED

__all__ = ["HistoryFile", "history_files"]

UNPACKED = 5
"""Times as large as it is packed: files of plays, by gzip, and Parquet."""

_PLANS: dict[str, Plan] = {}
"""Plans of this process: each file comes with a copy of its own."""


@dataclass(frozen=True)
class HistoryFile:
    """A file, and the plan that it is read by, which may be that of several.

    Attributes
    ----------
    number
        Its place among all files: of two clicks at the same time the one in the first file comes first.
    distinct
        Whether a click that stands in several rows, of whichever file, is to count once.
    """

    number: int
    path: Path
    plan: Plan
    distinct: bool

    @property
    def size(self) -> int:
        """Bytes, about as many as it has unpacked."""
        size = self.path.stat().st_size
        return size * UNPACKED if {*self.path.suffixes} & {*PACKED, ".parquet"} else size

    def reading(self, now: float, spare: Path) -> Reading:
        """Open it; see `Plan.reading`."""
        return _known(self.plan).reading(now, spare, only=self.path)


def _known(plan: Plan) -> Plan:
    """Return the same plan, which remembers the songs beside the clicks, and the names in them."""
    return _PLANS.setdefault(repr(plan), plan)


def history_files(
    paths: Sequence[Path], options: FileOptions, settled: Callable[[FileOptions, Path], FileOptions]
) -> list[HistoryFile]:
    """Return the files, those that are read alike under one plan.

    Parameters
    ----------
    settled
        Returns the options by which one file is read, a preset's among them: plays, searches and downloads
        may lie in one folder.

    Raises
    ------
    WrongUse
        Where the options do not go with clicks, or with Spark.
    """
    if options.limit:
        raise WrongUse("--limit goes with replay, which has an order: --sample-users loads a part")
    if options.format == "profiles":
        raise WrongUse("profiles have no times: replay them")
    groups: dict[str, tuple[FileOptions, list[tuple[int, Path]]]] = {}
    for number, path in enumerate(paths):
        own = settled(options, path)
        groups.setdefault(repr(own), (own, []))[1].append((number, path))
    return [
        HistoryFile(number, path, plan, own.distinct)
        for own, numbered in groups.values()
        for plan in [Plan("clicks", tuple(path for _, path in numbered), replace(own, distinct=False))]
        for number, path in numbered
    ]
