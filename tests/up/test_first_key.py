"""`refrain up` where other machines could ask, and nobody has a key yet."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import requests

from stream.broker import find_running
from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.up.running import only, processes, started
from tests.waiting import DEADLINE, wait_for

EVERYWHERE = "0.0.0.0"  # noqa: S104
REFUSED = f"REFRAIN_WEB_HOST={EVERYWHERE} lets other machines ask, and there are no keys yet"


def _commands(said: str) -> list[list[str]]:
    """Return the commands that a hint names, without `refrain`."""
    return [found.split() for found in re.findall(r"`refrain ([^`]+)`", said)]


def test_it_ends_before_any_process_runs_and_starts_once_there_is_a_key(
    refrain: Refrain, settings: Settings
) -> None:
    refused = refrain.run_program("up", *only("serve"), web_host=EVERYWHERE)
    assert (refused.returncode, REFUSED in refused.stderr) == (1, True)
    assert not list((settings.data / "logs").glob("*.log"))
    [add] = _commands(refused.stderr)
    assert refrain.run(*add).returncode == 0
    refrain.start("up", *only("serve"), web_host=EVERYWHERE)
    started(settings.redis, {"serve"})


def test_it_goes_on_and_lets_nobody_in_where_its_last_key_is_revoked_before_the_page_starts_again(
    refrain: Refrain, settings: Settings
) -> None:
    key = refrain.asked("key", "add", "desk")["key_id"]
    up = refrain.start("up", *only("serve"), web_host=EVERYWHERE)
    serve = started(settings.redis, {"serve"})["serve"]
    assert refrain.run("key", "revoke", key, "--last").returncode == 0
    os.kill(serve, signal.SIGKILL)

    def again() -> bool:
        assert up.alive, up.log.read_text()
        return processes(settings.redis).get("serve", serve) != serve

    wait_for(again, "the page to start again")
    port = re.search(r"page on http://0\.0\.0\.0:(\d+)", up.log.read_text())
    assert port
    answer = requests.get(f"http://127.0.0.1:{port[1]}/api/v1/cohorts", timeout=DEADLINE)
    assert answer.status_code == 401
    assert "an API key is needed" in answer.text


def test_its_hint_makes_the_first_key_in_a_redis_of_its_own(
    refrain: Refrain, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    here = {"redis": "", "data": folder}
    refused = refrain.run_program("up", web_host=EVERYWHERE, **here)
    assert (refused.returncode, REFUSED in refused.stderr) == (1, True)
    without_serve, add, again = _commands(refused.stderr)

    up = refrain.start(*without_serve, *only(), web_host=EVERYWHERE, **here)
    wait_for(lambda: find_running(folder), "a Redis of its own")
    assert refrain.run(*add, **here).returncode == 0
    up.signal(signal.SIGTERM)
    assert up.wait(timeout=60) == 0

    refrain.start(*again, *only("serve"), web_host=EVERYWHERE, **here)
    state = wait_for(lambda: find_running(folder), "its Redis again")
    started(state.redis, {"serve"})


def test_the_demo_says_that_it_begins_without_keys(refrain: Refrain, topics: Settings) -> None:
    refused = refrain.run_program("demo", web_host=EVERYWHERE, redis="")
    assert (refused.returncode, REFUSED in refused.stderr) == (1, True)
    assert "The demo begins without keys each time" in refused.stderr
    assert not list((topics.data / "demo" / "logs").glob("*.log"))
