"""How to evaluate: the options of `refrain evaluate` that do not say what the files look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from stream.errors import WrongUse
from stream.files.options import Flag, columns, pairs

__all__ = ["Measure", "Names"]

FEWEST, MOST = 2, 4096  # cohorts
MEASURE = "The measure"
NAMES = "Names of artists"


def _cohorts(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        numbers = (0,)
    if numbers and not FEWEST <= numbers[0] <= numbers[-1] <= MOST:
        raise WrongUse(f"--cohorts {text!r}: write numbers from {FEWEST} to {MOST}, as 8,16,32")
    return numbers


@dataclass(frozen=True)
class Measure:
    """What is held out, of whom, and what it is compared with.

    `until` is the moment of a split in time, as a person types it; empty: before the last `share` of the
    clicks. `cohorts` are the numbers of cohorts to try; empty: what the settings say.

    Raises
    ------
    WrongUse
        Where a moment is given for a split at random.
    """

    split: Annotated[
        Literal["time", "random"] | None,
        Flag(
            "--split",
            "time: learn until a moment, find an artist's new listeners after it; random: find pairs of "
            "listener and artist that were held out. Else time, where clicks have times.",
            panel=MEASURE,
        ),
    ] = None
    until: Annotated[
        str,
        Flag(
            "--until", "The moment; else so that --share of the clicks come after it.", "TIME", panel=MEASURE
        ),
    ] = ""
    share: Annotated[
        float,
        Flag(
            "--share",
            "How much is held out: of the clicks, or of the pairs.",
            "SHARE",
            MEASURE,
            least=0.01,
            most=0.9,
        ),
    ] = 0.2
    cohorts: Annotated[
        tuple[int, ...],
        Flag(
            "--cohorts",
            "How many cohorts, else REFRAIN_COHORTS. Of several each is measured, and the one whose cohorts "
            "have the highest lift is shown in full.",
            "N,N,...",
            MEASURE,
            _cohorts,
        ),
    ] = ()
    seed: Annotated[int, Flag("--seed", "Of all that is drawn by chance.", "N", MEASURE, least=0)] = 0
    listeners: Annotated[
        int,
        Flag("--listeners", "Look at so many listeners at most, drawn by chance.", "N", MEASURE, least=20),
    ] = 50_000
    artists: Annotated[
        int,
        Flag("--artists", "Ask about so many artists at most, drawn by chance.", "N", MEASURE, least=1),
    ] = 1000
    no_baselines: Annotated[bool, Flag("--no-baselines", "Compare with nothing else.", panel=MEASURE)] = False

    def __post_init__(self) -> None:
        if self.split == "random" and self.until:
            raise WrongUse("--until is a moment to split at in time: leave out --split random, or --until")


@dataclass(frozen=True)
class Names:
    """A file that says what artists are called.

    Raises
    ------
    WrongUse
        Where it is said how to read a file, and none is named.
    """

    names: Annotated[Path | None, Flag("--names", "Says what artists are called.", "FILE", NAMES)] = None
    names_map: Annotated[
        Mapping[str, str],
        Flag(
            "--names-map",
            "Its columns of artist_id and name.",
            "FIELD=COLUMN,...",
            NAMES,
            pairs("--names-map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    names_columns: Annotated[
        tuple[str, ...],
        Flag("--names-columns", "Its columns, where it has no header row.", "A,B,...", NAMES, columns),
    ] = ()

    def __post_init__(self) -> None:
        if self.names is None and (self.names_map or self.names_columns):
            raise WrongUse("--names-map and --names-columns say how to read a file: name it with --names")
