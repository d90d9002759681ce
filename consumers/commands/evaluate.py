"""`refrain evaluate`: how well audiences would find the listeners, out of a service's own clicks.

Also what a policy would have earned, out of a log; and whom an experiment moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.commands.options import Files, given, options_from_dataclasses
from consumers.commands.presets import settled
from consumers.evaluate.offline_options import Offline
from consumers.evaluate.options import Measure, Names
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse
from stream.files.options import FileOptions, Layout
from stream.files.sources import readable

__all__ = ["Html", "add", "called_by", "without_songs"]

PANEL = "Feed and ask"
EXAMPLE = """\
refrain evaluate plays.csv --map user_id=user,artist_ids=artist,ts=time --html report.html
refrain evaluate log.jsonl.gz --where page=NextSong --map user_id=userId,artist_ids=artist --cohorts 8,16,32
refrain evaluate plays.tsv --map user_id=user,artist_ids=artist --repeat plays --repeat-scale log2
refrain evaluate log.csv --policy --map propensity=prob,reward=click,target=new_prob
refrain evaluate mailing.csv --uplift --map treated=mailed,outcome=visit --features age,town"""

OF_ALL = frozenset(
    {
        *("--format", "--delimiter", "--columns", "--skip", "--header", "--comment", "--records", "--member"),
        *("--encoding", "--mend-text", "--where", "--limit", "--map", "--set", "--seed"),
    }
)
OF_UPLIFT = OF_ALL | {"--share", "--no-baselines"}


Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        help="Write a page with pictures, one file that needs no network.",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel="The measure",
    ),
]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    @options_from_dataclasses
    def evaluate(
        files: Files,
        measure: Measure,
        options: FileOptions,
        names: Names,
        offline: Offline,
        html: Html = None,
        as_json: Json = False,
    ) -> None:
        """Measure on clicks in files how well audiences would find the listeners.

        Learns from a part of them as the service would, with its settings,
        asks for the audience of every artist, and counts who of it turns out
        to play the artist in the part that was held back. Needs no Kafka and
        no Redis. With --policy it judges a policy by the log of another one,
        with --uplift it learns of an experiment whom the treatment moves.
        """
        if not (offline.policy or offline.uplift):
            _audiences(files, measure, options, names, html, as_json=as_json)
            return
        mode, goes = ("--policy", OF_ALL) if offline.policy else ("--uplift", OF_UPLIFT)
        others = [*given(measure, options, names), *(["--html"] if html else [])]
        if wrong := [name for name in others if name not in goes]:
            raise WrongUse(f"{mode} does not go with {', '.join(wrong)}")
        run = _policy if offline.policy else _uplift
        run(files, measure, options, offline, as_json=as_json)


def _audiences(
    files: Sequence[str],
    measure: Measure,
    options: FileOptions,
    names: Names,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    from consumers.evaluate.page import can_draw, write_page
    from consumers.evaluate.run import evaluate
    from consumers.replay.plan import Plan
    from consumers.terminal.evaluation_bar import EvaluationBar
    from consumers.terminal.evaluation_tables import show
    from stream.settings import load_settings

    settings = load_settings()
    called = called_by(names, options)
    if html:
        can_draw(html)
    with readable(files) as paths, EvaluationBar(shown=not as_json) as bar:
        options = settled("clicks", options, paths)
        plan = Plan("clicks", paths, without_songs(options))
        result = evaluate(plan, measure, settings, lambda artist: called.get(artist, artist), bar.show)
    if html:
        write_page(result, html)
    if as_json:
        print_json(result.to_json())
    else:
        show(result)
        if html:
            typer.echo(f"the page is {html}")


def called_by(names: Names, options: FileOptions) -> dict[str, str]:
    """Return artist id -> what people call it, where a file says so."""
    from consumers.evaluate.names import artist_names

    if not names.names:
        return {}
    layout = Layout(columns=names.names_columns, encoding=options.encoding, mend=options.mend)
    return artist_names(names.names, layout, names.names_map)


def without_songs(options: FileOptions) -> FileOptions:
    """Return options by which clicks need not name a song: what is asked is about artists."""
    if options.songs or "song_id" in options.mapping:
        return options
    return replace(options, constants={**options.constants, "song_id": "-"})


def _policy(
    files: Sequence[str], measure: Measure, options: FileOptions, offline: Offline, *, as_json: bool
) -> None:
    from consumers.evaluate.policy import judge
    from consumers.terminal.policy_tables import show_policy

    with readable(files) as paths:
        result = judge(paths, options, offline, measure.seed)
    if as_json:
        print_json(result.to_json())
    else:
        show_policy(result)


def _uplift(
    files: Sequence[str], measure: Measure, options: FileOptions, offline: Offline, *, as_json: bool
) -> None:
    from consumers.evaluate.uplift import evaluate_uplift
    from consumers.terminal.evaluation_bar import EvaluationBar
    from consumers.terminal.uplift_tables import show_uplift

    with readable(files) as paths, EvaluationBar(shown=not as_json) as bar:
        result = evaluate_uplift(paths, options, offline, measure, bar.show)
    if as_json:
        print_json(result.to_json())
    else:
        show_uplift(result)
