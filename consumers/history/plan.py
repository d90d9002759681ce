"""Which files there are, and how each of them is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from uuid import uuid4

from consumers.replay.plan import Plan
from stream.errors import WrongUse
from stream.files.options import FileOptions
from stream.files.reading import Reading
from stream.files.unpack import PACKED

__all__ = ["HistoryFile", "for_workers", "glimpses", "history_files"]

LOOKED_AT = 16
"""Files of each plan whose times are looked at: to open a file of an object store takes a while."""

UNPACKED = 5
"""Times as large as it is packed: files of plays, by gzip, and Parquet."""

_PLANS: dict[str, Plan] = {}
"""Plans of this process: each task comes with copies of its own."""


@dataclass(frozen=True)
class HistoryFile:
    """A file, and the plan that it is read by, which may be that of several.

    Attributes
    ----------
    number
        Its place among all files: of two clicks at the same time the one in the first file comes first.
    distinct
        Whether a click that stands in several rows, of whichever file, is to count once.
    known_as
        The name of the plan, which no plan of another load has.
    """

    number: int
    path: Path
    plan: Plan
    distinct: bool
    known_as: str

    @property
    def size(self) -> int:
        """Bytes, about as many as it has unpacked."""
        size = self.path.stat().st_size
        return size * UNPACKED if {*self.path.suffixes} & {*PACKED, ".parquet"} else size

    def reading(self, now: float, spare: Path) -> Reading:
        """Open it; see `Plan.reading`."""
        plan = _PLANS.setdefault(self.known_as, self.plan)  # it has read the songs beside the clicks
        return plan.reading(now, spare, only=self.path)


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
        HistoryFile(number, path, plan, own.distinct, name)
        for own, numbered in groups.values()
        for name in [uuid4().hex]
        for plan in [Plan("clicks", tuple(path for _, path in numbered), replace(own, distinct=False))]
        for number, path in numbered
    ]


def for_workers(files: Sequence[HistoryFile]) -> list[HistoryFile]:
    """Return files as they go to other processes, each of which reads some of them.

    Where credits are split, all files are read for that here.
    """
    plans = {file.known_as: file.plan for file in files}
    alone = {name: plan.without_files() for name, plan in plans.items()}
    return [replace(file, plan=alone[file.known_as]) for file in files]


def glimpses(files: Sequence[HistoryFile]) -> list[Plan]:
    """Return the plans with some of their files each, from the first to the last: to look at times."""
    return [_glimpse(plan) for plan in {file.known_as: file.plan for file in files}.values()]


def _glimpse(plan: Plan) -> Plan:
    # Where credits are split, files are read to their ends for the names in them, which have no times.
    options = replace(plan.options, split_artists=None, known_artists=None)
    return replace(plan, files=plan.files[:: ceil(len(plan.files) / LOOKED_AT)], options=options)
