"""How many feedback events a second one `refrain work` counts, beside a plain consumer.

Each of 20 releases was told to 10,000 listeners; the notifier reports sent of all, opened of some, clicked
of few, each event once. The plain one counts with pipelines: each kind once a listener, for its release and
its cohort.

    python -m benchmarks.feedback
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Producer
from kafka import KafkaConsumer

from benchmarks.house import House, house
from benchmarks.used import cpu, redis_cpu
from stream.stores import keys

RELEASES, TOLD, COHORTS = 20, 10_000, 48
LISTENERS = 100_000
OPENED, CLICKED = 0.3, 0.1
TOGETHER = 500  # events that the plain consumer counts at once


def main() -> None:
    """Measure and print."""
    with house() as place:
        told = tell(place)
        worker = place.start("work")
        place.wait(lambda: bool(place.heartbeat(worker)), "the worker")
        time.sleep(5)  # Faust joins its group
        os.kill(worker.pid, signal.SIGSTOP)  # so that there is a backlog
        number = report(place, told)
        own, theirs = cpu(worker.pid), redis_cpu(place)
        os.kill(worker.pid, signal.SIGCONT)
        place.wait(lambda: place.count(worker, "feedback") > number // 10, "the first feedback")
        start, first = time.monotonic(), place.count(worker, "feedback")
        place.wait(lambda: place.count(worker, "feedback") >= number * 9 // 10, "the feedback")
        rate = (place.count(worker, "feedback") - first) / (time.monotonic() - start)
        place.wait(lambda: place.count(worker, "feedback") >= number, "the last feedback")
        ours = (rate, 1e6 * (cpu(worker.pid) - own) / number, 1e6 * (redis_cpu(place) - theirs) / number)
        counted = sum(int(place.redis.hget(keys.release(f"r{r}"), "sent") or 0) for r in range(RELEASES))
        worker.stop()
        plain = count_plainly(place, number)
    print(f"{number} events, {counted} of {RELEASES * TOLD} sent counted")
    print(f"{'':22} {'events/s':>9} {'own CPU':>9} {'Redis CPU':>10}   (µs an event)")
    for name, (a_second, own, theirs) in (("refrain work", ours), ("plain consumer", plain)):
        print(f"{name:22} {a_second:>9,.0f} {own:>9.1f} {theirs:>10.1f}")
    print(f"ratio by the clock     {ours[0] / plain[0]:>9.2f}")


def tell(place: House) -> list[list[str]]:
    """Write who was told of each release, as pages leave it; return them."""
    random = np.random.default_rng(0)
    told = []
    for number in range(RELEASES):
        users = [f"u{at}" for at in random.choice(LISTENERS, TOLD, replace=False)]
        cohorts = [f"c{at}" for at in random.integers(COHORTS, size=TOLD)]
        place.redis.hset(keys.release(f"r{number}"), mapping={"state": "done", "audience": TOLD})
        place.redis.hset(keys.release_told(f"r{number}"), mapping=dict(zip(users, cohorts, strict=True)))
        told.append(users)
    return told


def report(place: House, told: list[list[str]]) -> int:
    """Report what listeners did, release by release; return how many events that is."""
    producer = Producer({"bootstrap.servers": place.settings.kafka, "linger.ms": 20})
    number = 0
    for release, user, kind in _happened(told):
        event = {"release_id": release, "user_id": user, "kind": kind, "ts": time.time()}
        producer.produce("feedback", json.dumps(event).encode(), user.encode())
        number += 1
        if number % 50_000 == 0:
            producer.flush()
    producer.flush()
    return number


def _happened(told: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    random = np.random.default_rng(1)
    for number, users in enumerate(told):
        draws = random.random(len(users)).tolist()
        for user, draw in zip(users, draws, strict=True):
            yield f"r{number}", user, "sent"
            if draw < OPENED:
                yield f"r{number}", user, "opened"
            if draw < CLICKED:
                yield f"r{number}", user, "clicked"


def count_plainly(place: House, number: int) -> tuple[float, float, float]:
    """Count the same with a plain consumer; return events a second, own and Redis's CPU an event in µs."""
    consumer = KafkaConsumer(
        "feedback", bootstrap_servers=place.settings.kafka, auto_offset_reset="earliest", group_id="plain"
    )
    start, own, theirs, done = time.monotonic(), time.process_time(), redis_cpu(place), 0
    while done < number:
        for messages in consumer.poll(1000, max_records=TOGETHER).values():
            events = [json.loads(message.value) for message in messages]
            pipeline = place.redis.pipeline(transaction=False)
            for event in events:
                pipeline.hget(f"plain:told:{event['release_id']}", event["user_id"])
                pipeline.hsetnx(f"plain:seen:{event['release_id']}", event["user_id"] + event["kind"], 1)
            answers = pipeline.execute()
            pipeline = place.redis.pipeline(transaction=False)
            for event, cohort, new in zip(events, answers[::2], answers[1::2], strict=True):
                if new:
                    pipeline.hincrby(f"plain:release:{event['release_id']}", event["kind"])
                    pipeline.hincrby(f"plain:cohort:{cohort}", event["kind"])
            pipeline.execute()
            done += len(messages)
    seconds = time.monotonic() - start
    consumer.close()
    return (
        number / seconds,
        1e6 * (time.process_time() - own) / number,
        1e6 * (redis_cpu(place) - theirs) / number,
    )


if __name__ == "__main__":
    main()
