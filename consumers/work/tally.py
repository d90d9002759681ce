"""What the pages of a release come to: pages themselves are not kept, as all listeners may be on some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from stream.wire.events import Page

__all__ = ["Tally"]


@dataclass
class Tally:
    """Counts over pages.

    Attributes
    ----------
    pages, users
        How many, of listeners each as often as they are on a page.
    cohorts
        Of the listeners.
    by_wave
        Wave -> listeners; empty for releases without waves.
    by_policy
        Policy -> listeners, in an A/B test.

    Examples
    --------
    >>> page = Page(
    ...     release_id="r1", page=0, user_ids=["ann"], cohort_ids=["c1"], scores=[0.8], model_version=1,
    ...     emitted_at=0.0, ctrs=[0.25], wave=1,
    ... )
    >>> tally = Tally.of([page])
    >>> tally.pages, tally.users, tally.mean_ctr, tally.waves
    (1, 1, 0.25, 1)
    """

    pages: int = 0
    users: int = 0
    cohorts: set[str] = field(default_factory=set)
    by_wave: Counter[int] = field(default_factory=Counter)
    by_policy: Counter[str] = field(default_factory=Counter)
    _ctrs: int = 0
    _sum_of_ctrs: float = 0.0

    @classmethod
    def of(cls, pages: Iterable[Page]) -> Self:
        """Count pages."""
        tally = cls()
        for page in pages:
            tally.add(page)
        return tally

    def add(self, page: Page) -> None:
        """Count one page more."""
        self.pages += 1
        self.users += len(page.user_ids)
        self.cohorts.update(page.cohort_ids)
        if page.wave:
            self.by_wave[page.wave] += len(page.user_ids)
        self.by_policy.update(page.policies or ())
        self._ctrs += len(page.ctrs or ())
        self._sum_of_ctrs += sum(page.ctrs or ())

    @property
    def waves(self) -> int | None:
        """The number of the last wave; None: there are none."""
        return max(self.by_wave, default=None)

    @property
    def mean_ctr(self) -> float | None:
        """How likely listeners are to click, the mean; None where that is not learned."""
        return self._sum_of_ctrs / self._ctrs if self._ctrs else None
