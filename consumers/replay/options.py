"""How a replay sends: the options of `refrain replay` that do not say which events there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from stream.errors import WrongUse
from stream.files.options import Flag

__all__ = ["PREVIEWED", "Sending"]

PREVIEWED = 5
"""Events that a dry run shows."""

PANEL = "Sending"


@dataclass(frozen=True)
class Sending:
    """How to send, and what to do where the same replay stopped before.

    Raises
    ------
    WrongUse
        Where both `resume` and `anew` are asked for.
    """

    rate: Annotated[float | None, Flag("--rate", "Events a second, at most.", "N", PANEL, least=0.001)] = None
    dry_run: Annotated[
        bool,
        Flag(
            "--dry-run",
            f"Send nothing; show the first {PREVIEWED} events as they would go, and what cannot be used.",
            panel=PANEL,
        ),
    ] = False
    resume: Annotated[
        bool,
        Flag(
            "--resume",
            "Go on where the same replay (same files and options) stopped; nothing is sent twice.",
            panel=PANEL,
        ),
    ] = False
    anew: Annotated[bool, Flag("--anew", "Begin again though it stopped halfway.", panel=PANEL)] = False

    yes: Annotated[
        bool,
        Flag("--yes", "Send times before 2000 or in the future without asking.", panel=PANEL),
    ] = False

    def __post_init__(self) -> None:
        if self.resume and self.anew:
            raise WrongUse("--resume goes on, --anew begins again: choose one")
