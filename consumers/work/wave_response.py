"""How the waves that are out were responded to: where a release is clicked more often than predicted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from models.waves import Cohorts
from stream.stores.releases import Response
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
        Cohort -> notifications whose outcome is known, and how many were clicked.
    expected
        Cohort -> how many of them the model predicted to be.
    """

    sent: Mapping[str, float]
    clicked: Mapping[str, float]
    expected: Mapping[str, float]

    @classmethod
    def of(
        cls,
        pages: Sequence[Page],
        response: Response,
        come: Sequence[float],
        factors: Mapping[str, Mapping[str, float]],
    ) -> WaveResponse:
        """Compare what the model predicted on pages with what is reported of them.

        Parameters
        ----------
        pages
            In the order in which they went out.
        come
            The share of all clicks on each page that have come by now: only for that share of its
            notifications is it known whether they are clicked. It is less of later waves: else their cohorts
            would look worse than those of earlier ones.
        factors
            Wave -> cohort -> by what the model's predictions were multiplied on its pages.
        """
        told = Counter(chain.from_iterable(page.cohort_ids for page in pages))

        def reported(kind: str) -> Counter[str]:
            return Counter({cohort: response.counts.get(f"{cohort}:{kind}", 0) for cohort in told})

        sent, not_sent, clicked = reported("sent"), reported("not_sent"), reported("clicked")
        if any(sent.values()) and not response.reports_sent:
            # Of a notifier that reports only what follows everybody was sent the page, as far as we know.
            sent = told - not_sent
        # Pages are taken to be reported of in their order: where reports are missing, nothing is known of the
        # last ones, which may have gone out a moment ago.
        left, reached = sent + not_sent, Counter[str]()
        known, expected = defaultdict[str, float](float), defaultdict[str, float](float)
        for page, share in zip(pages, come, strict=True):
            by, predicted = factors.get(str(page.wave), {}), defaultdict[str, float](float)
            for cohort, ctr in zip(page.cohort_ids, page.ctrs or (), strict=False):
                predicted[cohort] += ctr / by.get(cohort, 1.0)
            for cohort, number in Counter(page.cohort_ids).items():
                here = min(number, left[cohort])
                left[cohort] -= here
                reached[cohort] += here
                known[cohort] += share * here
                expected[cohort] += share * here * predicted[cohort] / number
        delivered = {cohort: sent[cohort] / max(reached[cohort], 1) for cohort in told}
        return cls(
            {cohort: delivered[cohort] * known[cohort] for cohort in told},
            clicked,
            {cohort: delivered[cohort] * expected[cohort] for cohort in told},
        )

    def factors(self, cohorts: Sequence[str], ctr: Floats, cohort: Ints, places: int) -> Floats:
        """Return how many times as often as the model predicts each cohort clicks, shape (k,).

        Parameters
        ----------
        cohorts
            k cohorts.
        ctr, cohort
            Shape (n,), of candidates: their predicted CTR, and which of the cohorts they are in.
        places
            How many of them are to be told.
        """
        gone = sorted(set(self.sent) - set(cohorts))  # they say something of the release as a whole

        def found(numbers: Mapping[str, float]) -> Floats:
            here = [numbers.get(each, 0.0) for each in cohorts]
            return np.array([*here, sum(numbers[each] for each in gone)])

        posterior = Cohorts.of(
            ctr, cohort, places, found(self.sent), found(self.clicked), found(self.expected)
        )
        return posterior.factor[: len(cohorts)]
