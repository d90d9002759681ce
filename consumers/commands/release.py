"""`refrain release` and `refrain audience`: publish a release, see what came of it, preview its audience."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from consumers.commands.frame import Html, Json, command
from consumers.commands.options import LAST, ReleaseId, options_from_dataclasses
from consumers.terminal.json_output import print_json, to_json
from consumers.terminal.visible import say
from stream.errors import WrongUse
from stream.files.options import Flag
from stream.wire.composed import nfc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.queries.release import KnownRelease
    from consumers.queries.release_request import ReleaseRequest
    from stream.connect import AnyRedis
    from stream.settings import Settings
    from stream.wire.events import Release

__all__ = ["add"]

PANEL = "Feed and ask"
WAIT = 30.0  # seconds
LISTED = 10  # releases


@dataclass(frozen=True)
class GoesBy:
    """What the audience of a release goes by."""

    artists: Annotated[
        tuple[str, ...],
        Flag(
            "--artist",
            "Artist of the release: an id or a name. May be repeated; left out, those of --song.",
            "ARTIST",
            parse=tuple,
            repeated=True,
        ),
    ] = ()
    song_id: Annotated[
        str | None,
        Flag("--song", "Id of the song: who has played it counts, as far as it is known.", "SONG", parse=nfc),
    ] = None
    featuring: Annotated[
        tuple[str, ...],
        Flag(
            "--featuring",
            "Artist featured: counts if few know the artists yet. May be repeated.",
            "ARTIST",
            parse=tuple,
            repeated=True,
        ),
    ] = ()
    similar_to: Annotated[
        tuple[str, ...],
        Flag(
            "--similar-to",
            "Artist like them: counts in the same way. May be repeated.",
            "ARTIST",
            parse=tuple,
            repeated=True,
        ),
    ] = ()
    genres: Annotated[
        tuple[str, ...],
        Flag(
            "--genre",
            "Genre: its artists count in the same way. May be repeated.",
            "GENRE",
            parse=tuple,
            repeated=True,
        ),
    ] = ()
    label: Annotated[
        str | None, Flag("--label", "Record label: its artists count in the same way.", "LABEL")
    ] = None
    max_audience: Annotated[
        int | None, Flag("--max-audience", "The most listeners to tell.", "N", least=1)
    ] = None
    min_ctr: Annotated[
        float | None, Flag("--min-ctr", "Leave out who is less likely to click.", "SHARE", least=0, most=1)
    ] = None
    where: Annotated[
        str | None,
        Flag(
            "--where",
            "Only listeners whose traits meet them, such as 'churn>0.7 and stage=regular|fading'. "
            "Repeated: all must hold.",
            "CONDITIONS",
            parse=" and ".join,
            repeated=True,
        ),
    ] = None

    def request(self, title: str | None = None) -> ReleaseRequest:
        """Return the release that is asked for.

        Raises
        ------
        WrongUse
            Where it says neither who made it nor which song it is.
        """
        from consumers.queries.release_request import ReleaseRequest

        if not self.artists and self.song_id is None:
            raise WrongUse("nobody can say whom this is for: say --artist, or --song of one in the catalogue")
        return ReleaseRequest(**vars(self), title=title)


class _Releases(TyperGroup):
    """`refrain release ID ...` publishes: the name of the command may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["publish", *args]
        return super().parse_args(ctx, args)


