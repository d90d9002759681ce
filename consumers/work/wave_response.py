"""How the waves that are out were responded to: where a release is clicked more often than predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.waves import Cohorts
from stream.wire.events import Page

__all__ = ["WaveResponse"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WaveResponse:
    """By cohort, as far as it is reported.

    Attributes
    ----------
    sent, clicked
        Cohort -> notifications, and how many of them were clicked.
    expected
        Cohort -> how many of them were predicted to be.
    """

    sent: Mapping[str, float] = field(default_factory=dict)
    clicked: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, pages: Sequence[Page], counts: Mapping[str, int], so_soon: float = 1.0) -> WaveResponse:
        """Compare what was predicted on pages with what is reported of them.

        Parameters
        ----------
        counts
            ``COHORT:KIND`` -> feedback events.
        so_soon
            The share of all clicks that have come by now: only for that share of notifications is it known
            whether they are clicked.
        """
        told, predicted = Counter[str](), Counter[str]()
        for page in pages:
            told.update(page.cohort_ids)
            for cohort, ctr in zip(page.cohort_ids, page.ctrs or (), strict=False):
                predicted[cohort] += ctr  # type: ignore[assignment]
        kinds = {
            kind: {cohort: counts.get(f"{cohort}:{kind}", 0) for cohort in told}
            for kind in ("sent", "clicked", "not_sent")
        }
        sent = kinds["sent"]
        if sent == kinds["clicked"] and any(sent.values()):
            # Of a notifier that reports only clicks everybody was sent the page, as far as we know.
            sent = {cohort: told[cohort] - kinds["not_sent"][cohort] for cohort in told}
        return cls(
            {cohort: so_soon * sent[cohort] for cohort in told},
            kinds["clicked"],
            {cohort: so_soon * predicted[cohort] * min(sent[cohort] / told[cohort], 1.0) for cohort in told},
        )

    def factors(self, cohorts: Sequence[str], ctr: Floats, cohort: Ints, places: int) -> Floats:
        """Return how many times as often as predicted each cohort clicks, shape (k,).

        Parameters
        ----------
        cohorts
            k cohorts.
        ctr, cohort
            Shape (n,), of candidates: their predicted CTR, and which of the cohorts they are in.
        places
            How many of them are to be told.
        """
        return self.posterior(cohorts, ctr, cohort, places).factor[: len(cohorts)]

    def posterior(self, cohorts: Sequence[str], ctr: Floats, cohort: Ints, places: int) -> Cohorts:
        """Return the posterior of it; behind the k cohorts stand those that are no longer, as one."""
        gone = sorted(set(self.sent) - set(cohorts))

        def found(numbers: Mapping[str, float]) -> Floats:
            here = [numbers.get(each, 0.0) for each in cohorts]
            return np.array([*here, sum(numbers[each] for each in gone)])

        return Cohorts.of(ctr, cohort, places, found(self.sent), found(self.clicked), found(self.expected))
