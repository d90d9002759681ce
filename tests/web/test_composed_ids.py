"""Ids that are sent with letters and accents apart, as macOS writes them."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from models.listener import Move
from stream.connect import AnyRedis
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from tests.apart import WithRedis
from tests.cli.service import NOW
from tests.stream.written import listener_of, write
from tests.waiting import wait_for
from tests.web.served import Served

COMPOSED = "Beyoncé"
APART = unicodedata.normalize("NFD", COMPOSED)
JSON, FORM = {"artists": ["Radiohead"]}, {"artists": "Radiohead", "why": APART}


@pytest.fixture
def known(served: Served, with_redis: WithRedis) -> Served:
    """A service that knows a listener whose id has an accent."""

    async def fill(redis: AnyRedis) -> None:
        listeners, listener = Listeners(redis), listener_of(COMPOSED, {"a1": 8.0})
        assert await write(listeners, [listener], np.array([[1.0, 0.0]]), version=4) == []
        await Cohorts(redis, listeners).follow([Move(COMPOSED, "", "", NOW)])

    with_redis(fill)
    return served


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", f"/api/v1/listeners/{APART}", {}),
        ("GET", f"/api/v1/told/{APART}", {}),
        ("POST", "/api/v1/releases/preview", {"params": {"why": APART}, "json": JSON}),
        ("GET", "/listener", {"params": {"id": APART}}),
    ],
)
def test_a_listener_is_found(method: str, path: str, given: dict[str, object], known: Served) -> None:
    assert known.ask(method, path, **given).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("DELETE", f"/api/v1/listeners/{APART}", {}),
        ("POST", "/listener/forget", {"data": {"id": APART}}),
    ],
)
def test_a_listener_is_forgotten(method: str, path: str, given: dict[str, object], known: Served) -> None:
    assert known.ask(method, path, **given).status_code == 200
    assert known.get(f"/api/v1/listeners/{COMPOSED}").status_code == 404


def test_a_listener_is_explained_at_the_desk(known: Served) -> None:
    def explained() -> str:
        page = known.post("/desk/preview", data=FORM).text
        return "" if "Reading listeners" in page else page

    page = wait_for(explained, "a preview")
    assert "there is no listener" not in page
    assert COMPOSED in page


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", f"/api/v1/releases/{APART}", {}),
        ("GET", "/api/v1/release", {"params": {"id": APART}}),
        ("GET", "/release", {"params": {"id": APART}}),
        ("POST", "/release/stop", {"data": {"id": APART}}),
        ("GET", f"/api/v1/segments/{APART}", {}),
        ("POST", "/api/v1/releases/preview", {"json": {"song_id": APART}}),
    ],
)
def test_what_is_not_there_is_looked_for_by_its_composed_id(
    method: str, path: str, given: dict[str, object], served: Served
) -> None:
    answer = served.ask(method, path, **given)
    assert answer.status_code == 404
    assert COMPOSED in answer.json()["detail"]


def listed(served: Served, path: str, **given: str) -> set[str]:
    return {each["user_id"] for each in served.get(path, params=given).json()["listeners"]}


@pytest.mark.parametrize("path", ["/api/v1/listeners", "/api/v1/cohorts/none/listeners"])
def test_the_next_page_begins_behind_the_composed_id(path: str, known: Served) -> None:
    assert COMPOSED in listed(known, path)
    assert COMPOSED not in listed(known, path, after=APART)
