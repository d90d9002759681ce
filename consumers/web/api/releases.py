"""Releases: previewed, published, stopped, reported on."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from consumers.actions.publish_release import send_release
from consumers.actions.stop_release import stop_release
from consumers.queries.audience import ExplainedPreview, Preview
from consumers.queries.release import KnownRelease, read_release
from consumers.queries.release_report import ReleaseReport, read_release_report
from consumers.queries.release_request import ReleaseRequest, release_event
from consumers.queries.releases import ReleaseSummary, list_releases
from consumers.queries.unknown_release import unknown_release
from consumers.web.access import Looks, Publishes
from consumers.web.api.answers import COMPOSED, Id, QueryId, Top
from consumers.web.service import At, Service
from stream.wire.topics import create_topics

__all__ = ["AskedRelease", "NewRelease", "Published", "by_id", "publish", "router"]

router = APIRouter(prefix="/releases", tags=["releases"])
by_id = APIRouter(prefix="/release", tags=["releases"])

Name = Annotated[str, Field(min_length=1, max_length=512), COMPOSED]
Names = Annotated[list[Name], Field(max_length=32)]


class AskedRelease(BaseModel):
    """A release as a person asks for it: artists are ids or names.

    Attributes
    ----------
    where
        Conditions on traits, such as ``churn>0.7 and stage=regular|fading``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    artists: Names = []
    featuring: Names = []
    similar_to: Names = []
    genres: Names = []
    label: Name | None = None
    song_id: Name | None = None
    title: Annotated[str, Field(max_length=1000)] | None = None
    max_audience: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    min_ctr: Annotated[float, Field(ge=0, le=1)] | None = None
    where: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    def request(self) -> ReleaseRequest:
        """Return the same, as queries take it."""
        return ReleaseRequest(
            artists=tuple(self.artists),
            featuring=tuple(self.featuring),
            similar_to=tuple(self.similar_to),
            genres=tuple(self.genres),
            label=self.label,
            song_id=self.song_id,
            title=self.title,
            max_audience=self.max_audience,
            min_ctr=self.min_ctr,
            where=self.where,
        )


class NewRelease(AskedRelease):
    """The same with an id. A listener is told of an id once."""

    release_id: Name


class Published(BaseModel):
    """A release that is in Kafka.

    Attributes
    ----------
    new_artists
        Those whom nobody has heard of yet.
    """

    release_id: str
    artist_ids: tuple[str, ...]
    new_artists: tuple[str, ...]


class Stopped(BaseModel):
    """A release that was stopped, and how many listeners were told of it."""

    release_id: str
    told: int


@router.get("")
async def get_releases(at: At, caller: Looks, top: Top = 20) -> tuple[ReleaseSummary, ...]:
    """List the latest releases that somebody was told of."""
    return await list_releases(at.redis, at.settings, top)


@router.post("/preview")
async def post_preview(
    at: At,
    caller: Looks,
    asked: AskedRelease,
    first: Annotated[int, Query(ge=0, le=1000, description="how many listeners to name")] = 10,
    why: Annotated[
        Annotated[str, COMPOSED] | None, Query(description="a listener: why they are in it, or are not")
    ] = None,
) -> ExplainedPreview | Preview:
    """Plan the audience that a release would have. Tells nobody."""
    at.desk.open()
    event, _ = await release_event(at.redis, "preview", asked.request(), live=at.live, names=at.desk.names)
    return await at.desk.plan(event, first, why)


@router.post("", status_code=HTTPStatus.ACCEPTED)
async def post_release(at: At, caller: Publishes, asked: NewRelease) -> Published:
    """Publish a release: a worker answers it with its audience. A listener is told of an id once."""
    return await publish(at, asked)


async def publish(at: Service, asked: NewRelease) -> Published:
    """Publish a release, and wait until Kafka has it."""
    event, new = await release_event(at.redis, asked.release_id, asked.request(), time.time(), at.live)
    await asyncio.to_thread(create_topics, at.settings)
    await send_release(at.settings, event)
    return Published(release_id=event.release_id, artist_ids=tuple(event.artist_ids), new_artists=new)


@by_id.get("/report")
async def get_report_by_id(at: At, caller: Looks, release_id: QueryId) -> ReleaseReport:
    """Say what came of a release whose id cannot stand in a path, such as `..`."""
    return await read_release_report(at.redis, at.settings, release_id)


@by_id.post("/stop")
async def post_stop_by_id(at: At, caller: Publishes, release_id: QueryId) -> Stopped:
    """Stop a release whose id cannot stand in a path."""
    return Stopped(release_id=release_id, told=await stop_release(at.redis, at.settings, release_id))


@by_id.get("")
async def get_release_by_id(at: At, caller: Looks, release_id: QueryId) -> KnownRelease:
    """Say how far a release is whose id cannot stand in a path: its hash in Redis."""
    return await _known(at, release_id)


@router.get("/{release_id:path}/report")
async def get_report(at: At, caller: Looks, release_id: Id) -> ReleaseReport:
    """Say what came of a release: who was told, who clicked, by cohort, and what telling brought."""
    return await read_release_report(at.redis, at.settings, release_id)


@router.post("/{release_id:path}/stop")
async def post_stop(at: At, caller: Publishes, release_id: Id) -> Stopped:
    """Stop a release: what is fixed of it goes out, and nobody else is told."""
    return Stopped(release_id=release_id, told=await stop_release(at.redis, at.settings, release_id))


@router.get("/{release_id:path}")
async def get_release(at: At, caller: Looks, release_id: Id) -> KnownRelease:
    """Say how far a release is: its hash in Redis, as the contract describes it."""
    return await _known(at, release_id)


async def _known(at: Service, release_id: str) -> KnownRelease:
    found = await read_release(at.redis, at.settings, release_id)
    if found is None:
        raise unknown_release(at.settings, release_id)
    return found
