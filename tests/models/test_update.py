"""What clicks make of listeners does not depend on how Kafka hands them over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.affinity import ACTION_WEIGHTS, DAY, ForwardDecay
from models.cohort_learner import CohortLearner
from models.listener import Click, Move, Rules
from tests.consumers.notebook import NOW, Notebook
from tests.consumers.small_model import ARTISTS, UNKNOWN, small_model

DECAY = ForwardDecay(half_life=14 * DAY)
RULES = Rules(DECAY, margin=0.02, max_artists=5, bot_clicks_per_hour=6)
START = NOW - 60 * DAY


def click(user: str = "u", *artists: str, at: float = 0.0, offset: int = 0, **more: Any) -> Click:
    """A click, `at` seconds after START."""
    partition, action = more.get("partition", "0"), more.get("action", "play")
    clock = more.get("utc_offset_min")
    return Click(user, partition, offset, START + at, "s", artists or ("a0",), action, utc_offset_min=clock)


RULES_OF_MANY = Rules(ForwardDecay(), margin=0.03)


@st.composite
def clicks(draw: st.DrawFn, partitions: int = 1) -> list[list[Click]]:
    """Clicks of up to three listeners, by partition; two in three listeners' minds change now and then."""
    logs = []
    for partition in range(partitions):
        log = []
        for offset in range(draw(st.integers(1, 25))):
            user = draw(st.sampled_from(["u", "v", "w"]))
            artists = draw(
                st.lists(st.sampled_from([*ARTISTS, *UNKNOWN]), min_size=1, max_size=3, unique=True)
            )
            at = draw(st.sampled_from([0.0, 60.0, 3500.0, 3700.0, 20 * DAY, 20 * DAY + 5, 59 * DAY]))
            action = draw(st.sampled_from(sorted(ACTION_WEIGHTS)))
            at += draw(st.integers(0, 50))
            clock = draw(st.sampled_from([None, None, -300, 0]))
            where: dict[str, Any] = {"at": at, "offset": offset, "partition": str(partition)}
            log.append(click(user, *artists, **where, action=action, utc_offset_min=clock))
        logs.append(log)
    return logs


@st.composite
def cut(draw: st.DrawFn, log: Sequence[Click]) -> list[Sequence[Click]]:
    ends = sorted(draw(st.sets(st.integers(1, max(len(log) - 1, 1)), max_size=8)))
    return [log[begin:end] for begin, end in zip([0, *ends], [*ends, len(log)], strict=True)]


def kept(book: Notebook) -> dict[str, dict[str, Any]]:
    """All that is on record but `rev`, which counts writes, and where the last move came from."""
    records = {user: asdict(listener) for user, listener in book.listeners.items()}
    for record in records.values():
        for name in ("rev", "cohort_from"):
            del record[name]
        if record["short_term"] is not None:
            record["short_term"] = record["short_term"].tolist()
    return records


def assert_same(book: Notebook, other: Notebook) -> None:
    assert kept(book) == kept(other)
    if book.model is not None:
        for user in book.listeners:
            taste, expected = book.taste(user), other.taste(user)
            assert np.allclose(taste, expected, rtol=0, atol=2e-3 * max(np.abs(expected).max(), 1e-300)), user


def read(log: Sequence[Click], model: bool = True, rules: Rules = RULES) -> Notebook:
    """The clicks in one batch."""
    book = Notebook(rules) if model else Notebook(rules, None)
    book.apply(log)
    return book


def one_by_one(log: Sequence[Click], model: bool = True, rules: Rules = RULES) -> Notebook:
    book = Notebook(rules) if model else Notebook(rules, None)
    for each in log:
        book.apply([each])
    return book


@given(clicks(), st.data(), st.booleans(), st.booleans())
def test_clicks_cut_into_any_batches_give_the_same_listeners_resident_or_not(
    logs: list[list[Click]], data: st.DataObject, model: bool, resident: bool
) -> None:
    book = Notebook(RULES, small_model() if model else None, resident)
    for batch in data.draw(cut(logs[0])):
        book.apply(batch)
    assert_same(book, one_by_one(logs[0], model))


