"""The URL of a Redis that Sentinels watch: which Sentinels, what they call the primary, how to log in to it.

::

    redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/NAME/0?sentinel_password=SECRET
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

__all__ = ["SENTINEL_SCHEMES", "SentinelUrl", "parse_sentinel_url"]

SENTINEL_SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
PORT = 26379

URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?P<user>[^/?#]*@)?(?P<sentinels>[^/?#@]+)"
    r"/(?P<name>[^/?#@]+)(?P<database>/\d*)?(\?(?P<query>[^#@]*))?"
)
SENTINEL = re.compile(r"(?P<host>\[[\da-fA-F:.%]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?")
FOR_SENTINELS = "sentinel_"
"""What the names of parameters begin with that are for the Sentinels alone."""


class SentinelUrl(NamedTuple):
    """What a Sentinel URL says.

    Attributes
    ----------
    sentinels
        Hosts and ports.
    name
        What the Sentinels call the primary and its replicas.
    primary
        The same as a URL of redis-py; the Sentinels know the host, so the name stands in its place.
    options
        Parameters for connections to the Sentinels: ``username``, ``password``.
    """

    sentinels: tuple[tuple[str, int], ...]
    name: str
    primary: str
    options: dict[str, str]


def parse_sentinel_url(url: str) -> SentinelUrl:
    """Take a Sentinel URL apart.

    Raises
    ------
    ValueError
        Where it is none; its text has no part of the URL in it.

    Examples
    --------
    >>> found = parse_sentinel_url("redis+sentinel://:secret@s1,s2:5000/music/1?sentinel_password=other")
    >>> found.sentinels, found.name, found.primary, found.options
    ((('s1', 26379), ('s2', 5000)), 'music', 'redis://:secret@music/1', {'password': 'other'})
    """
    found = URL.fullmatch(url)
    sentinels = [SENTINEL.fullmatch(each) for each in found["sentinels"].split(",")] if found else []
    if found is None or not all(sentinels):
        raise ValueError("a Sentinel URL is redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/NAME/0")
    parameters = parse_qsl(found["query"] or "", keep_blank_values=True)
    query = urlencode([each for each in parameters if not each[0].startswith(FOR_SENTINELS)])
    login, database = found["user"] or "", found["database"] or ""
    return SentinelUrl(
        tuple((each["host"].strip("[]"), int(each["port"] or PORT)) for each in sentinels if each),
        unquote(found["name"]),
        f"{found['scheme']}://{login}{found['name']}{database}{'?' if query else ''}{query}",
        {
            name.removeprefix(FOR_SENTINELS): value
            for name, value in parameters
            if name.startswith(FOR_SENTINELS)
        },
    )
