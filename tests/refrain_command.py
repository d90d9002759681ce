"""Runs the command `refrain`: in the process of the tests, as the installed program, or beside the test."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from typer import Typer
from typer.testing import CliRunner

from consumers.commands.application import build
from stream.broker import Child
from stream.settings import Settings

__all__ = ["NO_BROKER", "Refrain", "application"]

NO_BROKER = "127.0.0.1:1"
"""Who is to find out that there is none is run as a program: kafka-python 3.0 leaves refused sockets open."""


@functools.cache
def application() -> Typer:
    """All commands, made once for all tests of a process."""
    return build()


class Refrain:
    """The command, with settings in its environment. What it started ends with the ``with`` block.

    >>> refrain.run("cohorts", "--json").stdout                # doctest: +SKIP
    >>> ingester = refrain.start("ingest", batch_clicks=100)   # doctest: +SKIP
    >>> ingester.kill()                                        # doctest: +SKIP
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._started: list[Child] = []

    def run(self, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run it in this process: a new Python for each would take most of the time of the tests.

        `settings` override the settings for this one run. What it raises, the test raises.
        """
        runner = CliRunner(env=self._environment(settings))
        with contextlib.chdir(self._folder):
            done = runner.invoke(application(), arguments, prog_name="refrain", catch_exceptions=False)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def asked(self, *arguments: str) -> Any:
        """Run it with ``--json``, in this process, and return what it says."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def run_program(
        self, *arguments: str, timeout: float = 60, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Run the installed program to its end, where the fact is about a process of its own."""
        return subprocess.run(
            [_executable(), *arguments],
            env=self._environment(settings),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, **settings: object) -> Child:
        """Start it beside the test. What it prints is in the child's `log`."""
        return self._start([_executable()], arguments, settings)

    def start_python(self, code: str, *arguments: str, **settings: object) -> Child:
        """Start Python code that becomes the command, in place of the command."""
        return self._start([sys.executable, "-c", code], arguments, settings)

    def _start(self, program: list[str], arguments: tuple[str, ...], settings: dict[str, object]) -> Child:
        number = len(list(self._folder.glob("*.log")))
        child = Child(
            f"refrain {' '.join(arguments)}",
            [*program, *arguments],
            env=self._environment(settings),
            cwd=self._folder,
            log=self._folder / f"{arguments[0]}-{number}.log",
        )
        self._started.append(child)
        return child

    def _environment(self, overrides: dict[str, object]) -> dict[str, str]:
        given = self._settings.as_environment()
        ours = {
            name: given[name] for name in map(_variable, self._settings.model_fields_set) if name in given
        }
        return {
            **os.environ,
            **ours,
            **{_variable(name): str(value) for name, value in overrides.items()},
        }

    def __enter__(self) -> Refrain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._started:
            child.signal(signal.SIGTERM)  # all at once, then wait for each
        for child in self._started:
            child.stop()


def _executable() -> str:
    return str(Path(sys.executable).with_name("refrain"))


def _variable(name: str) -> str:
    return f"REFRAIN_{name.upper()}"
