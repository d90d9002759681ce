"""Whether listeners belong to a labelled segment: learned from those with a label, predicted for all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csr_matrix

from models.model import Model
from models.quality.delong import auc
from models.quality.evaluation import Estimate
from models.traits.logistic import FOLDS, Fit, fit
from models.traits.segment_rows import Known, groups, segment_rows

__all__ = ["FEWEST", "LEARNED_FIRST", "TRUSTED", "SegmentModel", "learn_segment"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEWEST = 2 * FOLDS
"""Labelled listeners in the segment, and as many not in it, that learning needs; before, the prior holds."""

TRUSTED = 20
"""Labels of either kind, predicted before they were learned from, that an AUC needs."""

LEARNED_FIRST = -1.0
"""The prediction of a listener who was learned from while there was nothing to predict with."""

FIRST_BLOCK = 64  # labels; each further block of the first that come is as large as all before it
FORMAT = 1


@dataclass(frozen=True, eq=False)
class SegmentModel:
    """A segment as it is published.

    Attributes
    ----------
    version
        1, 2, ...; 0: nothing is learned.
    created_at
        Unix seconds.
    labelled, positives
        Listeners with a label, whether or not anything else is known of them; those of them in the segment.
    prior
        Share of the labelled in the segment, by Jeffreys' prior: (positives + 1/2) / (labelled + 1).
    model_version, cohort_ids
        The model of cohorts whose vectors and centres it was learned with.
    coefficients, intercept
        Shape (D,), columns as `segment_rows` has them, empty while too few are labelled; log-odds are their
        product with a row, and the intercept.
    base_rate
        Share in the segment of the labelled of whom something is known, which the intercept follows; None
        while nothing is learned, or where a program learned that did not note it yet.
    shares
        Distributions among the columns -> how many columns.
    clusters
        Whether cohort and distances are among the columns.
    penalty
        `models.traits.logistic.Fit.penalty`.
    threshold
        The probability from which a listener counts as in the segment: where precision and recall, of the
        folds left out and in all labels, have the largest harmonic mean (F1).
    auc
        Of predictions that were made before their listener was learned from, with its 95 % interval.
    judged
        How many of these.

    Examples
    --------
    >>> SegmentModel(labelled=9, positives=3, prior=0.35).doubt
    '3 of 9 labelled listeners are in it, 6 are not: 10 of either are needed to learn anything'
    """

    version: int = 0
    created_at: float = 0.0
    labelled: int = 0
    positives: int = 0
    prior: float = 0.5
    model_version: int = 0
    cohort_ids: tuple[str, ...] = ()
    coefficients: Floats = field(default_factory=lambda: np.zeros(0))
    intercept: float = 0.0
    base_rate: float | None = None
    shares: Mapping[str, int] = field(default_factory=dict)
    clusters: bool = True
    penalty: float = 0.0
    threshold: float = 1.0
    auc: Estimate | None = None
    judged: int = 0

    @property
    def learned(self) -> bool:
        """Whether it predicts anything but the prior."""
        return bool(len(self.coefficients))

    @property
    def doubt(self) -> str:
        """Why it is not to be trusted yet; "" where it may be."""
        negatives = self.labelled - self.positives
        if not self.learned and min(self.positives, negatives) < FEWEST:
            return (
                f"{self.positives} of {self.labelled} labelled listeners are in it, {negatives} are not: "
                f"{FEWEST} of either are needed to learn anything"
            )
        if not self.learned:
            return "too few of the labelled listeners have clicked yet"
        if self.auc is None:
            return (
                f"{self.judged} labels were predicted before they were learned from: an AUC needs "
                f"{TRUSTED} of either kind"
            )
        if self.auc.low <= 0.5:  # noqa: PLR2004 - chance
            return f"it may be no better than chance: AUC {self.auc.low:.2f} to {self.auc.high:.2f}"
        return ""

    def predict(self, known: Known, model: Model) -> Floats:
        """Return how likely listeners are in the segment, shape (n,); the prior where nothing is known.

        Parameters
        ----------
        model
            The model of cohorts that serves: cohorts that it has not in common with `model_version` say
            nothing.
        """
        return np.asarray(scipy.special.expit(self.log_odds(known, model)), dtype=np.float64)

    def log_odds(self, known: Known, model: Model) -> Floats:
        """Return the same as log-odds."""
        nothing = float(scipy.special.logit(self.prior))
        if not self.learned:
            return np.full(len(known), nothing)
        rows = segment_rows(known, model, clusters=self.clusters)
        widths = {name: each.shape[1] for name, each in known.shares.items()}
        log_odds = rows @ self._aligned(model, widths) + self.intercept
        heard = np.diff(rows.indptr) > 0
        return np.where(heard, log_odds, nothing)

    def _aligned(self, model: Model, widths: Mapping[str, int]) -> Floats:
        """Return the coefficients in the columns that rows have now."""
        there = groups(model.n_dims, len(model.cohort_ids), widths, clusters=self.clusters)
        aligned = np.zeros(max(part.stop for part in there.values()))
        row_of = {cohort: row for row, cohort in enumerate(model.cohort_ids)}
        kept = [(at, row_of[cohort]) for at, cohort in enumerate(self.cohort_ids) if cohort in row_of]
        before, now = np.array(kept, dtype=np.int64).reshape(-1, 2).T
        for name, part in self.groups().items():
            if name in ("cohort", "distances"):
                aligned[there[name].start + now] = self.coefficients[part.start + before]
            elif name in there and there[name].stop - there[name].start == part.stop - part.start:
                aligned[there[name]] = self.coefficients[part]
        return aligned

    def groups(self) -> dict[str, slice]:
        """Return which coefficients are of what: `taste` has the dimensions that it was learned with."""
        k = len(self.cohort_ids)
        others = max(part.stop for part in groups(0, k, self.shares, clusters=self.clusters).values())
        return groups(len(self.coefficients) - others, k, self.shares, clusters=self.clusters)

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return a header that JSON can hold, and arrays: all there is to it."""
        header = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        coefficients = header.pop("coefficients")
        header |= {"format": FORMAT, "cohort_ids": list(self.cohort_ids), "shares": dict(self.shares)}
        header |= {"columns": len(coefficients), "auc": vars(self.auc) if self.auc else None}
        at = np.flatnonzero(coefficients)
        return header, {"at": at.astype(np.int32), "values": coefficients[at].astype(np.float32)}

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make one of what `to_arrays` gave.

        Raises
        ------
        ValueError
            When the format is another, or parts are missing.
        """
        if header.get("format") != FORMAT:
            raise ValueError(f"a segment of format {header.get('format')!r}; this program reads {FORMAT}")
        try:
            values = {entry.name: header[entry.name] for entry in fields(cls) if entry.name in header}
            coefficients = np.zeros(header["columns"])
            coefficients[arrays["at"]] = arrays["values"]
        except (KeyError, IndexError) as error:
            raise ValueError(f"a segment with parts missing: {error}") from error
        values |= {"cohort_ids": tuple(values["cohort_ids"]), "coefficients": coefficients}
        values["auc"] = Estimate(**header["auc"]) if header["auc"] else None
        return cls(**values)


def learn_segment(
    known: Known,
    positive: Bools,
    predicted: Floats,
    model: Model,
    *,
    counts: tuple[int, int],
    read: tuple[int, int] | None = None,
    before: SegmentModel,
    now: float,
    clusters: bool = True,
) -> tuple[SegmentModel, Floats]:
    """Predict the labels that are new, then learn from all.

    Of the first labels, which may come all at once, a block is predicted by what the blocks before it teach
    (Dawid's prequential approach), each as large as all before it.

    Parameters
    ----------
    known
        n labelled listeners of whom something is known, in the order of their labels' times.
    positive
        Shape (n,), the labels.
    predicted
        Shape (n,), what was predicted of each before it was learned from, as if half were in the segment;
        `LEARNED_FIRST` where there was nothing to predict with; NaN: it is new. Not looked at where `before`
        has no base rate: all are predicted again, in blocks.
    model
        The model of cohorts.
    counts
        How many are labelled in all, and how many of those are in the segment.
    read
        The same of the labels that were read, whether or not anything is known of their listeners; None: of
        all something is. Of very many labels only some are read, and a greater part of those that are rare:
        the intercept is corrected for that (King and Zeng's prior correction).
    before
        What served until now.
    now
        Unix seconds.
    clusters
        Whether cohort and distances to centres are among the columns.

    Returns
    -------
    What serves from now on, and `predicted` without NaN.

    References
    ----------
    [^1]: Dawid, A. P., 1984. Statistical theory: the prequential approach. JRSS A.
    [^2]: King, G. and Zeng, L., 2001. Logistic regression in rare events data. Political Analysis.
    """
    rows = segment_rows(known, model, clusters=clusters)
    if before.base_rate is None:
        predicted = _predict_in_blocks(rows, positive)
    else:
        predicted = predicted.copy()
        new = np.flatnonzero(np.isnan(predicted))
        predicted[new] = _even(before.log_odds(known.some(new), model), before.base_rate)
    labelled, positives = counts
    version, prior = before.version + 1, (positives + 0.5) / (labelled + 1.0)
    unlearned = SegmentModel(version, now, labelled, positives, prior, model.version, model.cohort_ids)
    if not _enough(positive):
        return unlearned, predicted
    found = fit(rows, positive)
    shift = _shift(counts, read or (len(positive), int(positive.sum())))
    judged = predicted != LEARNED_FIRST
    enough = min((positive & judged).sum(), (~positive & judged).sum()) >= TRUSTED
    return SegmentModel(
        version=version,
        created_at=now,
        labelled=labelled,
        positives=positives,
        prior=prior,
        model_version=model.version,
        cohort_ids=model.cohort_ids,
        coefficients=found.coefficients,
        intercept=found.intercept + shift,
        base_rate=float(scipy.special.expit(scipy.special.logit(positive.mean()) + shift)),
        shares={name: each.shape[1] for name, each in known.shares.items()},
        clusters=clusters,
        penalty=found.penalty,
        threshold=_threshold(found, positive, shift),
        auc=auc(predicted[judged], positive[judged]) if enough else None,
        judged=int(judged.sum()),
    ), predicted


def _predict_in_blocks(rows: csr_matrix, positive: Bools) -> Floats:
    predicted = np.full(len(positive), LEARNED_FIRST)
    start = 0
    while start < len(positive):
        block, taught = slice(start, start + max(FIRST_BLOCK, start)), positive[:start]
        if _enough(taught):
            found = fit(rows[:start], taught)
            log_odds = rows[block] @ found.coefficients + found.intercept
            predicted[block] = _even(log_odds, float(taught.mean()))
        start = block.stop
    return predicted


def _even(log_odds: Floats, base_rate: float) -> Floats:
    """Return how likely listeners are in a segment, had half of those who were learned from been in it.

    So what is predicted at one time can be compared with what is predicted at another: as labels come, the
    share of one kind rises and falls, and predictions with it, whoever the listener is.
    """
    return np.asarray(scipy.special.expit(log_odds - scipy.special.logit(base_rate)), dtype=np.float64)


def _enough(positive: Bools) -> bool:
    return int(min(positive.sum(), (~positive).sum())) >= FEWEST if len(positive) else False


def _shift(counts: tuple[int, int], read: tuple[int, int]) -> float:
    """Return by how much the log-odds of the segment are higher in all labels than in those that were read.

    It is the same among listeners of whom something is known: which labels are read does not depend on that.
    """
    (all_, all_in), (some, some_in) = counts, read
    # Never less than 1: labels may be erased while they are read.
    of_one_in, of_one_out = max(all_in / some_in, 1.0), max((all_ - all_in) / (some - some_in), 1.0)
    return math.log(of_one_in / of_one_out)


def _threshold(found: Fit, positive: Bools, shift: float) -> float:
    order = np.argsort(-found.left_out, kind="stable")
    hits, false_alarms = np.cumsum(positive[order]), np.cumsum(~positive[order])
    # Of very many labels each that was read and is not in it stands for more than one that is.
    weight = math.exp(-shift)
    f1 = 2.0 * hits / (hits + weight * false_alarms + positive.sum())
    return float(scipy.special.expit(found.left_out[order[int(f1.argmax())]] + shift))
