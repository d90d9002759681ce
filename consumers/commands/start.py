"""`refrain up`, `demo`, `ingest`, `train`, `work`, `traits`, `deliver`: what runs until it is told to end."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from consumers.commands.frame import command
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import visible
from stream.settings import load_settings

__all__ = ["add"]

PANEL = "Start"

ForSeconds: TypeAlias = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=0.0, help="Stop after so many seconds.")
]
Without: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="PROCESS",
        help="Do not start this one, as ingest and train while history is loaded. May be repeated.",
    ),
]
JsonLines: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON, one object a line, for programs.")
]
JsonLog: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Log JSON, one object a line, for programs.")
]


def _log(as_json: bool) -> None:
    if as_json:
        from consumers.runtime.log import log_json

        log_json()


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel=PANEL, example="refrain up")
    def up(for_seconds: ForSeconds = None, without: Without = None, as_json: JsonLines = False) -> None:
        """Start everything on this machine, with a Kafka and a Redis of its own if none is given."""
        from consumers.local.up import up

        def say(line: str) -> None:
            if as_json:
                print_json({"said": line})
            else:
                typer.echo(visible(line, lines=True))

        up(load_settings(), for_seconds, say, without or ())

    @command(app, panel=PANEL, example="refrain demo --for 60")
    def demo(for_seconds: ForSeconds = None, as_json: JsonLines = False) -> None:
        """Start everything with simulated listeners and releases, and show the CTR that follows."""
        from consumers.demo.run import demo

        demo(load_settings(), for_seconds, as_json=as_json)

    @command(app, panel=PANEL, example="REFRAIN_KAFKA=broker:9092 REFRAIN_REDIS=redis://db refrain ingest")
    def ingest(as_json: JsonLog = False) -> None:
        """Run one ingester: clicks from Kafka into Redis. Any number share the work."""
        from consumers.ingest.ingester import ingest
        from consumers.runtime.process import run_process

        _log(as_json)
        run_process(ingest, connected_settings())

    @command(app, panel=PANEL, example="REFRAIN_KAFKA=broker:9092 REFRAIN_REDIS=redis://db refrain train")
    def train(as_json: JsonLog = False) -> None:
        """Run one trainer: learns artists and cohorts from clicks. Of several one learns, others stand by."""
        from consumers.runtime.process import run_process
        from consumers.train.trainer import train

        _log(as_json)
        run_process(train, connected_settings())

    @command(app, panel=PANEL, example="REFRAIN_KAFKA=broker:9092 REFRAIN_REDIS=redis://db refrain work")
    def work(as_json: JsonLog = False) -> None:
        """Run one worker: answers releases with audiences, counts feedback, keeps the catalogue."""
        from consumers.runtime.process import run_process
        from consumers.work.worker import work

        _log(as_json)
        run_process(work, connected_settings())

    @command(app, panel=PANEL, example="REFRAIN_KAFKA=broker:9092 REFRAIN_REDIS=redis://db refrain traits")
    def traits(as_json: JsonLog = False) -> None:
        """Run one process that keeps traits current (stage, churn, next week, segments). Others stand by."""
        from consumers.runtime.priority import give_way

        give_way()  # before the imports, too, which take more than a second of processor time
        from consumers.runtime.process import run_process
        from consumers.traits.process import traits

        _log(as_json)
        run_process(traits, connected_settings())

    @command(
        app,
        panel=PANEL,
        example="REFRAIN_DELIVER_URL_FILE=/run/secrets/url REFRAIN_DELIVER_SECRET_FILE=/run/secrets/secret "
        "refrain deliver\nREFRAIN_DELIVER_FOLDER=/srv/audiences refrain deliver",
    )
    def deliver(as_json: JsonLog = False) -> None:
        """Run one process that posts audiences to an HTTP endpoint, or writes a CSV file for each release."""
        from consumers.deliver.process import deliver
        from consumers.runtime.process import run_process

        _log(as_json)
        run_process(deliver, connected_settings())
