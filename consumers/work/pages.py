"""An audience as pages: the best listeners whom the gate lets in."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consumers.work.draft import NO_ROWS, Candidates, Draft
from consumers.work.gate import Gate
from consumers.work.persons import ANOTHER_ID, Persons
from stream.stores.releases import Held
from stream.wire.events import Page, Release

__all__ = ["DORMANT", "OPTED_OUT", "PAGE", "Expected", "Outgoing", "admitted_pages", "expected"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

PAGE = 1000  # listeners
ASKED = 3  # times for a page: one that lacks few listeners goes out without them
OPTED_OUT, DORMANT = "opted out", "dormant"
READ_AHEAD = 20_000  # listeners of whom it is read at once what is known: 1 MB
MORE = 64  # rows beyond those that should do

MOST_ASKED = 20_000  # listeners, while somebody waits for a preview
ASKED_AT_ONCE = 5000  # listeners: 64 scripts of a third of a millisecond


class Outgoing(NamedTuple):
    """A page.

    Attributes
    ----------
    control
        The listeners who would be on it, were they not drawn for comparison -> cohort.
    features
        Shape (n, d), what is known of each listener on it (`models.ctr.features`).
    """

    page: Page
    control: Mapping[str, str]
    features: Singles | None = None


class Expected(NamedTuple):
    """Who would be let in now.

    Attributes
    ----------
    rows
        Of the draft's candidates, best first.
    left_out
        Why others who would have been among them are not, and how many.
    asked
        How many of the best were asked after: of those behind them caps may leave some out.
    """

    rows: Ints
    left_out: Counter[str]
    asked: int


async def expected(release: Release, draft: Draft, gate: Gate, now: float) -> Expected:
    """Say who would be let in, were a release to go out now (Unix seconds); no place is reserved.

    Nobody is drawn for comparison, and who is in their quiet hours is told when these end.
    """
    queue, left_out = _Queue(draft), Counter[str]()
    told, free, asked = [draft.told[:0]], draft.places, 0
    while free > 0 and asked < MOST_ASKED:
        rows = await queue.next(min(free, ASKED_AT_ONCE))
        if not len(rows):
            break
        users = draft.candidates.users_at(rows)
        reasons = (await gate.admit(release, users, [""] * len(users), now, reserve=False)).reasons
        left_out.update(reason for reason in reasons if reason)
        told.append(rows[[not reason for reason in reasons]])
        free, asked = free - len(told[-1]), asked + len(rows)
    if free > 0 and asked >= MOST_ASKED:
        told.append(await queue.next(free))
        free -= len(told[-1])
    left_out.update({reason: number for reason, number in queue.passed_over(free).items() if number})
    return Expected(np.concatenate(told), left_out, asked)


async def admitted_pages(
    release: Release,
    draft: Draft,
    gate: Gate,
    left_out: Counter[str],
    held: dict[str, Held],
    asked: Mapping[str, str],
    apart: dict[str, str],
    now: float,
    first: int = 0,
    persons: Persons | None = None,
) -> AsyncIterator[Outgoing]:
    """Make the pages of a draft of those whom the gate lets in; others further down take free places.

    Parameters
    ----------
    left_out
        Is added to: why listeners were not let in, and how many.
    held
        Is added to: who is told later, as it is quiet hours where they are. They keep their places.
    asked
        As in `Gate.admit`.
    apart
        Is added to: who is drawn for comparison behind the last page -> cohort.
    now
        Unix seconds.
    first
        The number of the first page.
    persons
        Who is told already, whatever ids they have; None: each id is somebody.
    """
    queue = _Queue(draft)
    known = _Known(draft.known, queue) if draft.known else None
    free, number = draft.places, first
    control: dict[str, str] = {}
    while free > 0:
        page, names = list[int](), list[str]()
        held_before = len(held)
        for _ in range(ASKED):
            wanted = min(PAGE, free) - len(page)
            if wanted <= 0:
                break
            rows, users, drawn = await queue.take(wanted, release.release_id, gate)
            if not len(rows):
                break
            if persons:
                double = await persons.doubles(users)
                left_out.update(itertools.repeat(ANOTHER_ID, sum(double)))
                drawn = [group for group, out in zip(drawn, double, strict=True) if not out]
                users = [user for user, out in zip(users, double, strict=True) if not out]
                rows = rows[~np.array(double)]
            if gate.quiet_hours:
                until = gate.quiet_until(draft.candidates.gather("utc_offset_min", rows), now)
                rows, users, drawn, places = _hold(draft, rows, users, drawn, until, held)
                free -= places
            admitted = await gate.admit(release, users, drawn, now, asked)
            left_out.update(reason for reason in admitted.reasons if reason)
            page += rows[[not reason for reason in admitted.reasons]].tolist()
            names += [user for user, reason in zip(users, admitted.reasons, strict=True) if not reason]
            control |= _cohorts(draft.candidates, rows[list(admitted.control)])
        if page:
            told = np.array(page)
            if persons:
                persons.tell(names)
            features = known.of(told) if known else None
            yield Outgoing(_page(release, draft, told, names, now, number, features), control, features)
            control = {}
            free -= len(page)
            number += 1
        elif len(held) == held_before:
            break
    apart |= control
    left_out.update({reason: number for reason, number in queue.passed_over(free).items() if number})


def _hold(
    draft: Draft, rows: Ints, users: list[str], drawn: list[str], until: Floats, held: dict[str, Held]
) -> tuple[Ints, list[str], list[str], int]:
    """Put those aside who are not to be disturbed until a time; return the others, and how many places go."""
    later = np.flatnonzero(until)
    groups = [drawn[at] for at in later.tolist()]
    for user, row, at, group in zip(
        [users[at] for at in later.tolist()],
        rows[later].tolist(),
        until[later].tolist(),
        groups,
        strict=True,
    ):
        held[user] = Held(at, draft.propensities.get(row, 1.0), group != "")
    now = np.flatnonzero(until == 0)
    awake = now.tolist()
    places = sum(group == "" for group in groups)
    return rows[now], [users[at] for at in awake], [drawn[at] for at in awake], places


class _Queue:
    """The rows of a draft's ranking, taken from the front."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._rows = draft.told
        self._at = 0

    async def take(self, wanted: int, release_id: str, gate: Gate) -> tuple[Ints, list[str], list[str]]:
        """Take rows until so many are not drawn for comparison; say of each who it is, and whether drawn."""
        share = 1.0 - gate.groups.control - gate.groups.holdout
        enough = int(wanted / max(share, 0.01)) + (MORE if share < 1 else 0)
        rows = await self._ahead(enough)
        users = self._draft.candidates.users_at(rows)
        drawn = gate.drawn(release_id, users)
        free = np.flatnonzero([group == "" for group in drawn])
        end = int(free[wanted - 1]) + 1 if len(free) >= wanted else len(rows)
        self._at += end
        return rows[:end], users[:end], drawn[:end]

    def coming(self, number: int) -> Ints:
        """Return the rows that are next as far as they are ranked, at most so many."""
        return self._rows[self._at : self._at + number]

    async def next(self, wanted: int) -> Ints:
        """Take so many rows, whoever they are; fewer where there are no more."""
        rows = await self._ahead(wanted)
        self._at += len(rows)
        return rows

    async def _ahead(self, number: int) -> Ints:
        if len(self._rows) - self._at < number and self._draft.ranking is not None:
            # Of equal scores others may be the first now: nobody is taken twice.
            before = self._rows[: self._at]
            rest = self._draft.candidates.but(await self._draft.ranking.first(self._at + number), before)
            self._rows = np.concatenate([before, rest])
        return self._rows[self._at : self._at + number]

    def passed_over(self, free: int) -> dict[str, int]:
        """Return why others would have been taken so far and were not, and how many.

        Parameters
        ----------
        free
            Places that are left: while there are any, all who do not meet a condition would have had one.
        """
        ranking = self._draft.ranking
        if ranking is None:
            return {}
        if not self._at:
            return ranking.left_out(None)
        last = int(self._rows[self._at - 1])
        opted_out, dormant = ranking.passed_over(last)
        return {OPTED_OUT: opted_out, DORMANT: dormant, **ranking.left_out(None if free > 0 else last)}


