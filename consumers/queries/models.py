"""Snapshots of the model: which are kept, which one serves, what one holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from consumers.queries.churn import ChurnFigures, read_churn
from consumers.queries.no_model import no_model
from models.model import Model
from models.play_rate import times_likelier
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweep, Sweeps

__all__ = ["ModelContent", "ModelList", "SampledCohort", "Snapshot", "Sweep", "list_models", "read_model"]


SCORES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # over the mean, at which a play rate is shown


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in a list.

    Attributes
    ----------
    created_at
        Unix seconds.
    bytes
        How large it is in Redis.
    serves
        Whether it is the one that serves.
    foresight
        How well the models before it predicted what listeners discovered (docs/contract.md); empty where
        nothing was discovered yet.
    """

    version: int
    created_at: float
    bytes: int
    serves: bool
    foresight: Mapping[str, float]


@dataclass(frozen=True)
class ModelList:
    """The snapshots that are kept, the newest first.

    Attributes
    ----------
    pinned
        The version that serves until another is asked for; None where the newest serves.
    sweep
        How far listeners are migrated to the model that serves; None before the first.
    churn
        What is learned of who does not come back, and how well it is predicted; None before that.
    """

    models: tuple[Snapshot, ...]
    pinned: int | None
    sweep: Sweep | None
    churn: ChurnFigures | None


@dataclass(frozen=True)
class SampledCohort:
    """A cohort in a snapshot: how many of the sample are in it, and when it was born (Unix seconds)."""

    cohort_id: str
    label: str
    sample: int
    born: float


@dataclass(frozen=True)
class ModelContent:
    """What a snapshot holds.

    Attributes
    ----------
    clicks, listeners
        What it was learned from: clicks seen, listeners in the sample.
    artists, dims
        How many artists it knows, in how many dimensions.
    settings
        How it was learned.
    foresight
        As for a `Snapshot`.
    play_rate
        Score over the mean score of all -> how many times likelier than the average listener those of such
        a score are to take an artist up, as learned from what listeners discovered.
    """

    version: int
    serves: bool
    created_at: float
    clicks: int
    listeners: int
    artists: int
    dims: int
    cohorts: tuple[SampledCohort, ...]
    settings: Mapping[str, int | float | str]
    foresight: Mapping[str, float]
    play_rate: Mapping[str, float]


async def list_models(redis: AnyRedis, settings: Settings) -> ModelList:
    """Return the snapshots that are kept.

    Raises
    ------
    NoModel
        Where no model has been published yet.
    """
    store = Snapshots(redis)
    versions, sizes = await store.versions(), await store.sizes()
    if not versions:
        raise await no_model(redis, settings)
    current, foresight = await store.current(), await store.foresight()
    snapshots = [
        Snapshot(version, made, sizes[version], version == current, foresight.get(version, {}))
        for version, made in versions
    ]
    sweep, churn = await Sweeps(redis).now(), await read_churn(redis, settings)
    return ModelList(tuple(snapshots), await store.pinned(), sweep, churn)


async def read_model(redis: AnyRedis, settings: Settings, version: int | None) -> ModelContent:
    """Return what a snapshot holds, None for the one that serves; reading it checks its checksum.

    Raises
    ------
    NoModel
        Where no model has been published yet.
    SnapshotUnusable
        Where it cannot be read.
    """
    store = Snapshots(redis)
    current = await store.current()
    wanted = current if version is None else version
    if wanted is None:
        raise await no_model(redis, settings)
    model = await store.load(wanted)
    cohorts = zip(model.cohort_ids, model.labels, model.sizes, model.born, strict=True)
    return ModelContent(
        version=model.version,
        serves=model.version == current,
        created_at=model.created_at,
        clicks=model.clicks,
        listeners=model.listeners,
        artists=len(model.artists),
        dims=model.n_dims,
        cohorts=tuple(SampledCohort(c, label, int(size), float(born)) for c, label, size, born in cohorts),
        settings={**model.settings, "activity": model.activity},
        foresight=dict(model.validation),
        play_rate={f"{score:g}": round(times, 3) for score, times in _play_rate(model)},
    )


def _play_rate(model: Model) -> Iterator[tuple[float, float]]:
    return zip(SCORES, times_likelier(model.play_rate[0], SCORES).tolist(), strict=True)
