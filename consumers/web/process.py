"""`refrain serve`: the API and the page, until asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI
from structlog.contextvars import bound_contextvars

from consumers.runtime.exporter import exporting, registry_of
from consumers.runtime.listening import listen
from consumers.runtime.reach import require_key
from consumers.runtime.web_address import web_address
from consumers.web.app import answer_by, make_app
from consumers.web.service import Service
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.api_keys import ApiKeys
from stream.stores.heartbeats import Heartbeat

__all__ = ["serve"]

logger = logging.getLogger(__name__)
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # that it starts is said below

LAST_ANSWERS_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has its own way to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    app: FastAPI | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Answer requests until asked to stop.

    Parameters
    ----------
    app
        What answers (`make_app`), where it is there already and serves nobody else; None: it is made.
    listener
        What it listens on, where somebody holds that for it; None: it listens where the settings say.

    Raises
    ------
    CannotStart
        Where an address is taken; where, without a `listener`, other machines would reach it and there are no
        keys.
    Unreachable
        Where Redis does not answer.
    """
    redis = await open_redis(settings, logger.info)
    try:
        if listener is None:  # who holds one had a key when they began; where none is left, nobody is let in
            await require_key(settings.web_host, ApiKeys(redis).any)
        heartbeat = Heartbeat(redis, "serve")
        with (
            bound_contextvars(process=heartbeat.name),
            exporting(settings, heartbeat),
            listener or listen(settings) as listening,
        ):
            service = Service(settings, redis, stop, registry_of(heartbeat))
            app = app or make_app()
            answer_by(app, service)
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
            )
            server = _Server(config)
            beating = asyncio.create_task(heartbeat.keep())
            ending = asyncio.create_task(_end(server, stop))
            logger.info("serving at %s", web_address(settings))
            try:
                await server.serve(sockets=[listening])
            finally:
                for task in (beating, ending):
                    task.cancel()
                await service.close()
                await heartbeat.stop()
    finally:
        await redis.aclose()


async def _end(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
