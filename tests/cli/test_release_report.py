"""`refrain release show` and `list`, and what the doctor says of feedback."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.opted_out import OptedOut
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Asked, Fixable, Releases
from stream.stores.told import Told
from stream.wire.events import Feedback, Page, Release, encode
from tests.apart import WithRedis
from tests.refrain_command import Refrain

NOW = time.time() - 3600
DAY = 86_400.0
FANS, OTHERS = [f"fan {n}" for n in range(40)], [f"other {n}" for n in range(30)]


def released(
    with_redis: WithRedis, did: dict[str, list[str]], song: str = "", control: int = 0, name: str = "r1"
) -> None:
    """A release to the cohorts c1 (fans) and c2 (others), and what was reported of it: kind -> listeners.

    Where it names a song it was planned a day ago: plays no longer count.
    """
    planned_at = NOW - DAY if song else NOW

    async def put(redis: AnyRedis) -> None:
        releases = Releases(redis, 86_400.0)
        about: dict[str, Any] = {
            "title": "Sól",
            "planned_at": planned_at,
            "reason": "done",
            "relied_on": "artists",
        }
        if song:
            about["song_id"] = song
        await releases.claim(Asked(Release(release_id=name, artist_ids=["a1"]), "0", 0, NOW), "w", NOW, 5.0)
        users = FANS + OTHERS
        page = Page(
            release_id=name,
            page=0,
            user_ids=users,
            cohort_ids=["c1"] * len(FANS) + ["c2"] * len(OTHERS),
            scores=[0.5] * len(users),
            model_version=4,
            emitted_at=NOW,
        )
        apart = {f"apart {n}": "c1" for n in range(control)}
        await releases.fix_pages([Fixable(page, encode(page), about, apart)], "w")
        await releases.predict(name, {"c1": 0.4, "c2": 0.1})
        totals = {
            "audience": 70,
            "pages": 1,
            "cohorts": 2,
            "left_out": json.dumps({"control group": control}),
        }
        await releases.end_plan(name, "w", {**about, **totals})
        await releases.finish(name, "w", 12.0)
        counts = FeedbackCounts(redis, 86_400, OptedOut(redis), Told(redis))
        events = [(user, kind) for kind, users in did.items() for user in users]
        await counts.count(
            [
                Heard(Feedback(release_id=name, user_id=user, kind=kind, ts=NOW), "0", at)
                for at, (user, kind) in enumerate(events)
            ]
        )

    with_redis(put)


def shown(refrain: Refrain, *arguments: str) -> Any:
    return refrain.asked("release", *arguments)


def test_a_release_is_shown_with_ctr_and_interval_by_cohort_the_best_first(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": OTHERS + FANS, "clicked": FANS[:20] + OTHERS[:3]})
    found = shown(refrain, "show", "r1")
    assert (found["audience"], found["sent"], found["clicked"]) == (70, 70, 23)
    assert found["ctr_low"] < found["ctr"] < found["ctr_high"]
    assert [(each["cohort_id"], each["ctr"], each["play_rate"]) for each in found["cohorts"]] == [
        ("c1", 0.5, 0.4),
        ("c2", 0.1, 0.1),
    ]
    text = refrain.run("release", "show", "r1").stdout
    assert "CTR 32.9 % (95 %:" in " ".join(text.split())
    assert "50.0 %  35.0 to 65.0" in text


def test_no_ctr_is_shown_of_a_few(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    released(with_redis, {"sent": FANS[:1], "clicked": FANS[:5]})
    found = shown(refrain, "show", "r1")
    assert (found["sent"], found["sent_implied"], found["ctr"], found["ctr_low"]) == (5, 4, None, None)
    assert "no CTR below 20 sent" in refrain.run("release", "show", "r1").stdout
    assert shown(refrain, "list")[0]["ctr"] is None


def test_what_telling_brought_is_shown_beside_the_control_group(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    played = FANS + OTHERS[:20] + [f"apart {n}" for n in range(2)]
    released(with_redis, {"sent": FANS, "played": played}, song="s-a1", control=40)
    found = shown(refrain, "show", "r1")
    assert (found["played"], found["control"], found["control_played"]) == (60, 40, 2)
    assert found["uplift"]["uplift"] == pytest.approx(60 / 70 - 2 / 40)
    assert found["uplift"]["uplift_low"] > 0
    text = refrain.run("release", "show", "r1").stdout
    assert "60 of the 70 told (85.7 %), 2 of the 40 in the control group (5.0 %)" in " ".join(text.split())
    assert "40 control group" in text


def test_while_plays_count_it_is_not_said_what_telling_brought(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": FANS, "played": FANS}, song="s-a1", control=40)

    def planned(at: float) -> Any:
        with_redis(lambda redis: redis.hset(keys.release("r1"), "planned_at", str(at)))
        return shown(refrain, "show", "r1")

    at = time.time()
    found = planned(at)
    assert (found["played"], found["control"], found["uplift"]) == (40, 40, None)
    assert found["plays_until"] == pytest.approx(at + DAY)
    text = " ".join(refrain.run("release", "show", "r1").stdout.split())
    assert "40 of the 70 told, 0 of the 40 in the control group; plays count until 20" in text
    assert "telling brought" not in text
    assert planned(at - DAY)["uplift"]["uplift"] == pytest.approx(40 / 70)


def test_a_control_group_of_which_one_is_erased_is_compared_without_them(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"played": ["apart 0", "apart 1"]}, song="s-a1", control=2)
    with_redis(lambda redis: ReleaseTraces(redis).forget(["apart 0"]))
    found = shown(refrain, "show", "r1")
    assert (found["control"], found["control_played"], found["uplift"]["control"]) == (1, 1, 1.0)


def test_a_control_group_has_no_more_plays_than_listeners(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"played": ["apart 0", "apart 1"]}, song="s-a1", control=2)
    # As earlier versions erased a listener.
    with_redis(lambda redis: redis.hdel(keys.release_control("r1"), "apart 0"))
    found = shown(refrain, "show", "r1")
    assert (found["control"], found["control_played"], found["uplift"]["control"]) == (1, 1, 1.0)


def test_without_a_song_nothing_is_said_of_plays(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": FANS}, control=40)
    assert shown(refrain, "show", "r1")["uplift"] is None
    assert "not known: the release names no song" in refrain.run("release", "show", "r1").stdout


def test_another_share_in_the_middle_of_an_ab_test_makes_no_difference_of_policies(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def put(redis: AnyRedis) -> None:
        for number in range(20):
            later = number >= 10  # when half of the listeners are told by taste, and all click more often
            sent = {"usual": 500, "taste": 500} if later else {"usual": 900, "taste": 100}
            name = f"r{number}"
            told = {"ab_policy": "taste", "told_by_policy": json.dumps(sent)}
            await redis.hset(keys.release(name), mapping={"state": "done", "planned_at": NOW, **told})
            await redis.zadd(keys.RELEASES, {name: NOW})
            for policy, listeners in sent.items():
                clicked = listeners * (9 if later else 3) // 100
                counts = {f"{policy}:sent": listeners, f"{policy}:clicked": clicked}
                await redis.hset(keys.release_part_counts(name), mapping=counts)

    with_redis(put)
    found = shown(refrain, "ab")
    assert [(each["sent"], each["clicked"]) for each in found["policies"]] == [(14_000, 720), (6000, 480)]
    assert found["difference"]["difference"] == pytest.approx(0.0)
    assert found["difference"]["difference_low"] < 0 < found["difference"]["difference_high"]
    assert "no difference shown yet" in refrain.run("release", "ab").stdout


async def put_ab_test(redis: AnyRedis, last_pages: dict[str, float]) -> None:
    """Releases told by two policies: name -> when the last page was made."""
    for name, at in last_pages.items():
        about = {"ab_policy": "taste", "audience": 200, "planned_at": NOW - DAY, "last_page_at": at}
        await redis.hset(keys.release(name), mapping={"state": "done", **about})
        await redis.zadd(keys.RELEASES, {name: NOW})
        counts = {f"{policy}:{kind}": 100 for policy in ("usual", "taste") for kind in ("sent", "clicked")}
        await redis.hset(keys.release_part_counts(name), mapping=counts)


def test_of_an_ab_test_it_is_said_until_when_clicks_on_the_last_pages_come(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    # The first page of each is more than a day old.
    with_redis(lambda redis: put_ab_test(redis, {"old": NOW - DAY, "new": NOW, "newest": NOW + 60}))
    found = shown(refrain, "ab")
    assert (found["releases"], found["still_clicked"]) == (3, 2)
    assert found["clicks_until"] == pytest.approx(NOW + 60 + DAY)
    text = " ".join(refrain.run("release", "ab").stdout.split())
    assert "clicks on 2 releases still come, until 20" in text
    assert shown(refrain, "show", "new")["clicks_until"] == pytest.approx(NOW + DAY)
    assert "clicks still come until 20" in " ".join(refrain.run("release", "show", "new").stdout.split())


def test_of_an_ab_test_whose_clicks_are_over_nothing_more_is_said(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: put_ab_test(redis, {"old": NOW - DAY}))
    found = shown(refrain, "ab")
    assert (found["still_clicked"], found["clicks_until"]) == (0, None)
    assert "still come" not in refrain.run("release", "ab").stdout
    assert "still come" not in refrain.run("release", "show", "old").stdout


def test_of_a_release_with_more_pages_to_come_clicks_come_as_of_the_next_of_them(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: put_ab_test(redis, {"half": NOW - DAY}))
    more = {"state": "paused", "held_until": NOW + 3600, "next_wave_at": 0}
    with_redis(lambda redis: redis.hset(keys.release("half"), mapping=more))
    found = shown(refrain, "ab")
    assert (found["still_clicked"], found["clicks_until"]) == (1, pytest.approx(NOW + 3600 + DAY))


def test_of_a_release_of_an_earlier_version_clicks_come_as_of_its_plan(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": FANS})
    with_redis(lambda redis: redis.hdel(keys.release("r1"), "last_page_at"))
    assert shown(refrain, "show", "r1")["clicks_until"] == pytest.approx(NOW + DAY)


def test_cohorts_of_a_release_are_written_as_csv(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": FANS + OTHERS, "clicked": OTHERS})
    rows = list(csv.DictReader(io.StringIO(refrain.run("release", "show", "r1", "--csv").stdout)))
    assert [(row["cohort_id"], row["ctr"]) for row in rows] == [("c2", "1.0"), ("c1", "0.0")]


def test_releases_are_listed_the_latest_first(
    service: Settings, refrain: Refrain, with_redis: WithRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nobody was told of a release yet" in refrain.run("release", "list").stdout
    released(with_redis, {"sent": FANS, "clicked": FANS[:4]}, name="early")
    monkeypatch.setattr("tests.cli.test_release_report.NOW", NOW + 60)
    released(with_redis, {}, name="late")
    assert [each["release_id"] for each in shown(refrain, "list")] == ["late", "early"]
    assert [each["release_id"] for each in shown(refrain, "list", "--top", "1")] == ["late"]
    assert "10.0 %" in refrain.run("release", "list").stdout


def test_releases_of_which_more_goes_out_are_listed_until_they_are_finished(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert "all releases are finished" in refrain.run("release", "list", "--unfinished").stdout
    asked = Asked(Release(release_id="r2", artist_ids=["a1"], title="Two"), "0", 0, NOW)

    async def wait(redis: AnyRedis) -> None:
        releases = Releases(redis, 86_400)
        await releases.claim(asked, "w1", NOW, 10)
        await releases.pause("r2", "w1", NOW + 3600, {"title": "Two", "audience": 5, "held": 2})

    with_redis(wait)
    assert shown(refrain, "list", "--unfinished") == [
        {
            "release_id": "r2",
            "title": "Two",
            "state": "paused",
            "audience": 5,
            "held": 2,
            "due_at": NOW + 3600,
        }
    ]
    assert "Two" in refrain.run("release", "list", "--unfinished").stdout

    async def end(redis: AnyRedis) -> None:
        releases = Releases(redis, 86_400)
        await releases.claim(asked, "w1", NOW + 3600, 10)
        await releases.end_plan("r2", "w1", {})
        await releases.finish("r2", "w1", None)

    with_redis(end)
    assert shown(refrain, "list", "--unfinished") == []


def test_all_that_are_unfinished_are_listed_so_a_number_is_refused(
    service: Settings, refrain: Refrain
) -> None:
    assert refrain.run("release", "list", "--unfinished", "--top", "3").returncode == 2


def test_a_release_that_nobody_knows_is_an_error_that_says_so(service: Settings, refrain: Refrain) -> None:
    done = refrain.run("release", "show", "unheard of")
    assert (done.returncode, "there is no release 'unheard of'" in done.stderr) == (1, True)


def test_two_formats_at_once_are_refused(service: Settings, refrain: Refrain) -> None:
    assert refrain.run("release", "show", "r1", "--csv", "--json").returncode == 2


def feedback_check(refrain: Refrain) -> dict[str, str]:
    checks = json.loads(refrain.run("doctor", "--json").stdout)["checks"]
    (found,) = [check for check in checks if check["name"] == "feedback"]
    return found


def test_the_doctor_names_a_notifier_that_reports_nothing(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {})
    found = feedback_check(refrain)
    assert (found["state"], "nothing is reported" in found["found"]) == ("warning", True)


def test_the_doctor_names_a_notifier_that_reports_clicks_and_not_what_it_sends(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"clicked": FANS})
    found = feedback_check(refrain)
    assert (found["state"], "not what it sends" in found["found"]) == ("warning", True)


def test_the_doctor_gives_the_ctr_where_feedback_is_whole(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    released(with_redis, {"sent": FANS, "clicked": FANS[:4]})
    found = feedback_check(refrain)
    assert (found["state"], "CTR 10.0 % (" in found["found"]) == ("fine", True)
