"""How Spark is started: here, and on a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError

from consumers.history.session import session
from stream.errors import CannotStart
from stream.settings import Settings
from tests.consumers.history.years import UNTIL, write_jsonl
from tests.refrain_command import Refrain
from tests.waiting import wait_for

HOST = "SPARK_LOCAL_HOSTNAME"


class Noted:
    """In place of Spark: notes how it is to be, and is none."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.level = ""
        self.sparkContext = self

    def appName(self, _: str) -> Noted:  # noqa: N802 - as Spark calls it
        return self

    def master(self, _: str) -> Noted:
        return self

    def config(self, name: str, value: str) -> Noted:
        self.options[name] = value
        return self

    def getOrCreate(self) -> Noted:  # noqa: N802
        return self

    def setLogLevel(self, level: str) -> None:  # noqa: N802
        self.level = level

    def stop(self) -> None:
        pass


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """Spark, to which it was not said in the environment where it is."""
    for name in (HOST, "PYSPARK_PYTHON"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    spark = Noted()
    monkeypatch.setattr("pyspark.sql.SparkSession.builder", spark)
    return spark


@pytest.mark.filterwarnings("ignore::FutureWarning")  # as of pandas, while Spark is imported
def test_workers_of_a_cluster_are_told_no_name_that_leads_to_themselves(noted: Noted) -> None:
    with session("spark://h:7077"):
        assert HOST not in os.environ
    assert not any("127.0.0.1" in value or "localhost" in value for value in noted.options.values())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_workers_here_need_no_name_of_this_machine(noted: Noted) -> None:
    with session("local[2]"):
        assert os.environ[HOST] == "localhost"
    assert noted.options["spark.driver.host"] == "127.0.0.1"


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("master", "computes", "quick"),
    [("local[2]", False, True), ("local[2]", True, False), ("yarn", False, False)],
)
def test_java_compiles_quickly_on_this_machine_where_it_computes_nothing(
    noted: Noted, master: str, computes: bool, quick: bool
) -> None:
    with session(master, computes=computes):
        pass
    assert ("TieredStopAtLevel=1" in noted.options["spark.driver.extraJavaOptions"]) is quick


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("master", "level"), [("local[2]", "OFF"), ("spark://h:7077", "WARN"), ("yarn", "WARN")]
)
def test_spark_says_what_goes_wrong_where_only_it_can(noted: Noted, master: str, level: str) -> None:
    with session(master):
        assert noted.level == level


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_cluster_that_does_not_answer_ends_it_with_a_sentence(
    noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise Py4JError("An error occurred while calling None.org.S.\n: java.E: It is stopped.\nat x")

    monkeypatch.setattr(noted, "getOrCreate", stopped)
    with pytest.raises(CannotStart, match=r"does not start \(java.E: It is stopped.\)") as raised:
        session("spark://h:7077").__enter__()
    assert "whether spark://h:7077 answers" in raised.value.hint


def test_a_cluster_that_does_not_answer_is_named_while_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")  # whatever this machine is called
    nowhere: dict[str, Any] = {"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:1"}
    files = write_jsonl(tmp_path / "clicks", [{"user_id": "u", "artist_ids": ["ana"], "ts": UNTIL}], files=1)
    with Refrain(Settings(data=tmp_path / "data", **nowhere), tmp_path) as refrain:
        load = refrain.start("history", "evaluate", str(files[0]), "--master", "spark://127.0.0.1:1")
        wait_for(lambda: "Failed to connect to master" in load.log.read_text(), "Spark's warning")
