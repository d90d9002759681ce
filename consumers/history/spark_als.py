"""Alternating least squares of Spark's MLlib, learned from all listeners: a reference beside audiences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import ALS, Variants
from consumers.evaluate.holdout import Split
from consumers.history.sample import Census, clicks_of_bucket, in_sample, named, put_all
from consumers.history.session import told
from models.quality.baselines import artist_weights, binary_rows, weighted_rows
from models.quality.evaluation import Holdout

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["NAME", "SparkAls"]

Floats = npt.NDArray[np.float64]

NAME = "ALS (Spark MLlib), everybody"
PAIRS = "listener int, artist int, weighted float, binary float"
PAIR = pa.schema(
    [("listener", pa.int32()), ("artist", pa.int32()), ("weighted", pa.float32()), ("binary", pa.float32())]
)
PENALTY, ITERATIONS = 0.05, 15  # as of `consumers.evaluate.installed.als`


class SparkAls:
    """Learns from what is known of the sample, and from all that the other listeners did before the split.

    Parameters
    ----------
    packets
        Of all listeners (`packets.packets`).
    census
        Says who is in the sample.
    """

    def __init__(
        self, spark: SparkSession, packets: DataFrame, census: Census, n_dims: int, seed: int
    ) -> None:
        self._spark = spark
        self._packets = packets
        self._census = census
        self._n_dims = n_dims
        self._seed = seed

    def variants(self, log: ClickLog, split: Split) -> Variants:
        """Return the ways to set it: those of the in-memory ALS."""
        weights = artist_weights(split.holdout.known)
        until = float("inf") if split.until is None else split.until
        work = partial(
            _pairs_of_others,
            self._census.below,
            until,
            log.artists,
            weights,
            log.n_listeners,
            self._census.first_number,
        )
        # Artists that nobody of the sample plays are left out: the names of all might not fit here.
        others = self._packets.mapInArrow(told(work), PAIRS).persist()
        return {name: self._scores(others, weights, **given) for name, given in ALS.items()}

    def _scores(
        self, others: DataFrame, weights: Floats, *, weighted: bool, alpha: float
    ) -> Callable[[Holdout], Iterator[Floats]]:
        def scores(split: Holdout) -> Iterator[Floats]:
            sample = self._spark.createDataFrame(
                _pairs(split.known, weights, np.arange(split.known.shape[0]))
            )
            n, n_artists = split.known.shape
            listeners, artists = self._factors(
                sample.union(others), "weighted" if weighted else "binary", alpha, n, n_artists
            )
            return (listeners @ artists[artist] for artist in split.artists)

        return scores

    def _factors(
        self, pairs: DataFrame, rating: str, alpha: float, n: int, n_artists: int
    ) -> tuple[Floats, Floats]:
        """Return the factors of the sample (n, d) and of artists (A, d); zeros for who has none."""
        from pyspark.ml import recommendation

        blocks = self._spark.sparkContext.defaultParallelism
        model = recommendation.ALS(
            rank=self._n_dims,
            maxIter=ITERATIONS,
            regParam=PENALTY,
            implicitPrefs=True,
            alpha=alpha,
            seed=self._seed,
            userCol="listener",
            itemCol="artist",
            ratingCol=rating,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
        ).fit(pairs)
        return self._rows(model.userFactors, n), self._rows(model.itemFactors, n_artists)

    def _rows(self, factors: DataFrame, n: int) -> Floats:
        found = np.zeros((n, self._n_dims))
        for row in factors.where(f"id < {n}").toLocalIterator():
            found[row.id] = row.features
        return found


def _pairs_of_others(
    below: int,
    until: float,
    artists: list[str],
    weights: Floats,
    n_sample: int,
    first_number: Mapping[int, int],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Add up what the listeners of a bucket who are not in the sample played until then: on a worker."""
    bucket, clicks = clicks_of_bucket(batches)
    clicks = named(clicks)
    everybody = sorted(clicks["user_id"].unique().to_pylist())
    number = {user: n_sample + first_number.get(bucket, 0) + at for at, user in enumerate(everybody)}
    place = {artist: at for at, artist in enumerate(artists)}
    with ClickLog(max(1, len(everybody))) as log:
        put_all(clicks.filter(pa.array(~in_sample(clicks, below))), log)
        if not log.n_listeners:
            return
        log.arrange(None)
        plays = log.plays(until=until).tocoo()
        column = np.array([place.get(artist, -1) for artist in log.artists], dtype=np.int64)[plays.col]
        known = column >= 0
        rows = csr_matrix(
            (plays.data[known], (plays.row[known], column[known])), shape=(log.n_listeners, len(artists))
        )
        listeners = np.array([number[user] for user in log.listeners], dtype=np.int64)
    yield from _pairs(rows, weights, listeners).to_batches()


def _pairs(known: csr_matrix, weights: Floats, listeners: npt.NDArray[np.int64]) -> pa.Table:
    """Return who plays whom, as the in-memory ALS sees it: by weighted and by binary rows."""
    weighted, binary = weighted_rows(known, weights).tocoo(), binary_rows(known)
    columns = listeners[weighted.row], weighted.col, weighted.data, binary.data
    return pa.table(
        {entry.name: pa.array(column).cast(entry.type) for entry, column in zip(PAIR, columns, strict=True)}
    )
