"""Pages of releases, over HTTP."""

from __future__ import annotations

import html
import re
import time
from urllib.parse import quote

import pytest
import redis

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.api_keys import Role
from stream.stores.releases import Asked, Releases
from stream.wire.events import Release
from tests.apart import WithRedis
from tests.cli.test_release_report import FANS, NOW, OTHERS, released
from tests.web.served import Served, key_of
from tests.web.test_desk_page import ESCAPED, EVIL

TOLD = {"sent": FANS + OTHERS, "clicked": FANS[:8], "opted_out": OTHERS[:1]}


def is_going_out(with_redis: WithRedis, name: str) -> None:
    """A release that a worker has in hand."""

    async def claim(redis: AnyRedis) -> None:
        asked = Asked(Release(release_id=name, artist_ids=["a1"]), "0", 0, NOW)
        await Releases(redis, 86_400.0).claim(asked, "w", NOW, 5.0)

    with_redis(claim)


def test_the_list_names_the_latest(served: Served, with_redis: WithRedis) -> None:
    assert "Nobody has been told of a release yet" in served.get("/releases").text
    released(with_redis, TOLD, name="a/b")
    assert '<a href="/release?id=a%2Fb">Sól</a>' in served.get("/releases").text


def test_a_release_says_what_came_of_it(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, TOLD, name="a/b c")
    text = served.get("/release?id=a%2Fb%20c").text
    assert "Is out: 70 listeners in 1 page." in text
    assert "8 clicked, 1 opted out: CTR 11.4 % (95 %: " in text
    assert re.search(r'href="/cohorts/c1">c1</a>.*<td>20.0 %</td>', text)


ODD = ["..", ".", "../release", "a/report", "a?id=b", "a#b", "100%", "%2e%2e", "a b&c"]


@pytest.mark.parametrize("name", ODD)
def test_a_release_of_any_id_has_a_page_and_an_address_in_the_api(
    name: str, served: Served, with_redis: WithRedis
) -> None:
    released(with_redis, TOLD, name=name)
    [link] = re.findall(r'<a href="(/release[^"]+)">Sól</a>', served.get("/releases").text)
    assert "Is out: 70 listeners in 1 page." in served.get(html.unescape(link)).text
    asked = {"id": name}
    assert served.get("/api/v1/release", params=asked).json()["fields"]["audience"] == "70"
    assert served.get("/api/v1/release/report", params=asked).json()["release_id"] == name
    stopped = served.post("/api/v1/release/stop", params=asked).json()
    assert stopped["detail"] == f"release {name!r} cannot be stopped: all of it is out"


def test_addresses_of_before_lead_to_the_page(served: Served) -> None:
    answer = served.get("/releases/a%2Fb")
    assert (answer.status_code, answer.headers["Location"]) == (307, "/release?id=a%2Fb")


def test_what_telling_brought_is_said_in_words(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, TOLD, song="s-a1", control=20)
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.release("r1"), mapping={"played": 35, "control_played": 2})
    text = served.get("/release?id=r1").text
    assert re.search(r"\+40\.0 points of plays \(95 %: \S+ to \S+, however often you look\)", text)


def test_while_plays_count_it_says_until_when(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, TOLD, song="s-a1", control=20)
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.release("r1"), "planned_at", time.time())
    text = served.get("/release?id=r1").text
    assert "It is not known yet." in text
    assert re.search(r"Played it: 0 of the 70 told, .*; plays count until 20", text)
    assert "points of plays" not in text


def test_without_a_song_it_says_why_it_is_not_known_what_telling_brought(
    served: Served, with_redis: WithRedis
) -> None:
    released(with_redis, TOLD)
    assert "It cannot be known: the release names no song." in served.get("/release?id=r1").text


def test_a_release_that_no_worker_has_met_yet_waits_after_it_was_published(served: Served) -> None:
    text = served.get("/release?id=r9", params={"published": "yes"}).text
    assert "it waits for a worker" in text
    assert "No worker runs" in text
    assert 'hx-trigger="every 2s"' in text


def test_a_release_that_there_is_not_is_not_found(served: Served) -> None:
    answer = served.get("/release?id=r9", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "there is no release &#39;r9&#39;" in answer.text


def test_commands_in_an_error_are_code_on_its_page_and_all_else_of_it_stays_text(served: Served) -> None:
    answer = served.get("/release", params={"id": "<i>`x`</i>"}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "there is no release &#39;&lt;i&gt;<code>x</code>&lt;/i&gt;&#39;" in answer.text
    assert "<code>refrain release list</code> names" in answer.text


def test_nothing_is_sent_again_that_has_not_changed(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, TOLD)
    found = re.search(r'hx-get="(/release/part[^"]+)"', served.get("/release?id=r1").text)
    assert found is not None
    again = found[1].replace("&amp;", "&")
    assert served.get(again).status_code == 204
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hincrby(keys.release("r1"), "clicked", 1)
    assert "9 clicked" in served.get(again).text


def test_a_release_is_stopped_by_its_form(served: Served, with_redis: WithRedis) -> None:
    is_going_out(with_redis, "a/b")
    assert 'data-dialog="stop"' in served.get("/release?id=a%2Fb").text
    answer = served.post("/release/stop", data={"id": "a/b"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/release?id=a%2Fb")
    with redis.Redis.from_url(served.settings.redis) as client:
        assert client.hexists(keys.release("a/b"), "stopped_at")


def test_what_is_out_has_no_button_to_stop_it(served: Served, with_redis: WithRedis) -> None:
    released(with_redis, TOLD)
    assert 'data-dialog="stop"' not in served.get("/release?id=r1").text


def test_who_may_only_look_may_stop_nothing(served: Served, with_redis: WithRedis) -> None:
    is_going_out(with_redis, "r1")
    looking = Served(served.address, served.settings, key_of(served.settings, Role.LOOK))
    assert 'data-dialog="stop"' not in looking.get("/release?id=r1").text
    assert looking.post("/release/stop", data={"id": "r1"}).status_code == 403


def test_an_id_and_a_title_stay_text(served: Served, with_redis: WithRedis) -> None:
    evil_id = """<script>alert("1")</script>'"""  # braces are in no id
    released(with_redis, TOLD, name=evil_id)
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.release(evil_id), "title", EVIL)
    pages = [served.get("/releases").text, served.get("/release?id=" + quote(evil_id, safe="")).text]
    assert all(ESCAPED in text and "<script>alert" not in text for text in pages)
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&#39;" in pages[1]
