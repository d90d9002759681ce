"""From a release in Kafka to its audience."""

from __future__ import annotations

import pytest

from models.audience import aim, mean_score
from tests.consumers.desk import Answer, Desk
from tests.consumers.placed import MEMBERS, scores
from tests.consumers.small_model import small_model

MODEL = small_model()
COHORTS = {user: cohort for cohort, users in MEMBERS.items() for user in users if cohort}
ARTIST = "a1"


def best(desk: Desk, number: int, artist: str = ARTIST) -> dict[str, float]:
    """Whom a release suits best, of all who may be told."""
    out = desk.db.smembers("opted-out")
    found = scores([user for user in COHORTS if user not in out], artist, MODEL)
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:number])


def in_order(answer: Answer) -> list[str]:
    return [user for page in answer.pages for user in page["user_ids"]]


def test_an_audience_is_whom_the_release_suits_best(office: Desk) -> None:
    answer = office.ask("the best", ARTIST, max_audience=2000)
    assert answer.scores == pytest.approx(best(office, 2000), abs=1e-3)


def test_pages_hold_at_most_a_thousand_and_all_of_them_together_the_best_first(office: Desk) -> None:
    answer = office.ask("pages", ARTIST, max_audience=2500)
    assert [page["page"] for page in answer.pages] == [0, 1, 2]
    assert [len(page["user_ids"]) for page in answer.pages] == [1000, 1000, 500]
    assert {page["model_version"] for page in answer.pages} == {MODEL.version}
    ranked = [score for page in answer.pages for score in page["scores"]]
    assert ranked == sorted(ranked, reverse=True)


def test_beside_each_listener_stands_the_cohort(office: Desk) -> None:
    answer = office.ask("cohorts", ARTIST, max_audience=2500)
    assert [cohort for page in answer.pages for cohort in page["cohort_ids"]] == [
        COHORTS[user] for user in in_order(answer)
    ]


def test_a_summary_comes_last_and_says_how_many_were_told(office: Desk) -> None:
    answer = office.ask("summed up", ARTIST, max_audience=1500)
    assert answer.summary == {
        "release_id": "summed up",
        "done": True,
        "pages": len(answer.pages),
        "users": 1500,
        "cohorts": len({cohort for page in answer.pages for cohort in page["cohort_ids"]}),
        "reason": "done",
    }
    mine = [event for event in office.log.events("audiences") if event["release_id"] == "summed up"]
    assert mine == [*answer.pages, answer.summary]


def test_what_came_of_a_release_is_in_redis(office: Desk) -> None:
    answer = office.ask("Sól", ARTIST, "a2", title="Á", max_audience=400)
    found = office.db.hgetall("release:{Sól}")
    expected = {
        "state": "done",
        "artist_ids": '["a1", "a2"]',
        "title": "Á",
        "audience": "400",
        "reason": "done",
    }
    expected |= {"pages": str(len(answer.pages)), "cohorts": str(answer.summary["cohorts"])}
    assert expected.items() <= found.items()
    assert float(found["planned_at"]) == answer.pages[0]["emitted_at"]
    assert float(found["latency_ms"]) > 0
    rates = dict(office.db.zrange("release:{Sól}:cohorts", 0, -1, withscores=True))
    assert rates.keys() == set(MODEL.cohort_ids)
    assert all(0 < rate <= 1 for rate in rates.values())


@pytest.mark.parametrize("again", [{}, {"artists": ["a4"], "max_audience": 3000, "title": "other"}])
def test_published_again_nothing_new_is_emitted(office: Desk, again: dict[str, object]) -> None:
    name = f"twice {len(again)}"
    before = office.ask(name, ARTIST, max_audience=50)
    known = office.db.hgetall(f"release:{{{name}}}")
    event = {"release_id": name, "artist_ids": [ARTIST], **again}
    ((partition, _),) = office.log.send("releases", [event])
    after = {"release_id": f"{name}, after", "artist_ids": [ARTIST]}
    office.log.send("releases", [after], partition=partition)
    office.wait_for(after["release_id"])
    assert office.answer(name) == before
    assert office.db.hgetall(f"release:{{{name}}}") == known


def test_where_a_release_does_not_say_how_many_those_below_the_average_are_not_told(office: Desk) -> None:
    assert office.settings.max_audience > len(COHORTS)
    told = office.ask("above the average", ARTIST, max_audience=None).scores
    average = mean_score(MODEL, aim(MODEL, [ARTIST]))
    expected = {user for user, score in best(office, len(COHORTS)).items() if score >= average}
    assert 0 < len(told) < len(COHORTS)
    assert len(told.keys() ^ expected) <= 5  # tastes are held in half precision


