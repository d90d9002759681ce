"""The reference for `benchmarks.ingest`: a plain batched consumer, as an engineer would write it in a day.

aiokafka batches, pydantic on the whole list, Redis pipelines, MiniBatchKMeans on a hashed random
projection. It has no exactly-once, no decay across restarts, no model that others can read.

    python -m benchmarks.batched KAFKA REDIS SKIPPED MEASURED
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zlib

import numpy as np
from aiokafka import AIOKafkaConsumer
from pydantic import TypeAdapter
from redis.asyncio import Redis
from sklearn.cluster import MiniBatchKMeans
from typing_extensions import TypedDict

from models.affinity import ForwardDecay

BATCH = 5000
COHORTS, DIMS, TOP = 48, 64, 32


class Click(TypedDict):
    """What the reference needs of a click."""

    user_id: str
    artist_ids: list[str]
    ts: float


CLICKS = TypeAdapter(list[Click])


class Batched:
    """Affinities and cohorts in Redis, a batch at a time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._decay = ForwardDecay()
        self._kmeans = MiniBatchKMeans(COHORTS, random_state=0, n_init=1)
        self._vectors: dict[bytes, np.ndarray] = {}
        self._fitted = False

    def _vector(self, artist: bytes) -> np.ndarray:
        vector = self._vectors.get(artist)
        if vector is None:
            vector = np.random.default_rng(zlib.crc32(artist)).normal(size=DIMS)
            self._vectors[artist] = vector
        return vector

    async def apply(self, values: list[bytes]) -> None:
        """Apply a batch of clicks."""
        clicks = CLICKS.validate_json(b"[" + b",".join(values) + b"]")
        pipeline = self._redis.pipeline(transaction=False)
        for click in clicks:
            for artist in click["artist_ids"]:
                added = self._decay.stored(1.0, click["ts"])
                pipeline.zincrby(f"b:{click['user_id']}:artists", added, artist)
        await pipeline.execute()
        users = list(dict.fromkeys(click["user_id"] for click in clicks))
        pipeline = self._redis.pipeline(transaction=False)
        for user in users:
            pipeline.zrevrange(f"b:{user}:artists", 0, TOP - 1, withscores=True)
            pipeline.hget(f"b:{user}", "cohort")
        answers = await pipeline.execute()
        tastes = np.zeros((len(users), DIMS))
        for row, top in enumerate(answers[::2]):
            weights = np.sqrt([weight / top[0][1] for _, weight in top])
            tastes[row] = weights @ np.stack([self._vector(artist) for artist, _ in top])
        tastes /= np.maximum(np.linalg.norm(tastes, axis=1, keepdims=True), 1e-12)
        self._kmeans.partial_fit(tastes)
        pipeline = self._redis.pipeline(transaction=False)
        for user, cohort, before in zip(users, self._kmeans.predict(tastes), answers[1::2], strict=True):
            now = str(cohort)
            if before is None or before.decode() != now:
                pipeline.hset(f"b:{user}", "cohort", now)
                pipeline.sadd(f"b:cohort:{now}", user)
                if before is not None:
                    pipeline.srem(f"b:cohort:{before.decode()}", user)
        await pipeline.execute()


async def main(kafka: str, url: str, skipped: int, measured: int) -> None:
    """Apply `skipped` clicks, then measure the next; print one JSON object."""
    redis = Redis.from_url(url)
    batched = Batched(redis)
    consumer = AIOKafkaConsumer(
        "clicks",
        bootstrap_servers=kafka,
        group_id="batched",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    done, begun = 0, None
    while done < skipped + measured:
        if done >= skipped and begun is None:
            begun = (time.monotonic(), time.process_time(), await _cpu(redis), done)
        fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        values = [record.value for records in fetched.values() for record in records]
        if values:
            await batched.apply(values)
            await consumer.commit()
            done += len(values)
    assert begun is not None  # noqa: S101 - the loop above has set it
    clicks = done - begun[3]
    figures = {
        "rate": clicks / (time.monotonic() - begun[0]),
        "own_us": 1e6 * (time.process_time() - begun[1]) / clicks,
        "redis_us": 1e6 * (await _cpu(redis) - begun[2]) / clicks,
    }
    print(json.dumps(figures))
    await consumer.stop()
    await redis.aclose()


async def _cpu(redis: Redis) -> float:
    info = await redis.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
