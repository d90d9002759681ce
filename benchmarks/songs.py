"""How good songs for a listener are, and audiences for a song, on several data sets: artists as songs.

A fifth of the (listener, artist) pairs is held out; the others are clicks, gone through once in random order
by the code that serves; each artist is one song. NDCG@10 and recall@20 of the songs that a listener has not
played, over all listeners of whom something is held out. ALS (`implicit`) and item-kNN see the same splits,
each as it is best on a validation part of what is known. Constants in models/song_vectors.py were chosen on
splits 0 to 2 of HetRec plays: the splits here begin at 100.

Then: lift at 5 % of audiences by the artist, and by its song.

    python -m benchmarks.songs [SPLITS [NAME...]]    (default 10, all; 1 of HetRec takes a minute and a half)
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from benchmarks import hetrec
from benchmarks.quality import COHORTS, USUAL
from benchmarks.ranking import ndcg, recall
from benchmarks.shapes import (
    GENRES,
    SESSIONS,
    SPARKIFY,
    TAGS,
    deezer_genres,
    hetrec_plays,
    hetrec_tags,
    some_listeners,
    sparkify_plays,
)
from benchmarks.shapes import (
    Play as Played,
)
from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.holdout import Split, hold_out
from consumers.evaluate.installed import missing
from consumers.evaluate.service import Service
from consumers.evaluate.training_clicks import TrainingClicks
from models.affinity import ForwardDecay
from models.audience import Target, aim
from models.cohort_learner import CohortLearner
from models.listener import Click, Rules
from models.quality.baselines import binary_rows, weighted_rows
from models.quality.evaluation import holdout, measure
from models.recommend import Suggestions
from models.sample import Sampled
from models.song_learner import Play, SongLearner
from models.song_target import towards_song
from models.songs import SongModel
from stream.settings import Settings

FIRST_SPLIT = 100
AT, WIDE = 10, 20
AT_ONCE = 256  # listeners
ASKED = 750  # artists whose audiences are asked about; all of HetRec plays
SESSIONS_TAKEN = 10_000

SETS: Mapping[str, tuple[Callable[[int], Iterator[Played]], Path]] = {
    "HetRec plays": (hetrec_plays, hetrec.DATA),
    "HetRec tags": (hetrec_tags, TAGS),
    "Deezer genres": (deezer_genres, GENRES),
    "nowplaying sessions": (partial(some_listeners, SESSIONS, SESSIONS_TAKEN), SESSIONS),
    "Sparkify plays": (sparkify_plays, SPARKIFY),
}
"""Name -> who played what, and where it is read from."""

Floats = npt.NDArray[np.float64]
Scores = Callable[[slice], Floats]
"""Scores of all songs for some listeners, shape (listeners, A)."""

ALS: Mapping[str, tuple[bool, int, float, float]] = {
    "weighted, d 64, penalty 0.05, alpha 40": (True, 64, 0.05, 40.0),
    "binary, d 64, penalty 0.05, alpha 10": (False, 64, 0.05, 10.0),
    "binary, d 64, penalty 20, alpha 10": (False, 64, 20.0, 10.0),
    "binary, d 32, penalty 1, alpha 5": (False, 32, 1.0, 5.0),
    "binary, d 32, penalty 20, alpha 10": (False, 32, 20.0, 10.0),
    "binary, d 128, penalty 50, alpha 20": (False, 128, 50.0, 20.0),
}
NEIGHBOURS = (50, 200, 500, 1000)


class SongService(Service):
    """Refrain in memory, where each artist is one song."""

    def __init__(self, n_listeners: int, learner: CohortLearner, rules: Rules, seed: int) -> None:
        super().__init__(n_listeners, learner, rules, seed=seed)
        self.songs = SongLearner()

    def take(self, clicks: Mapping[int, Sequence[Click]], now: float) -> None:
        super().take(clicks, now)
        self.songs.learn_many(
            Play(number, artist, [artist])
            for number, own in clicks.items()
            for click in own
            for artist in click.artist_ids
        )


def main(splits: int, chosen: Sequence[str]) -> None:
    """Measure on all splits, and print."""
    if missing("implicit"):
        sys.exit("ALS is missing: install the extra `evaluate`")
    for name in chosen or SETS:
        _, path = SETS[name]
        if not path.exists():
            print(f"{name}: left out, as the data set is not here: {path}")
            continue
        found: dict[str, list[float]] = defaultdict(list)
        for seed in range(FIRST_SPLIT, FIRST_SPLIT + splits):
            with threadpool_limits(1, "blas"):
                for what, value in measured(name, seed).items():
                    found[what].append(value)
            said = ", ".join(f"{values[-1]:.4f}" for values in found.values())
            print(f"{name}, split {seed}: {said}", file=sys.stderr)
        print(f"{name}, {splits} splits: mean ± standard error")
        for what, values in found.items():
            error = np.std(values, ddof=1) / np.sqrt(splits) if splits > 1 else np.nan
            print(f"{what:48} {np.mean(values):8.4f} ± {error:.4f}", flush=True)


def measured(name: str, seed: int) -> dict[str, float]:
    """Return all figures of one split of a data set."""
    played, _ = SETS[name]
    with ClickLog(max_listeners=50_000) as log:
        for user, artist, _, times in played(seed):
            log.put(user, {"artist_ids": [artist]}, times)
        log.arrange(np.random.default_rng(seed))
        split = hold_out(log, None, share=0.2, most=ASKED, seed=seed)
        service = learned(log, split, seed)
        began = time.process_time()
        songs = service.songs.snapshot(_sampled(service), service.serving)
        took = time.process_time() - began
        if songs is None:
            raise ValueError("a service that has learned has songs")
        figures = {"seconds to make the song model (CPU)": took, "songs": float(len(songs.songs))}
        known, held = split.holdout.known, split.holdout.held
        ours = rate(held, recommended(service, songs, split, log.artists))
        rivals = {"popularity": popularity(known), **tuned_rivals(known, seed)}
        rated = {name: rate(held, ranked(known, scores)) for name, scores in rivals.items()}
        best = [max(each[at] for each in rated.values()) for at in (0, 1)]
        figures |= {"Refrain: NDCG@10": ours[0], "Refrain: recall@20": ours[1]}
        for rival, (gain, part) in rated.items():
            figures |= {f"  {rival}: NDCG@10": gain, f"  {rival}: recall@20": part}
        figures |= {"NDCG@10 / best": ours[0] / best[0], "recall@20 / best": ours[1] / best[1]}
        by_artist, by_song = lifts(service, songs, split, log.artists)
        return figures | {
            "lift at 5 %, by artist": by_artist,
            "lift at 5 %, by song": by_song,
            "lift, by song / by artist": by_song / by_artist,
        }


def learned(log: ClickLog, split: Split, seed: int) -> SongService:
    """Return Refrain as it is after all known clicks, as `refrain evaluate` has it."""
    settings = Settings(cohorts=COHORTS)
    decay = ForwardDecay(settings.half_life, landmark=log.last)
    rules = Rules(decay, settings.margin, settings.max_artists, sys.maxsize)
    learner = CohortLearner(COHORTS, settings.dims, settings.vocabulary, seed=seed)
    service = SongService(log.n_listeners, learner, rules, seed)
    TrainingClicks(log, split).run(service, settings.first_model_listeners, lambda done, total: None)
    return service


def recommended(
    service: SongService, songs: SongModel, split: Split, artists: list[str]
) -> Iterator[list[int]]:
    """Yield each listener's songs as `refrain recommend` ranks them, as columns of the split."""
    column = {artist: at for at, artist in enumerate(artists)}
    known = split.holdout.known
    for row, number in enumerate(split.listeners.tolist()):
        heard = known.indices[known.indptr[row] : known.indptr[row + 1]].tolist()
        left_out = [songs.index[artists[at]] for at in heard if artists[at] in songs.index]
        affinities = service.listener(number).affinities
        found = Suggestions(affinities, service.serving, songs).ranked(np.array(left_out, dtype=np.int64))
        yield [column[songs.songs[song]] for song, _ in itertools.islice(found, WIDE)]


