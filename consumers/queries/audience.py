"""The audience that a release would have, planned as a worker plans it and told to nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from consumers.queries.audience_why import WhyAudience, why_audience
from consumers.queries.known_listener import read_known_listener
from consumers.queries.no_model import no_model
from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from consumers.runtime.newest_click import NewestClick
from consumers.runtime.wiring import Stores, worth_of
from consumers.work.ab_test import ab_test_of
from consumers.work.click_habits import ClickHabits
from consumers.work.draft import Draft
from consumers.work.gate import gate_of
from consumers.work.member_cache import MemberCache
from consumers.work.pages import PAGE, expected
from consumers.work.planner import Planner
from models.audience import play_rates
from models.audience_size import size_curve
from models.control import Groups
from models.model import Model
from models.traits.where import STAGE
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import heartbeats
from stream.wire.events import Release

__all__ = [
    "AudienceCohort",
    "AudienceListener",
    "AudienceSize",
    "ExplainedPreview",
    "Preview",
    "Previews",
    "Reading",
    "preview_audience",
]


Floats = npt.NDArray[np.float64]

Ints = npt.NDArray[np.int64]

SIZES = 8
NOTHING = np.zeros(0)
NOBODY_NOW = "nobody may be told now"
"""As the summary says it of a release whose listeners were all told often enough."""

HABITS_SECONDS = 10.0  # for which it serves who clicks, as it was read of each cohort: rates of many weeks

LISTENERS_A_SECOND = 1000  # read again, at most: ingesters and workers ask the same Redis
LEAST_AGE = 60.0  # seconds for which a cohort serves, unless its size changes much
LOOK_SECONDS = 1.0  # between two looks at whether listeners were changed
CHANGING = {"ingest": ("clicks", "swept", "waited"), "work": ("releases", "feedback"), "traits": ("scored",)}
"""Kind of process -> what it counts of that changes listeners, what they were told, or their traits."""

ALWAYS = (STAGE, "churn")
"""Traits that a desk holds members with from the first: most conditions are on these."""

TRAITS_SECONDS = 600.0  # after a condition was asked for last, its other traits are kept no more
MOST_TRAITS = 8  # of them that are kept at once


@dataclass(frozen=True)
class AudienceCohort:
    """A cohort in an audience: its size, how many are told, the share predicted to play the artist."""

    cohort_id: str
    label: str
    size: int
    told: int
    play_rate: float


@dataclass(frozen=True)
class AudienceListener:
    """A listener in an audience, and how likely they are to play the artist and to click, as predicted.

    Attributes
    ----------
    ctr
        None before the first CTR model.
    """

    user_id: str
    cohort_id: str
    score: float
    play_rate: float
    ctr: float | None = None


@dataclass(frozen=True)
class AudienceSize:
    """What so many of the best listeners are expected to bring: clicks, CTR, and gain less cost."""

    listeners: int
    clicks: float
    ctr: float
    gain: float


@dataclass(frozen=True)
class Preview:
    """The audience that a release would have.

    Attributes
    ----------
    listeners, pages
        How many.
    reason
        "done", or why nobody would be told.
    relied_on
        What the release is known by.
    play_rate
        Predicted share of the audience who play the artist: the mean of its listeners' own play rates; None
        where nobody would be told.
    ctr
        Predicted share of the audience who click; None before the first CTR model.
    least_ctr
        Predicted CTR from which on a notification gains more than it costs; None as `ctr`.
    by_size
        What smaller audiences are expected to bring, the smallest first; empty where `ctr` is None.
    left_out
        Why others who would have been in it are not, and how many: the reasons of the summary that a release
        ends with (docs/contract.md), most first. Of a condition it is the trait; who fails several counts for
        the first.
    caps_asked
        How many of the best were asked after, whether they were told often enough lately. Of listeners
        behind them that is not known: their number is the most that may be told.
    planned_in_ms
        How long the plan took.
    cohorts
        The cohort of the highest play rate first.
    first
        Those who come first: with the highest CTR, or before that is learned the highest scores.
    """

    artist_ids: tuple[str, ...]
    listeners: int
    pages: int
    reason: str
    relied_on: str
    play_rate: float | None
    model_version: int
    ctr: float | None
    least_ctr: float | None
    by_size: tuple[AudienceSize, ...]
    left_out: dict[str, int]
    caps_asked: int
    planned_in_ms: float
    cohorts: tuple[AudienceCohort, ...]
    first: tuple[AudienceListener, ...]


@dataclass(frozen=True)
class ExplainedPreview(Preview):
    """A preview, and why one listener is in it, or is not."""

    why: WhyAudience


async def preview_audience(
    redis: AnyRedis, settings: Settings, release: Release, first: int, why: str | None = None
) -> Preview:
    """Plan the audience of a release by the model that serves; see `Previews.of`."""
    return await Previews(redis, settings).of(release, first, why)


@dataclass(frozen=True)
class Reading:
    """How many listeners are in a cohort, and how many of them are still to be read for previews."""

    listeners: int
    left: int


class Previews:
    """Plans audiences again and again, from what is kept in memory of listeners, as a worker's planner does.

    Parameters
    ----------
    live
        The model that serves.
    idle
        Set while nobody waits: only then members are read in the background.
    songs
        The song model that serves, where others hold it too.
    """

    def __init__(
        self,
        redis: AnyRedis,
        settings: Settings,
        live: LiveModel | None = None,
        idle: asyncio.Event | None = None,
        songs: LiveSongs | None = None,
    ) -> None:
        self._redis, self._settings = redis, settings
        self._stores = Stores.on(redis, settings)
        self._live = live or LiveModel(self._stores.snapshots, newest=NewestClick.on(redis, settings))
        self._members = MemberCache(
            self._stores.listeners,
            self._stores.cohorts,
            self._stores.told,
            idle,
            limit_mb=settings.members_mb,
            trait_store=self._stores.traits,
        )
        self._asked_traits: dict[str, float] = {}
        self._counted: dict[str, list[str]] = {}
        self._changed_at = self._looked_at = -np.inf
        self._planner = _planner(
            self._stores, self._members, settings, songs or LiveSongs(self._stores.song_models)
        )
        self._habits = -1, 0.0

    async def keep_current(self) -> None:
        """Read members again: of one cohort, one that is not held yet or else the one that needs it most.

        While no process has changed listeners since they were read, none are.
        """
        await self._live.refresh()
        if self._live.model is None:
            return
        await self._look_for_changes()
        await self._members.refresh(
            self._live.model,
            changed_at=self._changed_at,
            least_age=LEAST_AGE,
            a_second=LISTENERS_A_SECOND,
        )

    def keep_traits(self, traits: Sequence[str]) -> None:
        """Hold members with some traits, too, for as long as conditions on them are asked for.

        So are those that most conditions are on, from the first call on. Others are read in the background,
        and with members from then on. Meanwhile, and where there is no room, a preview reads them of those it
        comes to, as a release does.
        """
        now = time.monotonic()
        asked = {**self._asked_traits, **{trait: now for trait in traits if trait not in ALWAYS}}
        latest = sorted(asked, key=asked.__getitem__, reverse=True)[:MOST_TRAITS]
        self._asked_traits = {name: asked[name] for name in latest if now - asked[name] < TRAITS_SECONDS}
        self._members.traits = (*ALWAYS, *sorted(self._asked_traits))

    @property
    def lacks_traits(self) -> bool:
        """Whether members are still to be read with traits that were asked for."""
        return bool(self._members.lacking_traits())

    async def _look_for_changes(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        counted = {
            name: [state.get(counter, "") for counter in CHANGING.get(state["kind"], ())]
            for name, state in (await heartbeats(self._redis)).items()
        }
        if counted != self._counted:
            self._counted, self._changed_at = counted, now
        self._looked_at = now

    async def reading(self) -> Reading:
        """Say how many members are at hand: those who are not make a preview wait until they are read."""
        await self._live.refresh()
        sizes = await self._stores.cohorts.sizes()
        model = self._live.model
        missing = self._members.missing(model, sizes) if model else []
        return Reading(sum(sizes.values()), sum(sizes[cohort] for cohort in missing))

    def forget(self) -> None:
        """Keep no members in memory."""
        self._members.forget()

    async def of(self, release: Release, first: int, why: str | None = None) -> Preview:
        """Plan the audience of a release by the model that serves. Members that are not held are read.

        Parameters
        ----------
        first
            How many listeners to name.
        why
            A listener to explain: then the preview is an `ExplainedPreview`.

        Raises
        ------
        NoModel
            Where no model has been published yet.
        UnknownListener
            Where there is no listener of the id in `why`.
        """
        redis, settings, planner = self._redis, self._settings, self._planner
        await self._live.refresh()
        if (model := self._live.model) is None:
            raise await no_model(redis, settings)
        known = await read_known_listener(redis, settings, why) if why is not None else None
        await self._stores.aliases.refresh()
        if release.song_id is not None and planner.songs is not None:
            await planner.songs.refresh()
        await self._members.fill(model)
        await self._refresh_habits(model)
        began = time.perf_counter()
        now = time.time()
        draft = await planner.draft(release, await planner.look_up(release), model, now)
        told, left_out, asked = await expected(release, draft, planner.gate, now)
        ctrs = _ctrs(draft, told)
        planned_in_ms = round(1000 * (time.perf_counter() - began), 1)
        scores = draft.candidates.scores[told].astype(np.float64)
        rates = play_rates(model, draft.target, scores) if len(scores) else scores
        preview = Preview(
            artist_ids=tuple(release.artist_ids),
            listeners=len(told),
            pages=-(-len(told) // PAGE),
            reason=draft.reason if len(told) or not len(draft.told) else NOBODY_NOW,
            relied_on=draft.target.relied_on,
            play_rate=float(rates.mean()) if len(rates) else None,
            model_version=model.version,
            ctr=float(ctrs.mean()) if len(ctrs) else None,
            least_ctr=planner.worth.least_ctr(planner.habits.opt_out_rate) if draft.ctr.version else None,
            by_size=_by_size(ctrs, planner),
            left_out=dict(left_out.most_common()),
            caps_asked=asked,
            planned_in_ms=planned_in_ms,
            cohorts=await _cohorts(self._stores.cohorts, model, draft, told),
            first=_first(draft, told[:first], rates[:first], ctrs[:first]),
        )
        if known is None:
            return preview
        explained = await why_audience(redis, settings, release, model, draft, told, known)
        return ExplainedPreview(**vars(preview), why=explained)

    async def _refresh_habits(self, model: Model) -> None:
        """Read who clicks, cohort by cohort, unless that was just done for this model."""
        version, at = self._habits
        if version != model.version or time.monotonic() - at > HABITS_SECONDS:
            await self._planner.habits.refresh(model.cohort_ids)
            self._habits = model.version, time.monotonic()


def _ctrs(draft: Draft, rows: Ints) -> Floats:
    """Return how likely some are to click; nothing before that is learned."""
    if draft.known is None or not draft.ctr.version:
        return NOTHING
    if draft.candidates.log_odds is None:
        return draft.ctrs(rows, draft.known(rows))
    ctrs = draft.candidates.ctrs(rows)  # as they were ranked by
    others = np.flatnonzero(ctrs == 0)
    if len(others):
        ctrs[others] = draft.ctrs(rows[others], draft.known(rows[others]))
    return ctrs


def _by_size(ctrs: Floats, planner: Planner) -> tuple[AudienceSize, ...]:
    curve = size_curve(np.sort(ctrs)[::-1], planner.worth, planner.habits.opt_out_rate, SIZES)
    columns = (each.round(4).tolist() for each in (curve.clicks, curve.ctr, curve.gain))
    return tuple(AudienceSize(*row) for row in zip(curve.sizes.tolist(), *columns, strict=True))


def _planner(stores: Stores, members: MemberCache, settings: Settings, songs: LiveSongs) -> Planner:
    return Planner(
        members,
        stores.catalogue,
        stores.opted_out,
        settings.max_audience,
        replace(gate_of(stores.told, settings), groups=Groups(), quiet_hours=None),
        ClickHabits(stores.cohorts, stores.ctr_models),
        worth_of(settings),
        stores.traits,
        ab_test=ab_test_of(settings),
        dormant_days=settings.dormant_days,
        songs=songs,
        aliases=stores.aliases,
    )


def _first(draft: Draft, rows: Ints, rates: Floats, ctrs: Floats) -> tuple[AudienceListener, ...]:
    candidates = draft.candidates
    columns = (
        candidates.users_at(rows),
        candidates.cohorts_at(rows),
        candidates.scores[rows].astype(np.float64).round(6).tolist(),
        rates.round(6).tolist(),
        ctrs.round(6).tolist() or [None] * len(rows),
    )
    return tuple(AudienceListener(*row) for row in zip(*columns, strict=True))


async def _cohorts(store: Cohorts, model: Model, draft: Draft, told: Ints) -> tuple[AudienceCohort, ...]:
    sizes = await store.sizes()
    labels = dict(zip(model.cohort_ids, model.labels, strict=True))
    numbers = np.bincount(draft.candidates.cohort_rows(told), minlength=len(draft.candidates.cohorts))
    cohorts = [
        AudienceCohort(cohort, labels[cohort], sizes.get(cohort, 0), number, draft.play_rate[cohort])
        for cohort, number in zip(draft.candidates.cohorts, numbers.tolist(), strict=True)
        if number
    ]
    return tuple(sorted(cohorts, key=lambda cohort: -cohort.play_rate))
