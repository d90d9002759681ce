from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from consumers.ingest.apply import Applier
from models.affinity import ForwardDecay
from models.ctr import FEATURES, CtrModel
from models.listener import Click, Rules
from stream.broker import servers
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.listeners import Listeners
from stream.stores.opted_out import OptedOut
from stream.wire.fields import MAX_ARTISTS
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain


def test_cohorts_are_listed_with_those_who_are_in_none(service: Settings, refrain: Refrain) -> None:
    found = refrain.asked("cohorts")
    assert [(c["cohort_id"], c["size"], c["label"]) for c in found["cohorts"]] == [
        ("c1", 3, "Radiohead"),
        ("c2", 2, "Sigur Rós, [bold]Björk"),
    ]
    assert (found["listeners"], found["in_no_cohort"]) == (5, 2)
    shown = refrain.run("cohorts").stdout
    assert "2 in none" in shown
    assert "Sigur Rós, [bold]Björk" in shown


def test_a_cohort_shows_the_artists_that_set_it_apart(service: Settings, refrain: Refrain) -> None:
    found = refrain.asked("cohort", "c1")
    assert (found["size"], found["ctr"], found["model_version"]) == (3, None, 4)
    assert (found["artists"][0]["artist_id"], found["artists"][0]["name"]) == ("a1", "Radiohead")
    assert found["artists"][0]["times_more"] > 1
    shown = refrain.run("cohort", "c1").stdout
    assert "Radiohead" in shown
    assert "nobody here has been told of one yet" in shown


def test_a_cohort_is_found_by_its_id_in_any_case(service: Settings, refrain: Refrain) -> None:
    assert refrain.asked("cohort", "C1")["cohort_id"] == "c1"


def test_a_cohorts_history_is_shown(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    async def lives_on(redis: AnyRedis) -> None:
        cohorts = Cohorts(redis, Listeners(redis))
        model = model_of(version=4, created_at=NOW)
        split = {"cohort_ids": ("c1", "c3"), "labels": ("rock · Radiohead", "Björk"), "parents": ("", "c1")}
        later = {
            "version": 5,
            "created_at": NOW + 60,
            "born": np.array([NOW, NOW + 60]),
            "heirs": {"c2": "c1"},
        }
        await cohorts.describe(replace(model, **split, **later), [{}, {}], 3600)

    with_redis(lives_on)
    found = refrain.asked("cohort", "c1")
    assert [(e["version"], e["event"], e["others"]) for e in found["history"]] == [
        (4, "born", []),
        (5, "merged", ["c2"]),
        (5, "split", ["c3"]),
    ]
    assert found["history"][-1]["label"] == "rock · Radiohead"
    shown = refrain.run("cohort", "c1").stdout
    assert "split, giving c3" in shown
    assert "joined by c2" in shown
    assert refrain.asked("cohort", "c3")["parent"] == "c1"
    assert "split from c1" in refrain.run("cohort", "c3").stdout
    assert "gone, most went to c1" in refrain.run("cohort", "c2").stdout


def test_what_came_of_releases_is_shown(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    counts = {"sent": 40, "opened": 10, "clicked": 4, "ctr": 0.1}
    with_redis(lambda redis: redis.hset("cohort:{c1}", mapping=counts))
    assert {name: refrain.asked("cohort", "c1")[name] for name in counts} == counts
    assert "40 told, 10 opened, 4 clicked" in refrain.run("cohort", "c1").stdout
    assert "10.0 %" in refrain.run("cohorts").stdout


def test_the_largest_cohorts_alone_are_listed_where_so_many_are_asked_for(
    service: Settings, refrain: Refrain
) -> None:
    found = refrain.asked("cohorts", "--top", "1")
    assert [c["cohort_id"] for c in found["cohorts"]] == ["c1"]
    assert (found["total"], found["listeners"]) == (2, 5)
    assert "1 smaller cohort not shown: --top 2" in refrain.run("cohorts", "--top", "1").stdout


def test_listeners_are_listed_by_id_a_page_at_a_time(service: Settings, refrain: Refrain) -> None:
    pages, after = [], ""
    while after is not None:
        page = refrain.asked("users", "--limit", "3", "--after", after)
        pages.append([listener["user_id"] for listener in page["listeners"]])
        after = page["after"]
    assert pages == [["robot", "u1", "u2"], ["u3", "v1", "v2"], ["w1"]]
    assert page["total"] == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ("users", "--limit", "1001"),
        ("cohort", "c1", "--top", "1001"),
        ("user", "u1", "--top", "1001"),
        ("release", "list", "--top", str(2**32)),
        ("release", "ab", "--top", str(2**64)),
    ],
    ids=" ".join,
)
def test_more_than_is_read_of_redis_at_once_is_refused(
    service: Settings, refrain: Refrain, arguments: tuple[str, ...]
) -> None:
    refused = refrain.run(*arguments)
    assert refused.returncode == 2
    assert arguments[-2] in refused.stderr


