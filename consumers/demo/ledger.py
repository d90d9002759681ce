"""What the demo's label desk and notifier keep book of: whom they told, who clicked, and at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream.wire.events import Release, Song

__all__ = ["Entry", "Ledger", "Tally"]


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
    audience: Tally = field(default_factory=Tally)
    at_random: Tally = field(default_factory=Tally)
    reason: str = ""
    """What the summary says; "" as long as there is none."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why others who would have been told are not, and how many."""

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from the release to its first page in the notifier's hands."""
        if self.first_page_at is None:
            return None
        return (self.first_page_at - self.published_at) * 1000


class Ledger:
    """All releases of this demo, in order.

    Examples
    --------
    >>> ledger = Ledger(started_at=100.0)
    >>> song = Song(song_id="s", artist_ids=["a"])
    >>> entry = ledger.publish(Release(release_id="r", artist_ids=["a"]), song, now=110.0)
    >>> entry.first_page_at, entry.audience = 110.025, Tally(200, 24)
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

    @property
    def audience(self) -> Tally:
        """Of all audiences together."""
        return sum((entry.audience for entry in self.entries.values()), Tally())

    def latest(self, number: int) -> Tally:
        """Of the last audiences together."""
        return sum((entry.audience for entry in [*self.entries.values()][-number:]), Tally())

    @property
    def at_random(self) -> Tally:
        """Of all audiences drawn at random."""
        return sum((entry.at_random for entry in self.entries.values()), Tally())

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
