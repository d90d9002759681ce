from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.local.servers import connected_settings
from stream.broker.folder import State, hold


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("KAFKA", "REDIS", "PARTITIONS", "FIRST_MODEL_LISTENERS"):
        monkeypatch.delenv(f"REFRAIN_{name}", raising=False)
    monkeypatch.setenv("REFRAIN_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_a_command_that_meets_the_demo_has_the_demos_settings(data: Path) -> None:
    with hold(data / "demo", say=print) as folder:
        folder.write(State(pid=1, kafka="k:1", redis="redis://r:1/0"))
        found = connected_settings()
    assert (found.kafka, found.redis) == ("k:1", "redis://r:1/0")
    assert (found.partitions, found.first_model_listeners) == (4, 1000)


def test_a_setting_that_is_given_stands_beside_the_demos(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_PARTITIONS", "7")
    with hold(data / "demo", say=print) as folder:
        folder.write(State(pid=1, kafka="k:1", redis="redis://r:1/0"))
        assert connected_settings().partitions == 7


def test_a_command_that_meets_up_has_its_own_settings(data: Path) -> None:
    with hold(data, say=print) as folder:
        folder.write(State(pid=1, kafka="k:1", redis="redis://r:1/0"))
        found = connected_settings()
    assert (found.kafka, found.partitions) == ("k:1", 8)
