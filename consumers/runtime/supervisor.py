"""Refrain's processes as children of one: started together, started again when they die, ended in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType

from consumers.runtime.forked import Forked, signals_held
from stream.errors import CannotStart
from stream.settings import Settings

__all__ = ["KINDS", "Supervisor", "commands"]

KINDS = ("ingest", "train", "work", "traits", "serve")

QUICK = 10.0  # seconds: who dies sooner than this after the start will most likely do so again
PAUSES = (0.5, 1.0, 2.0)  # seconds before the next start, by how many quick deaths there were in a row
LAST_LINES = 12


def commands(
    kinds: Sequence[str] = KINDS, handed: Mapping[str, object] | None = None
) -> dict[str, Callable[[], object]]:
    """Return what each process does: the command `refrain ingest` and so on.

    Parameters
    ----------
    handed
        What a process is given beside its settings, by kind: the socket that `serve` listens on.
    """
    return {kind: partial(_command, kind, (handed or {}).get(kind)) for kind in kinds}


def _command(kind: str, handed: object) -> None:
    sys.argv = ["refrain", kind]
    import_module("consumers.cli").main(handed)


def environment(settings: Settings, number: int = 0) -> dict[str, str]:
    """Return the environment of a process that is to have exactly these settings.

    Parameters
    ----------
    number
        Which of several on this machine it is: each answers Prometheus on a port of its own.
    """
    if settings.metrics_port:
        settings = settings.model_copy(update={"metrics_port": settings.metrics_port + number})
    # Several processes share the machine; each with threads for every core would only wait for the others.
    return {"OMP_NUM_THREADS": "1", **os.environ, **settings.as_environment()}


@dataclass
class _Member:
    kind: str
    target: Callable[[], object]
    log: Path
    environment: Mapping[str, str]
    child: Forked | None = None
    started: float = 0.0
    due: float = 0.0
    quick_deaths: int = 0


class Supervisor:
    """Processes that run as long as the ``with`` block; they end with us, also when we are killed.

    Parameters
    ----------
    settings
        What they run with; `kafka` and `redis` are addresses.
    folder
        Where their logs go, a file each.
    say
        Is told of deaths, one line at a time.
    targets
        What each calls, by kind.

    Raises
    ------
    CannotStart
        From `tend`, where one dies again and again.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        say: Callable[[str], None],
        targets: Mapping[str, Callable[[], object]],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._say = say
        self._members = [
            _Member(kind, target, folder / f"{kind}.log", environment(settings, number))
            for number, (kind, target) in enumerate(targets.items())
        ]

    @property
    def logs(self) -> dict[str, Path]:
        """The log of each process, by kind."""
        return {member.kind: member.log for member in self._members}

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of those that run, by kind."""
        return {member.kind: member.child.pid for member in self._members if member.child}

    def tend(self, now: float) -> None:
        """Start whoever is due. To be called often.

        Parameters
        ----------
        now
            Seconds on any clock that never goes back.

        Raises
        ------
        CannotStart
            With the last lines of its log, where a process has died quickly once more than `PAUSES` are long.
        """
        for member in self._members:
            if member.child is not None and not member.child.alive:
                self._mourn(member, member.child, now)
            if member.child is None and now >= member.due:
                name = f"refrain {member.kind}"
                with signals_held():
                    member.child = Forked(name, member.target, log=member.log, env=member.environment)
                member.started = now

    def _mourn(self, member: _Member, child: Forked, now: float) -> None:
        code = child.stop()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        member.child = None
        member.quick_deaths = member.quick_deaths + 1 if now - member.started < QUICK else 1
        if member.quick_deaths > len(PAUSES):
            raise CannotStart(
                f"`refrain {member.kind}` has ended {how}, {member.quick_deaths} times in a row. "
                f"Its log, {member.log}, ends with:\n{child.last_words(LAST_LINES)}"
            )
        pause = PAUSES[member.quick_deaths - 1]
        member.due = now + pause
        self._say(f"{member.kind} has ended {how}; it is started again in {pause:g} s. Its log: {member.log}")

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Last started, first ended: who answers releases goes before who feeds them.
        for member in reversed(self._members):
            if member.child is not None:
                member.child.stop()
                member.child = None
