"""Files of a replay that is to go on and is not noted, and those of other replays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from consumers.replay.plan import Plan
from consumers.replay.sent_before import refuse_sent_before
from stream.errors import WrongUse
from stream.files.bookmark import Bookmark
from stream.files.options import Condition, FileOptions, Order

Make: TypeAlias = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_text("user_id,song_id\n")
        return path

    return make


def note(
    folder: Path,
    plan: Plan,
    events: int,
    *,
    finished: bool = True,
    topic: str = "T",
    beside: Path | None = None,
) -> Bookmark:
    files = [*plan.files, *([beside] if beside else [])]
    bookmark, _ = Bookmark.find(folder, topic, files, plan.identity, plan.selection)
    bookmark = bookmark.anew(1.0).at(events, {0: events}, finished=finished)
    bookmark.save()
    return bookmark


def go_on(folder: Path, plan: Plan, beside: Path | None = None) -> None:
    files = [*plan.files, *([beside] if beside else [])]
    bookmark, old = Bookmark.find(folder, "T", files, plan.identity, plan.selection)
    assert not old
    refuse_sent_before(bookmark, plan.files)


def test_files_that_were_never_sent_may_go(tmp_path: Path, make: Make) -> None:
    go_on(tmp_path / "none", Plan("clicks", (make("a.csv"),)))
    note(tmp_path, Plan("clicks", (make("a.csv"),)), 10)
    go_on(tmp_path, Plan("clicks", (make("b.csv"),)))


def test_it_says_which_were_sent_and_which_are_new(tmp_path: Path, make: Make) -> None:
    files = [make(f"{name}.csv") for name in "abcdef"]
    note(tmp_path, Plan("clicks", tuple(files[:4])), 1000)
    note(tmp_path, Plan("clicks", (files[4],)), 5)
    with pytest.raises(WrongUse) as refused:
        go_on(tmp_path, Plan("clicks", tuple(files)))
    a, b, c, *_, f = files
    assert str(refused.value) == (
        f"nothing is sent: {a}, {b}, {c} and 2 more were replayed before with other files or options, and "
        "1,005 events of that are in Kafka"
    )
    assert refused.value.hint == (
        f"What is new can be named alone: {f}. Without --resume all is sent, and those events a second time."
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda plan: replace(plan, order=Order(shuffle=1)),
        lambda plan: replace(plan, options=FileOptions(timezone="Europe/Berlin")),
        lambda plan: replace(plan, options=FileOptions(limit=5)),
    ],
)
def test_other_options_do_not_make_sent_events_new(
    tmp_path: Path, make: Make, other: Callable[[Plan], Plan]
) -> None:
    plan = Plan("clicks", (make("a.csv"),))
    note(tmp_path, plan, 10)
    with pytest.raises(WrongUse, match="replayed before"):
        go_on(tmp_path, other(plan))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (FileOptions(constants={"segment": "rap"}), FileOptions(constants={"segment": "pop"})),
        (FileOptions(mapping={"value": "rap"}), FileOptions(mapping={"value": "pop"})),
        (FileOptions(where=(Condition("p", "1"),)), FileOptions(where=(Condition("p", "2"),))),
    ],
)
def test_a_file_may_be_replayed_as_one_event_and_as_another(
    tmp_path: Path, make: Make, first: FileOptions, then: FileOptions
) -> None:
    files = (make("a.csv"),)
    note(tmp_path, Plan("labels", files, first), 10)
    go_on(tmp_path, Plan("labels", files, then))


def test_two_replays_may_have_the_same_file_of_songs(tmp_path: Path, make: Make) -> None:
    beside = make("songs.csv")
    note(tmp_path, Plan("clicks", (make("a.csv"),)), 10, beside=beside)
    go_on(tmp_path, Plan("clicks", (make("b.csv"),)), beside)


def test_a_file_that_has_changed_was_sent_all_the_same(tmp_path: Path, make: Make) -> None:
    path = make("a.csv")
    note(tmp_path, Plan("clicks", (path,)), 10)
    path.write_text("user_id,song_id\nu,s\n")
    with pytest.raises(WrongUse, match="replayed before"):
        go_on(tmp_path, Plan("clicks", (path, make("b.csv"))))


def test_one_that_was_killed_at_once_may_have_sent_more_than_is_noted(tmp_path: Path, make: Make) -> None:
    files = (make("a.csv"), make("b.csv"))
    note(tmp_path, Plan("clicks", files[:1]), 0, finished=False)
    with pytest.raises(WrongUse, match="0 events at least") as refused:
        go_on(tmp_path, Plan("clicks", files))
    assert "stopped halfway" in str(refused.value.hint)


def test_one_that_found_nothing_to_send_has_sent_nothing(tmp_path: Path, make: Make) -> None:
    plan = Plan("clicks", (make("a.csv"),))
    note(tmp_path, plan, 0)
    go_on(tmp_path, replace(plan, options=FileOptions(delimiter=";")))


def test_a_topic_that_was_made_again_has_none_of_it(tmp_path: Path, make: Make) -> None:
    files = (make("a.csv"), make("b.csv"))
    note(tmp_path, Plan("clicks", files[:1]), 10, topic="before")
    go_on(tmp_path, Plan("clicks", files))


def test_bookmarks_that_do_not_name_their_topic_are_read(tmp_path: Path, make: Make) -> None:
    plan = Plan("clicks", (make("a.csv"),))
    bookmark = note(tmp_path, plan, 10)
    content = json.loads(bookmark.path.read_text())
    del content["topic_id"], content["selection"]
    bookmark.path.write_text(json.dumps(content))
    go_on(tmp_path, Plan("clicks", (*plan.files, make("b.csv"))))
    assert Bookmark.find(tmp_path, "T", plan.files, plan.identity, plan.selection) == (bookmark, True)
