"""The first look: from `refrain demo` to a page with listeners on it, everything being installed.

python -m benchmarks.first_look [TIMES]
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from urllib.request import urlopen

from benchmarks.demo import demo

TIMES = 3
WANTED = 15.0  # seconds
PATIENCE = 300.0
STEPS = ("the address is said", "the page answers", "listeners are on it", "cohorts are on it")


def main(times: int = TIMES) -> None:
    """Measure and print."""
    print(f"seconds from `refrain demo`; wanted: listeners within {WANTED:.0f}")
    for _ in range(times):
        began = time.monotonic()
        with demo() as address:
            seconds = looked(address, began)
        steps = ", ".join(f"{step} {each:.1f}" for step, each in zip(STEPS, seconds, strict=True))
        print(f"{steps} (load {os.getloadavg()[0]:.1f})")


def looked(address: str, began: float) -> list[float]:
    """Wait for each of `STEPS`; return the seconds until then."""
    return [
        time.monotonic() - began,
        until(began, lambda: bool(ask(f"{address}/"))),
        until(began, lambda: now(address)["listeners"] + now(address)["in_no_cohort"] > 0),
        until(began, lambda: now(address)["cohorts"] > 0),
    ]


def until(began: float, condition: Callable[[], bool]) -> float:
    """Wait for a condition; return the seconds since the beginning."""
    while time.monotonic() - began < PATIENCE:
        if condition():
            return time.monotonic() - began
        time.sleep(0.05)
    raise TimeoutError(f"that took more than {PATIENCE:.0f} s")


def ask(address: str) -> bytes:
    """Return what is at an address; nothing while nothing answers."""
    try:
        with urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 - of this machine
            return bytes(answer.read())
    except OSError:
        return b""


def now(address: str) -> dict[str, int]:
    """Return what the page shows of this moment."""
    found: dict[str, int] = json.loads(ask(f"{address}/api/v1/now") or b"{}")
    return {"listeners": 0, "in_no_cohort": 0, "cohorts": 0} | found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
