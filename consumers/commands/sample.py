"""`refrain sample`: made-up listening history, to try everything else on."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from typing import Annotated, Literal

import typer

from consumers.commands.frame import Json, command
from stream.errors import WrongUse

__all__ = ["add"]

PANEL = "Feed and ask"
EXAMPLE = """\
refrain sample | refrain replay clicks -
refrain sample songs | refrain replay songs -"""

Kind = Annotated[Literal["clicks", "songs"], typer.Argument(help="Clicks, or the songs that they are of.")]
Listeners = Annotated[
    int | None, typer.Option("--listeners", metavar="N", min=1, help="Who clicks; 2,000 by default.")
]
Clicks = Annotated[
    int | None,
    typer.Option(
        "--clicks", metavar="N", min=1, help="How often, over the thirty days up to now; 60,000 by default."
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Another seed, another world.")]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    def sample(
        kind: Kind = "clicks",
        listeners: Listeners = None,
        clicks: Clicks = None,
        seed: Seed = 1,
        as_json: Json = False,
    ) -> None:
        """Write a sample of listening history: made-up listeners of made-up artists, in scenes.

        CSV, or JSON lines with --json; `refrain replay` takes either.
        """
        from consumers.demo.sample import sample_clicks, sample_songs

        if kind == "songs":
            if listeners is not None or clicks is not None:
                raise WrongUse("--listeners and --clicks are of clicks: songs go by --seed alone")
            rows = sample_songs(seed)
        else:
            rows = sample_clicks(seed, listeners or 2000, clicks or 60_000, time.time())
        try:
            if as_json:
                for row in rows:
                    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
                return
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has enough, as `head` has; Python would complain when it closes the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
