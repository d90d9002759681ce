from __future__ import annotations

from zlib import crc32

import pytest

from models.affinity import DAY
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.told import UNREPORTED, Caps, Heed, Told, ToldLately

NOW = 1_700_000_000.0
USERS = [f"u{n}" for n in range(300)]


async def reserve(
    told: Told, release: str, now: float, users: list[str], ask: bool = False, artist: str = "a1"
) -> list[str]:
    return await told.reserve(release, [artist], users, [ask] * len(users), now)


async def sent(told: Told, release: str, at: float, *users: str) -> None:
    await told.mark([Heed(user, release, at, 1.0, ["sent"]) for user in users])


async def test_without_caps_everybody_has_a_place(redis: AnyRedis) -> None:
    told = Told(redis, Caps())
    for n in range(5):
        assert await reserve(told, f"r{n}", NOW, USERS) == [""] * 300


@pytest.mark.parametrize(
    ("caps", "later", "reason"),
    [
        (Caps(a_day=1), 0.9 * DAY, "told often enough today"),
        (Caps(a_week=1), 6.9 * DAY, "told often enough this week"),
        (Caps(gap=600), 500.0, "told a moment ago"),
        (Caps(artist_gap=600), 500.0, "told of this artist lately"),
        (Caps(gap=20 * DAY), 19 * DAY, "told a moment ago"),
        (Caps(artist_gap=30 * DAY), 29 * DAY, "told of this artist lately"),
    ],
)
async def test_a_cap_keeps_out_until_its_time_is_over(
    redis: AnyRedis, caps: Caps, later: float, reason: str
) -> None:
    told = Told(redis, caps)
    assert await reserve(told, "r1", NOW, USERS[:2]) == ["", ""]
    await sent(told, "r1", NOW, *USERS[:2])
    assert await reserve(told, "r2", NOW + later, USERS[:3]) == [reason, reason, ""]
    assert await reserve(told, "r2", NOW + later / 0.8, USERS[:2]) == ["", ""]


async def test_without_a_gap_it_does_not_count_which_of_two_workers_clocks_is_ahead(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=9))
    await reserve(told, "r1", NOW + 1, ["u"])
    assert await reserve(told, "r2", NOW, ["u"]) == [""]


