"""How to evaluate segments: the options of `refrain segment evaluate` beside those of files of clicks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag, columns, pairs

__all__ = ["LabelFile", "Trial"]

LABELS = "The labels"
MEASURE = "The measure"


@dataclass(frozen=True)
class LabelFile:
    """A file of labels.

    Raises
    ------
    WrongUse
        Where it is said how to read a file, and none is named.
    """

    labels: Annotated[
        Path | None, Flag("--labels", "Who is labelled: user_id, segment, value.", "FILE", LABELS)
    ] = None
    labels_map: Annotated[
        Mapping[str, str],
        Flag(
            "--labels-map",
            "Its columns of user_id, segment, value.",
            "FIELD=COLUMN,...",
            LABELS,
            pairs("--labels-map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    labels_columns: Annotated[
        tuple[str, ...],
        Flag("--labels-columns", "Its columns, where it has no header row.", "A,B,...", LABELS, columns),
    ] = ()
    segment: Annotated[
        str, Flag("--segment", "What the segment is called, where the file does not say so.", "NAME", LABELS)
    ] = ""

    def __post_init__(self) -> None:
        if self.labels is None and (self.labels_map or self.labels_columns):
            raise WrongUse("--labels-map and --labels-columns say how to read a file: name it with --labels")


@dataclass(frozen=True)
class Trial:
    """How labels are split, of whom, and what it is compared with."""

    repeats: Annotated[
        int, Flag("--repeats", "How often five folds are drawn; each is tried once.", "N", MEASURE, least=1)
    ] = 2
    seed: Annotated[int, Flag("--seed", "Of all that is drawn by chance.", "N", MEASURE, least=0)] = 0
    listeners: Annotated[
        int,
        Flag("--listeners", "Look at so many listeners at most, drawn by chance.", "N", MEASURE, least=20),
    ] = 50_000
    no_baselines: Annotated[bool, Flag("--no-baselines", "Compare with nothing else.", panel=MEASURE)] = False