@given(clicks(partitions=3), st.data(), st.booleans())
def test_what_is_delivered_again_changes_nothing(
    logs: list[list[Click]], data: st.DataObject, resident: bool
) -> None:
    book, once = Notebook(RULES, resident=resident), Notebook(RULES)
    committed, applied = [0] * len(logs), [0] * len(logs)
    for _ in range(data.draw(st.integers(1, 12))):
        partition = data.draw(st.sampled_from(range(len(logs))))
        end = data.draw(st.integers(committed[partition], len(logs[partition])))
        # From the last offset committed, whether or not it was applied since: a crash, a rebalance.
        book.apply(logs[partition][committed[partition] : end])
        once.apply(logs[partition][applied[partition] : end])
        applied[partition] = max(applied[partition], end)
        committed[partition] = data.draw(st.integers(committed[partition], applied[partition]))
    assert_same(book, once)


@given(clicks(), st.data())
def test_the_move_that_may_not_have_been_followed_is_named_again(
    logs: list[list[Click]], data: st.DataObject
) -> None:
    book = Notebook(RULES)
    batches = data.draw(cut(logs[0]))
    for batch in batches[:-1]:
        book.apply(batch)
    before = {user: listener.cohort for user, listener in book.listeners.items()}
    book.apply(batches[-1])
    due = set(book.listeners) - set(before)
    due |= {user for user, cohort in before.items() if book.listeners[user].cohort != cohort}
    book.moves.clear()  # the process died before it could say so
    book.apply(batches[-1])
    named = {move.user_id: move for move in book.moves}
    assert due <= set(named)
    for user in due:
        assert (named[user].origin, named[user].to) == (before.get(user, ""), book.listeners[user].cohort)


@given(clicks(partitions=3), st.randoms(use_true_random=False))
def test_affinities_do_not_depend_on_the_order_of_partitions(logs: list[list[Click]], random: Any) -> None:
    roomy = Rules(DECAY, max_artists=20, bot_clicks_per_hour=1000)
    order = [partition for partition, log in enumerate(logs) for _ in log]
    random.shuffle(order)
    queues = [iter(log) for log in logs]
    book = one_by_one([next(queues[partition]) for partition in order], rules=roomy)
    other = read([each for log in logs for each in log], rules=roomy)
    assert book.listeners.keys() == other.listeners.keys()
    for user, listener in book.listeners.items():
        twin = other.listeners[user]
        assert listener.affinities == pytest.approx(twin.affinities, rel=1e-9, abs=1e-9)
        for name in ("clicks", "first_seen", "last_seen", "offsets"):
            assert getattr(listener, name) == getattr(twin, name)


@given(clicks(), st.data())
def test_a_taste_is_the_sum_over_what_is_kept(logs: list[list[Click]], data: st.DataObject) -> None:
    book = Notebook(RULES)
    for batch in data.draw(cut(logs[0])):
        book.apply(batch)
    factors = dict(zip(ARTISTS, small_model().factors.astype(float), strict=True))
    for user, listener in book.listeners.items():
        parts = [np.sqrt(max(w, 0)) * factors[a] for a, w in listener.affinities.items() if a in factors]
        expected = np.sum([np.zeros(3), *parts], axis=0)
        added = np.sum(np.abs([np.zeros(3), *parts])).item()
        # Half precision is right to 2^-11 of a number; before that it was summed in single precision.
        wrong = np.abs(book.taste(user) - expected)
        assert (wrong <= 2.0**-11 * np.abs(expected) + 1e-6 * added).all()


@given(clicks())
def test_who_likes_nothing_any_more_is_in_no_cohort(logs: list[list[Click]]) -> None:
    for book in (read(logs[0]), one_by_one(logs[0])):
        for listener in book.listeners.values():
            likes = any(w > 0 for a, w in listener.affinities.items() if a in ARTISTS)
            if not likes or listener.bot:
                assert listener.cohort == ""
            else:
                assert listener.cohort in {"c1", "c2", "c5"}


