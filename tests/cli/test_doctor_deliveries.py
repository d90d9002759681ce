"""What `refrain doctor` says where audiences are delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.doctor.check import State
from consumers.doctor.deliveries import check_deliveries, deliver_reads
from stream.settings import Settings
from tests.cli.test_doctor import looked
from tests.consumers.kafka_log import kafka_log
from tests.refrain_command import Refrain

NOW = 1.7e9
FOLDER = Settings(deliver_folder=Path("audiences"))
DELIVERING: dict[str, Any] = {"kind": "deliver", "failing since": "0.0", "failing why": ""}
FAILING = DELIVERING | {"failing why": "h answered 503"}


def found(settings: Settings, *states: dict[str, Any]) -> list[tuple[State, str]]:
    named = {f"deliver-{number}": state for number, state in enumerate(states)}
    return [(check.state, check.found) for check in check_deliveries(settings, named, NOW)]


def test_nothing_is_said_where_nothing_is_to_be_delivered() -> None:
    assert found(Settings(), {"kind": "work"}) == []
    assert deliver_reads(Settings()) == []


def test_it_is_wrong_that_none_runs_where_the_settings_name_a_folder() -> None:
    assert found(FOLDER, {"kind": "work"}) == [(State.WRONG, "none runs: audiences are not delivered")]


@pytest.mark.parametrize("settings", [Settings(), FOLDER])
def test_processes_that_deliver_are_counted(settings: Settings) -> None:
    assert found(settings, DELIVERING, DELIVERING) == [(State.FINE, "2 run")]


@pytest.mark.parametrize(("seconds", "state"), [(10, State.FINE), (600, State.WRONG)])
def test_an_endpoint_that_takes_nothing_is_wrong_after_a_minute(seconds: float, state: State) -> None:
    [(is_so, said)] = found(Settings(), FAILING | {"failing since": str(NOW - seconds)})
    assert is_so is state
    assert said.startswith("h answered 503; it began ")


def test_what_waits_to_be_written_is_lag(refrain: Refrain, topics: Settings, tmp_path: Path) -> None:
    with kafka_log(topics) as log:
        log.send("audiences", [b"a page", b"another"])
    _, checks = looked(refrain, deliver_folder=tmp_path)
    assert checks["lag of deliver-files"] == (
        "wrong",
        "2 events of audiences behind, and none runs",
        "start `refrain deliver`",
    )
