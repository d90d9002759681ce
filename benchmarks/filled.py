"""A Redis full of made-up listeners, written as ingesters, trainers and processes for traits write them.

Each listener belongs to one of as many scenes as there are to be cohorts, and plays some artists of it, the
known ones more often, and now and then another's. Cohorts are learned from a sample by the learner of the
trainer. Nothing goes through Kafka: a million listeners take some two minutes instead of twenty.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from consumers.runtime.wiring import Stores
from consumers.traits.stages import stage_fields
from models.active_days import Activity
from models.affinity import ForwardDecay
from models.cohort_learner import CohortLearner
from models.ctr import CtrModel
from models.listener import Listener, Move
from models.model import Model
from models.residents import Residents
from models.traits.activity import DAY, ActiveDays, Activities, day_of
from models.traits.lifecycle import Limits
from models.traits.today import align
from models.update import Changes
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.cohorts import APART
from stream.stores.ctr_models import CtrModels
from stream.stores.guards import guard_decay
from stream.wire.events import Song

__all__ = ["ARTISTS", "artist", "fill", "listener"]

Ints = npt.NDArray[np.int64]

ARTISTS = 20_000
GENRES, LABELS = 20, 100
SAMPLE = 50_000  # listeners that cohorts are learned from, as in a trainer
AT_ONCE = 10_000  # listeners
LEAST, MOST = 4, 20  # artists of a listener
OWN = 0.9  # of what they play, from their scene
SECONDS_A_DAY = 86_400.0
HISTORIES = 2_000  # of activity, that listeners share
WEEKS_AGO = 8
KEEP_SECONDS = 3600.0


def listener(number: int) -> str:
    """Return a listener's id."""
    return f"u{number}"


def artist(number: int) -> str:
    """Return an artist's id; their name is the same in words."""
    return f"artist-{number}"


async def fill(
    redis: AnyRedis, settings: Settings, listeners: int, cohorts: int, artists: int = ARTISTS, seed: int = 0
) -> Model:
    """Fill an empty Redis; return the model that serves."""
    stores, random = Stores.on(redis, settings), np.random.default_rng(seed)
    decay = ForwardDecay(half_life=settings.half_life)
    await guard_decay(redis, decay)
    await stores.catalogue.put(
        Song(
            song_id=f"song-{number}",
            artist_ids=[artist(number)],
            artist_names=[artist(number).replace("-", " ")],
            genres=[f"genre {number % GENRES}"],
            label=f"label {number % LABELS}",
        )
        for number in range(artists)
    )
    crowd, histories = _Crowd(listeners, cohorts, artists, decay, random), _Histories(random)
    model = _learned(crowd, min(listeners, SAMPLE), cohorts)
    await stores.cohorts.describe(model, model.standing_out(APART), KEEP_SECONDS)
    await stores.snapshots.publish(model)
    await CtrModels(redis).publish(_ctr_model())
    for first in range(0, listeners, AT_ONCE):
        users = range(first, min(first + AT_ONCE, listeners))
        await _write(stores, crowd, histories, model, users, random)
    await stores.cohorts.history.record(model, await stores.cohorts.sizes())
    return model


class _Crowd:
    """Who plays what: the same for the same listener, whoever asks first."""

    def __init__(
        self, listeners: int, scenes: int, artists: int, decay: ForwardDecay, random: np.random.Generator
    ) -> None:
        self._scenes, self._artists, self._decay = scenes, artists, decay
        shares = 1.0 / np.arange(1, scenes + 1) ** 0.3
        self._scene_of = random.choice(scenes, listeners, p=shares / shares.sum())
        self._now = time.time()

    def played(self, users: Sequence[int]) -> list[dict[str, float]]:
        """Return artists of listeners and their stored weights."""
        random = np.random.default_rng([users[0], 1])
        numbers = random.integers(LEAST, MOST + 1, len(users))
        total = int(numbers.sum())
        scene = np.repeat(self._scene_of[users[0] : users[-1] + 1], numbers)
        elsewhere = random.random(total) > OWN
        scene = np.where(elsewhere, random.integers(0, self._scenes, total), scene)
        per_scene = self._artists // self._scenes
        known = (per_scene ** random.random(total)).astype(np.int64) - 1
        artists = (scene * per_scene + known).tolist()
        ages = random.random(total) * WEEKS_AGO * 7 * SECONDS_A_DAY
        weights = self._decay.stored(
            random.integers(1, 9, total).astype(np.float64), self._now - ages
        ).tolist()
        ends = np.cumsum([0, *numbers]).tolist()
        return [dict(zip(map(artist, artists[a:b]), weights[a:b], strict=True)) for a, b in pairwise(ends)]


@dataclass(frozen=True)
class _Some:
    """Activity, what traits say of it, when the first and last click was."""

    activity: Activity
    traits: Mapping[str, str | float]
    first_seen: float
    last_seen: float