def test_cohorts_predicted_below_min_ctr_are_left_out(office: Desk) -> None:
    office.ask("all rates", ARTIST)
    rates = office.db.zrange("release:{all rates}:cohorts", 0, -1, desc=True, withscores=True)
    (first, _), (second, least), (third, _) = rates
    answer = office.ask("good rates", ARTIST, min_ctr=least)
    assert {COHORTS[user] for user in answer.told} == {first, second}
    none = office.ask("no rate", ARTIST, min_ctr=1.0)
    assert (none.pages, none.summary["reason"]) == ((), "no cohort reaches min_ctr")
    assert third not in {cohort for page in answer.pages for cohort in page["cohort_ids"]}


def test_who_opted_out_is_in_no_audience_from_then_on(office: Desk) -> None:
    told = in_order(office.ask("the last they heard", ARTIST, max_audience=100))
    leaving = set(told[::10])
    office.report("the last they heard", *((user, "opted_out") for user in leaving))
    answer = office.ask("after that", ARTIST, max_audience=100)
    assert not leaving & answer.told
    assert answer.scores == pytest.approx(best(office, 100), abs=1e-3)  # others take their places


def test_who_waits_for_a_cohort_and_bots_are_in_no_audience(office: Desk) -> None:
    assert office.db.scard("cohort:{}:users") == len(MEMBERS[""])
    assert not office.ask("everybody again", ARTIST).told & set(MEMBERS[""])


def test_who_plays_the_artist_already_is_told_too(office: Desk) -> None:
    answer = office.ask("of a0", "a0", max_audience=20)
    assert all(office.db.zscore(f"user:{{{user}}}:artists", "a0") for user in answer.told)
    assert answer.scores == pytest.approx(best(office, 20, "a0"), abs=1e-3)


@pytest.mark.parametrize("known_by", ["featuring", "similar_to"])
def test_a_release_of_an_unheard_artist_relies_on_others(office: Desk, known_by: str) -> None:
    answer = office.ask(f"unheard, {known_by}", "nobody knows", max_audience=30, **{known_by: [ARTIST]})
    assert answer.scores == pytest.approx(best(office, 30), abs=1e-3)
    assert office.db.hget(f"release:{{unheard, {known_by}}}", "relied_on") == known_by


def test_a_release_of_an_unheard_artist_relies_on_artists_of_its_genres(office: Desk) -> None:
    office.log.send("songs", [{"song_id": "s1", "artist_ids": [ARTIST], "genres": ["Sólarsamba"]}])
    office.log.wait_until_caught_up("work", "songs")
    answer = office.ask("unheard, genres", "nobody knows", genres=["sólarSamba"], max_audience=30)
    assert answer.scores == pytest.approx(best(office, 30), abs=1e-3)
    assert office.db.hget("release:{unheard, genres}", "relied_on") == "genres"


def test_a_release_of_an_unheard_artist_relies_on_artists_of_its_label_beside_others(office: Desk) -> None:
    office.log.send("songs", [{"song_id": "s2", "artist_ids": [ARTIST], "label": "Smekkleysa"}])
    office.log.wait_until_caught_up("work", "songs")
    answer = office.ask(
        "unheard, label", "nobody knows", label="Smekkleysa", similar_to=[ARTIST], max_audience=30
    )
    assert answer.scores == pytest.approx(best(office, 30), abs=1e-3)
    assert office.db.hget("release:{unheard, label}", "relied_on") == "similar_to, label"


def test_of_what_nothing_is_known_nobody_is_told(office: Desk) -> None:
    unknown = {"featuring": ["nor them"], "similar_to": ["nor her"], "genres": ["nor that"]}
    answer = office.ask("unheard", "nobody knows", **unknown)
    assert answer == Answer(
        (),
        (
            {
                "release_id": "unheard",
                "done": True,
                "pages": 0,
                "users": 0,
                "cohorts": 0,
                "reason": "nobody knows these artists yet",
            },
        ),
    )
    found = office.db.hgetall("release:{unheard}")
    assert {"state": "done", "audience": "0", "relied_on": "nothing"}.items() <= found.items()


def test_a_release_that_nobody_was_told_of_may_be_published_again(office: Desk) -> None:
    assert office.ask("unheard at first", "nobody knows").summary["users"] == 0
    office.publish("unheard at first", "nobody knows", similar_to=[ARTIST], max_audience=10)
    office.wait_for("unheard at first", summaries=2)
    assert office.answer("unheard at first").told == best(office, 10).keys()