async def test_who_has_a_place_keeps_it_however_often_it_is_asked_for(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    assert [await reserve(told, "r1", NOW + n, ["u"]) for n in range(3)] == [[""]] * 3
    assert await reserve(told, "r2", NOW + 3, ["u"]) == ["told often enough today"]


async def test_who_is_only_asked_after_has_reserved_nothing(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    assert await reserve(told, "r1", NOW, ["u"], ask=True) == [""]
    assert await reserve(told, "r2", NOW, ["u"]) == [""]
    assert await reserve(told, "r3", NOW, ["u"], ask=True) == ["told often enough today"]


async def test_a_place_is_free_again_when_it_was_not_sent(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await reserve(told, "r1", NOW, ["u"])
    await told.mark([Heed("u", "r1", NOW, 1.0, ["not_sent"])])
    assert await reserve(told, "r2", NOW, ["u"]) == [""]


async def test_a_place_is_free_again_when_nothing_is_heard_of_it(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await reserve(told, "r1", NOW, ["u"])
    assert await reserve(told, "r2", NOW + UNREPORTED - 1, ["u"]) != [""]
    assert await reserve(told, "r2", NOW + UNREPORTED + 1, ["u"]) == [""]


async def test_a_place_that_was_used_is_not_free_again(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await reserve(told, "r1", NOW, ["u"])
    await sent(told, "r1", NOW, "u")
    await told.mark([Heed("u", "r1", NOW, 1.0, ["not_sent"])])
    assert await reserve(told, "r2", NOW + UNREPORTED + 1, ["u"]) == ["told often enough today"]


async def test_each_kind_counts_once_for_a_listener(redis: AnyRedis) -> None:
    told = Told(redis)
    for kinds in (["sent", "clicked"], ["sent"], ["clicked"], ["opened"]):
        await told.mark([Heed("u", "r1", NOW, 2.0, kinds)])
    await told.mark([Heed("u", "r2", NOW + 1, 4.0, ["sent"])])
    ((lately),) = await told.of(["u"])
    assert (lately.sent, lately.clicked) == (6.0, 2.0)
    assert lately.releases == {"r1": NOW, "r2": NOW + 1}


async def test_what_was_told_is_read_for_each_listener(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=5))
    await reserve(told, "r1", NOW, USERS[::2])
    lately = await told.of(USERS)
    assert [dict(each.releases) for each in lately] == [{"r1": NOW}, {}] * 150


async def test_nothing_is_left_of_a_listener_who_is_forgotten(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=5))
    await reserve(told, "r1", NOW, ["u", "v"])
    assert await told.forget("u")
    assert not await told.forget("u")
    assert [len(each.releases) for each in await told.of(["u", "v"])] == [0, 1]


async def test_what_was_told_lately_is_read_as_numbers(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=9))
    for release, at in (("r1", NOW - 8 * DAY), ("r2", NOW - 2 * DAY), ("r3", NOW - 60)):
        await reserve(told, release, at, USERS[::3])
    await told.mark([Heed(USERS[0], "r3", NOW, 4.0, ["sent", "clicked"])])
    found = await told.lately(USERS, NOW)
    assert found[0].tolist() == [4.0, 4.0, 1.0, 2.0, NOW - 60]
    assert found[3].tolist() == [0.0, 0.0, 1.0, 2.0, NOW - 60]
    assert found[1].tolist() == [0.0] * 5
    assert (await told.lately([], NOW)).shape == (0, 5)


async def test_of_a_listener_in_redis_no_more_than_the_last_notifications_are_kept(redis: AnyRedis) -> None:
    told = Told(redis, Caps(gap=0.5))
    for n in range(80):
        await reserve(told, f"r{n}", NOW + n, ["u"])
    (lately,) = await told.of(["u"])
    assert list(lately.releases) == [f"r{n}" for n in range(15, 80)]


@pytest.mark.parametrize("caps", [Caps(a_day=70), Caps(a_week=70)])
async def test_a_cap_above_what_is_usually_kept_of_a_listener_holds(redis: AnyRedis, caps: Caps) -> None:
    told = Told(redis, caps)
    for n in range(80):
        if await reserve(told, f"r{n}", NOW + n, ["u"]) == [""]:
            await sent(told, f"r{n}", NOW + n, "u")
    ((lately),) = await told.of(["u"])
    assert list(lately.releases) == [f"r{n}" for n in range(70)]


async def test_a_gap_between_releases_of_an_artist_holds_however_many_others_are_between(
    redis: AnyRedis,
) -> None:
    told = Told(redis, Caps(a_day=5, artist_gap=30 * DAY))
    await reserve(told, "r", NOW, ["u"])
    await sent(told, "r", NOW, "u")
    for n in range(1, 100):
        at = NOW + n * DAY / 5
        assert await reserve(told, f"r{n}", at, ["u"], artist=f"other {n}") == [""]
        await sent(told, f"r{n}", at, "u")
    assert await reserve(told, "again", NOW + 29 * DAY, ["u"]) == ["told of this artist lately"]


@pytest.mark.parametrize(
    ("caps", "kept"),
    [
        (Caps(3, 10, 0, DAY), 64),
        (Caps(a_week=500), 500),
        (Caps(3, 10, 0, 90 * DAY), 130),
        (Caps(gap=DAY, artist_gap=90 * DAY), 90),
        (Caps(artist_gap=DAY), 512),
        (Caps(100, 500, 0, 90 * DAY), 512),
    ],
)
def test_of_a_listener_so_many_notifications_are_kept_as_caps_may_count(caps: Caps, kept: int) -> None:
    assert caps.kept == kept


async def test_what_was_told_counts_in_no_week_but_its_own_however_long_it_is_kept(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_week=1, artist_gap=30 * DAY))
    await reserve(told, "r1", NOW, ["u"])
    await sent(told, "r1", NOW, "u")
    assert await reserve(told, "r2", NOW + 8 * DAY, ["u"], artist="a2") == [""]
    assert (await told.lately(["u"], NOW + 8 * DAY)).tolist() == [[1.0, 0.0, 1.0, 1.0, NOW + 8 * DAY]]


async def test_a_release_that_is_answered_anew_after_a_week_takes_a_place_of_its_own(
    redis: AnyRedis,
) -> None:
    told = Told(redis, Caps(a_day=1, gap=8 * DAY))
    await reserve(told, "r1", NOW, ["u"])
    await sent(told, "r1", NOW, "u")
    assert await reserve(told, "r1", NOW + 9 * DAY, ["u"]) == [""]
    await sent(told, "r1", NOW + 9 * DAY, "u")
    assert await reserve(told, "r2", NOW + 9.5 * DAY, ["u"]) == ["told often enough today"]


async def test_what_a_dormant_listener_was_told_is_kept_as_long_as_the_longest_cap_counts_it(
    redis: AnyRedis,
) -> None:
    told = Told(redis, Caps(artist_gap=30 * DAY))
    await reserve(told, "r1", NOW, ["u"])
    await sent(told, "r1", NOW, "u")
    assert await told.expire(["u"], NOW + 29 * DAY) == {"u": NOW + 30 * DAY}
    assert await told.expire(["u"], NOW + 31 * DAY) == {}
    assert await told.of(["u"]) == [ToldLately()]


async def test_without_caps_no_more_than_the_last_notifications_are_kept_either(redis: AnyRedis) -> None:
    told = Told(redis)
    for n in range(1000):
        await sent(told, f"r{n}", NOW + n, "u")
    ((lately),) = await told.of(["u"])
    assert (lately.sent, list(lately.releases)) == (1000.0, [f"r{n}" for n in range(936, 1000)])


async def test_what_was_told_long_ago_and_is_heard_of_now_leaves_caps_as_they_are(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await reserve(told, "r1", NOW, ["u"])
    await sent(told, "r1", NOW, "u")
    for n in range(64):
        await sent(told, f"old {n}", NOW - 30 * DAY, "u")
    assert await reserve(told, "r2", NOW + 1, ["u"]) == ["told often enough today"]


async def test_a_click_on_what_was_told_long_ago_uses_up_no_place(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await reserve(told, "r1", NOW - 8 * DAY, ["u"])
    await sent(told, "r1", NOW - 8 * DAY, "u")
    await reserve(told, "r2", NOW - DAY, ["u"])
    await told.mark([Heed("u", "r1", NOW, 1.0, ["clicked"])])
    ((lately),) = await told.of(["u"])
    assert (lately.sent, lately.clicked, set(lately.releases)) == (1.0, 1.0, {"r2"})
    assert await reserve(told, "r3", NOW + 1, ["u"]) == [""]


async def test_a_click_on_what_was_told_long_ago_counts_once_however_often_it_is_marked(
    redis: AnyRedis,
) -> None:
    told = Told(redis, Caps(a_day=1))
    for n in range(3):
        await sent(told, f"r{n}", NOW - (8 - n) * DAY, "u")
    await reserve(told, "r3", NOW - DAY, ["u"])
    for _ in range(2):
        await told.mark([Heed("u", "r0", NOW, 1.0, ["clicked"]), Heed("u", "r2", NOW, 1.0, ["clicked"])])
    ((lately),) = await told.of(["u"])
    assert (lately.sent, lately.clicked, list(lately.releases)) == (3.0, 2.0, ["r1", "r2", "r3"])
    assert (await told.lately(["u"], NOW)).tolist() == [[3.0, 2.0, 0.0, 2.0, NOW - DAY]]
    assert await reserve(told, "r4", NOW + 1, ["u"]) == [""]


async def test_a_late_click_pushes_out_nothing_that_was_sent(redis: AnyRedis) -> None:
    told = Told(redis)
    for n in range(64):
        await sent(told, f"r{n}", NOW + n, "u")
    await told.mark([Heed("u", "old", NOW, 1.0, ["clicked"])])
    ((lately),) = await told.of(["u"])
    assert (lately.clicked, list(lately.releases)) == (1.0, [f"r{n}" for n in range(64)])


async def test_caps_hold_of_what_another_id_was_told_after_a_late_click_on_the_same(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_day=1))
    await told.mark([Heed("b", "r1", NOW, 1.0, ["clicked"]), Heed("a", "r1", NOW, 1.0, ["sent"])])
    await told.join("a", "b", "a merge")
    assert await reserve(told, "r2", NOW + 1, ["b"]) == ["told often enough today"]


async def test_what_another_id_was_told_is_added_once_for_each_merge(redis: AnyRedis) -> None:
    told = Told(redis)
    await told.mark([Heed("a", "r1", NOW, 1.0, ["sent", "clicked"]), Heed("b", "r2", NOW, 1.0, ["sent"])])
    key = keys.told(f"{crc32(b'a') % 64:02}")
    record = await redis.hget(key, "a")
    await told.join("a", "b", "a merge")
    assert await told.of(["a"]) == [ToldLately()]
    await redis.hset(key, "a", record)  # as if whoever did it had died before erasing it
    await told.mark([Heed("b", "r3", NOW + 1, 1.0, ["sent"])])
    await told.join("a", "b", "a merge")
    (found,) = await told.of(["b"])
    assert (found.sent, found.clicked, set(found.releases)) == (3.0, 1.0, {"r1", "r2", "r3"})


async def test_what_was_told_counts_once_where_a_merge_is_undone_and_made_again(redis: AnyRedis) -> None:
    told = Told(redis, Caps(a_week=10))
    for n in range(5):
        await told.mark([Heed(user, f"{user}{n}", NOW, 1.0, ["sent", "clicked"]) for user in "ab"])
    await told.join("a", "b", "a merge")
    await told.copy("b", "a")
    assert await reserve(told, "r", NOW + 1, ["a", "b"]) == ["told often enough this week"] * 2
    (of_a,) = await told.of(["a"])
    assert (of_a.sent, of_a.clicked, len(of_a.sent_of)) == (0.0, 0.0, 10)
    await told.join("a", "b", "another merge")
    (of_b,) = await told.of(["b"])
    assert (of_b.sent, of_b.clicked, len(of_b.releases)) == (10.0, 10.0, 10)
