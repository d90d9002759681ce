"""How fast files of clicks are read, beside DuckDB; 10 million clicks of Parquet from an S3 into Kafka.

Processor time of one core, four of five columns mapped. DuckDB reads the same four: once as rows in Python,
as each program must that makes events of them, and once without leaving its own memory.

    python -m benchmarks.files [MILLION_ROWS_OF_PARQUET]
"""

from __future__ import annotations

import collections
import contextlib
import csv
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from kafka import KafkaConsumer, TopicPartition
from moto.server import ThreadedMotoServer

from benchmarks.house import House, house
from stream.files.options import FileOptions, Layout
from stream.files.reading import Reading
from stream.files.recipe import Recipe
from stream.files.tables import Table

ROWS, LISTENERS, SONGS = 1_000_000, 200_000, 100_000
TURNS = 3
MAPPED = {"user_id": "listener", "song_id": "track", "artist_ids": "artist", "ts": "played_at"}
PART = 500_000  # rows of one file in S3
RESUME_AT = 0.4
MB = 1 << 20


def main(millions: float = 10) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="refrain-bench-") as folder:
        reading(Path(folder))
    from_s3(round(millions * 1e6))


def reading(folder: Path) -> None:
    """Read a million rows of each format in each way, in turns."""
    columns = clicks(ROWS, seed=1)
    plain, spoken, parquet = folder / "clicks.csv", folder / "iso.csv", folder / "clicks.parquet"
    write_csv(plain, columns)
    iso = [datetime.fromtimestamp(ts, UTC).isoformat() for ts in columns["played_at"].tolist()]
    write_csv(spoken, {**columns, "played_at": np.array(iso)})
    pq.write_table(pa.table(columns), parquet)
    ways: dict[str, Callable[[], int]] = {
        "refrain, CSV": lambda: ours(plain),
        "refrain, CSV, ISO 8601 times": lambda: ours(spoken),
        "refrain, Parquet": lambda: ours(parquet),
        "csv.DictReader and json.dumps": lambda: by_hand(plain),
        "DuckDB, CSV, as rows in Python": lambda: duck_rows(str(plain)),
        "DuckDB, CSV, counted": lambda: duck_counts(str(plain)),
        "DuckDB, Parquet, as rows": lambda: duck_rows(str(parquet)),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(TURNS):
        for name, way in ways.items():
            start = time.process_time()
            if way() != ROWS:
                raise RuntimeError(f"{name} lost rows")
            best[name] = min(best[name], time.process_time() - start)
    print(f"{ROWS:,} rows, the best of {TURNS} turns{'':14} µs a row   rows/s of one core")
    for name, seconds in best.items():
        print(f"{name:47} {1e6 * seconds / ROWS:8.2f} {ROWS / seconds:20,.0f}")


def clicks(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Return the columns of made-up clicks."""
    random = np.random.default_rng(seed)
    listeners, songs = random.integers(LISTENERS, size=rows), random.zipf(1.3, size=rows) % SONGS
    return {
        "listener": np.char.add("u", listeners.astype(str)),
        "track": np.char.add("track ", songs.astype(str)),
        "artist": np.char.add("artist-", (songs % 9973).astype(str)),
        "played_at": 1_577_836_800 + np.arange(rows) * 3 + seed * rows * 3,
        "ms": random.integers(240_000, size=rows),
    }


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write columns as CSV."""
    with path.open("w") as file:
        file.write(",".join(columns) + "\n")
        file.writelines(
            ",".join(map(str, row)) + "\n"
            for row in zip(*(each.tolist() for each in columns.values()), strict=True)
        )


def ours(path: Path) -> int:
    """Make events of a file as `refrain replay clicks` does."""
    recipe = Recipe("clicks", FileOptions(mapping=MAPPED))
    return count(Reading([Table(path, Layout())], recipe, None, path.parent).pairs())


def by_hand(path: Path) -> int:
    """Make events as a short script does, which checks nothing."""

    def events() -> Iterator[bytes]:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                event = {name: row[column] for name, column in MAPPED.items()}
                event |= {"artist_ids": [row["artist"]], "ts": float(row["played_at"])}
                yield json.dumps(event).encode()

    return count(events())


def duck_rows(path: str) -> int:
    """Let DuckDB read a file, and take its rows as they come."""
    with duckdb.connect(config={"threads": 1}) as connection:
        found = connection.execute("SELECT listener, track, artist, played_at FROM query_table(?)", [path])
        return sum(len(rows) for rows in iter(lambda: found.fetchmany(8192), []))


def duck_counts(path: str) -> int:
    """Let DuckDB read a file, and count what it has read."""
    with duckdb.connect(config={"threads": 1}) as connection:
        select = "SELECT count(listener), max(track), max(artist), max(played_at) FROM query_table(?)"
        counted = connection.execute(select, [path]).fetchone()
    return int(counted[0]) if counted else 0


def count(events: Iterator[object]) -> int:
    """Go through events, and count them."""
    last = collections.deque(enumerate(events, 1), maxlen=1)
    return last[0][0] if last else 0


def from_s3(rows: int) -> None:
    """Send Parquet from an S3 to Kafka, end it in the middle with no warning, and go on."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address, port = server.get_host_and_port()
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://{address}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        upload(rows)
        with house() as place:
            replayed(place, rows)
    finally:
        server.stop()


def upload(rows: int) -> None:
    """Put made-up clicks into a bucket, in files of `PART` rows."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="history")
    for part, first in enumerate(range(0, rows, PART)):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(clicks(min(PART, rows - first), seed=part)), sink)
        client.put_object(
            Bucket="history", Key=f"clicks/part-{part:05}.parquet", Body=sink.getvalue().to_pybytes()
        )


def replayed(place: House, rows: int) -> None:
    """Replay all of it, with a kill -9 on the way, and print what it took."""
    mapping = ",".join(f"{field}={column}" for field, column in MAPPED.items())
    command = ["replay", "clicks", "s3://history/clicks/", "--map", mapping]
    start = time.monotonic()
    peak, cpu = watched(place, command, until=lambda: sent(place) >= RESUME_AT * rows)
    at_kill = sent(place)
    later_peak, later_cpu = watched(place, [*command, "--resume"])
    seconds = time.monotonic() - start
    if sent(place) != rows:
        raise RuntimeError(f"{sent(place):,} of {rows:,} clicks are in Kafka")
    print(f"{rows:,} rows of Parquet in S3, killed at {at_kill:,} and resumed: {sent(place):,} in Kafka")
    print(f"{rows / seconds:,.0f} rows/s by the clock, {1e6 * (cpu + later_cpu) / rows:.2f} µs of CPU a row")
    print(f"largest memory: {peak / MB:.0f} MB, then {later_peak / MB:.0f} MB")


def watched(place: House, command: list[str], until: Callable[[], bool] = lambda: False) -> tuple[int, float]:
    """Run a `refrain` command to its end, or kill it when told: bytes of memory at most, seconds of CPU."""
    process = psutil.Popen(
        [sys.executable, "-m", "consumers.cli", *command], env=place.environment, stdout=subprocess.DEVNULL
    )
    peak, cpu = 0, 0.0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak, cpu = max(peak, process.memory_info().rss), sum(process.cpu_times()[:2])
        if until():
            process.kill()
            process.wait()
            return peak, cpu
        time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}: refrain {' '.join(command)}")
    return peak, cpu


def sent(place: House) -> int:
    """Return how many clicks are in Kafka."""
    with contextlib.closing(KafkaConsumer(bootstrap_servers=place.settings.kafka)) as consumer:
        partitions = [
            TopicPartition("clicks", number) for number in consumer.partitions_for_topic("clicks") or ()
        ]
        return sum(consumer.end_offsets(partitions).values())


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
