"""The processes that live, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.heartbeats import STARTING, heartbeats

__all__ = ["RunningProcess", "list_processes"]

FIELDS = ("kind", "at", "model", STARTING)


@dataclass(frozen=True)
class RunningProcess:
    """A process that has given a sign of life in the last ten seconds.

    Attributes
    ----------
    name
        Kind, machine, a random part, number of the process.
    at
        Its last sign of life, Unix seconds.
    model
        The version of the model that it has loaded; None of a process that loads none, or has not yet.
    starting_since
        Since when it has been starting, Unix seconds; None: it is at work.
    says
        What it counts and how it is, by name; numbers as text.
    """

    name: str
    kind: str
    at: float
    model: int | None
    starting_since: float | None
    says: Mapping[str, str]


async def list_processes(redis: AnyRedis, _: Settings) -> tuple[RunningProcess, ...]:
    """Return the processes that live, by kind and name."""
    found = [
        RunningProcess(
            name=name,
            kind=state["kind"],
            at=float(state["at"]),
            model=int(state["model"]) if state.get("model") else None,
            starting_since=float(state[STARTING]) if STARTING in state else None,
            says={field: value for field, value in state.items() if field not in FIELDS},
        )
        for name, state in (await heartbeats(redis)).items()
    ]
    return tuple(sorted(found, key=lambda each: (each.kind, each.name)))
