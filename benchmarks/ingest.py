"""How many clicks a second one `refrain ingest` applies, with 100,000 listeners and a live model.

Measured against the same job written one event at a time with the same packages, in the same run.

    python -m benchmarks.ingest
"""

from __future__ import annotations

import json
import time

import redis
from kafka import KafkaConsumer
from river import cluster

from benchmarks.crowd import Crowd, send
from benchmarks.house import House, house
from models.affinity import ForwardDecay
from stream.stores import keys

LISTENERS, ARTISTS = 100_000, 20_000
CLICKS = 400_000
NAIVE_CLICKS = 2_000


def main() -> None:
    """Measure and print."""
    crowd = Crowd(LISTENERS, ARTISTS)
    with house(first_model_listeners=20_000) as place:
        ingester, trainer = place.start("ingest"), place.start("train")
        before = send(place.settings, crowd.everyone(times=4))
        print(f"{LISTENERS} listeners have clicked {before} times; waiting until all are in a cohort")
        place.wait(lambda: int(place.redis.hget(keys.MODEL_SWEEP, "done") or 0) > 0, "the first model")
        trainer.stop()
        place.wait(lambda: place.count(ingester) == before, "the last click")
        place.wait(
            lambda: place.redis.hget(keys.MODEL_SWEEP, "done") == place.redis.get(keys.MODEL_CURRENT),
            "the sweep",
        )
        waiting = place.redis.scard(keys.cohort_users(""))
        print(f"{place.redis.zcard('cohorts')} cohorts, {waiting} listeners in none")
        ingester.stop()

        send(place.settings, crowd.some(CLICKS))
        ingester = place.start("ingest")
        place.wait(lambda: place.count(ingester) > CLICKS // 10, "the first clicks")
        start, first = time.monotonic(), place.count(ingester)
        place.wait(lambda: place.count(ingester) >= CLICKS * 9 // 10, "the clicks")
        rate = (place.count(ingester) - first) / (time.monotonic() - start)
        place.wait(lambda: place.count(ingester) == CLICKS, "the last click")
        clicks = sum(int(place.redis.hget(keys.user(f"u{n}"), "clicks") or 0) for n in range(LISTENERS))
        print(f"clicks sent {before + CLICKS}, applied {clicks}")
        ingester.stop()

        naive = one_at_a_time(place)
        print(f"refrain ingest       {rate:>9,.0f} clicks/s")
        print(f"one event at a time  {naive:>9,.0f} clicks/s    ratio {rate / naive:,.0f}")


def one_at_a_time(place: House) -> float:
    """Do the same job as most would begin: a consumer, a Redis call a step, River's KMeans."""
    consumer = KafkaConsumer("clicks", bootstrap_servers=place.settings.kafka, auto_offset_reset="earliest")
    store = redis.Redis.from_url(place.settings.redis, db=1)
    kmeans = cluster.KMeans(n_clusters=48, seed=1)
    decay = ForwardDecay()
    start = 0.0
    for number, message in enumerate(consumer):
        if number == 1:
            start = time.monotonic()
        click = json.loads(message.value)
        user, (artist,) = click["user_id"], click["artist_ids"]
        store.zincrby(f"user:{user}:artists", decay.stored(1.0, click["ts"]), artist)
        top = store.zrevrange(f"user:{user}:artists", 0, 31, withscores=True)
        taste = dict.fromkeys(range(64), 0.0)
        for name, weight in top:
            taste[hash(name) % 64] += decay.read(weight, click["ts"]) ** 0.5
        kmeans.learn_one(taste)
        cohort = kmeans.predict_one(taste)
        before = store.hget(f"user:{user}", "cohort")
        if before != str(cohort).encode():
            store.srem(f"cohort:{before!r}:users", user)
            store.sadd(f"cohort:{cohort}:users", user)
            store.hset(f"user:{user}", "cohort", cohort)
        if number == NAIVE_CLICKS:
            break
    consumer.close()
    return NAIVE_CLICKS / (time.monotonic() - start)


if __name__ == "__main__":
    main()
