"""History load on Spark, beside a replay through Kafka, and beside a plain Spark aggregation.

    python -m benchmarks.history [--rows 4000000] [--listeners 80000] [--replayed 300000] [--tar]

Rows a second are of what Spark does, without its start, which is told beside; the replay's are from its first
event to the last click applied, with an ingester that runs already. Each kind of work has the machine alone;
the files are the same, those of the replay fewer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.house import House, house
from benchmarks.play_logs import write_logs

DAYS = 20
CORES = 1, 2
AGGREGATION = """
import sys, time
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master(sys.argv[1]).config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false").config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
spark.sparkContext.setLogLevel("OFF")
begun = time.monotonic()
rows = spark.read.csv(sys.argv[2], sep="\\t", quote="")
groups = rows.groupBy("_c0").agg({"_c6": "sum", "_c2": "count"})
groups.write.format("noop").mode("overwrite").save()
print(time.monotonic() - begun)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--listeners", type=int, default=80_000)
    parser.add_argument("--replayed", type=int, default=300_000)
    parser.add_argument("--tar", action="store_true")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refrain-bench-", dir=asked.folder) as made, house() as servers:
        logs, part = Path(made) / "logs", Path(made) / "part"
        files = write_logs(logs, asked.rows, DAYS, asked.listeners, tar=asked.tar)
        write_logs(part, asked.replayed, DAYS, asked.listeners * asked.replayed // asked.rows, tar=asked.tar)
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{asked.rows:,} rows of {asked.listeners:,} listeners, {len(files)} files, {size:,.0f} MB")
        replay = replayed(servers, part, asked.replayed)
        show("replay through Kafka, and one ingester", asked.replayed, replay)
        speeds: dict[str, float] = {}
        for cores in CORES:
            master = f"local[{cores}]"
            if not asked.tar:  # Spark reads no tar
                seconds = aggregated(master, logs)
                speeds[f"spark {cores}"] = asked.rows / seconds
                show(f"plain Spark aggregation, {cores} cores", asked.rows, seconds)
            seconds, whole = loaded(servers, master, logs)
            speeds[f"load {cores}"] = asked.rows / seconds
            show(
                f"history load, {cores} cores",
                asked.rows,
                seconds,
                f"{whole:.0f} s with all starts; {memory(servers)}",
            )
        print(
            f"history load on 2 cores: {speeds['load 2'] * replay / asked.replayed:.1f} times the replay",
            end="",
        )
        print(f", {speeds['load 2'] / speeds['load 1']:.2f} times 1 core", end="")
        print(
            "" if asked.tar else f", {speeds['load 2'] / speeds['spark 2']:.2f} times the plain aggregation"
        )


def show(what: str, rows: int, seconds: float, more: str = "") -> None:
    """Print a figure."""
    print(
        f"{what:45} {rows / seconds:10,.0f} rows/s  {1e6 * seconds / rows:7.2f} µs a row  {more}", flush=True
    )


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


def loaded(servers: House, master: str, folder: Path) -> tuple[float, float]:
    """Load files into an empty Redis; return the seconds of Spark's work, and of all."""
    servers.redis.flushall()
    begun = time.monotonic()
    said = run(servers, "history", "load", str(folder), "--master", master, "--yes", "--json")
    return float(said["seconds"]), time.monotonic() - begun


def memory(servers: House) -> str:
    """Say what Redis holds, and how large the largest process of ours grew."""
    info = servers.redis.info("memory")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"Redis {info['used_memory'] / 1e6:,.0f} MB, largest process {largest:,.0f} MB"


def run(servers: House, *arguments: str) -> dict[str, float]:
    """Run a `refrain` command, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "consumers.cli", *arguments],
        env=servers.environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(
        done.stdout.splitlines()[-1] if "\n{" in done.stdout else done.stdout
    )
    return found


def aggregated(master: str, folder: Path) -> float:
    """Read and group files by Spark alone; return the seconds without its start."""
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_HOSTNAME": "localhost"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AGGREGATION, master, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
