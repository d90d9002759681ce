"""Plans an audience: where a release points, which cohorts it suits, which of their members most."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from consumers.runtime.live_songs import LiveSongs
from consumers.work.ab_test import AbTest
from consumers.work.click_habits import ClickHabits
from consumers.work.draft import Candidates, Draft, Ranking
from consumers.work.eligible import Eligible
from consumers.work.gate import Gate
from consumers.work.member_cache import MemberCache
from consumers.work.pages import DORMANT, OPTED_OUT, Outgoing, admitted_pages
from consumers.work.persons import Persons
from consumers.work.wave_plan import first_wave, in_wave
from consumers.work.wave_response import WaveResponse
from models.affinity import DAY
from models.audience import (
    Target,
    aim,
    best_rows,
    choose_cohorts,
    mean_score,
    play_rates,
    rank_cohorts,
)
from models.audience_size import Worth
from models.control import USUAL
from models.ctr import CtrModel
from models.model import Model
from models.song_target import towards_song
from models.songs import SongModel
from models.waves import FIRST_SHARE, Wave
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.merged_lately import MergedLately
from stream.stores.opted_out import OptedOut
from stream.stores.releases import Held
from stream.stores.traits import Traits
from stream.wire.events import Page, Release

__all__ = ["GONE", "Audience", "Before", "Lookup", "Planner", "target_of", "with_aliases"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# How many of those whom a release suits best are ranked by how likely they are to click.
LIKELY_PER_PLACE, LIKELY = 3, 20_000
DESCRIBED = 50_000  # listeners whose features are in memory at once, some 20 MB
CERTAIN = 1.0 - 1e-9
ANY = -1e9  # log-odds of those who are not likely to click, but may be told
PUT_OFF = 60.0  # seconds
ID_LISTS = "artist_ids", "featuring", "similar_to"
GONE = "gone when their quiet hours ended"


@dataclass(frozen=True)
class Lookup:
    """What Redis is asked before a release can be planned.

    Attributes
    ----------
    label
        Artists of the same record label.
    by_genre
        Genre -> artists who have songs of it.
    unknown
        How many have opted out whom the copy in memory may lack.
    artist_opted_out
        Who wants to hear of no release of its artists.
    """

    label: Sequence[str]
    by_genre: Mapping[str, Collection[str]]
    unknown: int
    artist_opted_out: Set[str] = frozenset()


@dataclass(frozen=True)
class Before:
    """What is out of a release already.

    Attributes
    ----------
    pages
        Those that are fixed.
    control
        The listeners of its control group.
    held
        Who is told when their quiet hours end.
    wave
        The wave that is to go out, or to go on; None: all go out at once.
    response
        How the waves before it were responded to.
    others
        Listeners of whom an id is on a page, or in the control group.
    """

    pages: Sequence[Page] = ()
    control: Set[str] = frozenset()
    held: Mapping[str, Held] = field(default_factory=dict)
    wave: Wave | None = None
    response: WaveResponse | None = None
    others: Set[str] = frozenset()

    @property
    def told(self) -> Set[str]:
        """Who is on a page already."""
        return {user for page in self.pages for user in page.user_ids}

    def allows(self, ab_test: AbTest) -> bool:
        """Say whether an A/B test may go on: it does not begin, or change, in the middle of a release."""
        said = self.pages[0].policies if self.pages else None
        return not self.pages or (said is not None and set(said) <= {USUAL, ab_test.policy})

    @property
    def placed(self) -> Set[str]:
        """Who has a place in the audience already."""
        return {user for user, held in self.held.items() if not held.drawn} | self.told

    @property
    def apart(self) -> Set[str]:
        """Who is drawn for comparison."""
        return {user for user, held in self.held.items() if held.drawn} | self.control


NOTHING = Before()


@dataclass(frozen=True)
class Audience:
    """Whom to tell of a release now.

    Attributes
    ----------
    draft
        What it goes by, as far as it goes out now.
    pages
        Best first. Each is made when it is come to, so that the first is out before the others are made.
    left_out
        Why listeners who would have been on the pages made so far are not, and how many.
    held
        Who would be, but for their quiet hours.
    asked
        Listeners drawn for comparison who were asked after already -> "", or why they would not be told.
    apart
        Who is in the control group and on no page's list of it -> cohort.
    gone
        Why some of those who were held are not told any more, and how many.
    """

    release: Release
    draft: Draft
    pages: AsyncIterator[Outgoing]
    left_out: Counter[str]
    held: dict[str, Held]
    asked: dict[str, str] = field(default_factory=dict)
    apart: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Planner:
    """Says whom to tell of a release. Writes nothing.

    Parameters
    ----------
    max_audience
        Listeners told at most of a release that does not say how many. It is told to those only who score at
        least as high as listeners do on average.
    gate
        Says who of them is told.
    habits
        Says who clicks.
    worth
        What a notification gains and costs: where a CTR model serves, a release that does not say how
        many goes to whom it is expected to gain.
    traits
        What a release's conditions (`where`) are about.
    first_wave
        Share of an audience that is told first, once a CTR model serves; 1: all are told at once.
    dormant_days
        Days without a click after which a listener is not told; 0: everybody is.
    ab_test
        By which other policy part of the listeners are told; None: by none.
    songs
        What is known of songs: a release of one goes by its own listeners, too. None: by its artists alone.
    merged
        Which ids became part of a listener lately; None: each id is somebody.
    aliases
        What ids of artists stand for: a release of one is of all ids of the artist. None: for themselves.
    random
        Draws who is in a wave that explores.
    """

    member_cache: MemberCache
    catalogue: Catalogue
    opted_out: OptedOut
    max_audience: int
    gate: Gate
    habits: ClickHabits
    worth: Worth
    traits: Traits
    first_wave: float = FIRST_SHARE
    ab_test: AbTest | None = None
    dormant_days: float = 0.0
    songs: LiveSongs | None = None
    merged: MergedLately | None = None
    aliases: ArtistAliases | None = None
    random: np.random.Generator = field(default_factory=np.random.default_rng)

    async def look_up(self, release: Release) -> Lookup:
        """Ask Redis, in one round trip, all that a plan needs of it."""
        release = self._with_aliases(release)
        # Of before the count: of a later copy one might be missing in whose place it has one not counted yet.
        held = len(self.opted_out.hashes)
        label, by_genre, opted_out, artist_opted_out, *_ = await asyncio.gather(
            self.catalogue.artists_of_label(release.label),
            self.catalogue.artists_of_genres(release.genres),
            self.opted_out.count(),
            self.opted_out.of_artists([*release.artist_ids, *release.featuring]),
            self.merged.refresh() if self.merged else asyncio.sleep(0),
            self.gate.erased.refresh() if self.gate.erased else asyncio.sleep(0),
        )
        by_genre = {genre: self._all_of(artists) for genre, artists in by_genre.items()}
        return Lookup(self._all_of(label), by_genre, abs(opted_out - held), artist_opted_out)

    def _with_aliases(self, release: Release) -> Release:
        return release if self.aliases is None else with_aliases(release, self.aliases)

    def _all_of(self, artists: Sequence[str]) -> list[str]:
        return list(artists) if self.aliases is None else self.aliases.all_of(artists)

    async def roots(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Return who some ids are part of by now; nothing of all others."""
        return await self.merged.roots(user_ids) if self.merged else {}

    async def plan(
        self, release: Release, lookup: Lookup, model: Model | None, now: float, before: Before = NOTHING
    ) -> Audience:
        """Plan the audience of a release, or its next wave, as the model sees it now (Unix seconds).

        Parameters
        ----------
        before
            What is out already: the plan is of what follows.
        """
        release = self._with_aliases(release)
        if self.ab_test and not before.allows(self.ab_test):
            return await replace(self, ab_test=None).plan(release, lookup, model, now, before)
        placed = before.placed
        draft = await self.draft(
            release, lookup, model, now, placed, before.apart | before.others, before.response
        )
        wave = before.wave or (None if placed else first_wave(draft, self.first_wave))
        if wave:
            draft = in_wave(draft, wave, len(placed), self.random)
        return self._audience(release, draft, now, before)

    async def plan_held(
        self, release: Release, lookup: Lookup, model: Model | None, now: float, before: Before
    ) -> Audience:
        """Plan the pages of those `before` names as held whose quiet hours have ended.

        They have their places already, however low they may rank by now: also where the model that serves by
        now does not know the artists, by which all score 0. They count for the first wave.
        """
        release = self._with_aliases(release)
        if self.ab_test and not before.allows(self.ab_test):
            return await replace(self, ab_test=None).plan_held(release, lookup, model, now, before)
        due = {user: held for user, held in before.held.items() if held.until <= now}
        cohort_of = await self.member_cache.cohorts_of(list(due))
        only = sorted(set(cohort_of.values()) & set(model.cohort_ids)) if model else []
        draft = await self.draft(release, lookup, model, now, only=only)
        opted_out = await self.opted_out.among(list(due)) | (due.keys() & lookup.artist_opted_out)
        rows = draft.candidates.rows_of(due.keys() - opted_out)
        failing: dict[str, set[str]] = {}
        if draft.ranking and draft.ranking.eligible:
            failing = await draft.ranking.eligible.failing(rows)
            rows = draft.candidates.without(rows, set().union(*failing.values()))
        users = draft.candidates.users_at(rows)
        draft = replace(
            draft,
            told=rows,
            places=len(rows),
            ranking=None,
            propensities={row: due[user].propensity for row, user in zip(rows.tolist(), users, strict=True)},
            wave=before.wave and before.wave._replace(number=1),
        )
        audience = self._audience(release, draft, now, before)
        missing = due.keys() - opted_out - set(users).union(*failing.values())
        # Who has a cohort and is not at hand has just moved there, or the model is not at hand itself.
        later = {user: due[user]._replace(until=now + PUT_OFF) for user in missing if cohort_of.get(user)}
        dormant = draft.candidates.dormant_among(later.keys())
        audience.held.update({user: held for user, held in later.items() if user not in dormant})
        gone = {OPTED_OUT: opted_out, GONE: missing - later.keys(), DORMANT: dormant, **failing}
        counts = {reason: sum(not due[user].drawn for user in users) for reason, users in gone.items()}
        return replace(audience, gone={reason: number for reason, number in counts.items() if number})

    def _audience(self, release: Release, draft: Draft, now: float, before: Before) -> Audience:
        left_out, held = Counter[str](), dict[str, Held]()
        asked, apart = dict[str, str](), dict[str, str]()
        persons = Persons(self.merged, before.told) if self.merged else None
        first = len(before.pages)
        pages = admitted_pages(release, draft, self.gate, left_out, held, asked, apart, now, first, persons)
        return Audience(release, draft, pages, left_out, held, asked, apart)

    async def draft(
        self,
        release: Release,
        lookup: Lookup,
        model: Model | None,
        now: float,
        told: Set[str] = frozenset(),
        control: Set[str] = frozenset(),
        response: WaveResponse | None = None,
        only: Sequence[str] | None = None,
    ) -> Draft:
        """Choose whom to tell of a release; keep what that went by.

        Those whom it suits best are ranked by how likely they are to click, once that is learned.

        Parameters
        ----------
        told, control
            Who is told already, and who is not told for comparison.
        response
            How those who are told already responded.
        only
            The cohorts to look at, also where nothing is known of the artists; None: as many of the best as
            are worth it.
        """
        if model is None:
            return Draft("no model yet", Target(np.zeros(0), "nothing", ()), 0)
        release, target = self._aim(release, lookup, model)
        if target.relied_on == "nothing" and only is None:
            return Draft("nobody knows these artists yet", target, model.version)
        rates = rank_cohorts(model, target)
        play_rate = dict(zip(model.cohort_ids, rates.tolist(), strict=True))
        known = await self.member_cache.sizes(model.cohort_ids)
        sizes = np.array([known.get(cohort, 0) for cohort in model.cohort_ids])
        places = release.max_audience or self.max_audience
        at_hand = [self.member_cache.holds(cohort, model) for cohort in model.cohort_ids]
        unread = np.where(at_hand, 0, sizes)
        learned = self.habits.model.version > 0
        rows = choose_cohorts(rates, sizes, unread, places, 0.0 if learned else release.min_ctr or 0.0)
        chosen = tuple(model.cohort_ids[row] for row in rows) if only is None else tuple(only)
        if not chosen and sizes.any():
            return Draft("no cohort reaches min_ctr", target, model.version, play_rate)
        members = await self.member_cache.members(chosen, model)
        if not any(held.users for held in members.values()):
            return Draft("nobody is placed under this model yet", target, model.version, play_rate, chosen)
        candidates = Candidates.of(members, model, target, self.member_cache.neighbours(model, target))
        if self.dormant_days:
            candidates = candidates.unless_seen(now - DAY * self.dormant_days)
        players = candidates.players(self.member_cache.numbers(release.artist_ids))
        eligible = Eligible(release.where, self.traits, candidates) if release.where else None
        describe = partial(self.habits.known, release, target, model, candidates, players, now=now)
        least, least_odds, factors, test = None, None, None, None
        if learned:
            some = await _best_by_score(candidates, places, eligible)
            test, other = await self._ab_test_now()
            if test:  # of those who are left each policy tells its share
                some = candidates.without(some, told | control)
            log_odds = _log_odds(self.habits.model, describe, some)
            if response:
                ctr, cohort = expit(log_odds), candidates.cohort_rows(some)
                factors = response.factors(candidates.cohorts, ctr, cohort, places)
                log_odds = logit(np.minimum(ctr * factors[cohort], CERTAIN))
            least_odds = self._least_log_odds(release)
            if test:
                by_other = (
                    _log_odds(other, describe, some) if other else candidates.scores[some].astype(np.float64)
                )
                places_of = test.ranked(candidates.users_at(some), log_odds, by_other, least_odds)
                falling = 1.0 / (1.0 + np.arange(len(places_of), dtype=np.float64))
                candidates = candidates.first(some[places_of], log_odds[places_of], falling)
                least_odds = ANY
            else:
                candidates = candidates.first(some, log_odds)
            del some, log_odds  # 16 bytes a candidate, while these are sorted
        elif release.max_audience is None:
            least = mean_score(model, target)
        ranking = Ranking(
            candidates,
            self.opted_out,
            lookup.unknown,
            told | control,
            lookup.artist_opted_out,
            least,
            least_odds,
            eligible,
        )
        free = max(places - len(told), 0)
        best = await ranking.first(free)
        return Draft(
            "done" if len(best) or told else _why_nobody(ranking, learned=learned),
            target,
            model.version,
            play_rate,
            chosen,
            candidates,
            told=best,
            places=free,
            ranking=ranking,
            known=describe,
            likely=candidates.ctrs if learned else partial(_play_rates, model, target, candidates),
            ctr=self.habits.model,
            factors=factors,
            ab_test=test,
        )

    def _aim(self, release: Release, lookup: Lookup, model: Model) -> tuple[Release, Target]:
        release = self._with_aliases(release)
        return release, target_of(release, model, lookup.label, lookup.by_genre, self._known_songs)

    @property
    def _known_songs(self) -> SongModel | None:
        return self.songs.model if self.songs else None

    async def _ab_test_now(self) -> tuple[AbTest | None, CtrModel | None]:
        """Return the A/B test, if there is one now, and the CTR model of its other policy, if it has one.

        There is none while that model is not to be had.
        """
        if self.ab_test is None or self.ab_test.ctr_version is None:
            return self.ab_test, None
        other = await self.habits.of_version(self.ab_test.ctr_version)
        return self.ab_test if other else None, other

    def _least_log_odds(self, release: Release) -> float:
        """Return how likely to click, as log-odds, those are at least who are told."""
        least = release.min_ctr or 0.0
        if release.max_audience is None:
            least = max(least, self.worth.least_ctr(self.habits.opt_out_rate))
        return float(logit(least))


