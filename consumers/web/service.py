"""What all requests share: the settings, Redis, and what is kept in memory between them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from consumers.doctor import Check
from consumers.queries.recommend import Recommenders
from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from consumers.runtime.newest_click import NewestClick
from consumers.web.desk import Desk
from consumers.web.examination import examination
from consumers.web.lifecycles import Lifecycles
from consumers.web.shared import Shared
from consumers.web.watch import Watch
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels

__all__ = ["At", "Service"]


@dataclass(eq=False)
class Service:
    """What all requests share.

    Attributes
    ----------
    redis
        Where answers come from.
    live
        The model that serves.
    recommenders
        Recommends songs.
    desk
        Plans audiences, completes names.
    watch
        What goes on.
    lifecycles
        Where listeners are in their life with the service.
    examination
        What the doctor says.
    stop
        Set when the process is asked to end: what goes on for ever ends with it.
    metrics
        Those of the process.
    """

    settings: Settings
    redis: AnyRedis
    stop: asyncio.Event
    metrics: CollectorRegistry
    live: LiveModel = field(init=False)
    recommenders: Recommenders = field(init=False)
    desk: Desk = field(init=False)
    watch: Watch = field(init=False)
    lifecycles: Lifecycles = field(init=False)
    examination: Shared[list[Check]] = field(init=False)

    def __post_init__(self) -> None:
        self.live = LiveModel(Snapshots(self.redis), newest=NewestClick.on(self.redis, self.settings))
        songs = LiveSongs(SongModels(self.redis))
        self.recommenders = Recommenders(self.redis, self.settings, self.live, songs)
        self.desk = Desk(self.redis, self.settings, self.live, songs)
        self.watch = Watch(self.redis, self.settings, self.stop)
        self.lifecycles = Lifecycles(self.redis, self.settings)
        self.examination = examination(self.settings)

    async def close(self) -> None:
        """End what goes on in the background."""
        await self.watch.close()
        await self.desk.close()
        await self.lifecycles.close()
        await self.examination.close()


async def _at(request: Request) -> Service:
    return cast("Service", request.app.state.service)


At = Annotated[Service, Depends(_at)]
"""Gives a route the service."""
