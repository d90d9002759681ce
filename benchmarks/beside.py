"""What serving costs ingest and releases: both measured with `refrain serve` beside and without, in turns.

Beside them somebody follows the live page (server-sent events) and another is at the release desk, with a
preview of another artist each second. Redis's processor time is that of all who ask it.

    python -m benchmarks.beside [TURNS [LISTENERS]]
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPConnection, HTTPException

import numpy as np

from benchmarks import ingest, latency
from benchmarks.crowd import Crowd
from benchmarks.house import House, house
from benchmarks.used import cpu
from benchmarks.web import Asking
from stream.broker.ports import free_port

TURNS = 2
RELEASES = 100
EACH_SECONDS = 1.0


def main(turns: int = TURNS, listeners: int = ingest.LISTENERS) -> None:
    """Measure and print."""
    clicks = ingest.CLICKS * ingest.LISTENERS
    print("a click, µs of CPU: of the ingester, of Redis; clicks a second")
    for _ in range(turns):
        for beside in (False, True):
            with house(first_model_listeners=min(20_000, listeners // 5), web_port=free_port()) as place:
                with desk(place) if beside else nullcontext() as at_work:
                    figures = ingest.ingest(place, listeners, ingest.BEFORE * listeners, clicks)
                numbers = f"{figures['own_us']:8.1f} {figures['redis_us']:8.1f} {figures['rate']:9,.0f}"
                print(f"{_named(beside=beside):28}{numbers}   {at_work or ''}")
    print("from a release to its first page, ms: median, 95 %, 99 %, worst")
    with house(first_model_listeners=20_000, web_port=free_port()) as place:
        latency.ready(place, Crowd(latency.LISTENERS, latency.ARTISTS))
        latency.releases(place, 5, "warm")
        for turn in range(turns):
            for beside in (False, True):
                name = _named(beside=beside)
                with desk(place) if beside else nullcontext():
                    latency.show(name, latency.releases(place, RELEASES, f"{name} {turn}"))


def _named(*, beside: bool) -> str:
    return "refrain serve beside" if beside else "alone"


class AtWork:
    """What the desk has asked, and the processor time that it took."""

    def __init__(self) -> None:
        self.previews = 0
        self.seen = 0
        self.seconds = 0.0
        self.used = 0.0

    def __str__(self) -> str:
        share = 100 * self.used / max(self.seconds, 1e-9)
        return f"{self.previews} previews, {self.seen} live events; serve took {share:.0f} % of a core"


@contextmanager
def desk(place: House) -> Iterator[AtWork]:
    """Let `refrain serve` run, with somebody who follows the live page and somebody at the desk."""
    serving, done, at_work = place.start("serve"), threading.Event(), AtWork()
    asking = Asking(place.settings.web_port)
    place.wait(asking.answers, "an answer")
    live = HTTPConnection("127.0.0.1", place.settings.web_port)

    def follow() -> None:
        live.request("GET", "/now/live")
        answer = live.getresponse()
        with suppress(OSError, HTTPException, AttributeError, ValueError):  # it is closed in the end
            while line := answer.readline():
                at_work.seen += line.startswith(b"event: now")

    def preview() -> None:
        random = np.random.default_rng(3)
        while not done.wait(EACH_SECONDS):
            asking.ask("/desk/preview", {"artists": f"a{random.integers(50)}-{random.integers(1, 100)}"})
            at_work.previews += 1

    began, used = time.monotonic(), cpu(serving.pid)
    threads = [threading.Thread(target=each, daemon=True) for each in (follow, preview)]
    for thread in threads:
        thread.start()
    try:
        yield at_work
    finally:
        done.set()
        threads[1].join()
        at_work.seconds, at_work.used = time.monotonic() - began, cpu(serving.pid) - used
        serving.stop()
        threads[0].join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
