"""When a candidate is made, and whether it is worth publishing: a new model costs every listener a look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from models.quality.validation import Comparison

__all__ = ["Candidate", "Progress", "Reason", "Schedule"]

SOONEST = 5.0  # seconds between two candidates while everything is new
QUIET = 5.0  # seconds without a click after which nobody waits for more of them
DOUBLED = 1.0  # of all clicks before: so many new ones make a candidate due while they come,
ENDED = 0.02  # and so many when they have ended; placing everybody then takes no click's time
GROWN = 0.1  # of the listeners or artists before: so many new ones make a model worth publishing
MOVED = 0.05  # how far centres of unit tastes have moved, on average, where too little is discovered to judge


class Reason(StrEnum):
    """Why a candidate is published."""

    FIRST = "the first"
    DRIFT = "listening has changed"
    ASKED = "the settings ask for another activity"
    GAIN = "it ranks better"
    ENDED = "clicks have ended"
    GROWTH = "more listeners or artists"
    COHORTS = "other cohorts"
    MOVED = "its cohorts have moved"
    SONGS = "twice the plays of songs"
    TIME = "the last one is old"


@dataclass(frozen=True)
class Progress:
    """What has been learned from so far.

    Attributes
    ----------
    clicks
        That the trainer has read or passed over.
    applied
        That the ingesters say they have applied.
    listeners, artists
        In the sample; in the vocabulary.
    rows
        Listeners' rows learned from.
    """

    clicks: int = 0
    applied: int = 0
    listeners: int = 0
    artists: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Candidate:
    """What is known of a candidate beside the model that serves.

    Attributes
    ----------
    verdict
        How much better it ranks; its error is infinite where too little was discovered to say.
    trial
        How much better its cohorts rank, where it has more of them to try that; else None.
    moved
        How far its centres are from those that serve (`models.quality.change.moved`).
    other_cohorts
        Whether some of its cohorts do not serve, or some that serve are gone.
    asked_for
        Whether it weighs activity as the settings say, and the model that serves does not: it is published
        though it may predict worse.
    more_plays
        Whether twice the plays of songs are known that song vectors were last learned from: these are only
        published with a model.
    """

    verdict: Comparison
    trial: Comparison | None = None
    moved: float = 0.0
    other_cohorts: bool = False
    asked_for: bool = False
    more_plays: bool = False


class Schedule:
    """Decides when to look at what was learned, and whether to publish it.

    Candidates are made every `every` seconds, sooner while listeners and artists are new or when a burst of
    clicks has ended. Each that ranks as the model that serves is held back, and doubles the time to the next,
    up to `at_latest`; after so long one is published whatever it ranks like. A gain, drift, growth or the
    end of a burst brings the time back to `every`.

    Parameters
    ----------
    every
        Seconds between candidates at first.
    at_latest
        Seconds between models at most, as long as anything is learned.
    now
        The clock's reading, in seconds; any clock that only goes forward.
    serving
        What the model that serves was learned from; None where there is none.

    Examples
    --------
    >>> schedule = Schedule(every=30.0, at_latest=900.0, now=0.0)
    >>> seen = Progress(clicks=1000, listeners=500, artists=90, rows=512)
    >>> schedule.due(1.0, seen), schedule.worth(1.0, seen, Candidate(Comparison(0, 0.0, math.inf)))
    (True, <Reason.FIRST: 'the first'>)
    """

    def __init__(self, every: float, at_latest: float, now: float, serving: Progress | None = None) -> None:
        self._every, self._longest = every, max(every, at_latest)
        self._interval = every
        self._looked_at = self._published_at = now
        self._looked = self._published = serving or Progress()
        self._first = serving is None
        self._drifted = self._ended = False

    @property
    def urgent(self) -> bool:
        """Whether a candidate need not wait until all listeners are placed by the last model."""
        return self._first or self._drifted

    def drifted(self) -> None:
        """Note that listening has changed: the next candidate comes soon and is published."""
        self._drifted = True
        self._interval = self._every

    def due(self, now: float, seen: Progress, *, quiet: float = 0.0, all_learned: bool = False) -> bool:
        """Say whether a candidate is to be made.

        Parameters
        ----------
        quiet
            For how many seconds nobody has clicked.
        all_learned
            Whether there is nothing left to learn from until somebody clicks.
        """
        if self.looked_at_all(seen.rows):
            return False
        waited = now - self._looked_at
        ended = all_learned or quiet >= QUIET
        self._ended = ended and _new_clicks(self._published, seen) >= ENDED
        if self._first or waited >= self._interval:
            return True
        if waited >= self._every and (self._new(seen) or self.since_published(now) >= self._longest):
            return True
        enough = ENDED if ended else DOUBLED
        return waited >= SOONEST and (self._drifted or _new_clicks(self._looked, seen) >= enough)

    def worth(self, now: float, seen: Progress, candidate: Candidate) -> Reason | None:
        """Say why a candidate that is not worse is to be published; None: it is held back."""
        judged = math.isfinite(candidate.verdict.error)
        reasons = {
            Reason.FIRST: self._first,
            Reason.DRIFT: self._drifted,
            Reason.ASKED: candidate.asked_for,
            Reason.GAIN: candidate.verdict.better or (candidate.trial is not None and candidate.trial.better),
            Reason.ENDED: self._ended,
            Reason.GROWTH: self._new(seen),
            Reason.COHORTS: candidate.other_cohorts and candidate.trial is None,
            Reason.MOVED: not judged and candidate.moved > MOVED,
            Reason.SONGS: candidate.more_plays,
            Reason.TIME: self.since_published(now) >= self._longest,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def published(self, now: float, seen: Progress, reason: Reason) -> None:
        """Note that a candidate was published."""
        self._looked_at = self._published_at = now
        self._looked = self._published = seen
        self._first = self._drifted = self._ended = False
        if reason is not Reason.TIME:
            self._interval = self._every

    def held(self, now: float, seen: Progress) -> None:
        """Note that a candidate ranks as the model that serves: the next comes later."""
        self._looked_at, self._looked = now, seen
        self._interval = min(2 * self._interval, self._longest)

    def refused(self, now: float, seen: Progress) -> None:
        """Note that a candidate was worse than the model that serves."""
        self._looked_at, self._looked = now, seen
        self._drifted = False

    def looked_at_all(self, rows: int) -> bool:
        """Say whether nothing was learned since the last candidate was made."""
        return rows == self._looked.rows

    def since_published(self, now: float) -> float:
        """Return the seconds since the last model was published."""
        return now - self._published_at

    def _new(self, seen: Progress) -> bool:
        before = self._published
        least = 1 + GROWN
        return seen.listeners >= least * before.listeners or seen.artists >= least * before.artists


def _new_clicks(before: Progress, now: Progress) -> float:
    """Return the clicks since, as a share of all before: of those read, or applied, whichever are more."""
    return max(now.clicks - before.clicks, now.applied - before.applied) / max(before.clicks, 1)