def test_as_many_listeners_as_are_read_at_once_can_be_asked_for(service: Settings, refrain: Refrain) -> None:
    assert len(refrain.asked("users", "--limit", "1000")["listeners"]) == 7


def test_a_listed_listener_is_the_one_that_is_shown_alone(service: Settings, refrain: Refrain) -> None:
    (listed,) = refrain.asked("users", "--limit", "1", "--after", "u0")["listeners"]
    alone = refrain.asked("user", "u1")
    assert (
        listed["artists"] == [artist["name"] for artist in alone["artists"]] == ["Radiohead", "[bold]Björk"]
    )
    shared = ("user_id", "cohort", "label", "clicks", "last_seen", "bot", "opted_out")
    assert [listed[name] for name in shared] == [alone[name] for name in shared]


@pytest.mark.parametrize(
    ("cohort", "members"), [("C2", ["v1", "v2"]), ("none", ["robot", "w1"])], ids=["C2", "none"]
)
def test_the_listeners_of_a_cohort_or_of_none_are_listed_alone(
    service: Settings, refrain: Refrain, cohort: str, members: list[str]
) -> None:
    found = refrain.asked("users", "--cohort", cohort)
    assert [listener["user_id"] for listener in found["listeners"]] == members
    assert (found["total"], found["after"]) == (2, None)


def test_a_page_of_listeners_says_how_the_next_is_asked_for(service: Settings, refrain: Refrain) -> None:
    shown = refrain.run("users", "--cohort", "c1", "--limit", "2").stdout
    assert "2 of 3 listeners; the next: refrain users --cohort c1 --after u2" in shown
    assert "[bold]Björk" in shown
    assert "clicks like a bot" in refrain.run("users").stdout
    assert refrain.run("users", "--after", "zz").stdout == "0 of 7 listeners\n"


