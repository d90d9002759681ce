"""What the doctor looks at in Refrain's processes: whether they run, here or anywhere."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from consumers.doctor.check import Check
from consumers.terminal.format import ago
from stream.connect import AnyRedis
from stream.stores.heartbeats import heartbeats, starting_for
from stream.stores.history import AFTER_LOADS, LoadState, load_state

__all__ = ["KINDS", "STILL_STARTING", "Alive", "alive_among", "check_here", "check_processes"]

KINDS = {
    "ingest": "clicks are not read",
    "train": "nothing is learned",
    "work": "releases are not answered",
    "traits": "nobody's stage and traits are kept current",
}
"""Kind of process -> what is not done where none runs."""

START_SECONDS = 60.0  # a start that takes longer waits for something
STILL_STARTING = "wait until it has started; where that takes long, its log says what it waits for"


class Alive(NamedTuple):
    """Which kinds of processes live.

    Attributes
    ----------
    at_work
        Kind -> how many have started.
    starting
        Kind -> for how many seconds one has been starting; of several, the slowest.
    load
        Whether those of `AFTER_LOADS` wait for a load of history.
    """

    at_work: Counter[str]
    starting: Mapping[str, float]
    load: LoadState

    def has(self, kind: str) -> bool:
        """Whether one is at work, or about to be."""
        return self.at_work[kind] > 0 or kind in self.starting


def alive_among(states: Mapping[str, Mapping[str, str]], load: LoadState) -> Alive:
    """Return which kinds of processes live.

    Parameters
    ----------
    states
        Name of each process that lives -> what it says of itself.
    load
        As in `Alive`.
    """
    at_work, starting = Counter[str](), dict[str, float]()
    for state in states.values():
        kind, seconds = state["kind"], starting_for(state)
        if seconds is None:
            at_work[kind] += 1
        else:
            starting[kind] = max(seconds, starting.get(kind, seconds))
    return Alive(at_work, starting, load)


async def check_here(redis: AnyRedis, kind: str) -> Check:
    """Look whether a process of a kind is at work on this machine, or in this container."""
    host = socket.gethostname()
    # Behind them stand two numbers; another host's name may begin with that of ours.
    ours = {
        name: state
        for name, state in (await heartbeats(redis)).items()
        if name.rsplit("-", 2)[0] == f"{kind}-{host}"
    }
    if not ours:
        return _waiting(kind, await load_state(redis), f" on {host}") or Check.wrong(
            kind, f"no sign of life on {host}, for ten seconds at least", f"start `refrain {kind}`"
        )
    starting = {name: seconds for name, state in ours.items() if (seconds := starting_for(state)) is not None}
    if at_work := [name for name in ours if name not in starting]:
        return Check.fine(kind, f"runs: {', '.join(at_work)}")
    found = f"not at work yet, has been starting for {ago(max(starting.values()))}"
    return Check.wrong(kind, found, STILL_STARTING)


def check_processes(alive: Alive) -> Iterator[Check]:
    """Look whether there is a process of each kind."""
    for kind, missing in KINDS.items():
        number = alive.at_work[kind]
        runs = "1 runs" if number == 1 else f"{number} run"
        if kind in alive.starting:
            yield _starting(kind, runs if number else "", missing, alive.starting[kind])
        elif number:
            yield Check.fine(kind, runs)
        elif waits := _waiting(kind, alive.load):
            yield waits
        else:
            hint = f"start `refrain {kind}`, or `refrain up` for all"
            yield Check.wrong(kind, f"none runs: {missing}", hint)


def _waiting(kind: str, load: LoadState, where: str = "") -> Check | None:
    """Return what is said where none of a kind runs because of a load of history, for which it waits."""
    if kind not in AFTER_LOADS or not load:
        return None
    if load is LoadState.UNFINISHED:
        hint = f"load the same files once more, or `refrain history abandon`: `refrain {kind}` waits for that"
        return Check.wrong(kind, f"none runs{where}, as a load of history did not end: {KINDS[kind]}", hint)
    hint = f"`refrain {kind}`, once it is started, waits until that is done"
    return Check.warning(kind, f"none runs{where}, as history is being loaded: {KINDS[kind]}", hint)


def _starting(kind: str, runs: str, missing: str, seconds: float) -> Check:
    """Say that one is starting; `runs`: how many are at work beside it, "" where none is."""
    slow = seconds > START_SECONDS
    if runs:
        found = f"{runs}, and one has been starting for {ago(seconds)}"
        return Check.warning(kind, found, STILL_STARTING) if slow else Check.fine(kind, found)
    found = f"none is at work yet, one has been starting for {ago(seconds)}: {missing}"
    return (Check.wrong if slow else Check.warning)(kind, found, STILL_STARTING)
