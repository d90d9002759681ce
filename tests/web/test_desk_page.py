"""The release desk, over HTTP."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from consumers.queries.audience import Preview, Previews
from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from consumers.web.desk import Desk
from consumers.web.pages import desk as desk_page
from consumers.work import pages
from models.listener import Move
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.api_keys import Role
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.stores.told import Caps, Told, ToldLately
from stream.stores.traits import Traits
from stream.wire.events import Release, Song
from stream.wire.where import parse_where
from tests.apart import WithRedis
from tests.cli.service import NOW
from tests.cli.test_release_report import released
from tests.consumers.kafka_log import KafkaLog
from tests.waiting import wait_for, wait_for_it
from tests.web.served import PATIENCE, Served, key_of, serving

EVIL = """<script>alert("{{ 7 * 7 }}")</script>'"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ESCAPED = "&lt;script&gt;alert(&#34;{{ 7 * 7 }}&#34;)&lt;/script&gt;&#39;"


def preview(served: Served, **form: object) -> str:
    """The preview's text, once listeners are read."""
    answer = [""]

    def read() -> bool:
        answer[0] = served.post("/desk/preview", data=form).text
        return "Reading listeners" not in answer[0]

    wait_for(read, "listeners to be read")
    return answer[0]


def test_it_opens_with_nothing_to_go_by(served: Served) -> None:
    assert served.get("/desk").status_code == 200
    assert "Nothing to go by yet" in preview(served)


def test_the_address_fills_it_in(served: Served) -> None:
    text = served.get("/desk", params={"artists": "a1", "title": "Sól"}).text
    assert '<span>Radiohead</span><input type="hidden" name="artists" value="a1">' in text
    assert 'value="Sól"' in text


def test_a_preview_says_how_many_would_be_told_and_who_comes_first(served: Served) -> None:
    text = preview(served, artists="Radiohead")
    assert "listeners would be told" in text
    assert 'href="/listener?id=u1"' in text
    assert "There is no CTR model yet" in text


def test_an_artist_who_is_misspelt_is_offered_as_a_button(served: Served) -> None:
    text = preview(served, artists="Radiohaed")
    assert (
        '<button type="button" data-instead-of="Radiohaed" data-value="Radiohead">Radiohead</button>' in text
    )


def test_artists_of_one_name_are_offered_as_buttons_with_their_ids(
    served: Served, with_redis: WithRedis
) -> None:
    put_another(with_redis, "b1", "Radiohead")
    text = preview(served, artists="radiohead")
    assert "2 artists are called" in text
    for artist in ("a1", "b1"):
        name = f"Radiohead ({artist})"
        button = f'data-instead-of="radiohead" data-value="{artist}" data-name="{name}">{name}</button>'
        assert button in text
    assert "listeners would be told" in preview(served, artists="a1")


def test_artists_of_one_name_are_completed_with_their_ids(served: Served, with_redis: WithRedis) -> None:
    put_another(with_redis, "b1", "Radiohead")
    text = served.get("/desk/artists", params={"name": "radioh", "field": "artists"}).text
    assert sorted(re.findall(r'data-name="([^"]*)"', text)) == ["Radiohead (a1)", "Radiohead (b1)"]
    text = served.get("/desk/artists", params={"name": "sigur", "field": "artists"}).text
    assert 'data-name="Sigur Rós"' in text
    text = served.get("/desk", params={"artists": ["a1", "b1"]}).text
    assert "<span>Radiohead (b1)</span>" in text


def put_another(with_redis: WithRedis, artist: str, name: str) -> None:
    """Let another artist have a name."""
    song = Song(song_id=f"of {artist}", artist_ids=[artist], artist_names=[name])
    with_redis(lambda redis: Catalogue(redis).put([song]))


def test_a_listener_who_is_typed_in_is_explained(served: Served) -> None:
    text = preview(served, artists="a1", why="u1")
    assert "Why u1?" in text
    assert "because of" in text


