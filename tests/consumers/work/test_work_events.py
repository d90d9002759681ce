"""From feedback, songs, and what is neither, in Kafka to what Redis and the dead letters hold."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest

from models.click_rate import MIN_SENT
from tests.consumers.desk import Desk, feedback
from tests.consumers.odd_records import send_nothing, send_too_large

FAR = 1e12
GOOD: dict[str, dict[str, Any]] = {
    "releases": {"release_id": "good release", "artist_ids": ["a1"], "max_audience": 3},
    "feedback": {"release_id": "good release", "user_id": "u", "kind": "sent", "ts": 5.0},
    "songs": {"song_id": "good song", "artist_ids": ["a1"]},
}


def told_of(office: Desk, release_id: str, number: int) -> list[tuple[str, str]]:
    """Ask for an audience; return listener and cohort."""
    answer = office.ask(release_id, "a1", max_audience=number)
    return [pair for page in answer.pages for pair in zip(page["user_ids"], page["cohort_ids"], strict=True)]


def test_feedback_is_counted_for_the_release_and_for_the_cohort(office: Desk) -> None:
    told = told_of(office, "counted", 60)
    before = {cohort: office.counts(f"cohort:{{{cohort}}}") for _, cohort in told}
    did = [
        (user, kind)
        for at, (user, _) in enumerate(told)
        for kind, every in (("sent", 1), ("opened", 2), ("clicked", 4), ("dismissed", 5))
        if at % every == 0
    ]
    office.report("counted", *did)
    expected = {"sent": 60, "opened": 30, "clicked": 15, "dismissed": 12}
    assert office.counts("release:{counted}") == {**expected, "ctr": 0.25}
    cohort_of = dict(told)
    by_cohort: dict[str, dict[str, float]] = {}
    for user, kind in did:
        counts = by_cohort.setdefault(cohort_of[user], {})
        counts[kind] = counts.get(kind, 0) + 1
    assert office.db.hgetall("release:{counted}:counts") == {
        f"{cohort}:{kind}": str(number)
        for cohort, counts in by_cohort.items()
        for kind, number in counts.items()
    }
    for cohort, counts in by_cohort.items():
        now = office.counts(f"cohort:{{{cohort}}}")
        for kind, number in counts.items():
            assert now[kind] - before[cohort].get(kind, 0) == number
        ctr = now.get("clicked", 0) / now["sent"] if now["sent"] >= MIN_SENT else None
        assert now.get("ctr") == (ctr if ctr is None else pytest.approx(ctr))


def test_feedback_sent_twice_counts_once(office: Desk) -> None:
    (user, cohort), *_ = told_of(office, "sent twice", 2)
    before = office.counts(f"cohort:{{{cohort}}}")
    office.report("sent twice", (user, "sent"), (user, "sent"), (user, "clicked"))
    office.report("sent twice", (user, "sent"), (user, "clicked"))
    assert office.counts("release:{sent twice}") == {"sent": 1, "clicked": 1}
    now = office.counts(f"cohort:{{{cohort}}}")
    assert {kind: now[kind] - before.get(kind, 0) for kind in ("sent", "clicked")} == {
        "sent": 1,
        "clicked": 1,
    }


def test_feedback_of_a_release_that_nobody_knows_or_a_listener_not_told_counts_nowhere(office: Desk) -> None:
    told_of(office, "for a few", 1)
    before = {cohort: office.counts(f"cohort:{{{cohort}}}") for cohort in ("c1", "c2", "c5")}
    office.report("nobody published it", ("c1-ü1", "sent"), ("c1-ü1", "clicked"))
    office.report("for a few", ("nobody", "clicked"))
    assert office.db.keys("release:{nobody published it}*") == []
    assert office.counts("release:{for a few}") == {}
    assert {cohort: office.counts(f"cohort:{{{cohort}}}") for cohort in before} == before


def test_who_opted_out_of_a_release_that_nobody_knows_has_opted_out(office: Desk) -> None:
    office.report("nobody published it", ("a stranger", "opted_out"))
    assert office.db.sismember("opted-out", "a stranger")


def test_who_opts_out_of_an_artist_dismisses_the_release_and_hears_of_the_artist_no_more(
    office: Desk,
) -> None:
    (user, _), (other, _), *_ = told_of(office, "not them again", 20)
    out, no_opt_out = feedback("not them again", [(user, "opted_out"), (other, "clicked")])
    letters = office.log.count("dead-letters")
    office.log.send("feedback", [out | {"artist_ids": ["a1", "a5"]}, no_opt_out | {"artist_ids": ["a1"]}])
    office.log.wait_until_caught_up("work", "feedback")
    assert office.counts("release:{not them again}") == {"sent": 1, "dismissed": 1}
    assert office.log.count("dead-letters") == letters + 1, "a click opts nobody out"
    assert not office.db.sismember("opted-out", user)
    assert office.db.smembers("artist:{a5}:opted-out") == {user}
    assert user not in office.ask("by them again", "a1").told
    assert user in office.ask("by somebody else", "a2").told


def test_songs_fill_the_catalogue(office: Desk) -> None:
    song = {"song_id": "Sól", "artist_ids": ["ana", "bo"], "artist_names": ["Ána", "Bo B"]}
    song |= {
        "title": "Á",
        "genres": ["Indie Rock"],
        "duration_ms": 1500,
        "released_at": "2024-01-01T00:00:00Z",
    }
    office.log.send("songs", [song])
    office.log.wait_until_caught_up("work", "songs")
    found = office.db.hgetall("song:{Sól}")
    assert json.loads(found.pop("artist_ids")) == ["ana", "bo"]
    assert json.loads(found.pop("genres")) == ["Indie Rock"]
    assert float(found.pop("released_at")) == 1704067200
    assert found == {"title": "Á", "duration_ms": "1500"}
    assert [office.db.hget(f"artist:{{{artist}}}", "name") for artist in ("ana", "bo")] == ["Ána", "Bo B"]
    assert office.db.hmget("artist-names", "ána", "bo b") == ["ana", "bo"]
    assert office.db.smembers("genre:{indie rock}:artists") == {"ana", "bo"}


def test_a_later_song_takes_the_place_of_an_earlier_one(office: Desk) -> None:
    first = {"song_id": "s", "artist_ids": ["early"], "title": "first", "genres": ["x"]}
    office.log.send("songs", [first, first | {"artist_ids": ["late"], "title": "second", "genres": []}])
    office.log.wait_until_caught_up("work", "songs")
    found = office.db.hgetall("song:{s}")
    assert (json.loads(found["artist_ids"]), found["title"]) == (["late"], "second")
    assert json.loads(found["genres"]) == []


def test_a_song_without_a_value_is_taken_off_the_catalogue(office: Desk) -> None:
    letters = office.log.count("dead-letters")
    ((partition, _),) = office.log.send("songs", [{"song_id": "gone", "artist_ids": ["ana"]}])
    office.log.wait_until_caught_up("work", "songs")
    assert office.db.exists("song:{gone}")
    send_nothing(office.settings, "songs", b"gone", partition)
    office.log.wait_until_caught_up("work", "songs")
    assert not office.db.exists("song:{gone}")
    assert office.log.count("dead-letters") == letters


def test_a_song_whose_id_comes_with_its_accents_apart_is_taken_off(office: Desk) -> None:
    apart = unicodedata.normalize("NFD", "Hoppípolla")
    ((partition, _),) = office.log.send("songs", [{"song_id": apart, "artist_ids": ["ana"]}])
    office.log.wait_until_caught_up("work", "songs")
    assert office.db.exists("song:{Hoppípolla}")
    send_nothing(office.settings, "songs", apart.encode(), partition)
    office.log.wait_until_caught_up("work", "songs")
    assert not office.db.exists("song:{Hoppípolla}")


def test_a_song_taken_off_and_entered_again_is_there(office: Desk) -> None:
    song = {"song_id": "to and fro", "artist_ids": ["early"]}
    ((partition, _),) = office.log.send("songs", [song])
    send_nothing(office.settings, "songs", b"to and fro", partition)
    office.log.send("songs", [song | {"artist_ids": ["late"]}])
    office.log.wait_until_caught_up("work", "songs")
    assert json.loads(office.db.hget("song:{to and fro}", "artist_ids")) == ["late"]


def bad(topic: str) -> dict[bytes, str]:
    """What cannot be used, and why."""
    good = GOOD[topic]
    name = next(iter(good))

    def but(**other: Any) -> bytes:
        return json.dumps(good | other).encode()

    found = {
        b"\xff{": "not-json",
        b"": "not-json",
        b"[1]": "bad-value",
        json.dumps({key: value for key, value in good.items() if key != name}).encode(): "missing-field",
        but(**{name: "{x}"}): "bad-id",
        but(**{name: "x" * 257}): "bad-id",
        but(note="x" * 70_000): "too-large",
    }
    match topic:
        case "releases":
            return found | {
                but(max_audience=0): "bad-value",
                but(artist_ids=["a\n"]): "bad-id",
                but(ts="now"): "bad-time",
            }
        case "feedback":
            return found | {but(kind="wept"): "bad-value", but(ts="2024-01-01"): "bad-time"}
    return found | {but(artist_ids=[]): "bad-id", but(released_at="1999"): "bad-time"}


@pytest.mark.parametrize("topic", GOOD)
def test_what_cannot_be_used_goes_to_the_dead_letters_and_stops_nothing(office: Desk, topic: str) -> None:
    unusable = bad(topic)
    places = office.log.send(topic, unusable, partition=1)
    office.log.send(topic, [GOOD[topic]], partition=1)
    office.log.wait_until_caught_up("work", topic)
    letters = {}
    for record in office.log.records("dead-letters"):
        headers = {name: value.decode() for name, value in record.headers}
        if headers["topic"] == topic and record.value:
            letters[record.value] = (record.key, headers)
    for (partition, offset), (value, reason) in zip(places, unusable.items(), strict=True):
        if not value:
            continue
        key, headers = letters[value]
        assert key == b"a key"
        assert headers.pop("detail")
        assert headers == {
            "reason": reason,
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
        }
    used = {
        "releases": lambda: office.answer("good release").told,
        "feedback": lambda: True,
        "songs": lambda: office.db.exists("song:{good song}"),
    }
    assert used[topic]()


@pytest.mark.parametrize("topic", ["releases", "feedback"])
def test_nothing_at_all_under_no_key_stops_nothing(office: Desk, topic: str) -> None:
    before = office.log.count("dead-letters")
    send_nothing(office.settings, topic, None, 1)
    send_nothing(office.settings, topic, b"a key", 1)
    office.log.wait_until_caught_up("work", topic)
    letters = [dict(record.headers) for record in office.log.records("dead-letters") if not record.value]
    assert [letter["reason"] for letter in letters if letter["topic"] == topic.encode()][-2:] == [
        b"not-json"
    ] * 2
    assert office.log.count("dead-letters") == before + 2


def test_what_is_too_large_for_the_dead_letters_is_cut_and_stops_nothing(office: Desk) -> None:
    send_too_large(office.settings, "releases", 2)
    office.log.send("releases", [GOOD["releases"] | {"release_id": "after it"}], partition=2)
    office.wait_for("after it")
    letter = next(r for r in office.log.records("dead-letters") if r.value and not r.value.strip())
    assert dict(letter.headers)["reason"] == b"too-large"
    assert b"5000000 bytes" in dict(letter.headers)["detail"]
