"""How churn is evaluated: options of `refrain churn evaluate` that do not say what files look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag, columns

__all__ = ["ChurnOptions"]

HISTORY = "Of clicks"
TABLE = "Of a table of features, a row for each listener"
MEASURE = "The measure"
TEST_DAYS = 4
LISTENERS = 50_000
SPLITS = 10


@dataclass(frozen=True)
class ChurnOptions:
    """What is predicted, out of what, and what it is compared with.

    `days` and `history_days` are the spans; None: what the settings say.

    Raises
    ------
    WrongUse
        Where options do not go together.
    """

    days: Annotated[
        int | None,
        Flag(
            "--days", "Days without activity that are churn; else REFRAIN_CHURN_DAYS.", "N", HISTORY, least=1
        ),
    ] = None
    history_days: Annotated[
        int | None,
        Flag(
            "--history-days",
            "Days that it is predicted from; else REFRAIN_CHURN_HISTORY_DAYS.",
            "N",
            HISTORY,
            least=1,
        ),
    ] = None
    test_days: Annotated[
        int,
        Flag("--test-days", "Days on which it is predicted, a week apart.", "N", HISTORY, least=1, most=52),
    ] = TEST_DAYS
    listeners: Annotated[
        int, Flag("--listeners", "Listeners at most, drawn by chance.", "N", HISTORY, least=20)
    ] = LISTENERS
    features: Annotated[bool, Flag("--features", "Each row is a listener, with features.", panel=TABLE)] = (
        False
    )
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
        if not self.features and (self.label != "churn" or self.drop or self.splits != SPLITS):
            raise WrongUse("--label, --drop and --splits are of a table of features: add --features")
        of_clicks = self.days or self.history_days
        if self.features and (of_clicks or self.test_days != TEST_DAYS or self.listeners != LISTENERS):
            raise WrongUse(
                "--days, --history-days, --test-days and --listeners are of clicks; the features of a table "
                "are ready made"
            )
