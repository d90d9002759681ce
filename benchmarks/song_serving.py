"""What songs for a listener cost with 200,000 songs, models at hand: CPU and wall time of an answer.

A made-up model of 50,000 artists, a song model of 200,000 songs with as many entries of what artists say as
there may be, on a Redis of its own with all songs in its catalogue, and a listener with 500 artists and 128
songs heard. An answer has everything: the listener read, all songs scored, 10 named with their reasons, the
answer kept.

    python -m benchmarks.song_serving
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import numpy as np
import numpy.typing as npt
from kafka import KafkaProducer
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_matrix
from threadpoolctl import threadpool_limits

from benchmarks.house import House, house
from consumers.queries.recommend import Recommender, recommend
from models.model import Model
from models.song_learner import ENTRIES
from models.songs import SongModel
from models.taste import unit
from stream.connect import AnyRedis, open_redis
from stream.stores.catalogue import Catalogue
from stream.stores.heard import song_numbers
from stream.stores.keys import user_heard
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.wire.events import Song

SONGS, ARTISTS, DIMS = 200_000, 50_000, 64
PLAYED, HEARD = 500, 128
ANSWERS = 200
USER = "u1"

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    with house() as place, threadpool_limits(1, "blas"):
        asyncio.run(measured(place))


def made_up(rng: np.random.Generator) -> tuple[Model, SongModel]:
    """Return a model and a song model of the size."""
    vectors, _ = np.linalg.qr(rng.normal(size=(ARTISTS, DIMS)))
    artists = tuple(f"artist-{number}" for number in range(ARTISTS))
    model = Model(
        version=1, created_at=time.time(), clicks=1, listeners=ARTISTS, artists=artists,
        vectors=vectors.astype(np.float32), spread=np.eye(DIMS), counts=np.full(ARTISTS, 40.0), n_rows=5e4,
        centers=rng.normal(size=(2, DIMS)), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([1, 1]),
        holders=csr_matrix((2, ARTISTS)), labels=("one", "two"), born=np.zeros(2),
    )  # fmt: skip
    made_by = csr_matrix(
        (np.ones(SONGS), (np.arange(SONGS), np.arange(SONGS) % ARTISTS)), shape=(SONGS, ARTISTS)
    )
    density = ENTRIES / ARTISTS / SONGS
    beside = random_matrix(ARTISTS, SONGS, density, format="csr", random_state=rng) / 10
    return model, SongModel(
        version=1, created_at=time.time(), n_listeners=50_000, plays=2_000_000,
        songs=tuple(f"song-{number}" for number in range(SONGS)),
        directions=unit(rng.normal(size=(SONGS, DIMS))).astype(np.float16),
        levels=rng.gamma(1.0, size=SONGS).astype(np.float32), listeners=np.full(SONGS, 10, dtype=np.int32),
        artists=artists, made_by=made_by, beside=beside, to_audience=np.eye(DIMS), strength=0.0, activity=0.5,
    )  # fmt: skip


async def measured(place: House) -> None:
    """Fill the Redis, let an ingester apply the clicks of a listener, and ask."""
    rng = np.random.default_rng(0)
    model, songs = made_up(rng)
    redis = await open_redis(place.settings)
    await Snapshots(redis).publish(model)
    began = time.perf_counter()
    await SongModels(redis).publish(songs)
    print(f"publishing {SONGS:,} songs: {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    loaded = await SongModels(redis).load()
    print(f"loading them: {time.perf_counter() - began:.2f} s")
    if loaded is None:
        raise ValueError("a song model that was published is there")
    await fill(place, redis, rng)
    settings = place.settings.model_copy(update={"recommended_minutes": 0.0})
    began = time.perf_counter()
    recommender = Recommender(redis, settings, model, loaded)
    await recommender.answer(USER, 10, time.time())
    print(f"the first answer, with what is made once: {time.perf_counter() - began:.2f} s")
    await shown("an answer", lambda: recommender.answer(USER, 10, time.time()))
    await recommend(redis, place.settings, USER, 10, time.time())
    await shown("the same answer again", lambda: recommend(redis, place.settings, USER, 10, time.time()))
    await redis.aclose()


async def shown(what: str, ask: Callable[[], Awaitable[object]]) -> None:
    """Ask often, and print times in milliseconds."""
    wall, cpu = [], []
    for _ in range(ANSWERS):
        at, used = time.perf_counter(), time.process_time()
        await ask()
        wall.append(time.perf_counter() - at)
        cpu.append(time.process_time() - used)
    (w50, w95), (c50, c95) = (np.quantile(times, (0.5, 0.95)) * 1000 for times in (wall, cpu))
    print(f"{what}: wall {w50:.1f} ms (95 %: {w95:.1f}), own CPU {c50:.1f} ms (95 %: {c95:.1f}); wanted: 20")


async def fill(place: House, redis: AnyRedis, rng: np.random.Generator) -> None:
    """Enter the songs, and a listener."""
    catalogue = Catalogue(redis)
    for first in range(0, SONGS, 5000):
        await catalogue.put(
            Song(song_id=f"song-{n}", artist_ids=[f"artist-{n % ARTISTS}"], title="T", duration_ms=200_000)
            for n in range(first, first + 5000)
        )
    ingester = place.start("ingest")
    played = rng.choice(ARTISTS, PLAYED, replace=False).tolist()
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    for artist in played:
        click = {"user_id": USER, "song_id": f"song-{artist}", "artist_ids": [f"artist-{artist}"]}
        value = json.dumps({**click, "ts": time.time()}).encode()
        producer.send("clicks", key=USER.encode(), value=value)
    producer.flush()
    producer.close()
    place.wait(lambda: place.count(ingester) >= PLAYED, "the clicks")
    heard = song_numbers(f"song-{n}" for n in rng.choice(SONGS, HEARD).tolist())
    await redis.set(user_heard(USER), heard.astype("<u4").tobytes())


if __name__ == "__main__":
    main()
