"""Runs commands in the process of the tests: a new interpreter for each would take most of the time."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from consumers.cli import build
from stream.settings import Settings
from tests.refrain_command import Refrain

__all__ = ["NO_BROKER", "InProcess"]

NO_BROKER = "127.0.0.1:1"


class InProcess(Refrain):
    """The command, with settings in its environment. What is started is still a process of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings, folder)
        self._here = folder

    def run(
        self, *arguments: str, timeout: float = 60, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        if settings.get("kafka") == NO_BROKER:
            # kafka-python 3.0 forgets to close the socket of a connection that was refused.
            return super().run(*arguments, timeout=timeout, **settings)
        runner = CliRunner(env=dict(self._environment(settings)))
        with contextlib.chdir(self._here):
            done = runner.invoke(build(), arguments, prog_name="refrain", catch_exceptions=False)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)
