"""Ports that are free on this machine."""

from __future__ import annotations

import random
import re
import socket

from stream.errors import CannotStart

__all__ = ["LOCALHOST", "free_port", "free_port_again"]

LOCALHOST = "127.0.0.1"

# Below what any system hands out to outgoing connections, so none of those takes the port before its server
# does.
PORTS = range(20_000, 32_000)


def free_port(preferred: int | None = None) -> int:
    """A port of 127.0.0.1 that nobody listens on: `preferred` if it can be had.

    Examples
    --------
    >>> 20_000 <= free_port() < 32_000
    True
    """
    candidates = random.sample(PORTS, 200)
    for port in candidates if preferred is None else [preferred, *candidates]:
        with socket.socket() as attempt:
            # Servers bind with this too: a connection of an earlier run that still winds down is no obstacle.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((LOCALHOST, port))
            except OSError:
                continue
            return port
    raise CannotStart(f"no free port on {LOCALHOST} between {PORTS.start} and {PORTS.stop}")


def free_port_again(last: str, form: str = "{}") -> int:
    """A free port as of `free_port`: that of the last run, where its address was one of ours.

    Parameters
    ----------
    last
        The address in the last run, "" for none. Where one was given then, it is none of ours.
    form
        How an address of ours is written, with "{}" for host and port.

    Examples
    --------
    >>> port = free_port()
    >>> free_port_again(f"redis://127.0.0.1:{port}/0", "redis://{}/0") == port
    True
    """
    found = re.fullmatch(form.format(rf"{LOCALHOST}:(\d+)"), last)
    return free_port(int(found[1]) if found else None)