def add(app: typer.Typer) -> None:
    """Register the commands."""
    releases = typer.Typer(
        cls=_Releases, no_args_is_help=True, help="Publish a release, and see what came of it."
    )
    app.add_typer(
        releases,
        name="release",
        rich_help_panel=PANEL,
        epilog="Example:\n\n"
        "[bold]refrain release r1 --artist 'Jisu Parade'[/bold] is short for `release publish`",
    )

    @command(
        releases,
        panel=PANEL,
        example="refrain release r1 --artist 'Jisu Parade' --title 'Naya Daur' --max-audience 500 --wait\n"
        "refrain release publish r2 --artist Newcomer --similar-to 'Jisu Parade'\n"
        "refrain release publish r3 --artist 'Jisu Parade' --where 'stage=regular|fading and zero_week<0.5'",
    )
    @options_from_dataclasses
    def publish(
        release_id: Annotated[
            str,
            typer.Argument(
                metavar="ID", help="Id of the release: a listener is told of an id once.", parser=nfc
            ),
        ],
        goes_by: GoesBy,
        title: Annotated[str | None, typer.Option("--title", help="Title, for people.")] = None,
        wait: Annotated[bool, typer.Option("--wait", help="Print the audience as it comes.")] = False,
        timeout: Annotated[
            float | None,
            typer.Option(
                "--timeout", metavar="SECONDS", min=0.1, help="How long --wait waits; 30 by default."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Publish a release: its audience goes to the topic audiences. A listener is told of an id once."""
        from consumers.commands.session import ask
        from consumers.queries.release import read_release
        from consumers.queries.release_request import release_event

        if timeout is not None and not wait:
            raise WrongUse("--timeout says how long --wait waits: say both, or neither")
        request = goes_by.request(title)
        event, new = ask(lambda redis, _: release_event(redis, release_id, request, time.time()), kafka=True)
        _say_new(new)
        before = ask(lambda redis, settings: read_release(redis, settings, release_id))
        _publish(event, before, (timeout or WAIT) if wait else None, as_json=as_json)

    _add_list(releases)
    _add_reports(releases)

    @command(
        app,
        panel=PANEL,
        example="refrain audience --artist 'Jisu Parade' --max-audience 500\n"
        "refrain audience --artist 'Jisu Parade' --why listener-0001\n"
        "refrain audience --artist 'Jisu Parade' --where 'churn>0.7 and stage=fading'\n"
        "refrain audience --song jisu-parade-ac8f5eaf",
    )
    @options_from_dataclasses
    def audience(
        goes_by: GoesBy,
        first: Annotated[int, typer.Option("--first", min=0, help="How many listeners to show.")] = 10,
        why: Annotated[
            str | None,
            typer.Option("--why", metavar="USER", help="Why this listener is in it, or is not.", parser=nfc),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Show the audience that a release would have: size, cohorts, play rate. Tells nobody."""
        from consumers.commands.session import ask
        from consumers.queries.audience import ExplainedPreview, Preview, preview_audience
        from consumers.queries.release_request import release_event
        from consumers.terminal.audience_tables import show_audience, show_why_audience

        request = goes_by.request()

        async def plan(redis: AnyRedis, settings: Settings) -> tuple[Preview, tuple[str, ...]]:
            event, new = await release_event(redis, "preview", request)
            return await preview_audience(redis, settings, event, first, why), new

        found, new = ask(plan)
        _say_new(new)
        if as_json:
            print_json(found)
        elif isinstance(found, ExplainedPreview):
            show_why_audience(found.why)
        else:
            show_audience(found)


def _add_list(releases: typer.Typer) -> None:
    @command(
        releases,
        panel=PANEL,
        example="refrain release list --top 20\nrefrain release list --unfinished",
        name="list",
    )
    def list_releases(
        top: Annotated[
            int | None, typer.Option("--top", min=1, max=LAST, help="How many to show; 10 if not said.")
        ] = None,
        unfinished: Annotated[
            bool,
            typer.Option(
                "--unfinished", help="All that are not finished: more goes out, or a worker is at it."
            ),
        ] = False,
        as_json: Json = False,
    ) -> None:
        """List the latest releases that somebody was told of, and their click-through rates."""
        from consumers.commands.session import ask
        from consumers.queries.releases import list_releases
        from consumers.queries.unfinished import list_unfinished
        from consumers.terminal.release_report import show_releases, show_unfinished

        if unfinished:
            if top is not None:
                raise WrongUse("--unfinished lists all of them: leave out --top")
            open_ones = ask(list_unfinished)
            print_json([to_json(each) for each in open_ones]) if as_json else show_unfinished(open_ones)
            return
        found = ask(lambda redis, settings: list_releases(redis, settings, top or LISTED))
        print_json([to_json(each) for each in found]) if as_json else show_releases(found)


def _add_reports(releases: typer.Typer) -> None:
    @command(
        releases,
        panel=PANEL,
        example="refrain release show r1\n"
        "refrain release show r1 --csv\n"
        "refrain release show r1 --html r1.html",
    )
    def show(
        release_id: ReleaseId,
        as_csv: Annotated[bool, typer.Option("--csv", help="Print the cohorts as CSV.")] = False,
        html: Html = None,
        as_json: Json = False,
    ) -> None:
        """Show what came of a release: who was told, who clicked, by cohort, and what telling brought."""
        from consumers.commands.session import ask
        from consumers.html_page.page import can_write
        from consumers.html_page.release_page import write_release_page
        from consumers.queries.release_report import CohortResponse, read_release_report
        from consumers.terminal.csv_output import print_csv
        from consumers.terminal.release_report import show_release_report

        formats = {"--csv": as_csv, "--html": html is not None, "--json": as_json}
        if len(said := [name for name, given in formats.items() if given]) > 1:
            raise WrongUse(f"{' and '.join(said)} are {len(said)} formats: say one of them")
        if html:
            can_write(html)
        report = ask(lambda redis, settings: read_release_report(redis, settings, release_id))
        if as_json:
            print_json(report)
        elif as_csv:
            print_csv(report.cohorts, CohortResponse)
        elif html:
            write_release_page(report, html)
            typer.echo(f"the page is {html}")
        else:
            show_release_report(report)

    @command(releases, panel=PANEL, example="refrain release ab\nrefrain release ab --policy taste --top 50")
    def ab(
        policy: Annotated[
            str | None,
            typer.Option(
                "--policy",
                metavar="POLICY",
                help="The other policy; if not said, that of the latest release.",
            ),
        ] = None,
        top: Annotated[int, typer.Option("--top", min=1, max=LAST, help="Of the latest N releases.")] = 100,
        as_json: Json = False,
    ) -> None:
        """Compare the two policies of an A/B test (REFRAIN_AB_POLICY) over the latest releases."""
        from consumers.commands.session import ask
        from consumers.queries.ab_test import read_ab_report
        from consumers.terminal.release_report import show_ab_report

        report = ask(lambda redis, settings: read_ab_report(redis, settings, policy, top))
        print_json(report) if as_json else show_ab_report(report)

    @command(releases, panel=PANEL, example="refrain release stop r1")
    def stop(
        release_id: ReleaseId,
        as_json: Json = False,
    ) -> None:
        """Stop a release that goes on later, in waves or after quiet hours: nobody else is told of it."""
        from consumers.actions.stop_release import stop_release
        from consumers.commands.session import ask
        from consumers.terminal.format import counted

        told = ask(lambda redis, settings: stop_release(redis, settings, release_id))
        if as_json:
            print_json({"release_id": release_id, "audience": told})
        else:
            say(f"{release_id} is stopped: {counted(told, 'listener')} told, and no more will be")


def _say_new(artists: Sequence[str]) -> None:
    for artist in artists:
        say(f"{artist} is new here: the audience goes by what else was said", err=True)


def _publish(event: Release, before: KnownRelease | None, wait_for: float | None, *, as_json: bool) -> None:
    """Publish a release and say so; with `wait_for` seconds, read its audience and print it as it comes."""
    from consumers.actions.publish_release import AudienceReader, publish_release
    from consumers.local.servers import connected_settings
    from consumers.terminal.release_lines import ReleaseJson, ReleaseLines
    from stream.wire.events import Page

    settings = connected_settings()
    lines = ReleaseJson() if as_json else ReleaseLines()
    if wait_for is None:
        publish_release(settings, event)
        lines.published(event, before)
        return
    # A release that reached nobody is tried again; the audience of any other may be out already.
    out = before is not None and not (before.done and not before.audience)
    with AudienceReader(settings, published_before=out) as audience:
        sent_at = publish_release(settings, event)
        lines.published(event, before)
        for part in audience.parts(event.release_id, wait_for, lambda: _known(event.release_id).waits):
            seconds = time.monotonic() - sent_at
            if isinstance(part, Page):
                lines.page(part, seconds)
            else:
                lines.summary(part, _known(event.release_id).relied_on, seconds)
                return
        lines.paused(_known(event.release_id), event.release_id)


def _known(release_id: str) -> KnownRelease:
    """Return what is known of a release; nothing where no worker has met it yet."""
    from consumers.commands.session import ask
    from consumers.queries.release import KnownRelease, read_release

    return ask(lambda redis, settings: read_release(redis, settings, release_id)) or KnownRelease({})
