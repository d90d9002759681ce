"""`refrain serve` within the test's own process, on a port of its own, asked over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from fastapi import FastAPI

from consumers.web.app import make_app
from consumers.web.process import serve
from stream.broker.ports import free_port
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.api_keys import ApiKeys, Role
from tests.apart import WithRedis, apart
from tests.waiting import wait_for

__all__ = ["Served", "full", "key_of", "serving"]

_unused: list[FastAPI] = []
"""Applications whose server has ended: to make one takes FastAPI half as long as a test."""

PATIENCE = 30.0  # seconds for an answer: the machine may be busy


@dataclass
class Served:
    """A service that listens; `key`: what it is asked with, None: nothing."""

    address: str
    settings: Settings
    key: str | None = None

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        headers = dict(given.pop("headers", {}))
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        given.setdefault("allow_redirects", False)
        return requests.request(method, self.address + path, headers=headers, timeout=PATIENCE, **given)

    def get(self, path: str, **given: Any) -> requests.Response:
        return self.ask("GET", path, **given)

    def post(self, path: str, **given: Any) -> requests.Response:
        return self.ask("POST", path, **given)


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    addressed = settings.model_copy(update={"web_port": free_port()})
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    app = _unused.pop() if _unused else make_app()
    failed: list[Exception] = []

    def run() -> None:
        try:
            loop.run_until_complete(serve(addressed, stop, app))
        except Exception as error:  # noqa: BLE001 - the test's own thread raises it
            failed.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="serve")
    thread.start()
    served = Served(f"http://127.0.0.1:{addressed.web_port}", addressed)
    try:
        wait_for(lambda: bool(failed) or _answers(served), "an answer")
        if failed:
            raise failed[0]
        yield served
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        _unused.append(app)
    if failed:
        raise failed[0]


def _answers(served: Served) -> bool:
    try:
        return served.get("/healthz").status_code == 200
    except requests.ConnectionError:
        return False


@contextmanager
def full(with_redis: WithRedis) -> Iterator[None]:
    """A Redis that has reached its maxmemory."""
    with_redis(lambda redis: redis.config_set("maxmemory", "1"))
    try:
        yield
    finally:
        with_redis(lambda redis: redis.config_set("maxmemory", "0"))


def key_of(settings: Settings, role: Role, name: str = "desk") -> str:
    """Make a key; return its text."""

    async def make() -> str:
        redis = await open_redis(settings)
        try:
            return (await ApiKeys(redis).add(name, role, 1.0))[1]
        finally:
            await redis.aclose()

    return apart(make)
