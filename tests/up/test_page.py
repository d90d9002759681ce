"""Where the page of `refrain up` is."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from consumers.runtime.forked import LINUX
from consumers.runtime.listening import listen
from stream.broker import Child
from stream.broker.ports import free_port
from stream.errors import CannotStart
from stream.settings import Settings
from tests.broker.processes import is_running
from tests.refrain_command import Refrain
from tests.up.running import only, started
from tests.waiting import DEADLINE, wait_for

NOBODY = 65_534
FIRST_OPEN_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def _page(up: Child) -> str:
    """Return where it says that its page is."""

    def said() -> str:
        found = re.search(r"page on (http://\S+)", up.log.read_text())
        return found[1] if found else ""

    return wait_for(said, "the address of the page")


def _answer(page: str) -> int:
    return requests.get(f"{page}/healthz", timeout=DEADLINE).status_code


def test_two_that_start_at_the_same_moment_both_have_a_page(refrain: Refrain, settings: Settings) -> None:
    wanted = free_port()
    both = [refrain.start("up", *only("serve"), web_port=wanted, data=settings.data / name) for name in "ab"]
    pages = {_page(up) for up in both}
    assert len(pages) == 2
    assert [_answer(page) for page in pages] == [200, 200]
    said = "".join(up.log.read_text() for up in both)
    assert f"port {wanted} of 127.0.0.1 is taken" in said
    assert "is started again" not in said


def test_the_page_keeps_its_address_while_its_process_is_started_again(
    refrain: Refrain, settings: Settings
) -> None:
    up = refrain.start("up", *only("serve"))
    serve = started(settings.redis, {"serve"})["serve"]
    os.kill(serve, signal.SIGKILL)
    wait_for(lambda: not is_running(serve), "its death")
    assert _answer(_page(up)) == 200


def test_another_port_is_said_with_the_one_that_is_taken() -> None:
    said: list[str] = []
    with listen(Settings(web_port=free_port())) as first:
        taken = first.getsockname()[1]
        with listen(Settings(web_port=taken), said.append) as second:
            assert said == [
                f"port {taken} of 127.0.0.1 is taken: the page has port {second.getsockname()[1]}"
            ]


@pytest.mark.skipif(not LINUX, reason="elsewhere this machine has one such address")
def test_a_port_is_looked_for_at_the_host_that_is_listened_on() -> None:
    said: list[str] = []
    with listen(Settings(web_host="127.0.0.2", web_port=free_port())) as first:
        taken = first.getsockname()[1]
        with listen(Settings(web_port=taken), said.append) as elsewhere:
            assert elsewhere.getsockname() == ("127.0.0.1", taken)
        with listen(Settings(web_host="127.0.0.2", web_port=taken), said.append) as second:
            assert second.getsockname()[0] == "127.0.0.2"
    assert [line.partition(":")[0] for line in said] == [f"port {taken} of 127.0.0.2 is taken"]


@contextmanager
def _no_rights() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(
    not FIRST_OPEN_PORT.exists() or int(FIRST_OPEN_PORT.read_text()) <= 1,
    reason="here everybody may listen on any port",
)
def test_a_port_that_takes_more_rights_is_said_as_that() -> None:
    said: list[str] = []
    with _no_rights(), listen(Settings(web_port=1), said.append) as other:
        assert said == [
            "port 1 of 127.0.0.1 may not be listened on without more rights: the page has port "
            f"{other.getsockname()[1]}"
        ]


def test_a_host_that_is_not_this_machine_is_no_reason_for_another_port() -> None:
    with pytest.raises(CannotStart, match=r"203\.0\.113\.1:8787"):
        listen(Settings(web_host="203.0.113.1"), lambda _: None)
