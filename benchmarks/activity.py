"""What it costs to record listeners' activity: a click's processor time and bytes, with it and without.

The clicks of `benchmarks.ingest`, in turns with and without, a fresh Kafka and Redis each time.

    python -m benchmarks.activity [TURNS]    (default 3)
"""

from __future__ import annotations

import statistics
import sys

from benchmarks.house import house
from benchmarks.ingest import BEFORE, CLICKS, LISTENERS, bytes_a_listener, ingest


def main(turns: int = 3) -> None:
    """Measure and print, medians."""
    seen: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for _ in range(turns):
        for recorded in (False, True):
            with house(first_model_listeners=20_000, record_activity=recorded) as place:
                figures = ingest(place, LISTENERS, BEFORE * LISTENERS, CLICKS * LISTENERS)
                figures["bytes"] = bytes_a_listener(place, LISTENERS)
                seen[recorded].append(figures)
    print(f"{'':10} {'clicks/s':>9} {'own CPU':>9} {'Redis CPU':>10} {'bytes':>8}   (µs a click; a listener)")
    middle = {each: _median(figures) for each, figures in seen.items()}
    for recorded, name in ((False, "without"), (True, "with")):
        one = middle[recorded]
        line = f"{one['rate']:>9,.0f} {one['own_us']:>9.1f} {one['redis_us']:>10.1f} {one['bytes']:>8,.0f}"
        print(f"{name:10} {line}")
    own, both = (
        sum(middle[True][name] for name in names) / sum(middle[False][name] for name in names)
        for names in (("own_us",), ("own_us", "redis_us"))
    )
    print(f"ratio      own CPU {own:.3f}, with Redis {both:.3f}")


def _median(figures: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in figures) for name in figures[0]}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
