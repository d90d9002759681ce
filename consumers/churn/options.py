"""How churn is evaluated: options of `refrain churn evaluate` that do not say what files look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag, columns

__all__ = ["ChurnOptions"]

HISTORY = "Of clicks"
TABLE = "Of a table with a row a listener"
MEASURE = "The measure"
SPLITS = 10


@dataclass(frozen=True)
class ChurnOptions:
    """What is predicted, out of what, and what it is compared with.

    `days` and `history_days` are the spans; 0: what the settings say.

    Raises
    ------
    WrongUse
        Where options do not go together.
    """

    days: Annotated[
        int, Flag("--days", "Who does nothing in so many has churned, else REFRAIN_CHURN_DAYS.", "N", HISTORY)
    ] = 0
    history_days: Annotated[
        int,
        Flag(
            "--history-days", "Predicted from so many before, else REFRAIN_CHURN_HISTORY_DAYS.", "N", HISTORY
        ),
    ] = 0
    test_days: Annotated[
        int,
        Flag("--test-days", "Days, a week apart, on which it is predicted.", "N", HISTORY, least=1, most=52),
    ] = 4
    listeners: Annotated[
        int, Flag("--listeners", "Look at so many at most, drawn by chance.", "N", HISTORY, least=20)
    ] = 50_000
    features: Annotated[
        bool, Flag("--features", "The file has features ready made, a row a listener.", panel=TABLE)
    ] = False
    label: Annotated[
        str, Flag("--label", "The column that says who has churned: 1 or 0.", "COLUMN", TABLE)
    ] = "churn"
    drop: Annotated[
        tuple[str, ...],
        Flag("--drop", "Columns that are no features: ids, names.", "A,B,...", TABLE, columns),
    ] = ()
    splits: Annotated[
        int, Flag("--splits", "Parts of the cross-validation.", "N", TABLE, least=2, most=100)
    ] = SPLITS
    seed: Annotated[int, Flag("--seed", "Of all that is drawn by chance.", "N", MEASURE, least=0)] = 0
    no_baselines: Annotated[bool, Flag("--no-baselines", "Compare with nothing else.", panel=MEASURE)] = False

    def __post_init__(self) -> None:
        if self.days < 0 or self.history_days < 0:
            raise WrongUse("--days and --history-days are numbers of days, from 1")
        if not self.features and (self.label != "churn" or self.drop or self.splits != SPLITS):
            raise WrongUse("--label, --drop and --splits are of a table of features: add --features")
        if self.features and (self.days or self.history_days):
            raise WrongUse("--days and --history-days are of clicks; the features of a table are ready made")
