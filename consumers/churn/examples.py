"""What learners are given, and on what they are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.errors import BadFile

__all__ = ["Examples", "Part", "check"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 20  # of each outcome, in what is learned from


@dataclass(frozen=True, eq=False)
class Part:
    """Which examples are learned from, in this order, and on which that is tried."""

    learned: Ints
    tried: Ints


@dataclass(frozen=True, eq=False)
class Examples:
    """Listeners with what was known of them, and whether they churned.

    Attributes
    ----------
    names
        The columns of `rows`.
    rows
        Shape (n, d), NaN where something is missing.
    churned
        Shape (n,), 0 or 1.
    parts
        How they are split; what is learned is kept from one to the next where they learn from the same.
    about
        What is to be said of them: name -> words.
    notes
        What is to be known beside the figures, a sentence each.
    """

    names: tuple[str, ...]
    rows: Floats
    churned: Floats
    parts: tuple[Part, ...]
    about: Mapping[str, str]
    notes: tuple[str, ...] = ()


def check(examples: Examples) -> None:
    """Make sure that there is something to learn, and something to try it on.

    Raises
    ------
    BadFile
        Where nobody churned, everybody did, or too few did either.
    """
    for part in examples.parts:
        for at, what in ((part.learned, "learned from"), (part.tried, "tried on")):
            churned, number = int(examples.churned[at].sum()), len(at)
            least = FEWEST if at is part.learned else 1
            few = min(churned, number - churned)
            if few >= least:
                continue
            who = "churned" if churned < number - churned else "came back"
            raise BadFile(
                f"of the {number:,} examples that are {what} {few or 'none'} {who}: "
                f"at least {least} of each outcome are needed",
                hint="More listeners or days are needed; of clicks, --days and --history-days set the spans.",
            )
