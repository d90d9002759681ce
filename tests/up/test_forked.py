from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.local.up import IMPORTED, IMPORTED_BY_ALL
from consumers.runtime import forked
from consumers.runtime.forked import Forked, import_ahead
from consumers.runtime.supervisor import KINDS
from tests.broker.processes import is_running
from tests.up import targets
from tests.waiting import wait_for


@pytest.fixture(autouse=True, scope="module")
def _imported_once() -> None:
    import_ahead(["tests.up.targets"])


def _started(target: Callable[[], None], folder: Path) -> Forked:
    return Forked("refrain one", target, log=folder / "one.log", env=os.environ)


def test_it_is_in_a_session_of_its_own_under_its_own_name(tmp_path: Path) -> None:
    one = _started(targets.shows_itself, tmp_path)
    wait_for(lambda: "error" in one.log.read_text(), "its words")
    assert one.stop() == -signal.SIGTERM
    assert one.last_words() == "refrain one, alone\nand this is an error"


def test_it_has_the_environment_that_it_is_given_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_COHORTS", "99")
    one = Forked("refrain one", targets.shows_settings, log=tmp_path / "one.log", env={"REFRAIN_DIMS": "7"})
    wait_for(lambda: not one.alive, "its end")
    assert "dims=7" in one.last_words()
    assert "cohorts=99" not in one.last_words()


def test_one_that_does_not_end_when_it_is_asked_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "GRACE", 0.1)
    one = _started(targets.hears_nothing, tmp_path)
    wait_for(lambda: "ready" in one.log.read_text(), "its start")
    assert one.stop() == -signal.SIGKILL
    assert not is_running(one.pid)


def test_it_says_how_it_ended(tmp_path: Path) -> None:
    one = _started(targets.fails, tmp_path)
    wait_for(lambda: not one.alive, "its end")
    assert (one.stop(), one.last_words()) == (3, "the reason why")


def test_what_is_to_be_imported_ahead_is_there() -> None:
    # A module that is not there would be left out without a word.
    for module in (forked.ORIGINAL, *IMPORTED_BY_ALL, *IMPORTED.values()):
        assert importlib.util.find_spec(module), module
    assert set(KINDS) <= IMPORTED.keys()
