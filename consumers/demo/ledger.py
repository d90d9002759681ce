"""What the demo's label desk and notifier count: who was told by which policy, who clicked, and at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.wire.events import Page, Release, Song

__all__ = ["LATEST", "TASTE", "USUAL", "Entry", "Ledger", "Tally", "policies_of"]

LATEST = 20
"""Releases that the latest figures are of: of fewer, chance would hide what is learned."""

USUAL, TASTE = "usual", "taste"  # as pages name the policies


def policies_of(page: Page) -> list[str]:
    """Return by which policy each listener on a page is told.

    Until a CTR model serves, everybody is told by taste alone.

    Examples
    --------
    >>> page = Page(release_id="r", page=0, user_ids=["a", "b"], cohort_ids=["c1", "c1"], scores=[0.9, 0.8],
    ...             model_version=1, emitted_at=0.0)
    >>> policies_of(page)
    ['taste', 'taste']
    >>> policies_of(page.model_copy(update={"ctrs": [0.1, 0.1], "policies": ["usual", "taste"]}))
    ['usual', 'taste']
    """
    if page.ctrs is None:
        return [TASTE] * len(page.user_ids)
    return page.policies or [USUAL] * len(page.user_ids)


@dataclass
class Tally:
    """Listeners told, and how many of them clicked."""

    told: int = 0
    clicked: int = 0

    @property
    def ctr(self) -> float:
        """The click-through rate, 0 to 1; 0 where nobody was told."""
        return self.clicked / self.told if self.told else 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.told + other.told, self.clicked + other.clicked)


@dataclass
class Entry:
    """A release and what came of it. `published_at` and `first_page_at` are seconds on one clock."""

    release: Release
    song: Song
    published_at: float
    first_page_at: float | None = None
    by_policy: dict[str, Tally] = field(default_factory=dict)
    """Of each policy that listeners were told by."""
    at_random: Tally = field(default_factory=Tally)
    reason: str = ""
    """What the summary says; "" as long as there is none."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why others who would have been told are not, and how many."""
    wave: int | None = None
    """The last wave that is out; None where all were told at once."""

    def add(self, policy: str, tally: Tally) -> None:
        """Add listeners who were told by a policy."""
        self.by_policy[policy] = self.by_policy.get(policy, Tally()) + tally

    @property
    def audience(self) -> Tally:
        """Of all who were told."""
        return _sum(self.by_policy.values())

    @property
    def usual(self) -> Tally:
        """Of those who were told by how likely they are to click."""
        return self.by_policy.get(USUAL, Tally())

    @property
    def by_taste(self) -> Tally:
        """Of those who were told by taste alone."""
        return self.by_policy.get(TASTE, Tally())

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from the release to its first page in the notifier's hands."""
        if self.first_page_at is None:
            return None
        return (self.first_page_at - self.published_at) * 1000


class Ledger:
    """All releases of this demo, in order; or the latest of them.

    Examples
    --------
    >>> ledger = Ledger(started_at=100.0)
    >>> song = Song(song_id="s", artist_ids=["a"])
    >>> entry = ledger.publish(Release(release_id="r", artist_ids=["a"]), song, now=110.0)
    >>> entry.first_page_at = 110.025
    >>> entry.add("usual", Tally(150, 20))
    >>> entry.add("taste", Tally(50, 4))
    >>> entry.at_random = Tally(200, 4)
    >>> round(ledger.lift, 1), round(ledger.first_audience_after, 1), round(ledger.median_ms)
    (6.0, 10.0, 25)
    """

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.entries: dict[str, Entry] = {}

    def publish(self, release: Release, song: Song, now: float) -> Entry:
        """Open an entry."""
        entry = self.entries[release.release_id] = Entry(release, song, now)
        return entry

    def latest(self, number: int = LATEST) -> Ledger:
        """Return a ledger of the latest releases alone."""
        ledger = Ledger(self.started_at)
        ledger.entries = dict([*self.entries.items()][-number:])
        return ledger

    @property
    def audience(self) -> Tally:
        """Of all audiences together."""
        return _sum(entry.audience for entry in self.entries.values())

    @property
    def usual(self) -> Tally:
        """Of all who were told by how likely they are to click."""
        return _sum(entry.usual for entry in self.entries.values())

    @property
    def by_taste(self) -> Tally:
        """Of all who were told by taste alone."""
        return _sum(entry.by_taste for entry in self.entries.values())

    @property
    def at_random(self) -> Tally:
        """Of all audiences drawn at random."""
        return _sum(entry.at_random for entry in self.entries.values())

    @property
    def in_waves(self) -> int:
        """How many releases went out in waves."""
        return sum(entry.wave is not None for entry in self.entries.values())

    @property
    def left_out(self) -> Counter[str]:
        """Why listeners were not told who would have been, over all releases, and how often."""
        return sum((Counter(entry.left_out) for entry in self.entries.values()), Counter())

    @property
    def lift(self) -> float | None:
        """How many times more often an audience clicks than one drawn at random; None: not known yet."""
        return self.audience.ctr / self.at_random.ctr if self.at_random.clicked else None

    @property
    def first_audience_after(self) -> float | None:
        """Seconds from the start to the first page; None where there is none."""
        times = [e.first_page_at for e in self.entries.values() if e.first_page_at is not None]
        return min(times) - self.started_at if times else None

    @property
    def median_ms(self) -> float | None:
        """The middle of the latencies."""
        found = sorted(e.latency_ms for e in self.entries.values() if e.latency_ms is not None)
        return found[len(found) // 2] if found else None


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())