def test_a_listener_whom_nobody_knows_leaves_the_preview_as_it_is(served: Served) -> None:
    text = preview(served, artists="a1", why="nobody")
    assert "there is no listener &#39;nobody&#39;" in text
    assert "listeners would be told" in text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("max_audience", "many", "At most so many listeners: input should be a valid integer"),
        ("min_ctr", "300", "Lowest CTR: input should be less than or equal to 1"),
        ("where", "chrun>0.7", "there is no trait &#39;chrun&#39;, the nearest is churn"),
    ],
)
def test_what_cannot_be_is_said_in_its_place(field: str, value: str, said: str, served: Served) -> None:
    answer = served.post("/desk/preview", data={"artists": "a1", field: value})
    assert (answer.status_code, said in answer.text) == (200, True)


def test_who_is_left_out_by_a_condition_is_counted(served: Served) -> None:
    text = preview(served, artists="a1", max_audience="7", where="churn>0.7")
    assert re.search(r"<td>do not meet the condition on churn</td><td>\d", text)


def test_who_was_told_often_enough_is_left_out_and_no_place_is_taken(
    service: Settings, with_redis: WithRedis
) -> None:
    async def tell(redis: AnyRedis) -> None:
        await Told(redis, Caps()).reserve("r0", ["a1"], ["u1", "u2"], [False, False], time.time())

    with_redis(tell)
    with serving(service.model_copy(update={"told_artist_hours": 24.0})) as served:
        for _ in range(2):
            text = preview(served, artists="a1", max_audience="7")
            assert re.search(r"<td>told of this artist lately</td><td>2<", text)
            assert "<b>3</b><span>listeners would be told</span>" in text
    assert with_redis(lambda redis: Told(redis).of(["u3"])) == [ToldLately()]


