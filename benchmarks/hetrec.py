"""The whole way on real listening: Last.fm history in, cohorts in Redis, audiences out, and their lift.

A fifth of the (listener, artist) pairs is held out. The others are replayed as clicks, ceil(log2(1 + plays))
each, shuffled. A release of each artist with at least five held-out and five known listeners is published:
how many times more often than at random is a held-out listener in the audience? Listeners who are known to
play the artist do not count. Measured against batch references on the same split, in the same run.

    python -m benchmarks.hetrec [SPLIT]    (a seed, default 0)
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from kafka import KafkaConsumer, KafkaProducer
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from benchmarks.house import House, house
from models.kmeans import KMeans
from models.quality.evaluation import Holdout, Lift, holdout, lift
from models.taste import idf, unit
from stream.stores import keys

DATA = Path(__file__).parents[2] / "shared" / "data" / "hetrec_lastfm_2k"
SHARE = 0.05
AFTER = 20, 100  # seconds after the last click
Floats = npt.NDArray[np.float64]


def plays() -> tuple[csr_matrix, list[str], list[str]]:
    """Return plays (n, A), listener ids, artist ids."""
    with gzip.open(DATA / "user_artists.dat.gz", "rt") as lines:
        rows = [line.split() for line in lines][1:]
    users = sorted({row[0] for row in rows}, key=int)
    artists = sorted({row[1] for row in rows}, key=int)
    of_user = {user: at for at, user in enumerate(users)}
    of_artist = {artist: at for at, artist in enumerate(artists)}
    weights = [float(row[2]) for row in rows]
    at = ([of_user[row[0]] for row in rows], [of_artist[row[1]] for row in rows])
    return csr_matrix((weights, at), shape=(len(users), len(artists))), users, artists


def main() -> None:
    """Replay, measure, print."""
    if not DATA.is_dir():
        sys.exit(f"the data set is not here: {DATA}")
    matrix, users, artists = plays()
    split = holdout(matrix, seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(
        f"{len(users)} listeners, {len(split.artists)} artists asked about, {split.held.nnz} pairs held out"
    )
    with house(cohorts=48, half_life_days=14) as place:
        sent, last_click = replay(place, split, users, artists)
        clicks = sum(int(place.redis.hget(keys.user(user), "clicks") or 0) for user in users)
        print(f"clicks sent {sent}, applied {clicks}, lost {sent - clicks}")
        for seconds in AFTER:
            wait_until(last_click + seconds)
            look(place, split, users, artists, seconds)
    tastes, targets = svd(split)
    kmeans = KMeans(48, seed=0)
    kmeans.start(tastes)
    kmeans.refine(tastes, passes=20)
    nearest = kmeans.predict_many(tastes)
    means = unit(np.array([tastes[nearest == cohort].mean(axis=0) for cohort in range(48)]))
    show("batch: SVD + k-means, by cohort", lift(split, ((means @ t)[nearest] for t in targets), SHARE))
    show("batch: SVD, everybody ranked", lift(split, (tastes @ t for t in targets), SHARE))
    show(
        "most active listeners",
        lift(split, [split.known.getnnz(axis=1).astype(float)] * len(split.artists), SHARE),
    )


def look(place: House, split: Holdout, users: list[str], artists: list[str], seconds: int) -> None:
    """Print how good cohorts and audiences are now, some seconds after the last click."""
    version = place.redis.get(keys.MODEL_CURRENT)
    sizes = dict(place.redis.zrange(keys.COHORTS, 0, -1, withscores=True))
    print(
        f"\n{seconds} s after the last click: model {version}, {len(sizes)} cohorts, "
        f"empty {sum(not size for size in sizes.values())}, "
        f"largest {max(sizes.values()) / len(users):.1%} of listeners"
    )
    cohort = np.array([place.redis.hget(keys.user(user), "cohort") or "" for user in users])
    audiences = list(emitted(place, split, users, artists, f"after{seconds}-"))
    show("Refrain, by cohort", lift(split, by_cohort(place, split, cohort, f"after{seconds}-"), SHARE))
    show("Refrain, audience as emitted", lift(split, audiences, SHARE))
    show("Refrain, audience of 1 %", lift(split, audiences, SHARE / 5))


def wait_until(moment: float) -> None:
    """Wait for a moment of the monotonic clock."""
    time.sleep(max(moment - time.monotonic(), 0.0))


def show(what: str, found: Lift) -> None:
    print(f"{what:34} lift {found.value:5.2f}   ({found.low:.2f} to {found.high:.2f})")


def replay(place: House, split: Holdout, users: list[str], artists: list[str]) -> tuple[int, float]:
    """Send the known pairs as clicks by `refrain replay`; wait until all are applied.

    Returns
    -------
    How many clicks were sent, and when the last was applied (monotonic clock).
    """
    table = place.folder / "plays.tsv"
    known = split.known.tocoo()
    rows = "".join(
        f"{users[u]}\t{artists[a]}\t{int(w)}\n"
        for u, a, w in zip(known.row, known.col, known.data, strict=True)
    )
    table.write_text("userID\tartistID\tweight\n" + rows)
    ingester, trainer, worker = place.start("ingest"), place.start("train"), place.start("work")
    place.wait(lambda: all(map(place.heartbeat, (ingester, trainer, worker))), "the processes")
    started = time.monotonic()
    sending = place.start(
        "replay", "clicks", str(table), "--map", "user_id=userID,song_id=artistID,artist_ids=artistID",
        "--repeat", "weight", "--repeat-scale", "log2", "--shuffle", "1", "--spread", "30d",
    )  # fmt: skip
    place.wait(lambda: not sending.alive, "the replay's end")
    sent = int(np.ceil(np.log2(1 + known.data)).sum())
    place.wait(lambda: place.count(ingester) >= sent, "the last click")
    took = time.monotonic() - started
    print(f"{sent} clicks replayed and applied in {took:.1f} s, {sent / took:,.0f}/s")
    return sent, time.monotonic()


def by_cohort(place: House, split: Holdout, cohorts: npt.NDArray[np.str_], prefix: str) -> Iterator[Floats]:
    """Score listeners by the play rate that Refrain has predicted for their cohort."""
    for artist in split.artists:
        predicted = dict(
            place.redis.zrange(keys.release_play_rates(f"{prefix}{artist}"), 0, -1, withscores=True)
        )
        yield np.array([predicted.get(cohort, 0.0) for cohort in cohorts])


def emitted(
    place: House, split: Holdout, users: list[str], artists: list[str], prefix: str
) -> Iterator[Floats]:
    """Publish a release of each artist, and score listeners by the scores of its audience."""
    number = {user: at for at, user in enumerate(users)}
    producer = KafkaProducer(bootstrap_servers=place.settings.kafka)
    consumer = KafkaConsumer(
        "audiences", bootstrap_servers=place.settings.kafka, auto_offset_reset="earliest"
    )
    known = split.known.tocsc().getnnz(axis=0)
    for artist in split.artists:
        # As large that a twentieth of those who do not play the artist is in it.
        size = int(np.ceil(SHARE * len(users))) + int(known[artist])
        release = {"release_id": f"{prefix}{artist}", "artist_ids": [artists[artist]], "max_audience": size}
        producer.send("releases", key=f"{prefix}{artist}".encode(), value=json.dumps(release).encode())
    producer.flush()
    scores = {f"{prefix}{artist}": np.full(len(users), -np.inf) for artist in split.artists}
    open_releases = set(scores)
    for message in consumer:
        page = json.loads(message.value)
        if page["release_id"] not in scores:
            continue  # of an earlier look
        if page.get("done"):
            open_releases.discard(page["release_id"])
            if not open_releases:
                break
        else:
            told = [number[user] for user in page["user_ids"]]
            scores[page["release_id"]][told] = page["scores"]
    latency = [float(place.redis.hget(keys.release(name), "latency_ms") or 0) for name in scores]
    print(f"{len(latency)} releases published at once, the last answered after {max(latency):,.0f} ms")
    for artist in split.artists:
        yield scores[f"{prefix}{artist}"]


def svd(split: Holdout, dims: int = 64) -> tuple[Floats, list[Floats]]:
    """Return the batch reference: unit tastes, and where the listeners of each artist asked about are."""
    weights = split.known.copy()
    weights.data = np.sqrt(np.ceil(np.log2(1 + weights.data)))
    counts = weights.getnnz(axis=0).astype(float)
    weights = csr_matrix(weights.multiply(np.sqrt(idf(counts, float(weights.shape[0])))))
    lengths = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    rows = csr_matrix(weights.multiply(1 / np.maximum(lengths, 1e-12)[:, None]))
    _, _, axes = svds(rows, k=dims, random_state=0)
    tastes = unit(np.asarray(rows @ axes.T))
    known = split.known.tocsc()

    targets = []
    for artist in split.artists:
        play = known.indices[known.indptr[artist] : known.indptr[artist + 1]]
        targets.append(unit(tastes[play].mean(axis=0)))
    return tastes, targets


if __name__ == "__main__":
    main()
