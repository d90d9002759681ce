"""What is judged in place of audiences: the options of `refrain evaluate --policy` and `--uplift`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag, columns, pairs

__all__ = ["Offline"]

OFFLINE = "A policy, or an experiment, in place of audiences"
SPLITS = 10


@dataclass(frozen=True)
class Offline:
    """Whether a policy is judged by the log of another one, or an experiment by whom it moved; and how.

    Attributes
    ----------
    target
        The file of the policy to be judged: with which probability it chooses which action. None: the log has
        that of the action that was logged.
    target_on
        The columns that say for which rows of the log a row of it is; empty: all but action and probability.
    control
        The value of `treated` of those who were not; empty: it is 1 or 0.

    Raises
    ------
    WrongUse
        Where options do not go together.
    """

    policy: Annotated[
        bool,
        Flag(
            "--policy",
            "Judge a policy by the log of another one: rows of propensity and reward, and of target, the "
            "probability with which it would have done the same.",
            panel=OFFLINE,
        ),
    ] = False
    uplift: Annotated[
        bool,
        Flag(
            "--uplift",
            "Of a randomised experiment learn whom it moves: rows of treated and outcome.",
            panel=OFFLINE,
        ),
    ] = False
    features: Annotated[
        tuple[str, ...],
        Flag("--features", "Columns that were known before.", "A,B,...", OFFLINE, columns),
    ] = ()
    target: Annotated[
        Path | None,
        Flag("--target", "The policy to be judged: rows of action and probability.", "FILE", OFFLINE),
    ] = None
    target_map: Annotated[
        Mapping[str, str],
        Flag(
            "--target-map",
            "Its columns of action and probability.",
            "FIELD=COLUMN,...",
            OFFLINE,
            pairs("--target-map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    target_on: Annotated[
        tuple[str, ...],
        Flag(
            "--target-on",
            "Columns of it and of the log that are equal where they belong together; else all others.",
            "A,B,...",
            OFFLINE,
            columns,
        ),
    ] = ()
    target_columns: Annotated[
        tuple[str, ...],
        Flag("--target-columns", "Its columns, where it has no header row.", "A,B,...", OFFLINE, columns),
    ] = ()
    control: Annotated[
        str,
        Flag("--control", "The value of treated that means: not. Else it is 1 or 0.", "VALUE", OFFLINE),
    ] = ""
    splits: Annotated[
        int, Flag("--splits", "Random splits of an experiment.", "N", OFFLINE, least=2, most=1000)
    ] = SPLITS

    def __post_init__(self) -> None:
        of_policy = (self.target, self.target_map, self.target_on, self.target_columns)
        if self.policy and self.uplift:
            raise WrongUse("--policy judges a log, --uplift an experiment: choose one")
        if not self.policy and any(of_policy):
            raise WrongUse("--target and what says how to read it are of a policy: add --policy")
        if any(of_policy) and self.target is None:
            raise WrongUse(
                "--target-map, --target-on and --target-columns say how to read a file: name it with --target"
            )
        if self.control and not self.uplift:
            raise WrongUse("--control names the control group of an experiment: add --uplift")
        if self.splits != SPLITS and not self.uplift:
            raise WrongUse("--splits are of an experiment: add --uplift")
        if self.features and not (self.policy or self.uplift):
            raise WrongUse("--features are of a policy or of an experiment: add --policy or --uplift")
