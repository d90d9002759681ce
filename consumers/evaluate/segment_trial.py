"""Segments learned from a part of the labels and tried on the rest, beside the usual ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from consumers.evaluate.segment_rivals import Rival
from models.model import Model
from models.quality.delong import auc
from models.traits.logistic import FOLDS, fit
from models.traits.segment_rows import Known, groups, segment_rows

__all__ = ["FEWEST", "OURS", "Contender", "SegmentTried", "Subjects", "try_segment"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

OURS = "Refrain"
FEWEST = 2 * FOLDS
"""Labels of either kind without which nothing is tried: a fifth of them is to be judged."""

BY_CHANCE = 0.5


@dataclass(frozen=True, eq=False)
class Subjects:
    """Listeners, as Refrain has them and as raw features.

    Attributes
    ----------
    ids
        Who they are, n ids.
    known, model
        What is known of them, and the model of cohorts.
    raw
        Shape (n, A): log(1 + plays) of each artist, and of what else there is.
    """

    ids: tuple[str, ...]
    known: Known
    model: Model
    raw: csr_matrix

    def rows(self, *, clusters: bool) -> csr_matrix:
        """Return Refrain's rows."""
        return segment_rows(self.known, self.model, clusters=clusters)

    def features(self, *, clusters: bool) -> csr_matrix:
        """Return the raw features, with the cohort and the distances to centres or without."""
        if not clusters:
            return self.raw
        names = {name: each.shape[1] for name, each in self.known.shares.items()}
        parts = groups(self.model.n_dims, len(self.model.cohort_ids), names)
        rows = self.rows(clusters=True)
        return hstack([self.raw, rows[:, parts["cohort"]], rows[:, parts["distances"]]], format="csr")


@dataclass(frozen=True)
class Contender:
    """One way to learn a segment.

    Attributes
    ----------
    clusters
        Whether it saw the cohort and the distances to all centres.
    auc, error
        The mean over the splits, and its standard error; splits share labels, so it is a little too small.
    by_split
        The AUC of each split.
    """

    name: str
    clusters: bool
    auc: float
    error: float
    by_split: tuple[float, ...]


@dataclass(frozen=True)
class SegmentTried:
    """One segment.

    Attributes
    ----------
    labelled, positives
        Labelled listeners of whom something is known; those of them in the segment.
    contenders
        Refrain first; empty where the labels are too few.
    """

    segment: str
    labelled: int
    positives: int
    contenders: tuple[Contender, ...] = ()


def try_segment(
    segment: str,
    subjects: Subjects,
    at: Ints,
    positive: Bools,
    rivals: Mapping[str, Rival],
    *,
    repeats: int,
    seed: int,
    watch: Callable[[], object] = lambda: None,
) -> SegmentTried:
    """Cross-validate: `FOLDS` folds with the same share of positives in each, drawn again `repeats` times.

    Parameters
    ----------
    at, positive
        Shape (n,): the labelled, by their rows, and their labels.
    rivals
        What else learns from the same labels.
    watch
        Is told of each split that is done.
    """
    tried = SegmentTried(segment, len(at), int(positive.sum()))
    if min(tried.positives, tried.labelled - tried.positives) < FEWEST:
        return tried
    ways: dict[tuple[str, bool], tuple[Rival, csr_matrix]] = {}
    for clusters in (True, False):
        ways[OURS, clusters] = _ours, subjects.rows(clusters=clusters)[at]
        features = subjects.features(clusters=clusters)[at] if rivals else None
        ways |= {(name, clusters): (rival, features) for name, rival in rivals.items()}
    found: dict[tuple[str, bool], list[float]] = {way: [] for way in ways}
    for taught, asked in _splits(positive, repeats, seed):
        for way, (learn, rows) in ways.items():
            area = auc(learn(rows[taught], positive[taught], rows[asked]), positive[asked])
            found[way].append(area.value if area else BY_CHANCE)
        watch()
    contenders = tuple(_contender(*way, np.array(areas)) for way, areas in found.items())
    ours = [each for each in contenders if each.name == OURS]
    return SegmentTried(
        segment,
        tried.labelled,
        tried.positives,
        (*ours, *sorted((each for each in contenders if each.name != OURS), key=lambda each: each.name)),
    )


def _ours(rows: csr_matrix, positive: Bools, others: csr_matrix) -> Floats:
    found = fit(rows, positive)
    return np.asarray(others @ found.coefficients + found.intercept, dtype=np.float64)


def _splits(positive: Bools, repeats: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    for repeat in range(repeats):
        random = np.random.default_rng([seed, repeat])
        fold = np.empty(len(positive), dtype=np.int64)
        for kind in (True, False):
            of_kind = random.permutation(np.flatnonzero(positive == kind))
            fold[of_kind] = np.arange(len(of_kind)) % FOLDS
        for number in range(FOLDS):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _contender(name: str, clusters: bool, areas: Floats) -> Contender:
    error = float(areas.std(ddof=1) / np.sqrt(len(areas)))
    return Contender(name, clusters, float(areas.mean()), error, tuple(np.round(areas, 5).tolist()))
