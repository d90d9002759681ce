"""`refrain deliver` to an HTTP endpoint that fails in every way."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import trustme

from consumers.deliver.outgoing import Post
from consumers.deliver.process import deliver
from consumers.deliver.webhook import FAILING_SINCE, FAILING_WHY, Webhook
from stream.connect import open_redis
from stream.errors import CannotStart
from stream.retry import Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.wire.record import Record
from tests.consumers.deliver.audiences import audience, full_page, page, summary
from tests.consumers.deliver.endpoint import SECRET, Endpoint, Posted, answer, break_off, hold
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.own_redis import OwnRedis
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for, wait_for_it

RELEASES = ("r1", "r2", "r3", "ü.é 4")
PAGES = 5


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as serving:
        yield serving


@pytest.fixture
def to_endpoint(settings: Settings, endpoint: Endpoint) -> Settings:
    return changed(settings, deliver_url=endpoint.url, deliver_secret=SECRET)


def changed(settings: Settings, **changes: object) -> Settings:
    return Settings(**settings.model_dump(include=settings.model_fields_set) | changes)


def send_audiences(log: KafkaLog, releases: tuple[str, ...] = RELEASES) -> int:
    log.send("audiences", [event for release in releases for event in audience(release, PAGES)])
    return len(releases) * (PAGES + 1)


def pages_of(posts: list[Posted]) -> dict[str, list[int]]:
    """Release -> its pages in the order of posts, the summary as -1."""
    found: dict[str, list[int]] = defaultdict(list)
    for post in posts:
        found[post.data["release_id"]].append(post.data.get("page", -1))
    return dict(found)


ALL_IN_ORDER = {release: [*range(PAGES), -1] for release in RELEASES}


def test_every_page_and_summary_is_posted_once_in_order_and_signed(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    number = send_audiences(log)
    with Running(deliver, to_endpoint):
        wait_for(lambda: len(endpoint.taken) >= number, "all pages")
        log.wait_until_caught_up("deliver", "audiences")
    assert pages_of(endpoint.taken) == ALL_IN_ORDER
    assert all(endpoint.signed)
    assert endpoint.taken[0].event.keys() == {"type", "data"}
    assert {post.event["type"] for post in endpoint.taken} == {"audience.page", "audience.summary"}


def test_what_is_posted_is_the_event(to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog) -> None:
    log.send("audiences", [page("r1", 0)])
    with Running(deliver, to_endpoint):
        wait_for(lambda: endpoint.taken, "the page")
    assert endpoint.taken[0].event == {"type": "audience.page", "data": page("r1", 0)}
    assert endpoint.taken[0].headers["content-type"] == "application/json"


def test_a_full_page_of_long_ids_is_posted(to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog) -> None:
    log.send("audiences", [full_page("r1")])
    with Running(deliver, to_endpoint):
        log.wait_until_caught_up("deliver", "audiences")
    assert [post.data for post in endpoint.taken] == [full_page("r1")]
    assert log.count("dead-letters") == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(500),
        answer(503, Retry_After="1"),
        answer(429, Retry_After="0"),
        answer(408),
        answer(425),
        break_off,
    ],
    ids=["500", "503", "429", "408", "425", "breaks off"],
)
def test_what_is_not_taken_is_posted_again_under_the_same_key_before_what_follows(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog, behaviour: object
) -> None:
    endpoint.fails(behaviour)  # type: ignore[arg-type]
    log.send("audiences", audience("r1", 2))
    with Running(deliver, to_endpoint):
        wait_for(lambda: len(endpoint.taken) == 3, "all pages")
    assert pages_of(endpoint.posts) == {"r1": [0, 0, 1, 1, -1, -1]}
    assert [a.name for a in endpoint.posts[::2]] == [b.name for b in endpoint.posts[1::2]]
    assert len({post.name for post in endpoint.posts}) == 3
    assert all(endpoint.signed)


def test_pages_that_come_while_one_is_not_taken_wait_behind_it(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    mended = threading.Event()
    fails = answer(500)
    endpoint.behave = lambda body: fails if b'"page":0' in body and not mended.is_set() else answer(204)
    log.send("audiences", [page("r1", 0)])
    with Running(deliver, to_endpoint):
        wait_for(lambda: endpoint.posts, "the first page")
        log.send("audiences", [page("r1", 1), summary("r1", 2)])
        tries = len(endpoint.posts)
        wait_for(lambda: len(endpoint.posts) > tries + 2, "the first page to be posted again and again")
        mended.set()
        wait_for(lambda: len(endpoint.taken) == 3, "all pages")
    assert pages_of(endpoint.taken) == {"r1": [0, 1, -1]}


def test_an_endpoint_that_does_not_answer_in_time_is_asked_again(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    let_go = threading.Event()
    endpoint.fails(hold(let_go))
    log.send("audiences", [page("r1", 0)])
    with Running(deliver, changed(to_endpoint, deliver_timeout=0.5)):
        wait_for(lambda: endpoint.taken, "the page")
        let_go.set()
        wait_for(lambda: len(endpoint.posts) == 2, "the first post to end")
    assert len({post.name for post in endpoint.posts}) == 1


def test_nothing_is_posted_before_the_time_that_retry_after_says(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    endpoint.fails(answer(429, Retry_After="2"))
    log.send("audiences", [page("r1", 0)])
    with Running(deliver, to_endpoint):
        wait_for(lambda: endpoint.taken, "the page")
    first, second = endpoint.posts
    assert second.at - first.at >= 2


@pytest.mark.parametrize("status", [400, 404, 410, 301])
def test_what_is_refused_for_good_is_a_dead_letter_and_the_next_page_goes_on(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog, status: int
) -> None:
    refuses = answer(status, Location="http://127.0.0.1:1/elsewhere")
    endpoint.behave = lambda body: refuses if b'"page":0' in body else answer(204)
    log.send("audiences", audience("r1", 2))
    with Running(deliver, to_endpoint):
        wait_for(lambda: len(endpoint.taken) == 2, "what is taken")
        log.wait_until_caught_up("deliver", "audiences")
    (letter,) = log.records("dead-letters")
    headers = dict(letter.headers)
    assert (headers["reason"], headers["topic"]) == (b"undelivered", b"audiences")
    assert headers["detail"] == f"127.0.0.1 answered {status}".encode()
    assert json.loads(letter.value) == page("r1", 0)
    assert pages_of(endpoint.posts) == {"r1": [0, 1, -1]}


def test_what_is_not_taken_for_long_is_a_dead_letter(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    endpoint.behave = lambda body: answer(500 if b'"page":0' in body else 204)
    log.send("audiences", audience("r1", 2))
    with Running(deliver, changed(to_endpoint, deliver_retry_hours=0.5 / 3600)):
        log.wait_until_caught_up("deliver", "audiences")
    assert pages_of(endpoint.taken) == {"r1": [1, -1]}
    (letter,) = log.records("dead-letters")
    assert dict(letter.headers)["detail"].startswith(b"127.0.0.1 answered 500, for ")


def test_the_hours_of_a_page_count_from_its_first_failure_whatever_is_restarted(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    endpoint.behave = lambda body: answer(500 if b'"page":0' in body else 204)
    log.send("audiences", audience("r1", 1))
    with Running(deliver, to_endpoint):
        wait_for(lambda: endpoint.posts, "the page")
    before, since = len(endpoint.posts), time.time()
    wait_for(lambda: time.time() > since + 1, "a second to pass")
    with Running(deliver, changed(to_endpoint, deliver_retry_hours=1 / 3600)):
        log.wait_until_caught_up("deliver", "audiences")
    assert pages_of(endpoint.posts[before:]) == {"r1": [0, -1]}
    (letter,) = log.records("dead-letters")
    assert dict(letter.headers)["detail"].startswith(b"127.0.0.1 answered 500, for ")


def test_the_hours_of_changes_count_from_their_first_failure_whatever_came_behind_them_since(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog, db: redis.Redis
) -> None:
    cohorts = [f"c{number}" for number in range(10)]
    changes = [
        {"user_id": "u1", "from": before, "to": after, "reason": "click", "model_version": 1, "ts": 1.7e9}
        for before, after in itertools.pairwise(cohorts)
    ]
    endpoint.behave = lambda body: answer(500)
    log.send("cohort-changes", changes[:3])
    given = changed(to_endpoint, deliver_cohort_changes=True, deliver_retry_hours=1.0)
    with Running(deliver, given):
        (key,) = wait_for(lambda: db.keys("undelivered:*"), "the first changes to fail")
    db.set(key, time.time() - 3600, keepttl=True)
    log.send("cohort-changes", changes[3:])
    before = len(endpoint.posts)
    with Running(deliver, given):
        log.wait_until_caught_up("deliver-changes", "cohort-changes")
    assert [len(post.data["changes"]) for post in endpoint.posts[before:]] == [len(changes)]
    assert len(log.records("dead-letters")) == len(changes)


def test_what_is_no_event_of_ours_is_a_dead_letter(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    log.send("audiences", [b"{", summary("r1", 0)])
    with Running(deliver, to_endpoint):
        log.wait_until_caught_up("deliver", "audiences")
    assert pages_of(endpoint.taken) == {"r1": [-1]}
    assert [dict(letter.headers)["reason"] for letter in log.records("dead-letters")] == [b"not-json"]


def test_a_process_that_is_killed_is_gone_on_with_where_it_was(
    refrain: Refrain, to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    number = send_audiences(log)
    reached, let_go = threading.Event(), threading.Event()

    def behave(body: bytes) -> object:
        if b'"page":2' in body and not let_go.is_set():
            reached.set()
            return hold(let_go)
        return answer(204)

    endpoint.behave = behave  # type: ignore[assignment]
    given = {"deliver_url": endpoint.url, "deliver_secret": SECRET}
    first = refrain.start("deliver", **given)
    assert reached.wait(60)
    first.kill()
    log.bury("deliver")
    let_go.set()
    second = refrain.start("deliver", **given)
    wait_for(lambda: len(endpoint.first_taken()) == number, "all pages")
    log.wait_until_caught_up("deliver", "audiences")
    assert second.stop() == 0
    assert pages_of(endpoint.first_taken()) == ALL_IN_ORDER
    names = {(post.data["release_id"], post.data.get("page")): post.name for post in endpoint.posts}
    assert {post.name for post in endpoint.posts} == set(names.values())


def test_where_a_second_process_comes_all_goes_on_in_order(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    endpoint.fails(answer(503))
    number = send_audiences(log)
    with Running(deliver, to_endpoint):
        wait_for(lambda: endpoint.taken, "a first page")
        with Running(deliver, to_endpoint):
            wait_for(lambda: len(endpoint.first_taken()) == number, "all pages")
            log.wait_until_caught_up("deliver", "audiences")
    assert pages_of(endpoint.first_taken()) == ALL_IN_ORDER


def test_no_log_has_the_secret_or_the_path_of_the_endpoint(
    refrain: Refrain, settings: Settings, endpoint: Endpoint, log: KafkaLog, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(endpoint.url + "\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    endpoint.fails(break_off, answer(500))
    log.send("audiences", audience("r1", 1))
    files = {"deliver_url_file": tmp_path / "url", "deliver_secret_file": tmp_path / "secret"}
    started = refrain.start("deliver", **files)
    wait_for(lambda: len(endpoint.taken) == 2, "all pages")
    assert started.stop() == 0
    said = started.log.read_text()
    assert "127.0.0.1" in said
    assert "posting again" in said
    assert "TOKEN" not in said
    assert SECRET[6:] not in said


def certificates(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tls, tmp_path / "ca.pem"


def test_an_endpoint_with_a_certificate_of_ones_own_authority_is_posted_to(
    settings: Settings, log: KafkaLog, tmp_path: Path
) -> None:
    tls, authority = certificates(tmp_path)
    log.send("audiences", audience("r1", 2))
    with Endpoint(tls) as endpoint:
        given = {"deliver_url": endpoint.url, "deliver_secret": SECRET, "deliver_ca_file": authority}
        with Running(deliver, changed(settings, **given)):
            wait_for(lambda: len(endpoint.taken) == 3, "all pages")
    assert pages_of(endpoint.taken) == {"r1": [0, 1, -1]}


def test_an_endpoint_whose_certificate_is_not_trusted_is_told_nothing(
    settings: Settings, log: KafkaLog, db: redis.Redis, tmp_path: Path
) -> None:
    tls, _ = certificates(tmp_path)
    log.send("audiences", audience("r1", 2))
    with (
        Endpoint(tls) as endpoint,
        Running(deliver, changed(settings, deliver_url=endpoint.url, deliver_secret=SECRET)),
    ):
        why = wait_for(lambda: said(db, "failing why"), "it to fail")
    assert "certificate" in why
    assert endpoint.posts == []


def said(db: redis.Redis, field: str) -> str:
    """What the process says of itself; "" where it does not."""
    names = db.zrange("processes", 0, -1)
    return next((found for name in names if (found := db.hget(f"process:{{{name}}}", field))), "")


def test_a_folder_of_certificates_that_cannot_be_read_is_named(settings: Settings, tmp_path: Path) -> None:
    given = {"deliver_url": "https://h/", "deliver_secret": SECRET, "deliver_ca_file": tmp_path / "none"}
    with (
        pytest.raises(CannotStart, match="REFRAIN_DELIVER_CA_FILE="),
        Running(deliver, changed(settings, **given)) as running,
    ):
        wait_for(lambda: not running.alive, "it to end")


def test_without_anything_to_deliver_to_it_does_not_start(settings: Settings) -> None:
    with pytest.raises(CannotStart, match="nothing to deliver to"), Running(deliver, settings) as running:
        wait_for(lambda: not running.alive, "it to end")


def test_changes_of_cohort_are_posted_together_in_the_order_of_each_listener(
    to_endpoint: Settings, endpoint: Endpoint, log: KafkaLog
) -> None:
    cohorts = ["", *(f"c{number}" for number in range(300))]
    changes = [
        {"user_id": user, "from": before, "to": after, "reason": "click", "model_version": 1, "ts": 1.7e9}
        for before, after in itertools.pairwise(cohorts)
        for user in ("u1", "u2", "u3")
    ]
    log.send("cohort-changes", changes)
    endpoint.fails(answer(500))
    with Running(deliver, changed(to_endpoint, deliver_cohort_changes=True)):
        log.wait_until_caught_up("deliver-changes", "cohort-changes")
    assert {post.event["type"] for post in endpoint.taken} == {"cohort.changes"}
    assert max(len(post.data["changes"]) for post in endpoint.taken) <= 500
    posted = [change for post in endpoint.first_taken() for change in post.data["changes"]]
    assert len(posted) == len(changes)
    for user in ("u1", "u2", "u3"):
        assert [each["to"] for each in posted if each["user_id"] == user] == cohorts[1:]


@dataclass
class Posting:
    """A `Webhook` and what its process says of it."""

    webhook: Webhook
    gauges: dict[str, str | float]


@asynccontextmanager
async def posting(settings: Settings) -> AsyncIterator[Posting]:
    redis = await open_redis(settings)
    heartbeat = Heartbeat(redis, "deliver")
    async with Webhook(settings, redis, heartbeat) as webhook:
        yield Posting(webhook, heartbeat.gauges)
    await redis.aclose()


R1, R2, R3 = (
    Post(f"msg_r{at}", body, Record("audiences", 0, at, None, body))
    for at, body in enumerate((b'{"data": "r1"}', b'{"data": "r2"}', b'{"data": "r3"}'), 1)
)


async def test_a_post_that_is_not_taken_is_shown_although_others_are(
    to_endpoint: Settings, endpoint: Endpoint
) -> None:
    endpoint.behave = lambda body: answer({R1.body: 500, R2.body: 204}.get(body, 400))
    async with posting(to_endpoint) as here:
        ending = asyncio.Event()
        failing = asyncio.create_task(here.webhook.deliver(R1, ending))
        await until(lambda: here.gauges[FAILING_SINCE])
        began = here.gauges[FAILING_SINCE]
        assert await here.webhook.deliver(R2, ending) == ""
        assert await here.webhook.deliver(R3, ending) == "127.0.0.1 answered 400"
        assert here.gauges[FAILING_SINCE] == began
        assert here.gauges[FAILING_WHY] == "127.0.0.1 answered 500"
        ending.set()
        with pytest.raises(Stopped):
            await failing


async def test_a_post_that_is_left_to_another_process_is_not_shown(
    to_endpoint: Settings, endpoint: Endpoint
) -> None:
    endpoint.behave = lambda body: answer(500)
    async with posting(to_endpoint) as first, posting(to_endpoint) as second:
        await fail_and_leave(first, R1)
        endpoint.behave = lambda body: answer(204)
        assert await second.webhook.deliver(R1, asyncio.Event()) == ""
        assert (first.gauges[FAILING_SINCE], first.gauges[FAILING_WHY]) == (0.0, "")


async def test_a_post_that_is_taken_over_is_shown_since_it_first_failed(
    to_endpoint: Settings, endpoint: Endpoint
) -> None:
    endpoint.behave = lambda body: answer(500)
    shown = []
    for _ in range(2):
        async with posting(to_endpoint) as here:
            ending = asyncio.Event()
            failing = asyncio.create_task(here.webhook.deliver(R1, ending))
            await until(lambda gauges=here.gauges: gauges[FAILING_SINCE])  # type: ignore[misc]
            shown.append(here.gauges[FAILING_SINCE])
            ending.set()
            with pytest.raises(Stopped):
                await failing
    assert shown[0] == shown[1]


async def test_what_was_a_dead_letter_is_posted_for_as_long_again_when_it_comes_again(
    to_endpoint: Settings, endpoint: Endpoint, db: redis.Redis
) -> None:
    endpoint.behave = lambda body: answer(500)
    async with posting(changed(to_endpoint, deliver_retry_hours=0.1 / 3600)) as here:
        assert "answered 500, for " in await here.webhook.deliver(R1, asyncio.Event())
    assert db.keys("undelivered:*") == []


@pytest.mark.parametrize("was_here_before", [False, True])
async def test_a_post_that_another_process_failed_to_post_is_forgotten_once_it_is_taken(
    to_endpoint: Settings, endpoint: Endpoint, db: redis.Redis, was_here_before: bool
) -> None:
    async with posting(to_endpoint) as first, posting(to_endpoint) as second:
        if was_here_before:
            assert await second.webhook.deliver(R2, asyncio.Event()) == ""
        endpoint.behave = lambda body: answer(500)
        await fail_and_leave(first, R1)
        assert len(db.keys("undelivered:*")) == 1
        endpoint.behave = lambda body: answer(204)
        assert await second.webhook.deliver(R1, asyncio.Event()) == ""
    assert db.keys("undelivered:*") == []


async def test_without_redis_the_hours_of_a_post_are_counted_all_the_same(
    to_endpoint: Settings, endpoint: Endpoint, own_redis: OwnRedis
) -> None:
    own_redis.start()
    endpoint.behave = lambda body: answer(500)
    given = {"redis": own_redis.url, "deliver_retry_hours": 0.1 / 3600}
    async with posting(changed(to_endpoint, **given)) as here:
        own_redis.kill()
        assert "answered 500, for " in await here.webhook.deliver(R1, asyncio.Event())


async def fail_and_leave(process: Posting, post: Post) -> None:
    """Let a process post what is not taken, until it is to give its partition up."""
    ending = asyncio.Event()
    failing = asyncio.create_task(process.webhook.deliver(post, ending))
    await until(lambda: process.gauges[FAILING_SINCE])
    ending.set()
    with pytest.raises(Stopped):
        await failing


async def until(condition: Callable[[], object]) -> None:
    async def look() -> object:
        return condition()

    await wait_for_it(look, "the gauge")
