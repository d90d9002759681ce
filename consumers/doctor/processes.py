"""What the doctor looks at in Refrain's processes: whether they run, here or anywhere."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Mapping

from consumers.doctor.check import Check
from stream.connect import AnyRedis
from stream.stores.heartbeats import heartbeats
from stream.stores.history import AFTER_LOADS, LoadState, load_state

__all__ = ["KINDS", "check_here", "check_processes", "running"]

KINDS = {
    "ingest": "clicks are not read",
    "train": "nothing is learned",
    "work": "releases are not answered",
    "traits": "nobody's stage and traits are kept current",
}
"""Kind of process -> what is not done where none runs."""


def running(states: Mapping[str, Mapping[str, str]]) -> Counter[str]:
    """Return how many processes of each kind run, of those that live."""
    return Counter(state["kind"] for state in states.values())


async def check_here(redis: AnyRedis, kind: str) -> Check:
    """Look whether a process of a kind runs on this machine, or in this container."""
    host = socket.gethostname()
    # Behind them stand two numbers; another host's name may begin with that of ours.
    ours = [name for name in await heartbeats(redis) if name.rsplit("-", 2)[0] == f"{kind}-{host}"]
    if ours:
        return Check.fine(kind, f"runs: {', '.join(ours)}")
    if waits := _waiting(kind, await load_state(redis), f" on {host}"):
        return waits
    return Check.wrong(
        kind, f"no sign of life on {host}, for ten seconds at least", f"start `refrain {kind}`"
    )


def check_processes(alive: Mapping[str, int], load: LoadState) -> Iterator[Check]:
    """Look whether there is a process of each kind.

    Parameters
    ----------
    alive
        Kind -> how many processes run.
    load
        Whether they wait for a load of history.
    """
    for kind, missing in KINDS.items():
        number = alive.get(kind, 0)
        if number:
            yield Check.fine(kind, "1 runs" if number == 1 else f"{number} run")
        elif waits := _waiting(kind, load):
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
