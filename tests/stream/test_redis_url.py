"""A Redis URL is never shown with its password, and one that would be read wrongly is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.redis_url import check_redis_url, shown

MALFORMED = [
    "app:SECRET@host:6379",
    "app:SECRET",
    "https://app:SECRET@host",
    "redis://app:SECRET",
    "redis://:SE/CRET@host:6379/0",
    "redis://:SE#CRET@host:6379/0",
    "redis://:SE?CRET@host:6379/0",
    "redis://:12/SECRET@host",
    "redis://:12?SECRET@host",
    "redis://:SE[CRET@host",
    "redis://host/0#SECRET",
    "redis://host/0?password=a@SECRET",
    "redis://host/0?password=a#SECRET",
    "redis://host/0?password=a&SECRET",
    "redis+sentinel://app:SECRET",
    "redis+sentinel://app:SECRET@s1:26379,s2",
    "redis+sentinel://:SE/CRET@s1:26379,s2/music/0",
    "redis+sentinel://:SE#CRET@s1,s2/music/0",
    "redis+sentinel://:SE?CRET@s1,s2/music/0",
    "redis+sentinel://:SE,CRET/music@s1,s2/music/0",
    "redis+sentinel://s1:SECRET/music/0",
]
WELL = [
    "redis://:SECRET@host:6379/0",
    "redis://app:SECRET@host",
    "rediss://app:SEC%2FRET@[::1]:6379/0",
    "redis://host/0?password=SECRET",
    "redis://host/0?db=1&password=SECRET&socket_timeout=3",
    "unix://app:SECRET@/run/redis.sock?db=1",
    "redis://SECRET@host",
    "redis+sentinel://:SECRET@s1:26379,s2/music/0",
    "rediss+sentinel://app:SEC%2FRET@[::1]:26379,s2/music/0?ssl_ca_certs=/ca.pem&sentinel_password=SECRET",
]
SENTINELS = "redis+sentinel://s1:26379,[::1]:26380,s3/music/0?socket_timeout=3"
ANY = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1)


@pytest.mark.parametrize("url", [*MALFORMED, *WELL])
def test_a_password_is_not_shown(url: str) -> None:
    for part in ("SE", "CRET", "SECRET"):
        assert part not in shown(url)


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"percent-encode|starts with one of") as refused:
        check_redis_url(url)
    assert "CRET" not in str(refused.value)


@pytest.mark.parametrize(
    "url", [*WELL, "redis://", "redis://host:6379/2", "unix:///run/redis.sock", "redis+sentinel://s1/a%20b"]
)
def test_a_good_url_is_taken_as_it_is(url: str) -> None:
    assert check_redis_url(url) == url


@pytest.mark.parametrize(
    "url", ["redis://host:6379/2", "rediss://[::1]:6379", "unix:///run/redis.sock?db=1", SENTINELS]
)
def test_a_url_without_a_password_is_shown_whole(url: str) -> None:
    assert shown(url) == url


@given(password=ANY)
def test_no_password_is_shown_however_it_is_written(password: str) -> None:
    password = f"@SECRET{password}"
    assert "SECRET" not in shown(f"redis://me:{password}@host:6379/0")
    assert "SECRET" not in shown(f"redis://host:6379/0?password={password}")
    assert "SECRET" not in shown(f"redis+sentinel://me:{password}@host:6379,other/music/0")


def test_a_parameter_that_redis_py_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match="redis-py does not take its parameters: colour"):
        check_redis_url("redis://host/0?colour=red")
    with pytest.raises(ValueError, match="redis-py does not take its parameters: colour"):
        check_redis_url("redis+sentinel://host/music/0?colour=red&sentinel_password=SECRET")
    with pytest.raises(ValueError, match="redis-py does not take its parameters: sentinel_colour"):
        check_redis_url("redis+sentinel://host/music/0?sentinel_colour=red")
