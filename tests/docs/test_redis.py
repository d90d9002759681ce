"""The commands of docs/redis.md that make a user, pasted as they are, on a Redis."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from tests.consumers.own_redis import OwnRedis

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")
(MADE,) = re.findall(r"^ {4}sed .*\n(?: {4}.*\n)+", PAGE, re.MULTILINE)


def test_the_page_makes_the_user_of_the_file_and_keeps_it_in_the_configuration(own_redis: OwnRedis) -> None:
    own_redis.start()
    program = shutil.which("redis-cli") or pytest.skip("no `redis-cli` here")
    commands = re.sub(r"\bredis-cli\b", f"{program} -u {own_redis.url}", MADE)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", commands], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["OK", "OK"]), done.stdout + done.stderr
    assert "\nuser refrain on #" in (own_redis.folder / "redis.conf").read_text(encoding="utf-8")
    as_refrain = {"username": "refrain", "password": "CHANGE-THIS-PASSWORD", "decode_responses": True}
    with redis.Redis.from_url(own_redis.url, **as_refrain) as refrain:
        assert refrain.set("user:{ann}", "x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            refrain.set("another", "x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            refrain.flushall()
