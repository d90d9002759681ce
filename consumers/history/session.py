"""Spark: started, and what goes wrong on its workers told as it would be here."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from stream import errors
from stream.connect import REDIS_ERRORS
from stream.errors import CannotStart, RefrainError, Unreachable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["check_installed", "session", "told", "told_in"]

P = ParamSpec("P")
T = TypeVar("T")

PACKAGES = "pyspark", "pandas", "pyarrow"
TOLD = re.compile(r"<refrain>(.*?)</refrain>")
"""An error of ours, in the text that Spark makes of whatever a worker raises."""

CALLED = re.compile(r"An error occurred while calling \S+\n: ")

CONFIG = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.adaptive.enabled": "false",  # each bucket is one partition
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",  # a row is some 1,000 clicks, packed
}
STACK = "-Xss16m"
"""Of each thread: ALS sends tasks with all that came before, nested some thousand calls deep."""

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a Java that hands packets from one Python to another and computes nothing: what it compiles well, and
clears up beside others, it hardly comes to use. Of a cluster the executors are as they are set up."""

LOG = Path(__file__).with_name("log4j2.xml")

HERE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[2]),
}
"""For workers on this machine: its name need not lead anywhere, and Refrain need not be installed."""


def check_installed() -> None:
    """See that Spark is installed.

    Raises
    ------
    CannotStart
        Where it is not.
    """
    if missing := [each for each in PACKAGES if find_spec(each) is None]:
        raise CannotStart(
            f"history needs packages that are not installed ({', '.join(missing)})",
            hint="pip install 'refrain-cohorts[spark]', and a Java from 17 on.",
        )


@contextmanager
def session(master: str, *, computes: bool = True) -> Iterator[SparkSession]:
    """Give a session, and stop it afterwards.

    Parameters
    ----------
    computes
        Whether Spark's Java does more than to hand on what Python makes.

    Raises
    ------
    CannotStart
        Where Spark does not start, as without the Java that it needs, or a cluster that answers.
    RefrainError
        What a worker raised (`told`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it knows pandas up to 2, and works with 3
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        here = master.startswith("local")
        if here:
            os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
        level = "OFF" if here else "WARN"  # that no worker comes, Spark alone can say
        builder = SparkSession.builder.appName("refrain history").master(master)
        for name, value in {
            **CONFIG,
            **_java(level, quick=here and not computes),
            **(HERE if here else {}),
        }.items():
            builder = builder.config(name, value)
        try:
            spark = builder.getOrCreate()
        except (PySparkException, Py4JError) as error:
            hint = "It needs a Java from 17 on."
            if not here:
                hint += f" What Spark has said says more: whether {master} answers, and has the same Spark."
            raise CannotStart(f"Spark does not start ({_first_line(error)})", hint=hint) from error
        spark.sparkContext.setLogLevel(level)
        try:
            yield spark
        except Exception as error:
            if ours := told_in(str(error)):
                raise ours from error
            raise
        finally:
            spark.stop()


def _java(level: str, *, quick: bool) -> dict[str, str]:
    """Return how Spark's Java is to run, at a level of its log."""
    options = f"{STACK} {QUICK}" if quick else STACK
    log = f"-Dlog4j2.configurationFile={LOG} -Drefrain.spark.log={level}"
    return {"spark.driver.extraJavaOptions": f"{options} {log}", "spark.executor.extraJavaOptions": options}


def told(work: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """Let an error of ours, on a worker, be raised where the session is."""

    @functools.wraps(work)
    def telling(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        try:
            yield from work(*args, **kwargs)
        except RefrainError as error:
            raise RuntimeError(_said(error)) from error
        except REDIS_ERRORS as error:
            away = Unreachable(
                f"Redis fails ({error!r})",
                hint="Load the same once more: who is written is not written twice.",
            )
            raise RuntimeError(_said(away)) from error

    return telling


def _said(error: RefrainError) -> str:
    return f"<refrain>{json.dumps([type(error).__name__, str(error), error.hint])}</refrain>"


def told_in(text: str) -> RefrainError | None:
    """Return the error of ours that a worker's text tells of (`told`); None where it is another."""
    found = TOLD.search(text)
    if not found:
        return None
    kind, message, hint = json.loads(found[1])
    made: RefrainError = getattr(errors, kind, RefrainError)(message, hint=hint)
    return made


def _first_line(error: Exception) -> str:
    """Return what is said first, of Java's errors without what was called."""
    return CALLED.sub("", str(error)).strip().partition("\n")[0]