def test_an_audience_that_is_too_large_to_ask_after_all_is_the_most_there_may_be(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_ASKED", 2)
    monkeypatch.setattr(pages, "ASKED_AT_ONCE", 2)
    assert "<b>5</b><span>listeners would be told at most</span>" in preview(
        served, artists="a1", max_audience="7"
    )


def test_a_preview_that_nobody_waits_for_any_more_is_not_planned(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview(served, artists="a1")
    asked, go_on, planned = threading.Event(), threading.Event(), list[str]()
    as_usual, plan = desk_page.release_event, Desk.plan

    async def when_told(*given: Any, **more: Any) -> Any:
        asked.set()
        await asyncio.to_thread(go_on.wait, PATIENCE)
        return await as_usual(*given, **more)

    async def noted(self: Desk, release: Release, *given: Any) -> Preview:
        planned.extend(release.artist_ids)
        return await plan(self, release, *given)

    monkeypatch.setattr(desk_page, "release_event", when_told)
    monkeypatch.setattr(Desk, "plan", noted)
    address = urlsplit(served.address)
    connection = HTTPConnection(address.hostname or "", address.port)
    connection.request("POST", "/desk/preview", "artists=a2", FORM)
    assert asked.wait(PATIENCE)
    connection.close()
    served.get("/healthz")  # is answered after that was noticed
    go_on.set()
    preview(served, artists="a1")
    assert planned == ["a1"]


def test_what_was_typed_stays_text(served: Served) -> None:
    asked = {"artists": EVIL, "title": EVIL, "where": EVIL, "why": EVIL}
    texts = [served.get("/desk", params=asked).text, preview(served, **asked)]
    texts.append(served.get("/desk/artists", params={"name": EVIL, "field": "artists"}).text)
    assert all(EVIL not in text and "<script>alert" not in text for text in texts)
    assert ESCAPED in texts[0]


def test_a_name_of_the_catalogue_stays_text(served: Served, with_redis: WithRedis) -> None:
    song = Song(song_id="s9", artist_ids=["a9"], artist_names=[EVIL])
    with_redis(lambda redis: Catalogue(redis).put([song]))
    text = served.get("/desk/artists", params={"name": "<script", "field": "artists"}).text
    assert f'data-name="{ESCAPED}"' in text


def test_a_release_is_published_by_its_form(log: KafkaLog, served: Served) -> None:
    asked = {"artists": "Radiohead", "title": "New", "release_id": "radiohead/new"}
    answer = served.post("/desk/publish", data=asked)
    assert answer.headers["HX-Redirect"] == "/release?id=radiohead%2Fnew&published=yes"
    (event,) = log.events("releases")
    assert (event["release_id"], event["artist_ids"], event["title"]) == ("radiohead/new", ["a1"], "New")


def test_an_id_of_which_somebody_was_told_is_not_published_again(
    served: Served, with_redis: WithRedis
) -> None:
    released(with_redis, {}, name="r1")
    answer = served.post("/desk/publish", data={"artists": "Radiohead", "release_id": "r1"})
    assert "There is a release &#39;r1&#39; already" in answer.text
    assert "HX-Redirect" not in answer.headers


def test_commands_in_why_a_release_is_refused_are_code(served: Served) -> None:
    asked = {"artists": "a1", "release_id": "r1", "where": "segment:rap>0.5"}
    text = served.post("/desk/publish", data=asked).text
    assert "<code>refrain segments</code> lists" in text


def test_an_id_is_suggested_that_no_release_has(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, {}, name="radiohead-sol")
    assert 'value="radiohead-sol-2"' in preview(served, artists="a1", title="Sól")


def test_who_may_only_look_sees_no_button_to_publish(served: Served) -> None:
    looking = Served(served.address, served.settings, key_of(served.settings, Role.LOOK))
    assert "Publish" not in preview(looking, artists="a1")
    assert looking.post("/desk/publish", data={"artists": "a1", "release_id": "r"}).status_code == 403


def test_before_a_model_it_says_what_is_missing(settings: Settings, with_redis: WithRedis) -> None:
    with_redis(
        lambda redis: Catalogue(redis).put([Song(song_id="s", artist_ids=["a1"], artist_names=["Radiohead"])])
    )
    with serving(settings) as served:
        assert "no model yet" in preview(served, artists="a1")


def at_a_desk(service: Settings, work: Callable[[AnyRedis, Desk], Awaitable[None]]) -> None:
    """Do something at a desk without a page."""

    async def whole() -> None:
        redis = await open_redis(service)
        desk = Desk(redis, service, LiveModel(Snapshots(redis)), LiveSongs(SongModels(redis)))
        try:
            await work(redis, desk)
        finally:
            await desk.close()
            await redis.aclose()

    asyncio.run(whole())


def test_who_has_joined_a_cohort_is_in_a_later_preview(service: Settings) -> None:
    async def joined(redis: AnyRedis, desk: Desk) -> None:
        release = Release(release_id="preview", artist_ids=["a1"], max_audience=100)
        before = await desk.plan(release, 0)
        await Cohorts(redis, Listeners(redis)).follow([Move("w1", "", "c1", NOW)])

        async def more() -> bool:
            return (await desk.plan(release, 0)).listeners > before.listeners

        await wait_for_it(more, "a preview with who has joined")

    at_a_desk(service, joined)


def test_listeners_are_let_go_once_nobody_uses_the_desk(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left(redis: AnyRedis, desk: Desk) -> None:
        held = desk._previews._members.held

        async def holds() -> bool:
            return bool(held) and desk.reading is None

        async def holds_none() -> bool:
            return not held

        desk.open()
        await wait_for_it(holds, "listeners in memory")
        monkeypatch.setattr("consumers.web.desk.KEPT_SECONDS", 0.0)
        await wait_for_it(holds_none, "memory to be let go")

    at_a_desk(service, left)


def test_names_of_artists_are_let_go_with_the_listeners(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left(_redis: AnyRedis, desk: Desk) -> None:
        members = desk._previews._members

        async def read() -> bool:
            return bool(members.artists.names) and desk.reading is None and desk.names._names is not None

        desk.open()
        await wait_for_it(read, "names to be read")
        held = [weakref.ref(each) for each in (members.artists, desk.names._names)]
        monkeypatch.setattr("consumers.web.desk.KEPT_SECONDS", 0.0)
        assert desk._keeping is not None
        await asyncio.wait([desk._keeping])
        gc.collect()
        assert [each() for each in held] == [None, None]

    at_a_desk(service, left)


def test_a_desk_has_stages_and_churn_at_hand_once_it_has_read_all(service: Settings) -> None:
    async def opened(_redis: AnyRedis, desk: Desk) -> None:
        members = desk._previews._members

        async def has_read_all() -> bool:
            return bool(members.held) and desk.reading is None

        desk.open()
        await wait_for_it(has_read_all, "listeners in memory")
        assert all(each.traits.keys() == {"stage", "churn"} for each in members.held.values())

    at_a_desk(service, opened)


def test_a_preview_from_traits_in_memory_is_the_one_from_redis(service: Settings) -> None:
    traits = {
        "u1": {"expected_week": 9.0, "zero_week": 0.9},
        "u2": {"expected_week": 1.0, "zero_week": 0.8},
        "u3": {"expected_week": 9.0, "zero_week": 0.1},
    }

    async def asked(redis: AnyRedis, desk: Desk) -> None:
        store = Traits(redis, Listeners(redis))
        await store.write(traits)
        where = parse_where("expected_week>5 and zero_week>0.7")
        release = Release(release_id="preview", artist_ids=["a1"], max_audience=7, where=where)
        from_redis = await desk.plan(release, 7)
        assert from_redis.left_out == {"expected_week": 3, "zero_week": 1}

        async def all_held() -> bool:
            held = desk._previews._members.held.values()
            return bool(held) and all({*each.traits} >= {"expected_week", "zero_week"} for each in held)

        await wait_for_it(all_held, "traits in memory")
        await store.write({"u1": {"zero_week": 0.0}})  # which Redis would say
        from_memory = await desk.plan(release, 7)
        assert replace(from_memory, planned_in_ms=from_redis.planned_in_ms) == from_redis

    at_a_desk(service, asked)


def test_an_open_desk_reads_no_listeners_while_nothing_changes(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opened(redis: AnyRedis, desk: Desk) -> None:
        looks = list[float]()
        look = Previews._look_for_changes

        async def looked(self: Previews) -> None:
            looks.append(self._changed_at)
            await look(self)

        async def at_rest() -> bool:
            return desk.reading is None and looks[-3:-1] == [looks[-1]] * 2

        async def looked_more() -> bool:
            return len(looks) > number + 3

        monkeypatch.setattr(Previews, "_look_for_changes", looked)
        monkeypatch.setattr("consumers.queries.audience.LOOK_SECONDS", 0.0)
        monkeypatch.setattr("consumers.queries.audience.LEAST_AGE", 0.0)
        monkeypatch.setattr("consumers.web.desk.REST_SECONDS", 0.01)
        await desk.plan(Release(release_id="preview", artist_ids=["a1"]), 0)
        await wait_for_it(at_rest, "the desk to rest")
        held, number = dict(desk._previews._members.held), len(looks)
        await wait_for_it(looked_more, "more looks")
        assert held == desk._previews._members.held
        await redis.zadd(keys.PROCESSES, {"ingest-1": time.time()})
        await redis.hset(keys.process("ingest-1"), mapping={"kind": "ingest", "clicks": 5})

        async def all_read() -> bool:
            now = desk._previews._members.held
            return all(now[cohort] is not held[cohort] for cohort in held)

        await wait_for_it(all_read, "listeners to be read after clicks")

    at_a_desk(service, opened)
