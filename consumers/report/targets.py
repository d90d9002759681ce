"""The cohort that a release should go to: that of the highest play rate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.queries.no_model import no_model
from consumers.runtime.live_songs import LiveSongs
from consumers.runtime.wiring import Stores
from consumers.work.planner import target_of, with_aliases
from models.audience import choose_cohorts, rank_cohorts
from models.model import Model
from models.songs import SongModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.wire.events import Release

__all__ = ["ReleaseTarget", "TargetList", "find_targets"]


@dataclass(frozen=True)
class ReleaseTarget:
    """A release, and the cohort that it should go to.

    Attributes
    ----------
    artists
        Their names, or their ids where no name is known.
    cohort_id, label, members
        The cohort; "", "" and 0 where there is none.
    play_rate
        Predicted share of its members who play the artists (`models.audience.rank_cohorts`).
    relied_on
        What the release is known by.
    reason
        "done", or why there is no cohort.
    """

    release_id: str
    artists: tuple[str, ...]
    cohort_id: str
    label: str
    members: int
    play_rate: float | None
    relied_on: str
    reason: str


@dataclass(frozen=True)
class TargetList:
    """Releases in the order of their file, and the cohort that each should go to by a model."""

    model_version: int
    releases: tuple[ReleaseTarget, ...]


async def find_targets(redis: AnyRedis, settings: Settings, releases: Iterable[Release]) -> TargetList:
    """Return the cohort that each release should go to, by the model that serves.

    Raises
    ------
    NoModel
        Where no model has been published yet.
    """
    stores = Stores.on(redis, settings)
    version = await stores.snapshots.current()
    if version is None:
        raise await no_model(redis, settings)
    model, sizes = await stores.snapshots.load(version), await stores.cohorts.sizes()
    songs = LiveSongs(stores.song_models)
    await songs.refresh()
    await stores.aliases.refresh()
    found = _targets(model, songs.model, sizes, stores.catalogue, stores.aliases, releases)
    return TargetList(version, tuple([target async for target in found]))


async def _targets(
    model: Model,
    songs: SongModel | None,
    sizes: Mapping[str, int],
    catalogue: Catalogue,
    aliases: ArtistAliases,
    releases: Iterable[Release],
) -> AsyncIterator[ReleaseTarget]:
    members = np.array([sizes.get(cohort, 0) for cohort in model.cohort_ids])
    nothing_unread = np.zeros(len(members))
    for release in releases:
        label = aliases.all_of(await catalogue.artists_of_label(release.label))
        genres = await catalogue.artists_of_genres(release.genres)
        by_genre = {genre: aliases.all_of(artists) for genre, artists in genres.items()}
        target = target_of(with_aliases(release, aliases), model, label, by_genre, songs)
        rates = rank_cohorts(model, target)
        best = choose_cohorts(rates, members, nothing_unread, 1, release.min_ctr or 0.0)
        names = await catalogue.names(release.artist_ids)
        artists = tuple(names[artist] for artist in release.artist_ids)
        if len(best):
            row = int(best[0])
            about = model.cohort_ids[row], model.labels[row], int(members[row]), round(float(rates[row]), 6)
            yield ReleaseTarget(release.release_id, artists, *about, target.relied_on, "done")
        else:
            reason = _why_none(target.relied_on, members)
            yield ReleaseTarget(release.release_id, artists, "", "", 0, None, target.relied_on, reason)


def _why_none(relied_on: str, members: npt.NDArray[np.int64]) -> str:
    if relied_on == "nothing":
        return "nobody knows these artists yet"
    return "no cohort reaches min_ctr" if members.any() else "nobody is placed under this model yet"
