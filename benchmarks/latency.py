"""How long a release takes to its first page, while 10,000 clicks a second flow in; and a click to Redis.

Measured against the bare way of a message through the same broker and back, in the same run.

    python -m benchmarks.latency
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time

import numpy as np
from kafka import KafkaConsumer, KafkaProducer

from benchmarks.crowd import Crowd, send
from benchmarks.house import House, house
from stream.broker import Child
from stream.settings import Settings
from stream.stores import keys

LISTENERS, ARTISTS = 100_000, 20_000
RELEASES = 200
RATE = 10_000
PAUSE = 0.4
DEATHS, EACH = 6, 50  # workers that are killed; releases from one death to the next


def main() -> None:
    """Measure and print."""
    crowd = Crowd(LISTENERS, ARTISTS)
    with house(first_model_listeners=20_000) as place:
        ingester, worker = ready(place, crowd)
        print(f"{LISTENERS} listeners; from publishing to the first page, ms: median, 95 %, 99 %, worst")
        releases(place, 5, "warm")
        show("bare message, there and back", bare(place))
        show("lone click, to Redis", lone_clicks(place, crowd))
        show("release, nobody clicks", releases(place, RELEASES, "quiet"))
        show(f"release, a worker killed every {EACH * PAUSE:.0f} s", with_deaths(place, [worker]))
        # In a process of its own: beside us it would make us wait for the interpreter.
        flow = multiprocessing.get_context("spawn").Process(
            target=flowing, args=(place.settings,), daemon=True
        )
        flow.start()
        quiet = place.count(ingester)
        place.wait(lambda: place.count(ingester) > quiet, "the flow")
        done, since = place.count(ingester), time.monotonic()
        show(f"release, {RATE} clicks/s, trainer at work", releases(place, RELEASES, "busy"))
        rate = (place.count(ingester) - done) / (time.monotonic() - since)
        flow.terminate()
        flow.join()
        print(f"clicks applied meanwhile: {rate:,.0f}/s")


def ready(place: House, crowd: Crowd) -> tuple[Child, Child]:
    """Start all processes, and wait until everybody is in a cohort; return the ingester and the worker."""
    ingester = place.start("ingest")
    place.start("train")
    before = send(place.settings, crowd.everyone(times=4))
    place.wait(lambda: place.count(ingester) == before, "the last click")
    place.wait(lambda: place.redis.get(keys.MODEL_CURRENT) is not None, "a model")
    place.wait(
        lambda: place.redis.hget(keys.MODEL_SWEEP, "done") == place.redis.get(keys.MODEL_CURRENT), "the sweep"
    )
    worker = place.start("work")
    place.wait(lambda: bool(place.heartbeat(worker)), "the worker")
    time.sleep(2)  # Faust joins its group
    return ingester, worker


def flowing(settings: Settings) -> None:
    """Let clicks flow in for as long as the releases take."""
    send(settings, Crowd(LISTENERS, ARTISTS, seed=1).some(int(RATE * (5 + RELEASES * PAUSE * 2))), RATE)


def show(what: str, milliseconds: list[float]) -> None:
    percentiles = np.percentile(milliseconds, [50, 95, 99, 100])
    print(f"{what:40}" + "".join(f"{value:8.1f}" for value in percentiles))


def reader(place: House, topic: str) -> KafkaConsumer:
    consumer = KafkaConsumer(topic, bootstrap_servers=place.settings.kafka, auto_offset_reset="latest")
    while not consumer.assignment():
        consumer.poll(100)
    for partition in consumer.assignment():
        consumer.position(partition)
    return consumer


def releases(place: House, number: int, name: str) -> list[float]:
    """Publish releases one after the other and wait for the first page of each."""
    consumer = reader(place, "audiences")
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    taken = []
    for at in range(number):
        release = f"{name}-{at}"
        published = time.perf_counter()
        publish(producer, release, at)
        for message in consumer:
            page = json.loads(message.value)
            if page["release_id"] == release:
                if "page" not in page:
                    raise RuntimeError(f"nobody to tell of {release}: {page['reason']}")
                break
        taken.append(1000 * (time.perf_counter() - published))
        time.sleep(PAUSE)
    consumer.close()
    producer.close()
    return taken


def publish(producer: KafkaProducer, release: str, at: int) -> None:
    """Publish a release for 5,000 listeners."""
    event = {"release_id": release, "artist_ids": [f"a{at % 50}-{1 + at % 7}"], "max_audience": 5000}
    producer.send("releases", key=release.encode(), value=json.dumps(event).encode())
    producer.flush()


def with_deaths(place: House, workers: list[Child]) -> list[float]:
    """Publish releases while one of two workers is killed again and again, and replaced."""
    consumer = reader(place, "audiences")
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    published: dict[str, float] = {}
    arrived: dict[str, float] = {}

    def collect(seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            for messages in consumer.poll(1000 * left).values():
                for message in messages:
                    arrived.setdefault(json.loads(message.value)["release_id"], time.perf_counter())

    workers.append(place.start("work"))
    place.wait(lambda: bool(place.heartbeat(workers[-1])), "another worker")
    for at in range(EACH * (DEATHS + 1)):
        release = f"death-{at}"
        published[release] = time.perf_counter()
        publish(producer, release, at)
        if at % EACH == EACH // 2:
            os.kill(workers.pop(0).pid, signal.SIGKILL)
        if at and at % EACH == 0:
            workers.append(place.start("work"))  # joins while releases go on
        collect(PAUSE)
    for _ in range(60):
        if published.keys() <= arrived.keys():
            break
        collect(1.0)
    else:
        raise TimeoutError(f"no first page of {', '.join(sorted(published.keys() - arrived.keys()))}")
    consumer.close()
    producer.close()
    return [1000 * (arrived[release] - at) for release, at in published.items()]


def lone_clicks(place: House, crowd: Crowd, number: int = 60) -> list[float]:
    """Send clicks one by one, and wait until each is in Redis."""
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    taken = []
    for listener in range(number):
        key, value = crowd.click(listener, time.time())
        before = place.redis.hget(keys.user(f"u{listener}"), "clicks")
        sent = time.perf_counter()
        producer.send("clicks", key=key, value=value)
        producer.flush()
        while place.redis.hget(keys.user(f"u{listener}"), "clicks") == before:
            time.sleep(0.0005)
        taken.append(1000 * (time.perf_counter() - sent))
        time.sleep(0.05)
    producer.close()
    return taken


def bare(place: House, number: int = 60) -> list[float]:
    """Send messages through the broker, and wait for each to come back."""
    consumer = reader(place, "dead-letters")
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    taken = []
    for _ in range(number):
        sent = time.perf_counter()
        producer.send("dead-letters", b"x")
        producer.flush()
        next(iter(consumer))
        taken.append(1000 * (time.perf_counter() - sent))
    consumer.close()
    producer.close()
    return taken


if __name__ == "__main__":
    main()
