"""How many clicks a second `refrain train` keeps up with: 100,000 listeners, 20,000 artists, 64 dimensions.

Measured against reading the same clicks and doing nothing with them, in the same run.

    python -m benchmarks.learning
"""

from __future__ import annotations

import time
from pathlib import Path

from kafka import KafkaConsumer

from benchmarks.crowd import Crowd, send
from benchmarks.house import House, house
from stream.broker import Child

LISTENERS, ARTISTS = 100_000, 20_000
CLICKS = 600_000


def main() -> None:
    """Measure and print."""
    crowd = Crowd(LISTENERS, ARTISTS)
    with house(first_model_listeners=20_000) as place:
        ingester = place.start("ingest")
        before = send(place.settings, crowd.everyone(times=4))
        place.wait(lambda: place.count(ingester) == before, "the last click")
        ingester.stop()
        send(place.settings, crowd.some(CLICKS))
        trainer = place.start("train")
        whole = before + CLICKS
        place.wait(lambda: place.count(trainer) > whole // 10, "the first clicks")
        start, first, worked = time.monotonic(), place.count(trainer), _seconds(trainer)
        place.wait(lambda: place.count(trainer) == whole, "the last click")
        passed, read = time.monotonic() - start, place.count(trainer) - first
        worked = _seconds(trainer) - worked
        place.wait(lambda: place.count(trainer, "snapshots") >= 1, "a model")
        rows = place.count(trainer, "rows")
        print(f"refrain train           {read / passed:>9,.0f} clicks/s")
        print(f"of its processor time   {read / worked:>9,.0f} clicks/s")
        print(f"listeners learned from  {rows:>9,}; peak memory {_peak_mb(trainer):,.0f} MB")
        print(f"reading alone           {_reading_alone(place, whole):>9,.0f} clicks/s (kafka-python)")


def _seconds(child: Child) -> float:
    fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _peak_mb(child: Child) -> float:
    status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1000


def _reading_alone(place: House, clicks: int) -> float:
    consumer = KafkaConsumer("clicks", bootstrap_servers=place.settings.kafka, auto_offset_reset="earliest")
    start, read = time.monotonic(), 0
    while read < clicks:
        read += sum(map(len, consumer.poll(timeout_ms=1000, max_records=10_000).values()))
    consumer.close()
    return clicks / (time.monotonic() - start)


if __name__ == "__main__":
    main()
