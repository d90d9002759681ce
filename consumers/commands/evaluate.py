"""`refrain evaluate`: how well audiences would find the listeners, measured on a service's own clicks.

::

    reading.py    files of clicks
    ledger.py     the clicks on disk, in order
    question.py   what is known, what is asked
    course.py     the known clicks, sent through
    service.py    Refrain in memory
    study.py      Refrain and others, measured
    installed.py  baselines of other libraries
    whole.py      from files to a result
    result.py     all that was found
    tables.py     for people
    page.py       as a page, with the pictures of plots.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from consumers.commands.file_options import (
    Columns,
    Constants,
    Delimiter,
    Encoding,
    Files,
    Format,
    Limit,
    Mapping,
    Mend,
    Repeat,
    Scale,
    Separator,
    Since,
    Songs,
    SongsColumns,
    SongsMap,
    SongsOn,
    TimeFormat,
    Timezone,
    Where,
    named_columns,
    pairs,
    plan_of,
)
from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse

__all__ = ["add"]

PANEL = "Feed and ask"
USUAL = 48  # cohorts, where the settings leave their number to the stream
FEWEST, MOST = 2, 4096  # cohorts
EXAMPLE = """\
refrain evaluate plays.csv --map user_id=user,artist_ids=artist,ts=time --html report.html
refrain evaluate log.jsonl.gz --where page=NextSong --map user_id=userId,artist_ids=artist --cohorts 8,16,32
refrain evaluate plays.tsv --map user_id=user,artist_ids=artist --repeat plays --repeat-scale log2"""


def measuring(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about the measure."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="The measure", **more)


def naming(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about the names of artists."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Names of artists", **more)


Split = Annotated[
    Literal["time", "random"] | None,
    measuring(
        "--split",
        "time: learn until a moment, find an artist's new listeners after it; random: find pairs of "
        "listener and artist that were held out. Else time, where clicks have times.",
    ),
]
Until = Annotated[
    str, measuring("--until", "The moment; else so that --share of the clicks come after it.", "TIME")
]
Share = Annotated[
    float,
    measuring("--share", "How much is held out: of the clicks, or of the pairs.", "SHARE", min=0.01, max=0.9),
]
Seed = Annotated[int, measuring("--seed", "Of all that is drawn by chance.", "N", min=0)]
CohortNumbers = Annotated[
    str,
    measuring(
        "--cohorts",
        "How many cohorts, else REFRAIN_COHORTS. Of several each is measured, and the one whose cohorts have "
        "the highest lift is shown in full.",
        "N,N,...",
    ),
]
Listeners = Annotated[
    int, measuring("--listeners", "Look at so many listeners at most, drawn by chance.", "N", min=20)
]
Artists = Annotated[
    int, measuring("--artists", "Ask about so many artists at most, drawn by chance.", "N", min=1)
]
NoBaselines = Annotated[bool, measuring("--no-baselines", "Compare with nothing else.")]
Html = Annotated[
    Path | None,
    measuring(
        "--html", "Write a page with pictures, one file that needs no network.", "FILE", dir_okay=False
    ),
]
Names = Annotated[
    Path | None, naming("--names", "Says what artists are called.", "FILE", exists=True, dir_okay=False)
]
NamesMap = Annotated[
    list[str] | None, naming("--names-map", "Its columns of artist_id and name.", "FIELD=COLUMN,...")
]
NamesColumns = Annotated[
    str, naming("--names-columns", "Its columns, where it has no header row.", "A,B,...")
]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    def evaluate(
        files: Files,
        split: Split = None,
        until: Until = "",
        share: Share = 0.2,
        cohorts: CohortNumbers = "",
        seed: Seed = 0,
        listeners: Listeners = 50_000,
        artists: Artists = 1000,
        no_baselines: NoBaselines = False,
        html: Html = None,
        file_format: Format = None,
        delimiter: Delimiter = "",
        columns: Columns = "",
        encoding: Encoding = "utf-8",
        mend: Mend = False,
        where: Where = None,
        limit: Limit = None,
        mapping: Mapping = None,
        constants: Constants = None,
        separator: Separator = "",
        repeat: Repeat = "",
        scale: Scale = "linear",
        time_format: TimeFormat = "auto",
        timezone: Timezone = "UTC",
        since: Since = "",
        songs: Songs = None,
        songs_map: SongsMap = None,
        songs_on: SongsOn = None,
        songs_columns: SongsColumns = "",
        names: Names = None,
        names_map: NamesMap = None,
        names_columns: NamesColumns = "",
        as_json: Json = False,
    ) -> None:
        """Measure on clicks in files how well audiences would find the listeners.

        Learns from a part of them as the service would, with its settings,
        asks for the audience of every artist, and counts who of it turns out
        to play the artist in the part that was held back. Needs no Kafka and
        no Redis.
        """
        from consumers.evaluate.names import artist_names
        from consumers.evaluate.page import can_draw, write_page
        from consumers.evaluate.whole import Wish
        from consumers.evaluate.whole import evaluate as carry_out
        from consumers.terminal.evaluation_bar import Bar
        from consumers.terminal.evaluation_tables import show
        from stream.files import Layout
        from stream.settings import load_settings

        if split == "random" and until:
            raise WrongUse("--until is a moment to split at in time: leave out --split random, or --until")
        if names is None and (names_map or names_columns):
            raise WrongUse("--names-map and --names-columns say how to read a file: name it with --names")
        settings = load_settings()
        constants = list(constants or ())
        if songs is None and "song_id" not in pairs("--map", mapping):
            constants.append("song_id=-")  # what is asked is about artists
        plan = plan_of(
            "clicks",
            files,
            file_format=file_format,
            delimiter=delimiter,
            columns=columns,
            encoding=encoding,
            mend=mend,
            where=where,
            mapping=mapping,
            constants=constants,
            separator=separator,
            repeat=repeat,
            scale=scale,
            time_format=time_format,
            timezone=timezone,
            since=since,
            songs=songs,
            songs_map=songs_map,
            songs_on=songs_on,
            songs_columns=songs_columns,
            limit=limit,
        )
        wish = Wish(
            split,
            until,
            share,
            _numbers(cohorts) or (USUAL if settings.cohorts == "auto" else settings.cohorts,),
            listeners,
            artists,
            seed,
            not no_baselines,
        )
        layout = Layout(columns=named_columns(names_columns), encoding=encoding, mend=mend)
        called = artist_names(names, layout, pairs("--names-map", names_map)) if names else {}
        if html:
            can_draw(html)
        with Bar(shown=not as_json) as bar:
            result = carry_out(plan, wish, settings, lambda artist: called.get(artist, artist), bar.show)
        if html:
            write_page(result, settings.candidates, html)
        if as_json:
            print_json(result.to_json())
        else:
            show(result)
            if html:
                typer.echo(f"the page is {html}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        numbers = (0,)
    if numbers and not FEWEST <= numbers[0] <= numbers[-1] <= MOST:
        raise WrongUse(f"--cohorts {text!r}: write numbers from {FEWEST} to {MOST}, as 8,16,32")
    return numbers