# One fact at a time


def test_a_late_click_gives_the_same_affinity() -> None:
    early, late = click("u", "a0", at=0, offset=1), click("u", "a0", at=9 * DAY, offset=2)
    book = read([early, late])
    other = read([late._replace(offset=1), early._replace(offset=2)])
    assert book.listeners["u"].affinities == pytest.approx(other.listeners["u"].affinities, rel=1e-12)


def test_decay_is_applied() -> None:
    log = [click("u", "a0", at=0, offset=1), click("u", "a1", at=28 * DAY, offset=2)]
    slow = Rules(ForwardDecay(half_life=28 * DAY))
    for rules, half_lives in ((RULES, 2), (slow, 1)):
        affinities = read(log, rules=rules).listeners["u"].affinities
        assert affinities["a1"] / affinities["a0"] == pytest.approx(2.0**half_lives)
    assert not np.allclose(read(log).taste("u"), read(log, rules=slow).taste("u"))


def test_a_click_counts_as_its_action_weighs() -> None:
    log = [
        click("u", artist, offset=at, action=action)
        for at, (artist, action) in enumerate(zip("abcdef", ACTION_WEIGHTS, strict=True))
    ]
    affinities = read(log, rules=Rules(DECAY)).listeners["u"].affinities
    unit = affinities["a"]
    assert {a: pytest.approx(w / unit) for a, w in affinities.items()} == dict(
        zip("abcdef", ACTION_WEIGHTS.values(), strict=True)
    )


def test_a_skip_takes_back_half_of_a_play_whichever_came_first() -> None:
    play, skip = click("u", "a0", offset=1), click("u", "a0", offset=2, action="skip")
    for log in ([play, skip], [skip._replace(offset=1), play._replace(offset=2)]):
        assert read(log).listeners["u"].affinities == {"a0": pytest.approx(DECAY.stored(0.5, START))}


def test_a_song_of_two_artists_counts_for_both() -> None:
    affinities = read([click("u", "a0", "a1")]).listeners["u"].affinities
    assert affinities["a0"] == affinities["a1"] > 0


def test_the_weakest_artist_makes_room() -> None:
    log = [click("u", f"b{i}", at=i * DAY, offset=i) for i in range(8)]
    assert set(read(log).listeners["u"].affinities) == {"b3", "b4", "b5", "b6", "b7"}


def test_what_was_skipped_makes_room_before_what_was_played() -> None:
    log = [click("u", "hated", at=50 * DAY, offset=0, action="skip")]
    log += [click("u", f"b{i}", offset=i) for i in range(1, 6)]
    assert "hated" not in read(log).listeners["u"].affinities


def test_many_artists_of_many_listeners_are_kept_each_with_their_own() -> None:
    roomy = Rules(DECAY, max_artists=50)
    log = [click(user, f"{user}{i}", offset=n * 40 + i) for n, user in enumerate("uvwxyz") for i in range(40)]
    book = Notebook(roomy, resident=True)
    for at in range(0, len(log), 7):
        book.apply(log[at : at + 7])
    for user in "uvwxyz":
        assert set(book.listeners[user].affinities) == {f"{user}{i}" for i in range(40)}
        assert set(book.held.listener(book.held.index[user]).affinities) == {f"{user}{i}" for i in range(40)}


def test_a_listener_who_only_hears_unknown_artists_waits() -> None:
    book = read([click("u", "x0"), click("u", "x1", offset=1)])
    assert book.listeners["u"].cohort == ""
    assert not book.taste("u").any()
    assert set(book.listeners["u"].affinities) == {"x0", "x1"}


