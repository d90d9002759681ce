"""An audience as pages: the best listeners whom the gate lets in."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consumers.work.draft import MANY, NO_ROWS, Candidates, Draft
from consumers.work.gate import NOBODY, Admitted, Gate
from consumers.work.persons import ANOTHER_ID, Persons
from stream.stores.erased_lately import ErasedLately
from stream.stores.releases import Held
from stream.wire.events import Page, Release

__all__ = ["DORMANT", "OPTED_OUT", "PAGE", "Expected", "Outgoing", "admitted_pages", "expected"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

PAGE = 1000  # listeners
ASKED = 3  # times for a page: one that lacks some listeners by then goes out without them
FEW = 0.5  # share of those asked after who have places: where it is less, the gate is asked further ahead
PAGES_AT_ONCE = 5  # whose listeners are asked after together: 64 scripts of a third of a millisecond
OPTED_OUT, DORMANT, ERASED = "opted out", "dormant", "erased"
READ_AHEAD = 20_000  # listeners of whom it is read at once what is known: 1 MB
MORE = 64  # rows beyond those that should do

MOST_ASKED = 20_000  # listeners, while somebody waits for a preview
ASKED_AT_ONCE = 5000  # listeners: 64 scripts of a third of a millisecond


class Outgoing(NamedTuple):
    """A page.

    Attributes
    ----------
    control
        The listeners who would be on it, were they not in the control group -> cohort.
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
        # Where caps keep out most, twice as many each time: with a few, it may take a thousand round trips.
        ahead = max(free, asked) if draft.places - free < FEW * asked else free
        rows = await queue.next(min(ahead, ASKED_AT_ONCE))
        if not len(rows):
            break
        users = draft.candidates.users_at(rows)
        reasons = (await gate.admit(release, users, [""] * len(users), now, reserve=False)).reasons
        places = np.flatnonzero([not reason for reason in reasons])[:free]
        end = int(places[-1]) + 1 if len(places) == free else len(rows)
        queue.put_back(len(rows) - end)
        left_out.update(reason for reason in reasons[:end] if reason)
        told.append(rows[places])
        free, asked = free - len(places), asked + end
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
        Is added to: who is drawn for the control group behind the last page -> cohort.
    now
        Unix seconds.
    first
        The number of the first page.
    persons
        Who is told already, whatever ids they have; None: each id is somebody.
    """
    queue, waiting, passed_over = _Queue(draft), _Waiting(), _PassedOver(persons, gate.erased)
    known = _Known(draft.known) if draft.known else None
    free, number = draft.places, first
    control: dict[str, str] = {}
    at_once, share, more = PAGE, 1.0, True  # the first page waits for nobody else
    while free > 0:
        for _ in range(ASKED):
            if waiting.let_in >= min(PAGE, free):
                break
            wanted = min(at_once, free) - waiting.let_in
            ahead = max(wanted, min(int(wanted / share), at_once)) if share < FEW else wanted
            rows, users, drawn = await queue.take(ahead, release.release_id, gate)
            more = len(rows) > 0
            if not more:
                break
            refused = NOBODY
            if ahead > wanted:
                end, refused = await _look_ahead(release, draft, gate, wanted, rows, users, drawn, asked, now)
                queue.put_back(len(rows) - end)
                rows, users, drawn = rows[:end], users[:end], drawn[:end]
            taken, before = drawn.count(""), free - waiting.let_in
            if any(why := await passed_over.of(users)):
                left_out.update(reason for reason in why if reason)
                rows = rows[[not reason for reason in why]]
                drawn = [group for group, reason in zip(drawn, why, strict=True) if not reason]
                users = [user for user, reason in zip(users, why, strict=True) if not reason]
            if gate.quiet_hours:
                until = gate.quiet_until(draft.candidates.gather("utc_offset_min", rows), now)
                rows, users, drawn, places = _hold(draft, rows, users, drawn, until, held)
                free -= places
            known_of = {**asked, **refused} if refused else asked
            let_in = waiting.add(rows, users, await gate.admit(release, users, drawn, now, known_of))
            if persons:  # now: others are asked after before all of these are on a page
                persons.tell(let_in)
            # A half more than were counted: that none of a few had a place says little of all others.
            share = (before - (free - waiting.let_in) + 0.5) / (taken + 0.5)
        told, names, reasons, apart_rows = waiting.take(min(PAGE, free))
        left_out.update(reasons)
        if len(apart_rows):
            control |= _cohorts(draft.candidates, apart_rows)
        if len(told):
            features = known.of(told, [waiting.rows, queue.coming(READ_AHEAD)]) if known else None
            yield Outgoing(_page(release, draft, told, names, now, number, features), control, features)
            control = {}
            free -= len(told)
            number += 1
        elif not more:
            break
        at_once = PAGES_AT_ONCE * PAGE
    apart |= control
    left_out.update({reason: number for reason, number in queue.passed_over(free).items() if number})


async def _look_ahead(
    release: Release,
    draft: Draft,
    gate: Gate,
    wanted: int,
    rows: Ints,
    users: list[str],
    drawn: list[str],
    asked: Mapping[str, str],
    now: float,
) -> tuple[int, dict[str, str]]:
    """Say how many of some listeners have to be taken so that `wanted` of them have a place; reserve none.

    Returns
    -------
    Also who of them has none, and why: whoever gets one meanwhile might be one too many.
    """
    reasons = (await gate.admit(release, users, drawn, now, asked, reserve=False)).reasons
    until = gate.quiet_until(draft.candidates.gather("utc_offset_min", rows), now)
    asleep = (until > 0) & np.array([group == "" for group in drawn])
    places = np.flatnonzero(asleep | np.array([not reason for reason in reasons]))
    end = int(places[wanted - 1]) + 1 if len(places) >= wanted else len(rows)
    each = zip(users[:end], reasons[:end], drawn[:end], strict=True)
    return end, {user: reason for user, reason, group in each if reason and not group}


class _PassedOver:
    """Whom memory still holds though nobody is to ask after them: other ids of persons, and who was erased.

    Parameters
    ----------
    erased
        Read a moment ago; read once more before each look but the first.
    """

    def __init__(self, persons: Persons | None, erased: ErasedLately | None) -> None:
        self._persons = persons
        self._erased = erased
        self._is_fresh = True

    async def of(self, users: Sequence[str]) -> list[str]:
        """Say for each listener why they are passed over, or ""."""
        reasons = [""] * len(users)
        doubles = await self._persons.doubles(users) if self._persons else []
        if self._erased and not self._is_fresh:
            await self._erased.refresh()
        self._is_fresh = False
        erased = self._erased.among(users) if self._erased else []
        for reason, out in ((ANOTHER_ID, doubles), (ERASED, erased)):
            if any(out):
                for at in np.flatnonzero(out).tolist():
                    reasons[at] = reason
        return reasons


class _Waiting:
    """Listeners who were asked after, best first, and are on no page yet.

    Attributes
    ----------
    rows
        Theirs.
    let_in
        How many of them are to be told.
    """

    def __init__(self) -> None:
        self.rows = NO_ROWS
        self.let_in = 0
        self._told = np.zeros(0, dtype=bool)
        self._users: list[str] = []
        self._reasons: list[str] = []
        self._control: list[bool] = []

    def add(self, rows: Ints, users: list[str], admitted: Admitted) -> list[str]:
        """Add listeners who come after these, and what the gate says of them; return who is let in."""
        self.rows = np.concatenate([self.rows, rows])
        told = np.array([reason == "" for reason in admitted.reasons], dtype=bool)
        self._told = np.concatenate([self._told, told])
        self._users += users
        self._reasons += admitted.reasons
        self._control += admitted.control
        let_in = users if told.all() else [users[at] for at in np.flatnonzero(told).tolist()]
        self.let_in += len(let_in)
        return let_in

    def take(self, number: int) -> tuple[Ints, list[str], Counter[str], Ints]:
        """Take off the first so many who are let in, and whoever comes before the next who is.

        Returns
        -------
        The rows of those who are let in, their ids, why others are not, and the rows of who is in the
        control group.
        """
        places = np.flatnonzero(self._told)
        end = int(places[number]) if number < len(places) else len(self.rows)
        rows, told = self.rows[:end], places[:number]
        users, reasons, control = self._users[:end], self._reasons[:end], self._control[:end]
        self.rows, self._told = self.rows[end:], self._told[end:]
        del self._users[:end], self._reasons[:end], self._control[:end]
        self.let_in -= len(told)
        if len(told) == end:  # the usual case, a million times
            return rows, users, Counter(), NO_ROWS
        return (
            rows[told],
            [users[at] for at in told.tolist()],
            Counter(reason for reason in reasons if reason),
            rows[np.array(control, dtype=bool)],
        )


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
        candidates = draft.candidates
        # One by one, a million listeners are found five times as slowly as in one array of all.
        self._users = candidates.users if draft.places > len(candidates.scores) // MANY else None

    async def take(self, wanted: int, release_id: str, gate: Gate) -> tuple[Ints, list[str], list[str]]:
        """Take rows until so many are not drawn for comparison; say of each who it is, and whether drawn."""
        share = 1.0 - gate.groups.control - gate.groups.holdout
        if share == 1.0:
            rows = await self.next(wanted)
            return rows, self._users_at(rows), [""] * len(rows)
        enough = int(wanted / max(share, 0.01)) + MORE
        rows = await self._ahead(enough)
        users = self._users_at(rows)
        drawn = gate.drawn(release_id, users)
        free = np.flatnonzero([group == "" for group in drawn])
        end = int(free[wanted - 1]) + 1 if len(free) >= wanted else len(rows)
        self._at += end
        return rows[:end], users[:end], drawn[:end]

    def put_back(self, number: int) -> None:
        """Let the last so many rows that were taken be the next again."""
        self._at -= number

    def _users_at(self, rows: Ints) -> list[str]:
        if self._users is None:
            return self._draft.candidates.users_at(rows)
        users: list[str] = self._users[rows].tolist()
        return users

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
            # The further down, the more at once: each time all candidates are looked at.
            beyond = max(self._at - len(self._draft.told), 0)
            best = await self._draft.ranking.first(self._at + number + beyond)
            rest = self._draft.candidates.but(best, before)
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

    def __init__(self, known: Callable[[Ints], Singles]) -> None:
        self._known = known
        self._rows = NO_ROWS
        self._features: Singles | None = None

    def of(self, rows: Ints, coming: Sequence[Ints]) -> Singles:
        """Return what is known of some rows, shape (n, d); `coming` are those that are next."""
        at = np.searchsorted(self._rows, rows)
        if self._features is None or (self._rows[np.minimum(at, len(self._rows) - 1)] != rows).any():
            ahead = 0 if self._features is None else READ_AHEAD  # the first page waits for nobody else
            self._rows = np.sort(np.concatenate([rows, np.concatenate(coming)[:ahead]]))
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
    likely = draft.propensities
    # Ids were checked when they came: to check ten thousand once more takes longer than to rank them.
    return Page.model_construct(
        release_id=release.release_id,
        page=number,
        user_ids=users,
        cohort_ids=candidates.cohorts_at(rows),
        scores=candidates.scores[rows].astype(np.float64).round(6).tolist(),
        ctrs=draft.ctrs(rows, features).round(6).tolist() if learned else None,  # type: ignore[arg-type]
        propensities=[round(likely.get(row, 1.0), 6) for row in rows.tolist()]
        if likely
        else [1.0] * len(rows),
        wave=draft.wave.number if draft.wave else None,
        policies=draft.ab_test.policies(users) if draft.ab_test else None,
        model_version=draft.model_version,
        emitted_at=now,
    )
