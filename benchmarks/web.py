"""What one `refrain serve` does over a Redis of 1,000,000 made-up listeners in 200 cohorts.

Pages and previews are asked one after the other over one connection, as a browser does, each time for another
cohort, listener, release or artist. Reads of the API are asked by several connections at once, and compared
with a redis-py client that asks Redis for the same and makes nothing of it. Processor time is that of
`refrain serve`, background included.

    python -m benchmarks.web [LISTENERS]
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import islice
from threading import Thread
from urllib.parse import urlencode

import numpy as np
from confluent_kafka import Producer

from benchmarks.filled import ARTISTS, artist, fill, listener
from benchmarks.house import House, house
from benchmarks.used import cpu
from stream.broker import Child
from stream.broker.ports import free_port
from stream.connect import open_redis
from stream.stores import keys

LISTENERS, COHORTS = 1_000_000, 200
RELEASES, AUDIENCE = 20, 5_000
CTR = 0.05
PAGES, PREVIEWS = 100, 200
CONNECTIONS, SECONDS = 8, 10.0
MEMBERS = 25
PATIENCE = 1800.0
PAGE_MS, PREVIEW_MS = 300, 150
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def main(listeners: int = LISTENERS) -> None:
    """Measure and print."""
    cohorts = min(COHORTS, max(listeners // 500, 2))
    caps = {"told_a_day": 3, "told_a_week": 10, "told_artist_hours": 24.0}
    with house(web_port=free_port(), web_requests_a_minute=10_000_000, first_wave=1.0, **caps) as place:
        began = time.monotonic()
        asyncio.run(filled(place, listeners, cohorts))
        told(place)
        seconds = time.monotonic() - began
        print(f"{listeners:,} listeners, {cohorts} cohorts, {RELEASES} releases: filled in {seconds:.0f} s")
        print(f"Redis holds {place.redis.info('memory')['used_memory'] / 1e9:.2f} GB")
        serving = place.start("serve")
        asking = Asking(place.settings.web_port)
        place.wait(asking.answers, "an answer")
        print(
            "the desk has read all listeners after {:.0f} s, {:.0f} s of CPU".format(
                *desk_opened(place, asking, serving)
            )
        )
        print(f"{'':44} {'median':>8} {'95 %':>8} {'CPU':>8}   (ms)")
        random = np.random.default_rng(1)
        measured = Measured(asking, serving)
        previews(measured, random)
        pages(measured, place, random, listeners)
        reads(place, serving, listeners)
        asking.anew()  # the service lets go of who is silent for five seconds
        lifecycle(measured, asking, serving)


async def filled(place: House, listeners: int, cohorts: int) -> None:
    """Fill Redis."""
    redis = await open_redis(place.settings)
    await fill(redis, place.settings, listeners, cohorts)
    await redis.aclose()


def told(place: House) -> None:
    """Let a worker tell listeners of releases, and report that they were sent and some clicked."""
    worker = place.start("work")
    place.wait(lambda: bool(place.heartbeat(worker)), "the worker")
    producer = Producer({"bootstrap.servers": place.settings.kafka, "linger.ms": 20})
    names = [f"release-{number}" for number in range(RELEASES)]
    for number, name in enumerate(names):
        event = {"release_id": name, "artist_ids": [artist(37 * number)], "max_audience": AUDIENCE}
        producer.produce("releases", json.dumps(event | {"title": f"Title {number}"}).encode(), name)
    producer.flush()
    place.wait(
        lambda: all(place.redis.hget(keys.release(each), "state") == "done" for each in names),
        "the audiences",
    )
    random = np.random.default_rng(2)
    sent = 0
    for name in names:
        for user in place.redis.hkeys(keys.release_told(name)):
            for kind in ("sent", "clicked") if random.random() < CTR else ("sent",):
                event = {"user_id": user, "release_id": name, "kind": kind, "ts": time.time()}
                producer.produce("feedback", json.dumps(event).encode(), user)
                sent += 1
        producer.flush()
    place.wait(lambda: place.count(worker, "feedback") >= sent, "the feedback")
    worker.stop()


class Asking:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, path: str, form: dict[str, str] | None = None) -> bytes:
        """Ask, and return what is answered.

        Raises
        ------
        RuntimeError
            Where that is not what was asked for.
        """
        self._connection.request(
            "GET" if form is None else "POST", path, form and urlencode(form), FORM if form else {}
        )
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}: {body[:500].decode()}")
        return body

    def answers(self) -> bool:
        """Say whether the service answers yet."""
        try:
            return bool(self.ask("/healthz"))
        except OSError:
            self.anew()
            return False

    def anew(self) -> None:
        """Ask over another connection from now on."""
        self._connection.close()


class Measured:
    """Asks often, and prints how long it took."""

    def __init__(self, asking: Asking, serving: Child) -> None:
        self._asking, self._serving = asking, serving

    def __call__(self, what: str, asked: Iterator[tuple[str, dict[str, str] | None]], number: int) -> None:
        """Print the median and the 95th percentile of wall time, and the mean of CPU, in ms."""
        path, form = next(asked)
        self._asking.ask(path, form)
        taken, used = [], cpu(self._serving.pid)
        for path, form in islice(asked, number):
            began = time.perf_counter()
            self._asking.ask(path, form)
            taken.append(1000 * (time.perf_counter() - began))
        used = 1000 * (cpu(self._serving.pid) - used) / number
        median, most = np.percentile(taken, [50, 95])
        print(f"{what:44} {median:>8.1f} {most:>8.1f} {used:>8.1f}")


def desk_opened(place: House, asking: Asking, serving: Child) -> tuple[float, float]:
    """Open the desk, wait until previews come at once; return seconds by the clock and of CPU."""
    began, used = time.monotonic(), cpu(serving.pid)
    asking.ask("/desk")
    form = {"artists": artist(3)}
    place.wait(lambda: b"would be told" in asking.ask("/desk/preview", form), "a preview", PATIENCE)
    return time.monotonic() - began, cpu(serving.pid) - used


def previews(measured: Measured, random: np.random.Generator) -> None:
    """Measure the desk while somebody types: each preview is of other artists."""

    def asked(
        more: Callable[[], dict[str, str]], path: str = "/desk/preview"
    ) -> Iterator[tuple[str, dict[str, str] | None]]:
        while True:
            yield path, {"artists": artist(int(random.integers(ARTISTS))), **more()}

    def names() -> Iterator[tuple[str, dict[str, str] | None]]:
        while True:
            name = f"artist {int(random.integers(ARTISTS))}"
            for end in range(8, len(name) + 1):
                yield f"/desk/artists?{urlencode({'name': name[:end], 'field': 'artists'})}", None

    def anybody() -> str:
        return artist(int(random.integers(ARTISTS)))

    print(f"(wanted: previews within {PREVIEW_MS} ms, pages within {PAGE_MS} ms, 95 %)")
    measured("preview: an artist", asked(dict), PREVIEWS)
    measured(
        "preview: and a guest, somebody similar",
        asked(lambda: {"featuring": anybody(), "similar_to": anybody()}),
        PREVIEWS,
    )
    measured(
        "preview: and genres, at most 50,000",
        asked(lambda: {"genres": "genre 3", "max_audience": "50000"}),
        PREVIEWS // 2,
    )
    measured(
        "preview: with a condition",
        asked(lambda: {"where": "stage=regular|fading and churn>0.2"}),
        PREVIEWS // 2,
    )
    measured("completion of a name", names(), PREVIEWS)


def pages(measured: Measured, place: House, random: np.random.Generator, listeners: int) -> None:
    """Measure all pages but the lifecycle."""

    def each(make: Callable[[], str]) -> Iterator[tuple[str, dict[str, str] | None]]:
        while True:
            yield make(), None

    cohorts = place.redis.zrange(keys.COHORTS, 0, -1)
    for path in ("/", "/cohorts", "/desk", "/listener", "/models", "/health", "/releases"):
        measured(f"page {path}", each(lambda path=path: path), PAGES)  # type: ignore[misc]
    measured("page of a cohort", each(lambda: f"/cohorts/{random.choice(cohorts)}"), PAGES)
    measured("its members", each(lambda: f"/cohorts/{random.choice(cohorts)}/members"), PAGES)
    measured(
        "page of a listener", each(lambda: f"/listener?id={listener(int(random.integers(listeners)))}"), PAGES
    )
    measured("page of a release", each(lambda: f"/release?id=release-{random.integers(RELEASES)}"), PAGES)


def lifecycle(measured: Measured, asking: Asking, serving: Child) -> None:
    """Measure the lifecycle, and another page while it is added up."""
    began, used = time.monotonic(), cpu(serving.pid)
    asking.ask("/lifecycle")
    while b"Retention" not in asking.ask("/lifecycle"):
        measured("page /cohorts, the lifecycle being added up", iter([("/cohorts", None)] * 51), 50)
    seconds, used = time.monotonic() - began, cpu(serving.pid) - used
    print(f"the lifecycle is added up after {seconds:.0f} s, {used:.0f} s of CPU")
    measured("page /lifecycle", iter([("/lifecycle", None)] * (PAGES + 1)), PAGES)


def reads(place: House, serving: Child, listeners: int) -> None:
    """Measure reads of the API a second, and those of a redis-py client."""
    cohorts = place.redis.zrange(keys.COHORTS, 0, -1)
    heads = f"{'a second':>8} {'CPU, ms':>8} {'redis-py':>8}"
    print(f"{'':44} {heads}   ({CONNECTIONS} connections; redis-py: one client)")
    for what, paths, alone in (
        ("/cohorts", ["/api/v1/cohorts"], alone_cohorts),
        ("/cohorts/{cohort_id}", [f"/api/v1/cohorts/{each}" for each in cohorts], alone_cohort),
        (
            "/listeners/{user_id}",
            [f"/api/v1/listeners/{listener(n)}" for n in range(0, listeners, 97)],
            alone_listener,
        ),
        (
            f"/cohorts/{{cohort_id}}/listeners, {MEMBERS}",
            [f"/api/v1/cohorts/{each}/listeners?limit={MEMBERS}" for each in cohorts],
            alone_members,
        ),
    ):
        used = cpu(serving.pid)
        number, seconds = asked_at_once(place.settings.web_port, paths)
        used = 1000 * (cpu(serving.pid) - used) / number
        by_client = alone(place, cohorts, listeners)
        print(f"{what:44} {number / seconds:>8.0f} {used:>8.2f} {by_client:>8.0f}")


def asked_at_once(port: int, paths: list[str]) -> tuple[int, float]:
    """Ask from another process, over several connections; return the number of answers, and in how many s."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask_all, (port, paths))


