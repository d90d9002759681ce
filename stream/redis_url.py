"""The URL of Redis: what one may look like, and how it is shown, without its password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from stream.sentinel_url import SENTINEL_SCHEMES, parse_sentinel_url

__all__ = ["SCHEMES", "check_redis_url", "shown"]

SCHEMES = ("redis://", "rediss://", "unix://", *SENTINEL_SCHEMES)

HIDDEN = "***"
SECRET = re.compile(r"pass|secret|token|cred|key", re.IGNORECASE)
"""What the name of a parameter has in it whose value is not to be shown."""

ENCODE = (
    "percent-encode the password (and the user): %2F for /, %23 for #, %3F for ?, %40 for @, %25 for %. "
    "`python -c 'import getpass, urllib.parse; print(urllib.parse.quote(getpass.getpass(), safe=\"\"))'` does"
)


def shown(url: str) -> str:
    """Return a URL as it may be shown: without its password, wherever that stands in it.

    Examples
    --------
    >>> shown("redis://me:secret@db:6379/0")
    'redis://me:***@db:6379/0'
    >>> shown("redis://db/0?password=secret")
    'redis://db/0?***'
    >>> shown("me:secret@db:6379")
    'me:***@db:6379'
    >>> shown("redis://me:sec/ret@db:6379")
    'redis://***'
    >>> shown("redis+sentinel://me:secret@s1:26379,s2:26379/music/0")
    'redis+sentinel://me:***@s1:26379,s2:26379/music/0'
    """
    scheme, separator, rest = url.partition("://") if url.startswith(SCHEMES) else ("", "", url)
    user, at, place = rest.rpartition("@")
    if re.search(r"[/?#]|://", user):
        # An @ behind the path, or a password with one of these in it: where it ends nobody can know.
        return f"{scheme}{separator}{HIDDEN}"
    place, question, query = place.partition("?")
    place, sharp, _ = place.partition("#")
    servers = place.partition("/")[0]
    several = servers.split(",") if url.startswith(SENTINEL_SCHEMES) else [servers]
    if not at and not all(re.fullmatch(r"(.*\]|[^:]*)(:\d*)?", server) for server in several):
        place = HIDDEN  # no port: perhaps a user and a password, and no server
    if question and (SECRET.search(query) or "#" in query):
        query = HIDDEN
    if at:
        name, colon, _ = user.partition(":")
        at = f"{name}:{HIDDEN}@" if colon else f"{HIDDEN}@"
    return f"{scheme}{separator}{at}{place}{question}{query}{sharp and sharp + HIDDEN}"


def check_redis_url(url: str) -> str:
    """Return the URL as it is, where Redis's clients read it as it was meant.

    Raises
    ------
    ValueError
        Where they do not; its text has no part of the URL in it.
    """
    if not url.startswith(SCHEMES):
        raise ValueError(f"a Redis URL starts with one of {', '.join(SCHEMES)}")
    server = url
    if url.startswith(SENTINEL_SCHEMES):
        try:
            server = parse_sentinel_url(url).primary
        except ValueError as error:
            raise ValueError(f"{error}; else: {ENCODE}") from error
    try:
        parts = urlsplit(server)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"it has no port where one is to be: {ENCODE}") from error
    if parts.fragment or "#" in server or "@" in parts.path + parts.query:
        raise ValueError(f"user, password and server cannot be told apart: {ENCODE}")
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError(
            f"behind the server comes the number of a database, redis://HOST:PORT/0; else: {ENCODE}"
        )
    _check_parameters(url)
    return url


def _check_parameters(url: str) -> None:
    # Redis's client takes any parameter, and fails at its first command.
    from stream.redis_client import client_of  # noqa: PLC0415 - 0.2 s that `refrain --help` does without

    try:
        query = url.partition("?")[2]
        names = [name for name, _ in parse_qsl(query, strict_parsing=bool(query))]
    except ValueError as error:
        raise ValueError(f"parameters are NAME=VALUE&NAME=VALUE; else: {ENCODE}") from error
    try:
        client_of(url).connection_pool.make_connection()
    except (TypeError, ValueError) as error:
        raise ValueError(f"redis-py does not take its parameters: {', '.join(names)}") from error
