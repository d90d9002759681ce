"""`refrain segments`, `segment S`, `segment forget`, `segment evaluate`: labelled segments."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from consumers.commands.frame import Json, command
from consumers.commands.options import LAST, MOST, options_from_dataclasses
from consumers.commands.presets import settled
from consumers.evaluate.segment_options import LabelFile, Trial
from consumers.terminal.format import counted
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say, visible
from stream.errors import WrongUse
from stream.files.options import FileOptions
from stream.files.sources import readable
from stream.wire.composed import nfc

if TYPE_CHECKING:
    from consumers.actions.forget_segment import SegmentSize

__all__ = ["add"]

PANEL = "Look"
SHOW = "show"
EXAMPLE = """\
refrain segment evaluate plays.csv --map user_id=user,artist_ids=artist --labels panel.csv
refrain segment evaluate --profiles listeners.json"""


class _SegmentOrCommand(TyperGroup):
    """`refrain segment rap` is `refrain segment show rap`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = [SHOW, *args]
        return super().resolve_command(ctx, args)


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel=PANEL, example="refrain segments")
    def segments(as_json: Json = False) -> None:
        """List the labelled segments, how well each is predicted, and how many listeners are in it."""
        from consumers.commands.session import ask
        from consumers.queries.segments import list_segments
        from consumers.terminal.json_output import to_json
        from consumers.terminal.segment_tables import show_segments

        found = ask(list_segments)
        print_json([to_json(each) for each in found]) if as_json else show_segments(found)

    group = typer.Typer(
        cls=_SegmentOrCommand,
        no_args_is_help=True,
        help="Show a labelled segment (`refrain segment rap`), or erase it; measure on files how well "
        "such are predicted.",
    )
    app.add_typer(
        group,
        name="segment",
        rich_help_panel=PANEL,
        epilog="Example:\n\n[bold]refrain segment rap[/bold]",
    )

    @command(group, panel=PANEL, example="refrain segment show rap\nrefrain segment rap --from 20", name=SHOW)
    def show(
        segment: Annotated[
            str, typer.Argument(metavar="SEGMENT", help="As `refrain segments` lists it.", parser=nfc)
        ],
        top: Annotated[
            int,
            typer.Option(
                "--top", metavar="N", min=1, max=MOST, help="How many artists for it, and against it."
            ),
        ] = 10,
        limit: Annotated[
            int, typer.Option("--limit", metavar="N", min=1, max=MOST, help="How many members.")
        ] = 20,
        start: Annotated[
            int,
            typer.Option(
                "--from", metavar="N", min=0, max=LAST, help="Leave out so many of the likeliest members."
            ),
        ] = 0,
        as_json: Json = False,
    ) -> None:
        """Show a segment: labels, AUC, what speaks for it, its likeliest members. `show` may be left out."""
        from consumers.commands.session import ask
        from consumers.queries.segments import read_segment
        from consumers.terminal.segment_tables import show_segment

        found = ask(lambda redis, settings: read_segment(redis, settings, segment, top, start, limit))
        print_json(found) if as_json else show_segment(found, start)

    @command(group, panel=PANEL, example="refrain segment forget rap\nrefrain segment forget rap --yes")
    def forget(
        segment: Annotated[
            str, typer.Argument(metavar="SEGMENT", help="The name that its labels have.", parser=nfc)
        ],
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """Erase a segment: its labels, what is learned of it, its members, and it in listeners' traits.

        Labels that are in Kafka by now do not bring it back; labels that are sent later make it again.
        """
        from consumers.actions.forget_segment import forget_segment, size_of_segment
        from consumers.commands.session import ask

        if not yes:
            _confirm(ask(lambda redis, settings: size_of_segment(redis, settings, segment)), as_json=as_json)
        done = ask(
            lambda redis, settings: forget_segment(redis, settings, segment),
            kafka=True,
            while_asking="erasing it",
        )
        if as_json:
            print_json(done)
        else:
            say(f"erased {_size(done)}, and it in the traits of {counted(done.listeners, 'listener')}")

    @command(group, panel=PANEL, example=EXAMPLE)
    @options_from_dataclasses
    def evaluate(
        labelled: LabelFile,
        trial: Trial,
        options: FileOptions,
        files: Annotated[
            list[str] | None,
            typer.Argument(metavar="FILE...", help="Clicks: files as of refrain replay."),
        ] = None,
        profiles: Annotated[
            Path | None,
            typer.Option(
                "--profiles",
                metavar="FILE",
                help="In place of clicks and labels: listeners whose history is summed up.",
                exists=True,
                dir_okay=False,
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Measure on files how well labelled segments are predicted.

        Learns listeners and cohorts from the clicks as the service would, and
        each segment from four fifths of its labels; the others are predicted
        (AUC). Compared with logistic regression and LightGBM on raw features,
        each with and without the cohorts among its features. Needs no Kafka
        and no Redis.
        """
        _evaluate(files or [], profiles, labelled, trial, options, as_json=as_json)


def _size(found: SegmentSize) -> str:
    labels, members = counted(found.labels, "label"), counted(found.members, "member")
    classes = [name.partition(":")[2] for name in found.predicted if name != found.segment]
    of_classes = f" ({', '.join(classes)})" if classes else ""
    return f"segment {found.segment}: {labels}{of_classes}, {members}"


def _confirm(found: SegmentSize, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise WrongUse(
            f"nobody can be asked whether to erase {_size(found)}", hint="--yes erases it without asking."
        )
    typer.confirm(visible(f"Erase {_size(found)}?"), abort=True, err=True)


def _evaluate(
    files: list[str],
    profiles: Path | None,
    labelled: LabelFile,
    trial: Trial,
    options: FileOptions,
    *,
    as_json: bool,
) -> None:
    from consumers.evaluate.segments import evaluate_segments, labels_plan
    from consumers.replay.plan import Plan
    from consumers.terminal.evaluation_bar import EvaluationBar
    from consumers.terminal.segment_tables import show_trial
    from stream.settings import load_settings

    if bool(files) == bool(profiles):
        raise WrongUse("give files of clicks, or --profiles FILE: one of the two")
    if profiles:
        options = replace(options, format="profiles")
        files = [str(profiles)]
    elif labelled.labels is None and options.format != "profiles":
        raise WrongUse(
            "which listeners are in a segment?", hint="--labels FILE says it: user_id, segment, value."
        )
    with readable(files) as paths, EvaluationBar(shown=not as_json) as bar:
        options = settled("clicks", options, paths)
        if not options.songs and "song_id" not in options.mapping and options.format != "profiles":
            # What is learned is about artists: clicks need not name a song.
            options = replace(options, constants={**options.constants, "song_id": "-"})
        clicks = Plan("clicks", paths, options)
        if labelled.labels:
            labels = labels_plan([labelled.labels], labelled)
        else:
            named = {"segment": labelled.segment} if labelled.segment else {}
            labels = Plan("labels", paths, FileOptions(format="profiles", constants=named))
        result = evaluate_segments(clicks, labels, trial, load_settings(), bar.show)
    print_json(result.to_json()) if as_json else show_trial(result)
