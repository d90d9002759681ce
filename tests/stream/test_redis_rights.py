"""scripts/redis-users.acl names every key and every command of the code, also those that few runs need."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from redis import RedisCluster

from stream.connect import open_redis
from stream.errors import Refused
from stream.settings import Settings
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.wire.events import Song
from tests.redis_cluster import cluster_client

ROOT = Path(__file__).parents[2]
(USER,) = (ROOT / "scripts" / "redis-users.acl").read_text(encoding="utf-8").splitlines()
PATTERNS = [word[1:] for word in USER.split() if word.startswith("~")]
COMMANDS = {word[1:] for word in USER.split() if word.startswith("+")}

OF_REDIS = {"redis", "_redis", "pipeline"}
"""What a client or pipeline is called in the code."""
OF_THEIR_OWN = {"broker", "demo"}
"""Folders of what starts a Redis of its own."""
NO_COMMANDS = {"aclose", "append", "execute", "get_node_from_key", "get_primaries", "initialize", "keyslot"}
SPELLED = {
    "delete": "del",
    "incr": "incrby",
    "memory_usage": "memory|usage",
    "pipeline": "multi",
    "script_load": "script|load",
}
"""Method of redis-py -> its command, where their names differ."""


def made_keys() -> Iterator[str]:
    for name, value in vars(keys).items():
        if isinstance(value, str) and name.isupper():
            yield value
        elif inspect.isfunction(value):
            yield value(*["x"] * len(inspect.signature(value).parameters))


def called() -> Iterator[tuple[str, str]]:
    """Where a command is called, and its name in small letters."""
    for path in sorted((ROOT / "stream").rglob("*.lua")):
        for command in re.findall(r"(?:redis\.call|in_steps)\('(\w+)'", path.read_text(encoding="utf-8")):
            yield path.name, command.lower()
    for path in sorted([*(ROOT / "stream").rglob("*.py"), *(ROOT / "consumers").rglob("*.py")]):
        if path.parent.name in OF_THEIR_OWN:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (command := _command(node)):
                yield path.name, command


def _command(node: ast.Call) -> str:
    function, first = node.func, node.args[0] if node.args else None
    named = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    if isinstance(function, ast.Name) and function.id == "Call":
        return named.lower()
    if not isinstance(function, ast.Attribute):
        return ""
    holder = function.value
    called = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
    if called not in OF_REDIS or function.attr in NO_COMMANDS:
        return ""
    if function.attr == "execute_command":
        return named.lower()
    return SPELLED.get(function.attr, function.attr.removesuffix("_iter"))


@pytest.mark.parametrize("key", sorted(made_keys()))
def test_every_key_is_within_the_patterns(key: str) -> None:
    assert any(fnmatchcase(key, pattern) for pattern in PATTERNS)


def test_no_pattern_is_without_a_key() -> None:
    assert [p for p in PATTERNS if not any(fnmatchcase(key, p) for key in made_keys())] == []


def test_every_command_of_the_code_is_a_right() -> None:
    # HELLO is everybody's.
    assert [(where, command) for where, command in called() if command not in {*COMMANDS, "hello", ""}] == []


def test_no_right_is_without_a_use() -> None:
    assert COMMANDS - {command for _, command in called()} == {"select", "exec"}


@pytest.fixture
def cluster_user(redis_cluster_url: str) -> Iterator[tuple[str, Callable[[str], None]]]:
    """The URL of the user in a Redis Cluster, and what changes its rights there."""
    with cluster_client(redis_cluster_url) as cluster:
        nodes = {"target_nodes": RedisCluster.ALL_NODES}

        def change(rights: str) -> None:
            cluster.execute_command("ACL SETUSER", *rights.split(), **nodes)

        change(USER.removeprefix("user "))
        yield redis_cluster_url.replace("//", "//refrain:CHANGE-THIS-PASSWORD@"), change
        cluster.execute_command("ACL DELUSER", "refrain", **nodes)


async def test_a_cluster_needs_two_more_and_says_so(cluster_user: tuple[str, Callable[[str], None]]) -> None:
    url, change = cluster_user
    with pytest.raises(Refused, match="cluster") as refused:
        await open_redis(Settings(redis=url))
    assert "docs/redis.md" in refused.value.hint
    change("refrain +cluster|slots +command")
    redis = await open_redis(Settings(redis=url))
    await Catalogue(redis).put([Song(song_id=f"s{n}", artist_ids=["a"]) for n in range(20)])
    assert len(await Catalogue(redis).artists_of({f"s{n}" for n in range(20)})) == 20
    songs = [Song(song_id=f"of {n}", artist_ids=[f"a{n}"], artist_names=["Nirvana"]) for n in range(3)]
    await Catalogue(redis).put(songs)
    assert len(await Catalogue(redis).find("Nirvana")) == await Catalogue(redis).number_of_names() - 1 == 3
    await redis.aclose()
