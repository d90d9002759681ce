"""The socket that `refrain serve` listens on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from stream.errors import CannotStart
from stream.settings import Settings

__all__ = ["listen"]

BACKLOG = 2048

WHY = {errno.EADDRINUSE: "is taken", errno.EACCES: "may not be listened on without more rights"}
"""Why a port cannot be had that another one may stand for."""


def listen(settings: Settings, say: Callable[[str], None] | None = None) -> socket.socket:
    """Listen where the settings say. Who connects waits until somebody answers.

    Parameters
    ----------
    say
        Is told of another port, where the one of the settings cannot be had; None: there is no other.

    Raises
    ------
    CannotStart
        Where nothing can listen there.
    """
    host, port = settings.web_host, settings.web_port
    try:
        return _listener(host, port)
    except OSError as error:
        why = WHY.get(error.errno or 0)
        if say is None or why is None:
            raise CannotStart(
                f"nothing can listen at {host}:{port}: {error.strerror}",
                hint="REFRAIN_WEB_PORT and REFRAIN_WEB_HOST say where to listen.",
            ) from error
    listener = _listener(host, 0)
    say(f"port {port} of {host} {why}: the page has port {listener.getsockname()[1]}")
    return listener


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Connections have it from the listener. asyncio sets it only on sockets that name TCP as their protocol,
    # which these do not: head and body of an answer, sent apart, would lie 40 ms apart.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