class _Known:
    """What is known of those on pages, from the second page on for many pages at once.

    Each time it is asked, all who play the artist are looked at: for a million listeners, a thousand times.
    """

    def __init__(self, known: Callable[[Ints], Singles], queue: _Queue) -> None:
        self._known = known
        self._queue = queue
        self._rows = NO_ROWS
        self._features: Singles | None = None

    def of(self, rows: Ints) -> Singles:
        """Return what is known of some rows, shape (n, d)."""
        at = np.searchsorted(self._rows, rows)
        if self._features is None or (self._rows[np.minimum(at, len(self._rows) - 1)] != rows).any():
            ahead = 0 if self._features is None else READ_AHEAD  # the first page waits for nobody else
            self._rows = np.unique(np.concatenate([rows, self._queue.coming(ahead)]))
            self._features = self._known(self._rows)
            at = np.searchsorted(self._rows, rows)
        return self._features[at]


def _cohorts(candidates: Candidates, rows: Ints) -> dict[str, str]:
    return dict(zip(candidates.users_at(rows), candidates.cohorts_at(rows), strict=True))


def _page(
    release: Release,
    draft: Draft,
    rows: Ints,
    users: list[str],
    now: float,
    number: int,
    features: Singles | None,
) -> Page:
    candidates = draft.candidates
    learned = features is not None and draft.ctr.version > 0
    # Ids were checked when they came: to check ten thousand once more takes longer than to rank them.
    return Page.model_construct(
        release_id=release.release_id,
        page=number,
        user_ids=users,
        cohort_ids=candidates.cohorts_at(rows),
        scores=candidates.scores[rows].astype(np.float64).round(6).tolist(),
        ctrs=draft.ctrs(rows, features).round(6).tolist() if learned else None,  # type: ignore[arg-type]
        propensities=[round(draft.propensities.get(row, 1.0), 6) for row in rows.tolist()],
        wave=draft.wave.number if draft.wave else None,
        policies=draft.ab_test.policies(users) if draft.ab_test else None,
        model_version=draft.model_version,
        emitted_at=now,
    )
