"""Redis is found whatever stands before it: Sentinels, TLS, a password of any characters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import trustme

from stream.broker.ready import wait_for_redis
from stream.connect import REDIS_ERRORS, ask_redis, open_redis
from stream.errors import Refused, Unreachable
from stream.settings import Settings
from tests.consumers.own_redis import OwnRedis, OwnSentinel
from tests.waiting import wait_for, wait_for_it

PASSWORD = "a/b#c?d@e%f:g&h=i é"  # noqa: S105 - of a server of the test's own
PATIENCE = 0.5
VALUE = os.urandom(2048)  # a Redis that reads its data answers after each kilobyte


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "primary")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def replica(primary: OwnRedis, tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "replica")
    server.start()
    server.follow(primary)
    yield server
    server.kill()


@pytest.fixture
def sentinel(primary: OwnRedis, tmp_path: Path) -> Iterator[OwnSentinel]:
    server = OwnSentinel(tmp_path / "sentinel", primary)
    server.start()
    yield server
    server.kill()


async def told(url: str) -> Any:
    """What a key holds after it was written there."""
    redis = await open_redis(Settings(redis=url, connect_timeout=PATIENCE))
    try:
        await redis.set("a key", "a value")
        return await redis.get("a key")
    finally:
        await redis.aclose()


async def test_the_primary_that_sentinels_name_is_used_though_one_of_them_is_away(
    primary: OwnRedis, sentinel: OwnSentinel
) -> None:
    assert await told(sentinel.watched) == b"a value"
    with primary.client() as client:
        assert client.get("a key") == "a value"


async def test_after_a_failover_the_same_client_uses_the_new_primary(
    primary: OwnRedis, replica: OwnRedis, sentinel: OwnSentinel
) -> None:
    wait_for(lambda: sentinel.knows_replicas(1), "the Sentinel to know the replica")
    redis = await open_redis(Settings(redis=sentinel.watched))
    await redis.set("a key", "before")
    primary.kill()

    async def written() -> bool:
        try:
            return bool(await redis.set("a key", "after"))
        except REDIS_ERRORS:
            return False

    await wait_for_it(written, "the new primary")
    await redis.aclose()
    with replica.client() as client:
        assert client.get("a key") == "after"


async def test_a_redis_that_reads_its_data_is_waited_for_as_long_as_it_does(primary: OwnRedis) -> None:
    with primary.client() as client:
        client.mset({f"key {number}": VALUE for number in range(100)})
        client.bgrewriteaof()
        wait_for(lambda: client.info("persistence")["aof_last_bgrewrite_status"] == "ok", "the file")
        wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "its end")
    primary.kill()
    # 20 ms a key: four times as long as processes wait for one that does not answer.
    with ThreadPoolExecutor(1) as pool, primary.client() as client:
        started = pool.submit(
            primary.start, key_load_delay="20000", loading_process_events_interval_bytes="1024"
        )
        wait_for(lambda: is_loading(client), "a Redis that reads")
        said: list[str] = []
        wait_for_redis(primary.url, timeout=PATIENCE)
        started.result()
        primary.kill()
        started = pool.submit(
            primary.start, key_load_delay="20000", loading_process_events_interval_bytes="1024"
        )
        wait_for(lambda: is_loading(client), "a Redis that reads")
        settings = Settings(redis=primary.url, connect_timeout=PATIENCE)
        async with await open_redis(settings, said.append) as opened:
            assert await ask_redis(settings, lambda: opened.get("key 99"), said.append) == VALUE
        started.result()
    assert "which reads its data from the disk" in said[0]


def is_loading(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.BusyLoadingError:
        return True
    except redis.ConnectionError:  # not there yet
        pass
    return False


async def test_a_sentinel_that_does_not_know_the_primary_is_said_to(sentinel: OwnSentinel) -> None:
    with pytest.raises(Unreachable, match="No master found for 'films'") as raised:
        await told(sentinel.watched.replace("music", "films"))
    assert "redis+sentinel://" in raised.value.hint


async def test_a_sentinel_in_the_place_of_a_redis_is_refused_with_the_way_to_name_it(
    sentinel: OwnSentinel,
) -> None:
    with pytest.raises(Refused, match="a Sentinel listens there") as raised:
        await told(sentinel.url)
    assert "redis+sentinel://" in raised.value.hint


@pytest.mark.parametrize("user", ["", "refrain"])
async def test_a_password_of_any_characters_is_taken_percent_encoded(tmp_path: Path, user: str) -> None:
    server = OwnRedis(tmp_path / "redis", user=f"{user or 'default'} on nopass ~* +@all")
    server.start()
    with server.client() as client:
        client.acl_setuser(user or "default", enabled=True, reset_passwords=True, passwords=[f"+{PASSWORD}"])
    url = server.url.replace("//", f"//{user}:{quote(PASSWORD, safe='')}@")
    assert await told(url) == b"a value"
    with pytest.raises(Unreachable, match="does not let us in") as raised:
        await told(url.replace("%20", "%21"))
    assert "a/b" not in str(raised.value)
    server.kill()


async def test_a_password_stands_for_the_primary_and_sentinels_have_their_own(
    tmp_path: Path, primary: OwnRedis
) -> None:
    with primary.client() as client:
        client.config_set("requirepass", PASSWORD)
    sentinel = OwnSentinel(tmp_path / "sentinel", primary)
    sentinel.start(auth_pass=f'"{PASSWORD}"')
    with sentinel.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "resetpass", ">of-sentinels")
    url = sentinel.watched.replace("//", f"//:{quote(PASSWORD, safe='')}@")
    with pytest.raises(Unreachable, match="No master found") as raised:
        await told(f"{url}?sentinel_password=SECRET")
    assert "SECRET" not in str(raised.value)
    assert await told(f"{url}?sentinel_password=of-sentinels") == b"a value"
    sentinel.kill()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Redis that speaks TLS and wants a client's certificate, and the folder with the PEM files."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name, cert in {
        "server": ca.issue_cert("127.0.0.1"),
        "client": ca.issue_cert("me@example.org"),
    }.items():
        cert.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        cert.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    server = OwnRedis(
        tmp_path / "redis",
        tls_cert_file=str(tmp_path / "server.pem"),
        tls_key_file=str(tmp_path / "server.key"),
        tls_ca_cert_file=str(tmp_path / "ca.pem"),
    )
    plain = server.port
    try:
        server.start(tls_port=str(plain + 1))
    except AssertionError as error:
        if "tls" not in str(error).lower():
            raise
        pytest.skip("this redis-server is built without TLS")
    yield server.url.replace("redis://", "rediss://").replace(str(plain), str(plain + 1)), tmp_path
    server.kill()


async def test_tls_with_our_own_authority_and_a_certificate_on_both_sides(secured: tuple[str, Path]) -> None:
    url, pem = secured
    ours = f"ssl_certfile={pem}/client.pem&ssl_keyfile={pem}/client.key"
    assert await told(f"{url}?ssl_ca_certs={pem}/ca.pem&{ours}") == b"a value"
    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        await told(f"{url}?ssl_ca_certs={pem}/other.pem&{ours}")
    with pytest.raises(Unreachable, match=re.compile("certificate|closed|SSL", re.IGNORECASE)):
        await told(f"{url}?ssl_ca_certs={pem}/ca.pem")
