"""The page of a listener, over HTTP."""

from __future__ import annotations

import redis

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.api_keys import Role
from stream.stores.told import Heed, Told
from tests.apart import WithRedis
from tests.cli.service import NOW
from tests.web.served import Served, key_of
from tests.web.test_desk_page import ESCAPED, EVIL


def tell(with_redis: WithRedis, user: str, release: str) -> None:
    async def told(redis: AnyRedis) -> None:
        await Told(redis).reserve(release, ["a1"], [user], [False], NOW)
        await Told(redis).mark([Heed(user, release, NOW, 1.0, ["sent", "clicked"])])

    with_redis(told)


def test_it_opens_with_a_search(served: Served) -> None:
    assert '<form method="get" action="/listener"' in served.get("/listener").text


def test_a_listener_is_shown_with_artists_cohort_and_why(served: Served) -> None:
    text = served.get("/listener", params={"id": "u1"}).text
    assert "<tr><td>Radiohead</td><td data-value=" in text
    assert '<a href="/cohorts/c1">Radiohead</a>' in text
    assert "nearest to what they play" in text


def test_a_listener_whom_nobody_knows_is_an_empty_page_with_a_hint(served: Served) -> None:
    answer = served.get("/listener", params={"id": "nobody"})
    assert answer.status_code == 404
    assert "there is no listener &#39;nobody&#39;" in answer.text
    assert "<code>refrain doctor</code>" in answer.text


def test_what_a_listener_was_told_is_listed(served: Served, with_redis: WithRedis) -> None:
    tell(with_redis, "u1", "a/b")
    text = served.get("/listener", params={"id": "u1"}).text
    assert '<a href="/release?id=a%2Fb">a/b</a>' in text
    assert '<td class="text">clicked</td>' in text
    assert served.get("/api/v1/told/u1").json() == [
        {"release_id": "a/b", "title": "", "at": NOW, "sent": True, "clicked": True}
    ]


def test_without_songs_it_says_why(served: Served) -> None:
    assert "no songs are learned yet" in served.get("/listener/songs", params={"id": "u1"}).text


def test_a_listener_is_forgotten_by_the_form(served: Served) -> None:
    assert 'data-dialog="forget"' in served.get("/listener", params={"id": "u1"}).text
    answer = served.post("/listener/forget", data={"id": "u1"})
    assert "Erased: 10 clicks summed up in 2 artists, membership of c1." in answer.text
    assert served.get("/listener", params={"id": "u1"}).status_code == 404


def test_who_may_publish_may_forget_nobody(served: Served) -> None:
    desk = Served(served.address, served.settings, key_of(served.settings, Role.PUBLISH))
    assert 'data-dialog="forget"' not in desk.get("/listener", params={"id": "u1"}).text
    assert desk.post("/listener/forget", data={"id": "u1"}).status_code == 403


def test_names_and_ids_stay_text(served: Served, with_redis: WithRedis) -> None:
    tell(with_redis, "u1", EVIL)
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.artist("a1"), "name", EVIL)
    texts = [served.get("/listener", params={"id": user}).text for user in ("u1", EVIL)]
    assert all(ESCAPED in text and "<script>alert" not in text for text in texts)