def test_a_listener_waits_while_there_is_no_model_and_is_migrated_when_it_comes() -> None:
    log = [click("u", "a0", offset=i) for i in range(3)]
    book = read(log, model=False)
    assert (book.listeners["u"].cohort, book.moves) == ("", [Move("u", "", "", START)])
    book.model = small_model()
    book.moves.clear()
    book.migrate(["u"])
    assert book.moves == [Move("u", "", book.listeners["u"].cohort, NOW, "refresh")]
    assert kept(book)["u"]["cohort"] == read(log).listeners["u"].cohort


def test_a_new_model_takes_a_listener_over_with_or_without_a_click() -> None:
    log = [click("u", "a3", offset=i) for i in range(3)]
    expected = Notebook(RULES, small_model(version=4, seed=5))
    expected.apply(log)
    book = read(log)
    book.model = small_model(version=4, seed=5)
    book.migrate(["u"])
    assert book.listeners["u"].cohort == expected.listeners["u"].cohort
    assert np.allclose(book.taste("u"), expected.taste("u"), rtol=2e-3)
    other = read(log[:2])
    other.model = small_model(version=4, seed=5)
    other.apply(log[2:])
    assert np.allclose(other.taste("u"), expected.taste("u"), rtol=2e-3)


@given(clicks(), st.integers(0, 20))
def test_back_under_an_earlier_model_everybody_is_where_they_were(logs: list[list[Click]], seed: int) -> None:
    models = [small_model(), small_model(version=4, seed=seed)]
    book = read(logs[0])
    cohorts = {user: listener.cohort for user, listener in book.listeners.items()}
    tastes = []
    for model in (models[1], models[0]) * 2:
        book.model = model
        book.migrate([*book.listeners])
        tastes.append(dict(book.tastes))
    assert {user: listener.cohort for user, listener in book.listeners.items()} == cohorts
    assert tastes[1] == tastes[3]


def test_a_click_after_going_back_counts_from_where_the_listener_was() -> None:
    book, again = (read([click("u", "a3"), click("v", "a1"), click("w", "a5")]) for _ in range(2))
    new = [click(user, "a4", at=60, offset=1) for user in "uvw"]
    for seed in range(30):
        book.model = small_model(version=4, seed=seed)
        book.migrate([*"uvw"])
        book.model = small_model()
        book.migrate([*"uvw"])
    for notebook in (book, again):
        notebook.apply(new)
    assert {u: book.listeners[u].cohort for u in "uvw"} == {u: again.listeners[u].cohort for u in "uvw"}


def test_a_listener_in_a_cohort_that_is_dead_finds_another() -> None:
    book = read([click("u", "a0")])
    book.listeners["u"].cohort = "c4"
    book.apply([click("u", "a0", offset=1)])
    assert book.listeners["u"].cohort in {"c1", "c2", "c5"}
    assert (book.moves[-1].origin, book.moves[-1].reason) == ("c4", "rebirth")


def test_too_many_clicks_in_one_hour_make_a_bot_that_leaves_its_cohort_for_good() -> None:
    human = [click("u", "a0", at=i, offset=i) for i in range(6)]
    book = read(human)
    assert not book.listeners["u"].bot
    cohort = book.listeners["u"].cohort
    assert cohort
    book.apply([click("u", "a0", at=7, offset=7)])
    assert (book.listeners["u"].bot, book.listeners["u"].cohort) == (True, "")
    assert book.moves[-1] == Move("u", cohort, "", START + 7)
    book.apply([click("u", "a1", at=DAY, offset=8)])
    assert (book.listeners["u"].bot, book.listeners["u"].cohort) == (True, "")


def test_a_bot_has_left_its_cohort_with_the_click_that_was_too_many_whatever_came_with_it() -> None:
    log = [click("u", "a0", at=i, offset=i) for i in range(12)]
    together, alone = read(log).listeners["u"], one_by_one(log).listeners["u"]
    assert together.bot
    assert (together.cohort_since, together.moved) == (alone.cohort_since, alone.moved)
    assert together.cohort_since < log[-1].ts


