"""Who can reach an address that is listened on; where others can, there has to be a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from stream.errors import CannotStart

__all__ = ["ADD_KEY", "is_loopback", "require_key"]

ADD_KEY = "`refrain key add NAME --role administer` makes the first one; or listen on 127.0.0.1."


def is_loopback(host: str) -> bool:
    """Say whether an address, or a host's name, is this very machine.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


async def require_key(host: str, any_key: Callable[[], Awaitable[bool]], hint: str = ADD_KEY) -> None:
    """Make sure that there is a key, where other machines can ask.

    Parameters
    ----------
    host
        What is listened on.
    any_key
        Says whether there is any; is asked only where there has to be one.
    hint
        How the first one is made.

    Raises
    ------
    CannotStart
        Where there is none.
    """
    if not is_loopback(host) and not await any_key():
        raise CannotStart(
            f"REFRAIN_WEB_HOST={host} lets other machines ask, and there are no keys yet", hint=hint
        )