async def _best_by_score(candidates: Candidates, places: int, eligible: Eligible | None) -> Ints:
    """Return the rows of those who are ranked by how likely they are to click."""
    if eligible:  # of those who meet the conditions, however far down they are
        return await eligible.best(candidates.scores, LIKELY_PER_PLACE * places)
    number = max(LIKELY_PER_PLACE * places, LIKELY)
    if number >= len(candidates.scores):
        return np.arange(len(candidates.scores))
    return np.sort(best_rows(candidates.scores, number))  # what is known of them lies in that order


def _log_odds(model: CtrModel, describe: Callable[[Ints], Singles], rows: Ints) -> Floats:
    """Return how likely candidates are to click, as log-odds, shape (n,); their features are not kept."""
    parts = [model.log_odds(describe(rows[at : at + DESCRIBED])) for at in range(0, len(rows), DESCRIBED)]
    return np.concatenate([np.zeros(0), *parts])


def _why_nobody(ranking: Ranking, *, learned: bool) -> str:
    if ranking.left_out(None):
        return "nobody may be told now"
    return "nobody is likely enough to click" if learned else "everybody in these cohorts has opted out"


def _play_rates(model: Model, target: Target, candidates: Candidates, rows: Ints) -> Floats:
    return play_rates(model, target, candidates.scores[rows])


def with_aliases(release: Release, aliases: ArtistAliases) -> Release:
    """Return a release as one of all ids of its artists.

    The model that serves may know aliases as artists of their own, and listeners have opted out of them.
    """
    if aliases.empty:
        return release
    return release.model_copy(update={name: aliases.all_of(getattr(release, name)) for name in ID_LISTS})


def target_of(
    release: Release,
    model: Model,
    label: Sequence[str],
    by_genre: Mapping[str, Collection[str]],
    songs: SongModel | None = None,
) -> Target:
    """Say where a release points; `label` and `by_genre` as in `Lookup`."""
    target = aim(
        model,
        release.artist_ids,
        featuring=release.featuring,
        similar_to=release.similar_to,
        label=label,
        genres=release.genres,
        by_genre=by_genre,
    )
    if songs is None or release.song_id is None or not songs.fits(model):
        return target
    return towards_song(target, songs, release.song_id)