class _Histories:
    """What some listeners did day by day, which others share."""

    def __init__(self, random: np.random.Generator) -> None:
        today, since = day_of(time.time()), np.sort(random.integers(1, 59, HISTORIES))
        held = []
        for away, first in zip(random.geometric(0.08, HISTORIES).tolist(), since[::-1].tolist(), strict=True):
            last = min(away - 1, first)
            chosen = random.random(first - last + 1) < random.choice([0.1, 0.3, 0.6])
            chosen[[0, -1]] = True
            days = np.zeros(int(chosen.sum()), dtype=DAY)
            days["day"] = today - first + np.flatnonzero(chosen)
            days["play"] = 1 + random.integers(0, 9, len(days))
            days["songs"] = days["play"]
            held.append(days)
        owner = np.repeat(np.arange(HISTORIES), [len(days) for days in held])
        first_seen = SECONDS_A_DAY * np.array([days["day"][0] for days in held], dtype=np.float64)
        last_seen = SECONDS_A_DAY * np.array([days["day"][-1] for days in held], dtype=np.float64)
        of_all = ActiveDays(HISTORIES, owner, np.concatenate(held))
        # What is not asked for here: hours, cities and devices.
        activities = Activities(of_all, first_seen, last_seen, np.zeros((HISTORIES, 24)), [], [])
        stages, weeks = stage_fields(activities, align(activities, today), today, [""] * HISTORIES, Limits())
        churn = random.beta(1.0, 3.0, HISTORIES).round(4).tolist()
        self.some = [
            _Some(
                Activity(days),
                {"stage": stage, "weeks": week, "churn": risk, "announced": stage},
                first,
                last,
            )
            for days, stage, week, risk, first, last in zip(
                held, stages, weeks, churn, first_seen.tolist(), last_seen.tolist(), strict=True
            )
        ]


def _learned(crowd: _Crowd, listeners: int, cohorts: int) -> Model:
    learner = CohortLearner(n_cohorts=cohorts)
    for first in range(0, listeners, AT_ONCE):
        users = range(first, min(first + AT_ONCE, listeners))
        played = crowd.played(users)
        rows = [(list(each), list(each.values())) for each in played]
        clicks = sum(map(len, played))
        learner.learn_many(rows, listeners=users, clicks=clicks, play_now=max(map(max, (r[1] for r in rows))))
    return learner.snapshot(1, time.time(), lambda name: name.replace("-", " "))


def _ctr_model() -> CtrModel:
    """Return a CTR model that goes by the play rate alone, at a level of some per cent."""
    model = CtrModel()
    coefficients = model.coefficients.copy()
    coefficients[0] = 1.0
    return CtrModel(
        version=1, created_at=time.time(), examples=100_000, clicks=5_000, coefficients=coefficients
    )


async def _write(
    stores: Stores,
    crowd: _Crowd,
    histories: _Histories,
    model: Model,
    numbers: Sequence[int],
    random: np.random.Generator,
) -> None:
    """Write some listeners, their traits, and the sets that they are in."""
    picked = random.integers(0, HISTORIES, len(numbers)).tolist()
    of_each = [histories.some[at] for at in picked]
    listeners = [
        Listener(
            listener(number),
            clicks=len(played),
            first_seen=some.first_seen,
            last_seen=some.last_seen,
            offsets={"0": 0},  # clicks that come through Kafka count
            affinities=played,
            made_by=model.version,
            activity=some.activity,
        )
        for number, played, some in zip(numbers, crowd.played(numbers), of_each, strict=True)
    ]
    residents = Residents(activity=True)
    rows = residents.add(listeners, model)
    now = time.time()
    ids = [model.cohort_ids[at] for at in model.assign(residents.tastes(rows)).tolist()]
    residents.cohort[rows] = [residents.cohorts.place(cohort) for cohort in ids]
    residents.cohort_since[rows] = now
    residents.moved_offset[rows] = model.version
    places, owner = residents.places(rows, residents.count[rows])
    everywhere = np.ones(len(rows), dtype=bool)
    changes = Changes(
        rows,
        everywhere,
        owner,
        residents.artist[places].astype(np.int64),
        residents.weight[places],
        active=everywhere,
        heard_by=np.zeros(0, dtype=np.int64),
    )
    if refused := await stores.listeners.write(residents, changes, model.version):
        raise ValueError(f"this Redis was not empty: it has {refused[0]!r} already")
    users = [each.user_id for each in listeners]
    await stores.cohorts.place([Move(user, "", to, now) for user, to in zip(users, ids, strict=True)])
    await stores.traits.write({user: some.traits for user, some in zip(users, of_each, strict=True)})
    await stores.traits.place(
        {user: str(some.traits["stage"]) for user, some in zip(users, of_each, strict=True)}
    )