def ranked(known: csr_matrix, scores: Scores) -> Iterator[list[int]]:
    """Yield each listener's first songs by scores, without those known."""
    for start in range(0, known.shape[0], AT_ONCE):
        part = slice(start, min(start + AT_ONCE, known.shape[0]))
        some, own = np.array(scores(part)), known[part]
        some[np.repeat(np.arange(len(some)), np.diff(own.indptr)), own.indices] = -np.inf
        best = np.argpartition(-some, WIDE, axis=1)[:, :WIDE]
        order = np.argsort(-np.take_along_axis(some, best, 1), axis=1, kind="stable")
        yield from np.take_along_axis(best, order, 1).tolist()


def rate(held: csr_matrix, rankings: Iterator[list[int]]) -> tuple[float, float]:
    """Return NDCG@10 and recall@20, means over listeners of whom something is held out."""
    gains, parts = [], []
    for row, ranking in enumerate(rankings):
        sought = set(held.indices[held.indptr[row] : held.indptr[row + 1]].tolist())
        if sought:
            gains.append(ndcg(ranking, sought, AT))
            parts.append(recall(ranking, sought, WIDE))
    return float(np.mean(gains)), float(np.mean(parts))


def popularity(known: csr_matrix) -> Scores:
    """Score songs by how many listeners play them."""
    fans = np.bincount(known.indices, minlength=known.shape[1]).astype(np.float64)
    return lambda part: np.tile(fans, (part.stop - part.start, 1))


