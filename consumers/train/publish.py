"""A model goes out: its cohorts get names, its snapshot is written, and it serves."""

from __future__ import annotations

import dataclasses
import logging
from functools import partial

from consumers.runtime.lead import LeaseLost
from consumers.train.schedule import Reason
from models.cohorts import genres, labels
from models.model import Model
from models.songs import SongModel
from stream.retry import Retry
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import APART, Cohorts
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels

__all__ = ["Publisher"]

logger = logging.getLogger(__name__)


class Publisher:
    """Publishes models, as long as this trainer leads.

    Parameters
    ----------
    keep_seconds
        For how long cohorts that died are remembered.
    """

    def __init__(
        self,
        cohorts: Cohorts,
        catalogue: Catalogue,
        snapshots: Snapshots,
        song_models: SongModels,
        durability: Durability,
        lease: Lease,
        heartbeat: Heartbeat,
        retry: Retry,
        keep_seconds: float,
    ) -> None:
        self._cohorts = cohorts
        self._catalogue = catalogue
        self._snapshots = snapshots
        self._song_models = song_models
        self._durability = durability
        self._lease = lease
        self._heartbeat = heartbeat
        self._retry = retry
        self._keep = keep_seconds
        self._counted: dict[str, int] = {}
        self._genres: dict[str, str] = {}
        durability.when_lost(self._forget_counted)

    def _forget_counted(self) -> None:
        self._counted = {}

    def go_on_from(self, model: Model | None) -> None:
        """Begin to lead: names go on from this model's; what another wrote meanwhile is rewritten."""
        self._forget_counted()
        self._genres = dict(zip(model.cohort_ids, model.genres, strict=True)) if model else {}

    async def publish(self, model: Model, reason: Reason) -> None:
        """Name its cohorts, and let it serve; `reason` says why, for the log.

        Raises
        ------
        LeaseLost
            Where another leads by now; nothing is published.
        """
        tops = model.standing_out(APART)
        named = await self._retry("naming cohorts", self._named, model, tops)

        await self._retry("publishing a snapshot", self._store, named, tops)
        self._heartbeat.led["version"] = model.version
        self._heartbeat.add("snapshots")
        logger.info(
            "model %d: %d cohorts of %d listeners, %d artists, from %d clicks (%s)",
            model.version,
            len(model.cohort_ids),
            model.listeners,
            len(model.artists),
            model.clicks,
            reason.value,
        )

    async def new_songs(self) -> dict[str, tuple[str, ...]]:
        """Return the latest songs of the catalogue and their artists."""
        return await self._retry("asking for new songs", self._catalogue.new_songs)

    async def song_plays(self) -> int:
        """Return what the song model that serves was learned from (`SongModel.plays`)."""
        return await self._retry("asking what songs were learned from", self._song_models.plays)

    async def songs_made_at(self) -> float:
        """Return when the song model that serves was made, in Unix seconds; 0 before the first."""
        return await self._retry("asking how old songs are", self._song_models.made_at)

    async def publish_songs(self, model: SongModel) -> None:
        """Let a song model serve, which goes with the model just published.

        Raises
        ------
        LeaseLost
            Where another leads by now; nothing is published.
        """
        await self._retry("publishing song vectors", self._store_songs, model)
        logger.info(
            "song model %d: %d songs, from %d plays of %d listeners",
            model.version,
            len(model.songs),
            model.plays,
            model.n_listeners,
        )

    async def _store_songs(self, model: SongModel) -> None:
        if not await self._lease.hold():
            raise LeaseLost
        await self._durability.kept(partial(self._song_models.publish, model))

    async def _store(self, named: Model, tops: list[dict[str, float]]) -> None:
        # Whoever was held up for longer than the lease lasts notices here at the latest.
        if not await self._lease.hold():
            raise LeaseLost
        # A Redis that lost the snapshot, but not what ingesters made of it, would let another have its
        # version and its cohorts' numbers: so it is durable before it serves.
        await self._durability.kept(partial(self._write, named, tops))
        await self._durability.kept(partial(self._snapshots.serve, named.version))
        await self._count(named)

    async def _write(self, named: Model, tops: list[dict[str, float]]) -> None:
        # Described first: whoever finds a listener in a cohort finds the cohort's label too. Beside one
        # that is pinned it does not serve, and cohorts are called what those that serve are called.
        if await self._snapshots.pinned() is None:
            await self._cohorts.describe(named, tops, self._keep)
        await self._snapshots.write(named)

    async def _named(self, model: Model, tops: list[dict[str, float]]) -> Model:
        artists = list(dict.fromkeys(artist for top in tops for artist in top))
        said = genres(tops, await self._catalogue.genres(artists), model.cohort_ids, self._genres)
        self._genres = dict(zip(model.cohort_ids, said, strict=True))
        names = await self._catalogue.names([artist for found in model.named_after for artist in found])
        called = labels(model.named_after, model.cohort_ids, names.__getitem__, said)
        return dataclasses.replace(model, labels=called, genres=said)

    async def _count(self, model: Model) -> None:
        share = model.counts / max(model.n_rows, 1.0) * await self._cohorts.listeners()
        counted = dict(zip(model.artists, share.round().astype(int).tolist(), strict=True))
        changed = {
            artist: number for artist, number in counted.items() if self._counted.get(artist) != number
        }
        await self._catalogue.count(changed)
        self._counted = counted