def _ask_all(port: int, paths: list[str]) -> tuple[int, float]:
    counts = [0] * CONNECTIONS
    until = time.monotonic() + SECONDS

    def ask(own: int) -> None:
        asking, at = Asking(port), own
        while time.monotonic() < until:
            asking.ask(paths[at % len(paths)])
            counts[own] += 1
            at += CONNECTIONS

    began = time.monotonic()
    threads = [Thread(target=ask, args=(own,)) for own in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.monotonic() - began


def a_second(read: Callable[[int], object]) -> float:
    """Return how often something is done a second."""
    number, began = 0, time.monotonic()
    while time.monotonic() - began < SECONDS / 4:
        read(number)
        number += 1
    return number / (time.monotonic() - began)


def alone_cohorts(place: House, cohorts: list[str], listeners: int) -> float:
    """Read the hashes of all cohorts."""

    def read(_: int) -> None:
        pipeline = place.redis.pipeline(transaction=False)
        for cohort in place.redis.zrange(keys.COHORTS, 0, -1):
            pipeline.hgetall(keys.cohort(cohort))
        pipeline.execute()

    return a_second(read)


def alone_cohort(place: House, cohorts: list[str], listeners: int) -> float:
    """Read a cohort's hash, its artists and history."""

    def read(number: int) -> None:
        cohort = cohorts[number % len(cohorts)]
        pipeline = place.redis.pipeline(transaction=False)
        pipeline.hgetall(keys.cohort(cohort))
        pipeline.zrevrange(keys.cohort_artists(cohort), 0, 9, withscores=True)
        pipeline.zrange(keys.cohort_history(cohort), 0, -1)
        pipeline.execute()

    return a_second(read)


def alone_listener(place: House, cohorts: list[str], listeners: int) -> float:
    """Read a listener's hash, artists and traits."""

    def read(number: int) -> None:
        user = listener(number * 97 % listeners)
        pipeline = place.redis.pipeline(transaction=False)
        pipeline.hgetall(keys.user(user))
        pipeline.zrevrange(keys.user_artists(user), 0, 9, withscores=True)
        pipeline.hgetall(keys.user_traits(user))
        pipeline.execute()

    return a_second(read)


def alone_members(place: House, cohorts: list[str], listeners: int) -> float:
    """Read all members of a cohort, pick the first by id, and read their hashes."""

    def read(number: int) -> None:
        members = sorted(place.redis.smembers(keys.cohort_users(cohorts[number % len(cohorts)])))
        pipeline = place.redis.pipeline(transaction=False)
        for user in members[:MEMBERS]:
            pipeline.hgetall(keys.user(user))
        pipeline.execute()

    return a_second(read)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