def tuned_rivals(known: csr_matrix, seed: int) -> dict[str, Scores]:
    """Return ALS and item-kNN, each the variant of the best NDCG@10 on pairs held out from what is known."""
    families: dict[str, dict[str, Callable[[csr_matrix], Scores]]] = {
        "ALS": {name: _als(*how, seed=seed) for name, how in ALS.items()},
        "item-kNN": {f"{n} neighbours": _item_knn(n) for n in NEIGHBOURS},
    }
    part = holdout(known, seed=seed)
    found: dict[str, Scores] = {}
    for family, variants in families.items():
        gains = {
            name: rate(part.held, ranked(part.known, fit(part.known)))[0] for name, fit in variants.items()
        }
        best = max(gains, key=lambda name: gains[name])
        print(f"  {family}: {best}", file=sys.stderr)
        found[family] = variants[best](known)
    return found


def _als(
    weighted: bool, dims: int, penalty: float, alpha: float, *, seed: int
) -> Callable[[csr_matrix], Scores]:
    def fit(known: csr_matrix) -> Scores:
        from implicit.als import AlternatingLeastSquares  # noqa: PLC0415 - an extra

        rows = weighted_rows(known) if weighted else binary_rows(known)
        model = AlternatingLeastSquares(
            factors=dims, regularization=penalty, alpha=alpha, iterations=15, random_state=seed, use_gpu=False
        )
        model.fit(rows.astype(np.float32), show_progress=False)
        listeners, songs = np.asarray(model.user_factors), np.asarray(model.item_factors)
        return lambda part: listeners[part] @ songs.T

    return fit


def _item_knn(neighbours: int) -> Callable[[csr_matrix], Scores]:
    def fit(known: csr_matrix) -> Scores:
        rows = binary_rows(known)
        together = (rows.T @ rows).tocsr()
        together.setdiag(0.0)
        together.eliminate_zeros()
        lengths = np.sqrt(np.maximum(np.bincount(rows.indices, minlength=rows.shape[1]), 1))
        together.data /= np.repeat(lengths, np.diff(together.indptr)) * lengths[together.indices]
        for row in np.flatnonzero(np.diff(together.indptr) > neighbours).tolist():
            own = together.data[together.indptr[row] : together.indptr[row + 1]]
            own[np.argpartition(-own, neighbours)[neighbours:]] = 0.0
        together.eliminate_zeros()
        return lambda part: np.asarray((rows[part] @ together).toarray())

    return fit


def lifts(service: SongService, songs: SongModel, split: Split, artists: list[str]) -> tuple[float, float]:
    """Return the lift at 5 % of audiences by artists, and by their songs."""

    def scores(of: Callable[[Target, str], Target]) -> Iterator[Floats]:
        for artist in split.holdout.artists.tolist():
            target = of(aim(service.serving, [artists[artist]]), artists[artist])
            yield service.audience(target)[split.listeners]

    by_artist = measure(split.holdout, scores(lambda target, _: target))
    by_song = measure(split.holdout, scores(lambda target, song: towards_song(target, songs, song)))
    return by_artist.reach[USUAL].lift.value, by_song.reach[USUAL].lift.value


def _sampled(service: SongService) -> Sampled:
    if service.learner.sampled is None:
        raise ValueError("a service that has learned has a sample")
    return service.learner.sampled


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:])