def test_as_many_clicks_over_two_hours_make_no_bot() -> None:
    book = read([click("u", "a0", at=i * 600, offset=i) for i in range(40)])
    assert not book.listeners["u"].bot


def test_a_birth_is_a_move_from_nowhere() -> None:
    assert read([click("u", "a0")], model=False).moves == [Move("u", "", "", START)]
    book = read([click("u", "a0")])
    assert book.moves == [Move("u", "", book.listeners["u"].cohort, START)]
    assert book.listeners["u"].cohort


def test_what_is_taken_back_leaves_no_taste() -> None:
    log = [
        click("u", "a0", at=at, offset=at, action=a) for at, a in enumerate(["play", "skip", "skip", "skip"])
    ]
    for book in (read(log), one_by_one(log)):
        assert book.listeners["u"].cohort == ""
        assert not book.taste("u").any()


def test_who_leaves_a_cohort_and_comes_back_within_a_batch_is_on_record_since_then() -> None:
    home = [click("u", "a0", offset=0)]
    away = [click("u", artist, at=9 * DAY, offset=1, action="like") for artist in ARTISTS]
    back = [click("u", "a0", at=30 * DAY, offset=2, action="like")]
    logs = [[*home, there, *back] for there in away]
    wandered = [log for log in logs if len(one_by_one(log).moves) == 3]
    assert wandered
    for log in wandered:
        book = read(log[:1])
        book.apply(log[1:])
        assert kept(book) == kept(one_by_one(log))


def test_nobody_moves_for_less_than_the_margin() -> None:
    log = [click("u", f"a{i % 6}", at=7 * i * DAY, offset=i) for i in range(9)]
    fast = ForwardDecay(half_life=DAY, landmark=START)
    lively = Notebook(Rules(fast, margin=0.0))
    steady = Notebook(Rules(fast, margin=10.0))
    for each in log:
        lively.apply([each])
        steady.apply([each])
    assert {move.to for move in lively.moves} == {"c1", "c2", "c5"}
    assert len(steady.moves) == 1


def test_who_changes_scene_changes_cohort_within_twenty_clicks() -> None:
    scenes = [[f"scene {s} artist {a}" for a in range(12)] for s in range(4)]
    learner = CohortLearner(n_cohorts=4, n_dims=4)
    for at in range(200):
        learner.learn_many([(scenes[at % 4][at % 5 : at % 5 + 6], [1.0] * 6)], [at])
    book = Notebook(RULES_OF_MANY, learner.snapshot(1, 0.0))
    clicks = [
        Click("u", "0", at, NOW - 4e5 + at * 1e3, "s", (scenes[at >= 300][at % 12],), "play")
        for at in range(320)
    ]
    book.apply(clicks[:300])
    before = book.listeners["u"].cohort
    book.apply(clicks[300:])
    arrived = Notebook(RULES_OF_MANY, book.model)
    arrived.apply([click._replace(offset=at) for at, click in enumerate(clicks[300:])])
    assert before != book.listeners["u"].cohort == arrived.listeners["u"].cohort


def test_a_click_that_comes_a_week_late_says_nothing_of_now() -> None:
    late = Click("u", "0", 5, NOW - 7 * 86_400, "s", ("a0",), "play")
    now = [Click("u", "0", at, NOW - 100 + at, "s", ("a1",), "play") for at in range(5)]
    assert np.allclose(read([*now, late]).listeners["u"].short_term, read(now).listeners["u"].short_term)


def test_a_listeners_clock_is_what_the_latest_click_says_that_says_it() -> None:
    book = Notebook(RULES)
    clocks = []
    for offset, (at, clock) in enumerate([(0, None), (60, -300), (120, None), (180, 60), (90, 0), (180, 0)]):
        book.apply([click(at=at, offset=offset, utc_offset_min=clock)])
        clocks.append(book.listeners["u"].utc_offset_min)
    assert clocks == [None, -300, -300, 60, 60, 0]
