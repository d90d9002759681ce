"""An audience before it is cut into pages: who was scored, and who comes before whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from consumers.work.ab_test import AbTest
from consumers.work.member_cache import Members
from models.audience import Target, best_rows, score
from models.ctr import CtrModel
from models.model import Model
from models.names import hashes
from models.neighbours import add_up
from models.waves import Wave
from stream.stores.opted_out import OptedOut

if TYPE_CHECKING:
    from consumers.work.eligible import Eligible

__all__ = ["MANY", "NO_ROWS", "Candidates", "Draft", "Ranking", "are_among"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)

ABOVE_SCORES = 1e3  # more than any score or log-odds
SAMPLE = 100  # listeners: a CTR of 5 % in their mean is right to a tenth of it
MANY = 4  # a part of all candidates
ROUNDING = 1e-3  # where all are alike, all score the mean


@dataclass(frozen=True, eq=False)
class Candidates:
    """Listeners who were scored one by one, in no order.

    Attributes
    ----------
    cohorts
        k cohorts that were looked at, best first.
    ends
        Shape (k,): behind the last row of each cohort.
    members
        Those of each cohort, n listeners in all, numbered through; one who moved between the moments at which
        two cohorts were read is among both.
    scores
        Shape (n,), `models.audience.score_members`.
    closeness
        Shape (n,), cosines of taste and release.
    ranks
        Shape (n,): who comes first has the highest.
    log_odds
        Shape (n,), of a click; -inf for those whom `first` did not put before the others. None: not learned.
    dormant
        Shape (n,), who is told of nothing, as they have not clicked for long; None: nobody.
    ahead
        Rows, rising, whose ranks are above those of all others; None: not known of any.
    """

    cohorts: tuple[str, ...]
    ends: Ints
    members: tuple[Members, ...]
    scores: Singles
    closeness: Singles
    ranks: npt.NDArray[np.floating[Any]]
    log_odds: Floats | None = None
    dormant: Flags | None = None
    ahead: Ints | None = None

    @classmethod
    def of(
        cls,
        members: Mapping[str, Members],
        model: Model,
        target: Target,
        neighbours: tuple[Ints, Floats],
    ) -> Candidates:
        """Score the members of cohorts for a release; `neighbours` are from `MemberCache.neighbours`."""
        held = tuple(members.values())
        sizes = [len(each.users) for each in held]
        vector = target.vector.astype(np.float32)
        closeness = np.concatenate([each.tastes @ vector for each in held])
        strengths = np.concatenate([each.strengths for each in held])
        added = add_up(*neighbours, ((each.artists, each.players) for each in held), sizes)
        scores = score(model, closeness, strengths, added)
        return cls(tuple(members), np.cumsum(sizes), held, scores, closeness, scores)

    def first(self, rows: Ints, log_odds: Floats, order: Floats | None = None) -> Candidates:
        """Put some rows before all others, the most likely to click first.

        Parameters
        ----------
        order
            Shape (n,), another order: who comes first has the highest, below `ABOVE_SCORES`.
        """
        known = np.full(len(self.scores), -np.inf)
        known[rows] = log_odds
        if order is None and len(rows) == len(known):  # all: nobody is behind them
            return replace(self, ranks=known, log_odds=known)
        ranks = self.scores.astype(np.float64)
        ranks[rows] = ABOVE_SCORES + (log_odds if order is None else order)
        return replace(self, ranks=ranks, log_odds=known, ahead=np.sort(rows))

    def ctrs(self, rows: Ints) -> Floats:
        """Return how likely those are to click whom `first` put before all others, shape (n,)."""
        assert self.log_odds is not None  # noqa: S101 - nobody asks before it is learned
        ctrs: Floats = expit(self.log_odds[rows])
        return ctrs

    def best(self, number: int, but: Ints) -> Ints:
        """Return the rows of the `number` best listeners, best first, each once.

        Parameters
        ----------
        but
            The `models.names.hashes`, rising, of listeners who are left out.
        """
        wanted = number
        while True:
            rows = self._best(wanted)
            found = self.hashes_at(rows)
            if len(but):
                may = ~are_among(found, but)
                rows, found = rows[may], found[may]
            if _is_any_twice(found):
                _, first = np.unique(found, return_index=True)  # the better row
                rows = rows[np.sort(first)]
            if len(rows) >= number or wanted >= len(self.scores):
                return rows[:number]
            wanted += 2 * (number - len(rows))

    def _best(self, number: int) -> Ints:
        """Return the rows of the `number` best who are not dormant."""
        if self.ahead is not None:
            ahead = self.ahead if self.dormant is None else self.ahead[~self.dormant[self.ahead]]
            if number <= len(ahead):  # so nobody else need be looked at
                return ahead[best_rows(self.ranks[ahead], number)]
        ranks = self.ranks if self.dormant is None else np.where(self.dormant, -np.inf, self.ranks)
        rows = best_rows(ranks, number)
        return rows if self.dormant is None else rows[~self.dormant[rows]]

    def unless_seen(self, since: float) -> Candidates:
        """Take those for dormant who have not clicked since a time (Unix seconds)."""
        seen = np.concatenate([NO_SCORES, *(each.last_seen for each in self.members)])
        return replace(self, dormant=seen < since)

    def dormant_among(self, users: Collection[str]) -> set[str]:
        """Return those of some listeners who are dormant."""
        if self.dormant is None:
            return set()
        rows = np.flatnonzero(are_among(self._hashes, np.sort(hashes(users))) & self.dormant)
        return set(self.users_at(rows))

    def passed_over(self, out: Ints, row: int) -> tuple[int, int]:
        """Return how many before a row, or level with it, are in `out` (hashes, rising); how many dormant."""
        if not len(out) and self.dormant is None:
            return 0, 0
        before = np.flatnonzero(self.ranks >= self.ranks[row])
        found = self.hashes_at(before)
        is_out = are_among(found, out)
        is_dormant = is_out & False if self.dormant is None else self.dormant[before] & ~is_out
        return len(np.unique(found[is_out])), len(np.unique(found[is_dormant]))

    def eligible(self, out: Ints) -> Flags:
        """Say which are neither in `out` (hashes, rising) nor dormant, shape (n,)."""
        may = ~are_among(self._hashes, out)
        return may if self.dormant is None else may & ~self.dormant

    def but(self, rows: Ints, others: Ints) -> Ints:
        """Return those rows, in their order, whose listeners are in none of the others."""
        return self._without(rows, self.hashes_at(others))

    def without(self, rows: Ints, users: Collection[str]) -> Ints:
        """Return those rows, in their order, that are of none of these listeners."""
        return self._without(rows, hashes(users))

    def _without(self, rows: Ints, some: Ints) -> Ints:
        return rows[~are_among(self.hashes_at(rows), np.sort(some))]

    @cached_property
    def _hashes(self) -> Ints:
        return np.concatenate([NO_ROWS, *(each.hashes for each in self.members)])

    def cohorts_at(self, rows: Ints) -> list[str]:
        """Return the cohorts of some rows."""
        names: list[str] = np.array(self.cohorts, dtype=object)[self.cohort_rows(rows)].tolist()
        return names

    def cohort_rows(self, rows: Ints) -> Ints:
        """Return where in `cohorts` those of some rows are."""
        return np.searchsorted(self.ends, rows, side="right")

    def mean_of_all(self, rates: Mapping[str, float]) -> float:
        """Return the mean of a rate over all candidates, given that of each cohort."""
        sizes: dict[str, int] = dict(zip(self.cohorts, np.diff(self.ends, prepend=0).tolist(), strict=True))
        members = sum(sizes[cohort] for cohort in rates)
        return round(sum(rate * float(sizes[cohort]) for cohort, rate in rates.items()) / float(members), 6)

    def gather(self, name: str, rows: Ints) -> Singles:
        """Return an array of `Members`, in single precision, for some rows."""
        return self.gather_all([name], rows)[0]

    def gather_all(self, names: Sequence[str], rows: Ints) -> list[Singles]:
        """Return several arrays of `Members`, in single precision, for some rows."""
        width = [getattr(self.members[0], name).shape[1:] if self.members else () for name in names]
        found = [np.zeros((len(rows), *each), dtype=np.float32) for each in width]
        for members, here, at in self._apart(rows):
            for name, filled in zip(names, found, strict=True):
                filled[here] = getattr(members, name)[at]
        return found

    def _apart(self, rows: Ints) -> Iterator[tuple[Members, Ints | slice, Ints]]:
        """Take some rows cohort by cohort: its members, which of `rows` are there, and where among them."""
        rising = bool((rows[:-1] <= rows[1:]).all())
        order = None if rising else np.argsort(rows)  # then those of a cohort are side by side
        ordered = rows if order is None else rows[order]
        ends = np.searchsorted(ordered, self.ends).tolist()
        begins = [0, *self.ends.tolist()]
        for each, begin, (first, last) in zip(self.members, begins, pairwise([0, *ends]), strict=False):
            if last > first:
                here = slice(first, last) if order is None else order[first:last]
                yield each, here, ordered[first:last] - begin

    def players(self, artists: Ints) -> Ints:
        """Return the rows, rising, of who still plays any of some artists (numbers of `MemberCache`)."""
        begins = [0, *self.ends.tolist()]
        playing = [NO_ROWS]
        artists = artists.astype(np.int32)  # as members have them: else all of theirs are copied to match
        for begin, each in zip(begins, self.members, strict=False):
            low, high = (np.searchsorted(each.artists, artists, side=side) for side in ("left", "right"))
            playing += [begin + each.players[a:b] for a, b in zip(low, high, strict=True)]
        return np.unique(np.concatenate(playing))

    def _places(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return the cohort of each row, and its row there."""
        cohorts = self.cohort_rows(rows)
        return cohorts, rows - np.concatenate([[0], self.ends])[cohorts]

    def at_least(self, least: float, rows: Ints) -> Ints:
        """Return those rows that score at least so high, give or take what rounding does."""
        return rows[self.scores[rows] >= least - ROUNDING * abs(least)]

    @property
    def users(self) -> npt.NDArray[np.object_]:
        """All listeners, row by row, shape (n,); made each time, for whoever asks for many of them."""
        everybody = chain.from_iterable(each.users for each in self.members)
        return np.fromiter(everybody, dtype=object, count=len(self.scores))

    def users_at(self, rows: Ints) -> list[str]:
        """Return the listeners of some rows."""
        cohorts, places = self._places(rows)
        users = [each.users for each in self.members]
        return [users[cohort][place] for cohort, place in zip(cohorts.tolist(), places.tolist(), strict=True)]

    def hashes_at(self, rows: Ints) -> Ints:
        """Return the `models.names.hashes` of the listeners of some rows."""
        if len(rows) > len(self.scores) // MANY:  # to sort them by cohort takes longer
            return np.concatenate([NO_ROWS, *(each.hashes for each in self.members)])[rows]
        found = np.zeros(len(rows), dtype=np.int64)
        for members, here, at in self._apart(rows):
            found[here] = members.hashes[at]
        return found

    def rows_of(self, users: Collection[str]) -> Ints:
        """Return the rows of those of some listeners who are among these, best first, each once."""
        rows = np.flatnonzero(are_among(self._hashes, np.sort(hashes(users))))
        rows = rows if self.dormant is None else rows[~self.dormant[rows]]
        rows = rows[np.argsort(-self.ranks[rows], kind="stable")]
        _, first = np.unique(self._hashes[rows], return_index=True)
        return rows[np.sort(first)]

    def row_of(self, user: str) -> int | None:
        """Return the row of a listener; None where they are not among these."""
        rows = np.flatnonzero(self._hashes == hash(user))
        return int(rows[0]) if len(rows) else None


