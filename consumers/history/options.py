"""How history is loaded: the options of `refrain history load` that do not say how files are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag

__all__ = ["Loading"]

PANEL = "Loading"


@dataclass(frozen=True)
class Loading:
    """Where to work, and what to leave out.

    Raises
    ------
    WrongUse
        Where nobody is in the share.
    """

    master: Annotated[
        str,
        Flag(
            "--master",
            "Spark's master: local[2] for two processes here, or the address of a cluster.",
            "MASTER",
            PANEL,
        ),
    ] = "local[*]"
    sample_users: Annotated[
        float,
        Flag(
            "--sample-users",
            "Only this share of the listeners, all that they did; chosen by a hash of the id, so always the "
            "same.",
            "SHARE",
            PANEL,
            least=0.0,
            most=1.0,
        ),
    ] = 1.0
    drop_zero_plays: Annotated[
        bool, Flag("--drop-zero-plays", "Leave out plays of 0 milliseconds.", panel=PANEL)
    ] = False
    yes: Annotated[
        bool, Flag("--yes", "Load times before 2000 or in the future without asking.", panel=PANEL)
    ] = False

    def __post_init__(self) -> None:
        if not self.sample_users:
            raise WrongUse("--sample-users 0 leaves nobody: give a share above 0, as 0.1")
