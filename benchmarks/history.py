"""History load on Spark, beside a replay through Kafka, and beside a plain Spark aggregation.

    python -m benchmarks.history [--rows N] [--listeners N] [--replayed N] [--cores 1 2] [--tar | --events]

The files are logs in the layout of Music Box; with --tar packed, which Spark reads not; with --events clicks
as JSON, an object a line, of eight times as many listeners.

Rows a second are of what Spark does, without its start, which is told beside; the replay's are from its first
event to the last click applied, with an ingester that runs already. Each kind of work has the machine alone;
the files are the same, those of the replay fewer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.event_logs import write_events
from benchmarks.house import House, house
from benchmarks.play_logs import write_logs

ROOT = Path(__file__).parents[1]
DAYS = 20
MORE_OF_EVENTS = 8
LOOK_SECONDS = 1.0
AGGREGATION = """
import sys, time
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master(sys.argv[1]).config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false").config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
spark.sparkContext.setLogLevel("OFF")
begun = time.monotonic()
if sys.argv[3] == "json":
    rows = spark.read.json(sys.argv[2], schema="user_id string, song_id string, ms_played long")
else:
    rows = spark.read.csv(sys.argv[2], sep="\\t", quote="").selectExpr(
        "_c0 AS user_id", "_c2 AS song_id", "_c6 AS ms_played")
groups = rows.groupBy("user_id").agg({"ms_played": "sum", "song_id": "count"})
groups.write.format("noop").mode("overwrite").save()
print(time.monotonic() - begun)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--listeners", type=int, default=80_000)
    parser.add_argument("--replayed", type=int, default=300_000)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--tar", action="store_true")
    kind.add_argument("--events", action="store_true")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    asked.listeners *= MORE_OF_EVENTS if asked.events else 1
    with tempfile.TemporaryDirectory(prefix="refrain-bench-", dir=asked.folder) as made, house() as servers:
        logs, part = Path(made) / "logs", Path(made) / "part"
        files = written(asked, logs, asked.rows, asked.listeners)
        written(asked, part, asked.replayed, asked.listeners * asked.replayed // asked.rows)
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{asked.rows:,} rows of {asked.listeners:,} listeners, {len(files)} files, {size:,.0f} MB")
        replay = replayed(servers, part, asked.replayed)
        show("replay through Kafka, and one ingester", asked.replayed, replay)
        speeds: dict[str, float] = {}
        for cores in asked.cores:
            master = f"local[{cores}]"
            if not asked.tar:  # Spark reads no tar
                seconds, cost = aggregated(master, logs, "json" if asked.events else "csv")
                speeds[f"spark {cores}"] = asked.rows / seconds
                show(f"plain Spark aggregation, {cores} cores", asked.rows, seconds, took(asked.rows, cost))
            seconds, cost = loaded(servers, master, logs)
            speeds[f"load {cores}"] = asked.rows / seconds
            show(f"history load, {cores} cores", asked.rows, seconds, took(asked.rows, cost))
        held = servers.redis.info("memory")["used_memory"]
        print(f"Redis holds {held / 1e6:,.0f} MB, {held / asked.listeners:,.0f} bytes a listener")
        compare(asked.cores, speeds, asked.replayed / replay)


def written(asked: argparse.Namespace, folder: Path, rows: int, listeners: int) -> list[Path]:
    """Write the files that are asked for."""
    if asked.events:
        return write_events(folder, rows, DAYS, listeners)
    return write_logs(folder, rows, DAYS, listeners, tar=asked.tar)


def compare(cores: Sequence[int], speeds: Mapping[str, float], replay: float) -> None:
    """Print how much faster, or slower, a load is than the others."""
    most, fewest = max(cores), min(cores)
    said = [f"{speeds[f'load {most}'] / replay:.1f} times the replay"]
    if most > fewest:
        said.append(f"{speeds[f'load {most}'] / speeds[f'load {fewest}']:.2f} times {fewest} cores")
    if f"spark {most}" in speeds:
        said.append(f"{speeds[f'load {most}'] / speeds[f'spark {most}']:.2f} times the plain aggregation")
    print(f"history load on {most} cores: {', '.join(said)}")


def show(what: str, rows: int, seconds: float, more: str = "") -> None:
    """Print a figure."""
    print(
        f"{what:45} {rows / seconds:10,.0f} rows/s  {1e6 * seconds / rows:7.2f} µs a row  {more}", flush=True
    )


def took(rows: int, cost: Cost) -> str:
    """Say what something took, starts included."""
    return f"{1e6 * cost.processor / rows:6.2f} µs of processor a row, at most {cost.peak / 1e6:,.0f} MB"


def replayed(servers: House, folder: Path, rows: int) -> float:
    """Replay files, and return the seconds until the last click is applied."""
    servers.redis.flushall()
    with servers.start("ingest") as ingester:
        servers.wait(lambda: "partitions" in servers.heartbeat(ingester), "an ingester")
        begun = time.monotonic()
        run(servers, "replay", "clicks", str(folder), "--yes", "--json")
        servers.wait(lambda: servers.count(ingester) >= rows * 0.999, "all clicks")
        seconds = time.monotonic() - begun
    servers.wait(lambda: not servers.heartbeat(ingester), "its end")
    return seconds


def loaded(servers: House, master: str, folder: Path) -> tuple[float, Cost]:
    """Load files into an empty Redis; return the seconds of Spark's work, and what it took."""
    servers.redis.flushall()
    said, cost = run(servers, "history", "load", str(folder), "--master", master, "--yes", "--json")
    return float(said["seconds"]), cost


class Cost(NamedTuple):
    """What a command and all that it started took.

    Attributes
    ----------
    processor
        Seconds of all cores together, starts included.
    peak
        Bytes that all of it held at once, at most.
    """

    processor: float
    peak: int


def run(servers: House, *arguments: str) -> tuple[dict[str, Any], Cost]:
    """Run a `refrain` command; return what it prints, and what it took."""
    said, cost = watched([sys.executable, "-m", "consumers.cli", *arguments], servers.environment)
    return json.loads(said), cost


def watched(command: list[str], environment: dict[str, str]) -> tuple[str, Cost]:
    """Run a command; return its output, and what it took, looked at every second."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as wrong:
        child = psutil.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=wrong)
        processor: dict[int, float] = {}
        peak = 0
        while child.poll() is None:
            held = 0
            for each in [child, *_below(child)]:
                with contextlib.suppress(psutil.Error):
                    used = each.cpu_times()
                    processor[each.pid] = used.user + used.system
                    held += each.memory_full_info().pss
            peak = max(peak, held)
            time.sleep(LOOK_SECONDS)
        out.seek(0)
        wrong.seek(0)
        if child.returncode:
            raise RuntimeError(out.read() + wrong.read())
        return out.read(), Cost(sum(processor.values()), peak)


def _below(child: psutil.Popen) -> list[psutil.Process]:
    try:
        return child.children(recursive=True)
    except psutil.Error:
        return []


def aggregated(master: str, folder: Path, kind: str) -> tuple[float, Cost]:
    """Read and group files by Spark alone; return the seconds without its start, and what it took."""
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_HOSTNAME": "localhost"}
    code = [sys.executable, "-W", "ignore", "-c", AGGREGATION, master, str(folder), kind]
    said, cost = watched(code, environment)
    return float(said.split()[-1]), cost


if __name__ == "__main__":
    main()
