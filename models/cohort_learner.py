"""The learner that a trainer drives: rows of listeners in, models out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.cohorts import heirs, labels, named_after
from models.directions import ACTIVITY, activity, directions
from models.kmeans import KMeans
from models.long_tail import factorized, share_seen
from models.model import HEIRS, Model
from models.neighbours import neighbours
from models.sample import Reservoir, Sampled
from models.taste import log_length, root_rows, taste, unit, unit_rows
from models.vectors import ArtistVectors, procrustes

__all__ = ["CohortLearner", "Row"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Row = tuple[Sequence[str], npt.ArrayLike]

MEMORY = 10_000.0  # rows after which a batch has lost all but 1/e of its say on the vectors
HALFLIFE = 0.0005  # share of the way to a listener that the nearest centre moves (River's name)
BATCH = 1024  # rows a step when the sample is gone through
REFINED = 20_000  # rows that a small sample is gone through again for, before a model is made:
LEAST_PASSES, MOST_PASSES = 1, 10  # after more, vectors of a small world no longer get better
MEMBERS = 8  # listeners in the sample for each cohort, before there are all
DEAD = 20  # a cohort this many times smaller than the mean has lost its members
SAMPLE = 20  # listeners a cohort that a sample holds before it replaces one of before a restart
TOWARDS_SAMPLE = 0.3
PASSES = 30  # at most that centres are refined by before a model is published,
SETTLED = 0.002  # or until a pass lessens the distortion by a smaller share
ALIGN_ON = 50_000  # artists, the most heard, by which a version is turned onto the one before
LITTLE = 0.04  # of the usual listener's row: where leading directions hold less, they leave listeners out
FIRST_PASSES, NEXT_PASSES = 15, 3  # of `models.long_tail.factorized`
NOISE = 0.004  # that they start from
LONG_TAIL, LEADING = "long tail", "leading"
SLACK = 0.25
LABEL_FROM = 12
HASTE = 4.0


class CohortLearner:
    """Learns artist vectors and cohorts from the rows of listeners who were just active.

    Vectors and centres follow the stream batch by batch; a reservoir of recent listeners refines both
    before a model is published. Vectors span the leading directions of listeners; where these hold next to
    nothing of the usual listener, a long tail, a model has vectors that leave nobody out
    (`models.long_tail`). Given the same rows and seed, models are the same.

    Parameters
    ----------
    n_cohorts
        Cohorts wanted; fewer at first, so that each has members. May be changed at any time: the next
        snapshot splits where distortion is largest, or joins those whose joining costs least.
    n_dims
        Dimensions of the artist vectors.
    max_artists
        Artists held; when there are a quarter more, the least heard are forgotten.
    reservoir
        Listeners held for refinement and for counting.
    seed
        Random seed.
    activity
        How much more active listeners are told (`models.directions.activity`).

    Attributes
    ----------
    play_now
        The stored weight of one play at the time of the newest click.
    distortion
        The mean squared distance of the last listeners' unit tastes from the nearest centre, before these
        moved; NaN before the first model.
    sampled
        The listeners whom the last snapshot was made from; None before the first.

    Examples
    --------
    >>> learner = CohortLearner(n_cohorts=2, n_dims=2, seed=3)
    >>> for i in range(20):
    ...     row = (["ana", "bo"], [3.0, 1.0]) if i % 2 else (["cy", "dee"], [1.0, 2.0])
    ...     learner.learn_many([row], listeners=[f"u{i}"])
    >>> learner.ready(min_listeners=10)
    True
    >>> model = learner.snapshot(version=1, now=0.0)
    >>> model.cohort_ids, model.sizes, model.listeners
    (('c1', 'c2'), array([10, 10]), 20)
    """

    def __init__(
        self,
        n_cohorts: int = 48,
        n_dims: int = 64,
        max_artists: int = 1_000_000,
        reservoir: int = 50_000,
        seed: int = 0,
        activity: float = ACTIVITY,
    ) -> None:
        self.n_cohorts = n_cohorts
        self.n_dims = n_dims
        self.max_artists = max_artists
        self.seed = seed
        self.activity = activity
        self.clicks = 0
        self.play_now = 0.0
        self.artists: list[str] = []
        self._index: dict[str, int] = {}
        self._unnamed = 0
        self._vectors = ArtistVectors(n_dims, MEMORY, seed)
        self._of_long_tail: Singles | None = None  # vectors that serve in place of the leading directions
        self._reservoir = Reservoir(reservoir, seed)
        self._kmeans = KMeans(n_cohorts, halflife=HALFLIFE, seed=seed)
        self.distortion = float("nan")
        self._hurried = 0
        self._last: Model | None = None
        self.sampled: Sampled | None = None

    @classmethod
    def from_model(
        cls,
        model: Model,
        n_cohorts: int = 48,
        max_artists: int = 1_000_000,
        seed: int = 0,
        activity: float = ACTIVITY,
    ) -> Self:
        """Go on from a published model: its vectors, centres, ids and counts; the sample fills up again."""
        learner = cls(n_cohorts, model.n_dims, max_artists, seed=seed + model.version, activity=activity)
        learner.clicks, learner.play_now = model.clicks, model.play_now
        learner.artists = list(model.artists)
        learner._index = dict(model.index)
        learner._vectors = ArtistVectors.resume(
            model.vectors, model.spread, model.counts, model.n_rows, MEMORY, learner.seed
        )
        if model.settings.get("vectors") == LONG_TAIL:
            learner._of_long_tail = model.vectors
        learner._kmeans.resume(
            model.centers, [_number(cohort) for cohort in model.cohort_ids], model.next_cohort - 1
        )
        learner._last = model
        return learner

    @property
    def last(self) -> Model | None:
        """The last model that was made, or gone on from; None before the first."""
        return self._last

    def skip_ids(self, next_cohort: int) -> None:
        """Give no new cohort a number below `next_cohort`: a model that is lost may have given it."""
        self._kmeans.next_id = max(self._kmeans.next_id, next_cohort - 1)

    @property
    def listeners(self) -> int:
        """Listeners in the sample: those with a taste."""
        return len(self._reservoir)

    def needed(self, first: int) -> int:
        """Return how many listeners the sample must have, for a model that is no worse founded than the last.

        After `from_model` the sample has to fill up first: to half of what the last model had, or to `SAMPLE`
        listeners a cohort.

        Parameters
        ----------
        first
            How many the first model needs; later ones do not, as there may be fewer by then.
        """
        if self._last is not None:
            return max(min(self._last.listeners // 2, SAMPLE * self.n_cohorts), 1)
        return max(first, 1)

    def ready(self, min_listeners: int) -> bool:
        """Say whether there are listeners enough for a model; the first needs `min_listeners` (`needed`)."""
        return self.listeners >= self.needed(min_listeners)

    def learn_many(
        self,
        rows: Sequence[Row],
        listeners: Sequence[Hashable] | None = None,
        clicks: int = 0,
        play_now: float = 0.0,
    ) -> None:
        """Learn from listeners as they are now; one who likes no artist has no taste, and teaches nothing.

        Parameters
        ----------
        rows
            For each listener, artist ids and stored affinities.
        listeners
            Whose rows these are, so that a listener counts once in the sample. Never published. All different
            where not given.
        clicks
            How many clicks led here, for `Model.clicks`.
        play_now
            The stored weight of one play at the time of the newest of them, for `Model.play_now`.
        """
        self.clicks += clicks
        self.play_now = max(self.play_now, play_now)
        if listeners is None:
            listeners = range(self._unnamed, self._unnamed + len(rows))
            self._unnamed += len(rows)
        tasteful = [at for at, (_, stored) in enumerate(rows) if np.any(np.asarray(stored) > 0)]
        if not tasteful:
            return
        matrix = self._matrix([rows[at] for at in tasteful])
        self._hurried = max(self._hurried - len(tasteful), 0)
        haste = HASTE if self._hurried else 1.0
        self._vectors.memory, self._kmeans.halflife = MEMORY / haste, HALFLIFE * haste
        self._vectors.grow(len(self.artists))
        self._vectors.learn_many(matrix)
        self._reservoir.add([listeners[at] for at in tasteful], matrix)
        if self._last is not None:
            tastes = unit(self._raw_tastes(matrix))
            tastes = tastes[tastes.any(axis=1)]
            self.distortion = self._kmeans.distortion(tastes)
            self._kmeans.learn_many(tastes)
        if len(self.artists) > self.max_artists * (1 + SLACK):
            self._forget_least_heard()

    def hurry(self) -> None:
        """Learn `HASTE` times as fast from the next `MEMORY` rows: listening has changed."""
        self._hurried = int(MEMORY)

    def snapshot(self, version: int, now: float, name: Callable[[str], str] = str) -> Model:
        """Refine on the sample and return a model, aligned onto the last.

        Parameters
        ----------
        version
            Of the model.
        now
            Unix seconds.
        name
            Artist id -> the name people know it by, for labels.

        Raises
        ------
        ValueError
            When nothing has been learned yet.
        """
        sample = self._reservoir.rows(len(self.artists))
        for _ in range(min(max(LEAST_PASSES, REFINED // max(len(self._reservoir), 1)), MOST_PASSES)):
            for start in range(0, sample.shape[0], BATCH):
                self._vectors.learn_many(sample[start : start + BATCH], count=False)
        rows = self._weighted(sample)
        self._choose_vectors(rows)
        self._align()
        raw = self._raw_tastes(sample) if sample.nnz else np.zeros((0, self.n_dims))
        tastes, strengths = unit(raw), log_length(raw) + self._reservoir.log_lengths
        placed = np.flatnonzero(tastes.any(axis=1))
        if not len(placed):
            raise ValueError("no listener with a taste has been learned from yet; ask `ready` first")
        parents = self._cluster(tastes[placed])
        if self._of_long_tail is None:
            vectors, spread = self._vectors.vectors(), self._vectors.spread
        else:
            vectors, spread = self._of_long_tail, _spread(rows, self._of_long_tail)
        everyone = self._reservoir.listeners
        listeners = tuple(everyone[row] for row in placed.tolist())
        model = self._model(
            version, now, vectors, spread, sample[placed], tastes[placed], strengths[placed], listeners
        )
        self._last = self._described(model, tastes[placed], parents, name)
        return self._last

    def _matrix(self, rows: Sequence[Row]) -> csr_matrix:
        ends = np.cumsum([0, *(len(artists) for artists, _ in rows)])
        names = list(chain.from_iterable(artists for artists, _ in rows))
        for artist in names:
            if artist not in self._index:
                self._index[artist] = len(self.artists)
                self.artists.append(artist)
        columns = np.fromiter(map(self._index.__getitem__, names), dtype=np.int64, count=len(names))
        values = np.concatenate([np.zeros(0), *(np.asarray(stored, dtype=np.float64) for _, stored in rows)])
        return csr_matrix((values, columns, ends), shape=(len(rows), len(self.artists)))

    def _raw_tastes(self, rows: csr_matrix) -> Floats:
        parts = [rows[start : start + BATCH] for start in range(0, rows.shape[0], BATCH)]
        return np.vstack([self._raw_tastes_of_part(part) for part in parts])

    def _raw_tastes_of_part(self, rows: csr_matrix) -> Floats:
        used, local = np.unique(rows.indices, return_inverse=True)
        part = csr_matrix((rows.data, local, rows.indptr), shape=(rows.shape[0], len(used)))
        return taste(part, self._factors(used))

    def _factors(self, artists: Ints) -> Floats:
        if self._of_long_tail is None:
            return self._vectors.factors(artists)
        return (
            _rows_of(self._of_long_tail, artists).astype(np.float64) * self._vectors.weights(artists)[:, None]
        )

    def _weighted(self, rows: csr_matrix) -> csr_matrix:
        """Return what tastes are sums of, at unit length: roots of affinities times roots of idf."""
        roots = root_rows(rows)
        weights = self._vectors.weights(np.arange(rows.shape[1]))
        return unit_rows(
            csr_matrix((roots.data * weights[roots.indices], roots.indices, roots.indptr), rows.shape)
        )

    def _choose_vectors(self, rows: csr_matrix) -> None:
        """Let vectors of a long tail serve where the leading directions hold next to nothing of listeners."""
        if not rows.nnz:
            return
        vectors, before = self._vectors.vectors(), self._of_long_tail
        # Half as much again to go back, that vectors do not change to and fro.
        if share_seen(rows, vectors) >= LITTLE * (1.0 if before is None else 1.5):
            self._of_long_tail = None
            return
        start = np.random.default_rng(self.seed).normal(0.0, NOISE, vectors.shape).astype(np.float32)
        if before is not None:
            start[: len(before)] += before
        passes = FIRST_PASSES if before is None else NEXT_PASSES
        found = factorized(rows, start, passes)
        # Who is not in the sample is where artists are with whom they share leading directions.
        heard = np.bincount(rows.indices, minlength=len(found)).astype(np.float64)
        absent = heard == 0
        if absent.any():
            weighted = vectors.astype(np.float64) * heard[:, None]
            turn = np.linalg.lstsq(weighted.T @ vectors, weighted.T @ found, rcond=1e-6)[0]
            found[absent] = vectors[absent] @ turn
        self._of_long_tail = found

    def _align(self) -> None:
        if self._last is None:
            return
        heard = np.argsort(-self._last.counts, kind="stable")[:ALIGN_ON]
        last = np.array([row for row in heard if self._last.artists[row] in self._index], dtype=np.int64)
        current = np.array([self._index[self._last.artists[row]] for row in last], dtype=np.int64)
        onto, weights = self._last.vectors[last], self._last.counts[last]
        rotation = procrustes(self._vectors.vectors(current), onto, weights)
        self._vectors.turn(rotation)
        if self._last.settings.get("vectors") != LONG_TAIL:  # else centres have followed the last model's
            self._kmeans.matrix = self._kmeans.matrix @ rotation
        if self._of_long_tail is not None:
            rotation = procrustes(self._of_long_tail[current], onto, weights)
            self._of_long_tail = self._of_long_tail @ rotation.astype(np.float32)

    def _cluster(self, tastes: Floats) -> dict[str, str]:
        """Bring the centres up to date; return the cohorts that are new -> those they were split from."""
        kmeans = self._kmeans
        if not kmeans.ids:
            kmeans.n_clusters = self._wanted(tastes)
            kmeans.start(tastes)
        # Not all the way: the edges between cohorts would follow the chance of who is in the sample.
        kmeans.refine(tastes, PASSES, TOWARDS_SAMPLE, SETTLED)
        kmeans.n_clusters = self.n_cohorts
        kmeans.merge(tastes)
        kmeans.n_clusters = max(len(kmeans.ids), self._wanted(tastes))
        parents = kmeans.rebirth(tastes, smallest=max(1, len(tastes) // (self.n_cohorts * DEAD)))
        return {_cohort_id(new): _cohort_id(parent) for new, parent in parents.items()}

    def _wanted(self, tastes: Floats) -> int:
        return min(self.n_cohorts, 1 + len(tastes) // MEMBERS)

    def _model(
        self,
        version: int,
        now: float,
        vectors: Singles,
        spread: Floats,
        sample: csr_matrix,
        tastes: Floats,
        strengths: Floats,
        listeners: tuple[Hashable, ...],
    ) -> Model:
        ids = tuple(map(_cohort_id, self._kmeans.ids))
        row_of = {number: row for row, number in enumerate(self._kmeans.ids)}
        cohorts = np.array([row_of[number] for number in self._kmeans.predict_many(tastes).tolist()])
        held = csr_matrix((np.ones(sample.nnz), sample.indices, sample.indptr), sample.shape)
        n = len(cohorts)
        members = csr_matrix((np.ones(n), (cohorts, np.arange(n))), (len(ids), n))
        sizes = np.bincount(cohorts, minlength=len(ids))
        middle = float(np.median(strengths))
        active = tastes * activity(strengths, middle, self.activity)[:, None]
        self.sampled = Sampled(listeners, held, active)
        model = Model(
            version=version,
            created_at=now,
            clicks=self.clicks,
            listeners=n,
            artists=tuple(self.artists),
            vectors=vectors,
            spread=spread,
            counts=self._vectors.counts,
            n_rows=self._vectors.n_rows,
            centers=self._kmeans.matrix.copy(),
            cohort_ids=ids,
            next_cohort=self._kmeans.next_id + 1,
            sizes=sizes,
            holders=(members @ held).tocsr(),
            labels=ids,
            born=np.full(len(ids), now),
            settings={
                "n_cohorts": self.n_cohorts,
                "n_dims": self.n_dims,
                "max_artists": self.max_artists,
                "memory": MEMORY,
                "halflife": HALFLIFE,
                "passes": LEAST_PASSES,
                "vectors": LEADING if self._of_long_tail is None else LONG_TAIL,
            },
            strength=middle,
            activity=self.activity,
            play_now=self.play_now,
            means=np.asarray(members @ active) / np.maximum(sizes, 1)[:, None],
        )
        everyone = np.arange(len(model.artists))
        towards = directions(held, active, model.towards(everyone))
        beside = neighbours(held, active, towards)
        return replace(model, directions=towards.astype(np.float16), neighbours=beside)

    def _described(
        self, model: Model, tastes: Floats, parents: Mapping[str, str], name: Callable[[str], str]
    ) -> Model:
        """Add what cohorts are called and where they come from, as far as it goes on from the last model."""
        last = self._last
        ids = model.cohort_ids
        tops = model.standing_out(LABEL_FROM)
        if last is None:
            after = named_after(tops, ids)
            return replace(model, named_after=after, labels=labels(after, ids, name))
        row_of = {cohort: row for row, cohort in enumerate(last.cohort_ids)}
        after = named_after(tops, ids, dict(zip(last.cohort_ids, last.named_after, strict=True)))
        gone = dict(last.heirs) | heirs(last.assign(tastes), model.assign(tastes), last.cohort_ids, ids)
        return replace(
            model,
            named_after=after,
            labels=labels(after, ids, name),
            born=np.array([last.born[row_of[c]] if c in row_of else model.created_at for c in ids]),
            parents=tuple(last.parents[row_of[c]] if c in row_of else parents.get(c, "") for c in ids),
            heirs=dict(list(gone.items())[-HEIRS:]),
        )

    def _forget_least_heard(self) -> None:
        kept = np.sort(np.argsort(-self._vectors.counts, kind="stable")[: self.max_artists])
        if self._of_long_tail is not None:
            self._of_long_tail = _rows_of(self._of_long_tail, kept)
        renumbered = np.full(len(self.artists), -1, dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        self.artists = [self.artists[row] for row in kept]
        self._index = {artist: row for row, artist in enumerate(self.artists)}
        self._vectors.keep(kept)
        self._reservoir.keep(renumbered)


def _rows_of(vectors: Singles, artists: Ints) -> Singles:
    """Return the vectors of artists; zeros for those who have come since they were made."""
    known = artists < len(vectors)
    found = np.zeros((len(artists), vectors.shape[1]), dtype=np.float32)
    found[known] = vectors[artists[known]]
    return found


def _spread(rows: csr_matrix, vectors: Singles) -> Floats:
    along = np.asarray(rows @ vectors, dtype=np.float64)
    spread: Floats = along.T @ along / max(len(along), 1)
    return spread


def _cohort_id(number: int) -> str:
    return f"c{number + 1}"


def _number(cohort_id: str) -> int:
    return int(cohort_id.removeprefix("c")) - 1