def are_among(found: Ints, some: Ints) -> npt.NDArray[np.bool_]:
    """Say which numbers are among some, which rise. `np.isin` would sort all of these for every release."""
    at = np.searchsorted(some, found)
    here: npt.NDArray[np.bool_] = np.zeros(len(found), dtype=bool)
    inside = at < len(some)
    here[inside] = some[at[inside]] == found[inside]
    return here


def _is_any_twice(found: Ints) -> bool:
    """Say whether any number is there twice. `np.unique` would take ten times as long to say it."""
    ordered = np.sort(found)
    return bool((ordered[1:] == ordered[:-1]).any())


NO_ROWS = np.zeros(0, dtype=np.int64)
NO_SCORES = np.zeros(0, dtype=np.float32)
NOBODY = Candidates((), NO_ROWS, (), NO_SCORES, NO_SCORES, NO_SCORES)


@dataclass(frozen=True)
class Draft:
    """An audience before it is cut into pages, and what it goes by.

    Attributes
    ----------
    reason
        "done", or why there is nobody to tell.
    target
        Where the release points.
    model_version
        Of the model that it goes by.
    play_rate
        Cohort -> predicted share of its members who play the artist (`rank_cohorts`).
    chosen
        The cohorts whose members were scored, best first.
    candidates
        These members.
    told
        Rows of `candidates`, best first.
    places
        How many are told at most, besides those who are told already.
    ranking
        Says who follows those in `told`.
    known
        Returns what is known of candidates, given by their rows (`models.ctr.features`).
    likely
        Returns how likely candidates are to click; before that is learned, to play the artist.
    ctr
        What is learned of who clicks.
    factors
        How many times as often as by that each cohort of the candidates clicks, as the waves before show;
        None: there were none.
    ab_test
        By which policy each is told; None: all by the usual one.
    propensities
        Row of `candidates` -> how likely it was to be among `told`, in a wave that explores; 1 for others.
    wave
        Which wave this is; None: all are told at once.
    ends
        Whether no wave follows.
    """

    reason: str
    target: Target
    model_version: int
    play_rate: dict[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    candidates: Candidates = NOBODY
    told: Ints = field(default_factory=lambda: NO_ROWS)
    places: int = 0
    ranking: Ranking | None = None
    known: Callable[[Ints], Singles] | None = None
    likely: Callable[[Ints], Floats] | None = None
    ctr: CtrModel = field(default_factory=CtrModel)
    factors: Floats | None = None
    ab_test: AbTest | None = None
    propensities: Mapping[int, float] = field(default_factory=dict)
    wave: Wave | None = None
    ends: bool = True

    @property
    def leads_nowhere(self) -> bool:
        """Whether a model serves, and it knows nothing of what the release names."""
        return self.model_version > 0 and self.target.relied_on == "nothing"

    @property
    def factor_of(self) -> dict[str, float]:
        """The factors by cohort."""
        if self.factors is None:
            return {}
        return dict(zip(self.candidates.cohorts, self.factors.tolist(), strict=True))

    def cohort_ctrs(self, random: np.random.Generator) -> dict[str, float]:
        """Return how likely a sample of each cohort that was looked at is to click.

        Empty before the first CTR model.
        """
        if self.known is None or not self.ctr.version:
            return {}
        sampled = {
            cohort: begin + random.permutation(end - begin)[:SAMPLE]
            for cohort, (begin, end) in zip(
                self.candidates.cohorts, pairwise([0, *self.candidates.ends.tolist()]), strict=True
            )
            if end > begin
        }
        if not sampled:
            return {}
        # Of all at once: each time it is asked what is known, all who play the artist are looked at.
        rows = np.concatenate(list(sampled.values()))
        ctrs = np.split(
            self.ctrs(rows, self.known(rows)), np.cumsum([len(each) for each in sampled.values()])
        )
        return {cohort: float(each.mean()) for cohort, each in zip(sampled, ctrs, strict=False)}

    def ctrs(self, rows: Ints, features: Singles) -> Floats:
        """Return how likely candidates are to click, shape (n,), of what is known of them."""
        ctrs = self.ctr.predict(features)
        if self.factors is None:
            return ctrs
        return np.minimum(ctrs * self.factors[self.candidates.cohort_rows(rows)], 1.0)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Candidates who may be told, the best first.

    Parameters
    ----------
    least
        Who scores less is not told; None: everybody may be.
    least_log_odds
        Who is less likely to click is not told, of a draft that is ranked by that; None: everybody may be.
    unknown
        How many have opted out since `opted_out` was read.
    told
        Who is told already, or later, or is in the control group.
    artist_opted_out
        Who wants to hear of no release of these artists.
    eligible
        Says who meets the release's conditions on traits; None: it has none.
    """

    candidates: Candidates
    opted_out: OptedOut
    unknown: int
    told: Set[str]
    artist_opted_out: Set[str]
    least: float | None
    least_log_odds: float | None = None
    eligible: Eligible | None = None

    async def first(self, number: int) -> Ints:
        """Return the rows of the `number` best.

        Redis is asked only where more opted out than is known, and where there are conditions on traits.
        """
        if self.eligible is None or self.eligible.at_hand:
            return (await self._best(number))[:number]
        wanted = number
        while True:
            rows = await self._best(wanted)
            meet = rows[await self.eligible.meet(rows)]
            if len(meet) >= number or len(rows) < wanted:
                return meet[:number]
            wanted *= 2

    async def _best(self, number: int) -> Ints:
        """Return the rows of the `number` best, or some more."""
        but = np.union1d(self._out, hashes(self.told)) if self.told else self._out
        rows = self._meeting.best(number + self.unknown, but)
        if self.unknown:
            users = self.candidates.users_at(rows)
            newly_out = await self.opted_out.among(users)
            rows = rows[[user not in newly_out for user in users]]
        if self.least is not None:
            rows = self.candidates.at_least(self.least, rows)
        if self.least_log_odds is not None and self.candidates.log_odds is not None:
            rows = rows[self.candidates.log_odds[rows] >= self.least_log_odds]
        return rows

    @cached_property
    def _meeting(self) -> Candidates:
        """The candidates; where it is known of all who does not meet the conditions, these as if dormant."""
        if self.eligible is None or not self.eligible.at_hand:
            return self.candidates
        dormant, out = self.candidates.dormant, self.eligible.out
        return replace(self.candidates, dormant=out if dormant is None else dormant | out)

    def left_out(self, row: int | None) -> dict[str, int]:
        """Return how many rank before a row, or level with it, and do not meet a condition, by trait.

        Parameters
        ----------
        row
            None: of all who would be told.
        """
        if self.eligible is None:
            return {}
        candidates = self.candidates
        among = candidates.eligible(np.union1d(self._out, hashes(self.told)))
        if row is not None:
            among &= candidates.ranks >= candidates.ranks[row]
        if self.least is not None:
            rows = np.flatnonzero(among)
            among[np.setdiff1d(rows, candidates.at_least(self.least, rows))] = False
        if self.least_log_odds is not None and candidates.log_odds is not None:
            among &= candidates.log_odds >= self.least_log_odds
        return self.eligible.left_out(among)

    def passed_over(self, row: int) -> tuple[int, int]:
        """Return how many rank before a row, or level with it, and have opted out, or are dormant."""
        return self.candidates.passed_over(np.setdiff1d(self._out, hashes(self.told)), row)

    @cached_property
    def _out(self) -> Ints:
        """The hashes, rising, of those who want to hear of this release no more than of others."""
        out = self.opted_out.hashes
        return np.union1d(out, hashes(self.artist_opted_out)) if self.artist_opted_out else out