def test_listeners_of_a_cohort_that_is_not_there_are_told_so(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("users", "--cohort", "c9")
    assert failed.returncode == 1
    assert "no cohort 'c9'" in failed.stderr


def test_a_listener_is_in_a_cohort_no_longer_than_it_lives(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.hset(keys.user("u1"), "cohort_since", NOW - 16 * 86_400))
    assert refrain.asked("user", "u1")["cohort_since"] == refrain.asked("cohort", "c1")["born"]


def test_a_weight_of_long_ago_is_small_and_no_zero(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    decay = ForwardDecay(half_life=service.half_life)
    long_ago = decay.stored(8.0, NOW - 20 * service.half_life)
    with_redis(lambda redis: redis.zadd(keys.user_artists("v1"), {"a2": long_ago, "a3": long_ago / 4}))
    weights = [artist["weight"] for artist in refrain.asked("user", "v1")["artists"]]
    assert weights == pytest.approx([8 / 2**20, 2 / 2**20], rel=1e-3)
    assert "0.00000763" in refrain.run("user", "v1").stdout


def test_a_weight_of_1970_leaves_room_for_the_artists_name(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    long_ago = ForwardDecay(half_life=service.half_life).stored(8.0, NOW - 680 * service.half_life)
    with_redis(lambda redis: redis.zadd(keys.user_artists("v1"), {"a2": long_ago, "a3": long_ago}))
    said = refrain.run("user", "v1").stdout
    assert "e-204" in said
    assert "0.0000000" not in said


def test_an_unknown_cohort_is_told_apart_from_no_model(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("cohort", "c9")
    assert failed.returncode == 1
    assert "no cohort 'c9'\n`refrain cohorts` lists the 2 there are" in failed.stderr


def test_a_listener_is_shown_with_weights_as_they_are_now(service: Settings, refrain: Refrain) -> None:
    found = refrain.asked("user", "u1")
    assert (found["cohort"], found["label"], found["clicks"], found["bot"]) == ("c1", "Radiohead", 10, False)
    assert [(a["artist_id"], a["name"]) for a in found["artists"]] == [
        ("a1", "Radiohead"),
        ("a3", "[bold]Björk"),
    ]
    assert [a["weight"] for a in found["artists"]] == pytest.approx([8.0, 2.0], rel=1e-3)
    assert len(refrain.asked("user", "u1", "--top", "1")["artists"]) == 1
    shown = refrain.run("user", "u1").stdout
    assert "[bold]Björk" in shown
    assert "c1  Radiohead" in shown


def test_bots_those_who_wait_and_those_who_opted_out_are_told_as_such(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.sadd(keys.OPTED_OUT, "u1"))
    assert "clicks like a bot" in refrain.run("user", "robot").stdout
    assert "none yet" in refrain.run("user", "w1").stdout
    assert "has opted out" in refrain.run("user", "u1").stdout
    assert refrain.asked("user", "u1")["opted_out"]


def test_one_whose_only_click_waits_for_its_song_is_shown_and_their_json_is_json(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def wait(redis: AnyRedis) -> None:
        click = Click("waits", "0", 99, NOW, "a song that is not known", (), "play")
        applier = Applier(Listeners(redis), Rules(ForwardDecay()))
        moves = await applier.apply({"waits": [click]}, None, NOW)
        await Cohorts(redis, Listeners(redis)).follow(moves)
        await redis.sadd(keys.cohort_users(""), "waits")

    with_redis(wait)
    assert "none yet of songs that are known" in refrain.run("user", "waits").stdout
    assert "waits" in refrain.run("users", "--cohort", "none").stdout
    for command in (("user", "waits"), ("users", "--cohort", "none")):
        said = refrain.run(*command, "--json").stdout
        json.loads(said, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert refrain.asked("user", "waits")["first_seen"] is None


def test_a_listener_shows_which_artists_pull_into_the_cohort_and_which_is_second(
    service: Settings, refrain: Refrain
) -> None:
    why = refrain.asked("user", "u1")["why"]
    assert (why["cohort"], why["reason"], why["second"], why["model_version"]) == ("c1", "nearest", "c2", 4)
    assert [(p["artist_id"], p["name"]) for p in why["pulls"]] == [("a1", "Radiohead"), ("a3", "[bold]Björk")]
    assert sum(p["pull"] for p in why["pulls"]) - why["centre"] == pytest.approx(why["similarity"], abs=1e-5)
    assert why["ahead"] > 0
    shown = " ".join(refrain.run("user", "u1").stdout.split())
    assert "nearest to what they play, mostly because of Radiohead (100 %)" in shown
    assert "the second nearest, c2 (Sigur Rós, [bold]Björk), is" in shown


def test_a_listener_whom_the_model_has_not_met_shows_where_it_takes_them(
    service: Settings, refrain: Refrain
) -> None:
    why = refrain.asked("user", "w1")["why"]
    assert (why["cohort"], why["reason"]) == ("c2", "nearest")
    shown = " ".join(refrain.run("user", "w1").stdout.split())
    assert "model 4 puts them into c2 (Sigur Rós, [bold]Björk)" in shown


def clicked(
    settings: Settings, user: str, artists: Sequence[str], bound: int = 1000
) -> Callable[[AnyRedis], Awaitable[None]]:
    """A listener who has clicked these artists one after the other, just now."""

    async def apply(redis: AnyRedis) -> None:
        listeners = Listeners(redis)
        clicks = [Click(user, "1", at, NOW + at, "s", (a,), "play") for at, a in enumerate(artists)]
        rules = Rules(ForwardDecay(half_life=settings.half_life), bot_clicks_per_hour=bound)
        model = model_of(version=4, created_at=NOW)
        moves = await Applier(listeners, rules).apply({user: clicks}, model, NOW)
        await Cohorts(redis, listeners).follow(moves)

    return apply


def test_last_clicks_that_decided_are_told(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(clicked(service, "new", ["a1"] * 60 + ["a2"] * 20))
    why = refrain.asked("user", "new")["why"]
    assert (why["cohort"], why["reason"], why["by_taste"]) == ("c2", "lately", "c1")
    shown = " ".join(refrain.run("user", "new").stdout.split())
    assert "nearest to what they played last; by all that they play it would be c1 (Radiohead)" in shown


def test_what_a_listener_did_lately_is_told(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(clicked(service, "new", ["a1"] * 3))
    found = refrain.asked("user", "new")["activity"]
    assert (found["active_days"], found["plays"], found["weeks"]) == (1, 3, [3, 0, 0, 0, 0])
    assert sum(found["hours"]) == pytest.approx(1.0)
    shown = " ".join(refrain.run("user", "new").stdout.split())
    assert "3 plays on 1 of the last 30 days by week, the latest first: 3-0-0-0-0 mostly at" in shown


def test_what_is_predicted_of_a_listener_is_told(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert refrain.asked("user", "u1")["traits"] is None
    held = {"stage": "fading", "churn": "0.71234", "segment:rap": "0.9", "segment:pop": "", "zero_week": ""}
    with_redis(lambda redis: redis.hset(keys.user_traits("u1"), mapping=held))
    found = refrain.asked("user", "u1")["traits"]
    assert (found["stage"], found["churn"], found["zero_week"]) == ("fading", 0.71234, None)
    assert found["segments"] == {"rap": 0.9}
    shown = " ".join(refrain.run("user", "u1").stdout.split())
    assert "stage fading churn 71 % likely not to come back segments rap 90 %" in shown


def test_why_a_listener_is_in_no_cohort_is_told(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(clicked(service, "early", ["unheard"]))
    assert refrain.asked("user", "early")["why"]["reason"] == "unknown"
    assert "model 4 knows none of the artists that they play" in refrain.run("user", "early").stdout
    with_redis(clicked(service, "bot", ["a1"] * 9, bound=5))
    assert refrain.asked("user", "bot")["why"]["reason"] == "bot"
    assert "REFRAIN_BOT_CLICKS_PER_HOUR" in refrain.run("user", "bot").stdout
    with_redis(lambda redis: redis.delete("model:current", "models"))
    assert refrain.asked("user", "early")["why"] is None
    assert "there is no model" in refrain.run("user", "early").stdout


def test_an_unknown_listener_is_told(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("user", "nobody")
    assert failed.returncode == 1
    assert "no listener 'nobody'" in failed.stderr
    assert "refrain doctor" in failed.stderr


def test_a_half_life_that_is_not_the_stored_one_is_refused(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("user", "u1", half_life_days=14)
    assert failed.returncode == 1
    assert "Set REFRAIN_HALF_LIFE_DAYS=30" in failed.stderr


@pytest.mark.parametrize("folder", ["", "demo"])
def test_without_addresses_the_servers_of_refrain_up_are_found(
    settings: Settings, refrain: Refrain, folder: str
) -> None:
    own = settings.model_copy(update={"redis": "", "data": settings.data / folder})
    settings.data.mkdir()
    with servers(own) as running:
        assert running.redis != settings.redis
        failed = refrain.run("cohorts", kafka="", redis="")
        assert "no model yet" in failed.stderr  # somebody has answered


def test_once_it_is_learned_who_clicks_an_audience_says_so_by_size_and_for_each_listener(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    coefficients = np.zeros(1 + len(FEATURES))
    coefficients[0] = 3.0
    learned = CtrModel(version=1, examples=5000, coefficients=coefficients)
    with_redis(lambda redis: CtrModels(redis).publish(learned))
    found = refrain.asked("audience", "--artist", "Radiohead", "--why", "u1")
    assert 0 < found["least_ctr"] < found["ctr"] < 1
    assert [size["listeners"] for size in found["by_size"]][-1] == found["listeners"]
    assert found["by_size"][-1]["clicks"] == pytest.approx(found["ctr"] * found["listeners"], abs=0.01)
    assert found["why"]["ctr"] >= found["why"]["ctr_ends_at"] > 0
    assert "are predicted to click" in refrain.run("audience", "--artist", "Radiohead").stdout
    shown = refrain.run("audience", "--artist", "Radiohead", "--why", "u1").stdout
    assert "how likely they are to click" in shown
    nobody = replace(learned, version=2, coefficients=-2 * coefficients)
    with_redis(lambda redis: CtrModels(redis).publish(nobody))
    found = refrain.asked("audience", "--artist", "Radiohead", "--why", "u1")
    assert (found["listeners"], found["reason"]) == (0, "nobody is likely enough to click")


def test_who_opted_out_is_listed_and_of_which_artists(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert "nobody has opted out" in refrain.run("opt-outs").stdout
    with_redis(lambda redis: OptedOut(redis).add(["u2"]))
    with_redis(lambda redis: OptedOut(redis).add_of_artists({"u1": ["a3", "a1"]}))
    assert refrain.asked("opt-outs") == [
        {"user_id": "u1", "artist_ids": ["a1", "a3"]},
        {"user_id": "u2", "artist_ids": []},
    ]
    shown = refrain.run("opt-outs").stdout
    assert "1 listener of no release at all, 1 of some artists" in shown
    assert "of a1, a3" in shown
    assert refrain.run("opt-outs", "--csv", "--json").returncode == 2


def test_opt_outs_written_as_csv_are_the_same_when_they_are_replayed(
    service: Settings, refrain: Refrain, with_redis: WithRedis, tmp_path: Path
) -> None:
    many = [f"a{number:02}" for number in range(MAX_ARTISTS + 1)]
    of_artists = {"u1": ["a1", 'the "C"', "Ünal, D"], "u4": many, "u5": ["A|B"]}
    with_redis(lambda redis: OptedOut(redis).add(["u,3"]))
    with_redis(lambda redis: OptedOut(redis).add_of_artists(of_artists))
    (tmp_path / "opt-outs.csv").write_text(refrain.run("opt-outs", "--csv").stdout)
    same = {"kind": "opted_out", "release_id": "rebuild", "ts": "2026-11-28T09:00:00Z"}
    given = [part for name, value in same.items() for part in ("--set", f"{name}={value}")]
    file = str(tmp_path / "opt-outs.csv")
    found = refrain.asked("replay", "feedback", file, *given, "--dry-run")
    events = [
        {name: event["value"].get(name) for name in ("user_id", "artist_ids")} for event in found["events"]
    ]
    assert events == [
        {"user_id": "u,3", "artist_ids": None},
        {"user_id": "u1", "artist_ids": ["a1", 'the "C"', "Ünal, D"]},
        {"user_id": "u4", "artist_ids": many[:MAX_ARTISTS]},
        {"user_id": "u4", "artist_ids": many[MAX_ARTISTS:]},
        {"user_id": "u5", "artist_ids": ["A|B"]},
    ]
    assert (found["rows"], found["refused"]) == (5, [])
