"""Values and times of real files, as people have them: what each row is to become is written down by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.replay.dry_run import dry_run
from consumers.replay.plan import Plan
from consumers.replay.summary import DryRun
from stream.files.options import ActionRule, Condition, FileOptions, Kind, replacements

FILES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason=f"the files are not here: {FILES}")

NEW_YEAR = 1577836800.0  # 2020-01-01


def looked(name: str, kind: Kind = "clicks", **options: Any) -> DryRun:
    return dry_run(Plan(kind, (FILES / name,), FileOptions(**options)))


def events(found: DryRun, *fields: str) -> list[tuple[Any, ...]]:
    values = [json.loads(value) for _, value in found.events]
    return [tuple(each.get(field) for field in fields) for each in values]


def remarks(found: DryRun) -> list[tuple[str, str, int]]:
    return [(each.what, each.field, each.count) for each in found.tally.remarks.values()]


def unusable(found: DryRun) -> list[tuple[str, str, int, int]]:
    return [(each.what, each.field, each.count, each.line) for each in found.tally.unusable.values()]


def test_milliseconds_that_are_none_do_not_cost_the_click() -> None:
    found = looked("edge/msplayed.csv")
    assert events(found, "ms_played") == [(270_000,), (None,), (None,), (None,), (None,)]
    assert (found.tally.rows, found.tally.bad.total(), remarks(found)) == (
        6,
        0,
        [("dropped", "ms_played", 4)],
    )


@pytest.mark.parametrize("name", ["edge/float_ids.csv", "edge/float_ids.jsonl"])
def test_ids_that_are_floats_are_whole_numbers(name: str) -> None:
    found = looked(name)
    assert events(found, "user_id") == [("154422682",), ("154422682",)]
    assert ("float-id", "user_id", 2) in remarks(found)
    assert unusable(found) == ([] if name.endswith("csv") else [("bad-id", "user_id", 1, 3)])


def test_words_of_a_mailing_tool_are_feedback() -> None:
    words = replacements(["kind:open=opened,unsubscribe=opted_out"])
    found = looked("edge/feedback.csv", "feedback", values=words)
    kinds = ["clicked", "opened", "opted_out", "sent", "sent"]
    assert [kind for (kind,) in events(found, "kind")] == kinds
    assert events(found, "ts")[3:] == [(1535241600.0,), (4102444800.0,)]
    assert remarks(found) == [("in-the-future", "ts", 1)]


def test_words_that_nobody_explained_are_asked_for() -> None:
    found = looked("edge/feedback.csv", "feedback")
    assert unusable(found) == [("bad-value", "kind", 2, 3)]
    assert [each.hint[:27] for each in found.refused] == [
        "--value kind:open=MEANING, ",
        "--value kind:unsubscribe=ME",
    ]


def test_times_of_a_warehouse_are_read_but_for_those_of_words() -> None:
    found = looked("edge/bq.csv")
    assert events(found, "ts") == [(NEW_YEAR,), (NEW_YEAR + 0.123456,), (NEW_YEAR,), (NEW_YEAR,), (NEW_YEAR,)]
    assert (found.tally.rows, unusable(found)) == (8, [("bad-time", "ts", 1, 6)])
    (words,) = found.refused
    assert words.hint == "--time-format '%b %d, %Y %I:%M:%S %p'"


@pytest.mark.parametrize(
    ("name", "moment"), [("edge/micro.jsonl", 1575779411.418), ("edge/nano.jsonl", 1486449409.0)]
)
def test_times_in_small_parts_of_seconds_are_read(name: str, moment: float) -> None:
    assert events(looked(name), "ts") == [(moment,)]


def test_a_time_that_is_not_a_number_is_bad_and_elsewhere_does_no_harm() -> None:
    found = looked("edge/nan.jsonl")
    assert (unusable(found), events(found, "user_id")) == ([("bad-time", "ts", 1, 1)], [("u",)])
    assert "before 2000" in found.doubt


def test_ids_of_every_odd_kind_are_ids_or_refused_with_the_way_out() -> None:
    found = looked("edge/ids.jsonl")
    assert (found.tally.rows, found.tally.bad) == (15, {"bad-id": 5, "bad-value": 1})
    assert {each.field for each in found.refused} == {"song_id", "user_id", "artist_ids"}
    assert all(each.hint for each in found.tally.unusable.values())
    assert {field for what, field, _ in remarks(found) if what == "dropped"} == {"city", "utc_offset_min"}


def test_a_log_of_behaviour_has_odd_times_and_says_so() -> None:
    found = looked(
        "edge/taobao.csv",
        columns=("user_id", "song_id", "artist_ids", "action", "ts"),
        values=replacements(["action:pv=play"]),
    )
    assert events(found, "user_id", "action", "ts") == [("1", "play", 1511544070.0), ("4", "play", 0.0)]
    assert unusable(found) == [("bad-time", "ts", 1, 2), ("too-far-in-the-future", "ts", 1, 3)]
    assert "2 of the first 3 times are before 2000 or in the future" in found.doubt


PLAYS = ("user_id", "device", "song_id", "kind", "title", "artist_ids", "ms_played", "length", "paid")


def test_the_day_of_a_play_log_is_in_its_name() -> None:
    found = looked("20170301_play.log", format="tsv", columns=PLAYS, time_in_name="%Y%m%d_play.log")
    assert events(found, "ts", "ms_played")[:2] == [(1488326400.0, 22013), (1488326400.0, 96)]


def test_the_day_of_a_play_log_is_in_a_column_with_blanks() -> None:
    columns = (*PLAYS, "ts")
    options = {"format": "tsv", "columns": columns, "time_format": "%Y%m%d_play.log"}
    assert set(events(looked("musicbox_all_play.log.fn", **options), "ts")) == {(1488326400.0,)}


def test_searches_are_decoded() -> None:
    found = looked(
        "musicbox_all_search.log.fn",
        format="tsv",
        columns=("user_id", "device", "ts", "query", "file"),
        constants={"action": "search"},
        percent_encoded=("query",),
    )
    queries = [query.strip() for (query,) in events(found, "query")]
    assert queries == [
        "郭德纲",
        "毯子舞",
        "疤- (电视剧《飞刀又见飞刀》主题曲)",
        "我要创业  唐莉群",
        "丫头  王童语",
    ]


def test_a_log_of_a_day_each_has_whole_days_and_seconds_that_are_none() -> None:
    found = looked(
        "kkbox_user_logs.csv",
        mapping={"user_id": "msno", "ts": "date"},
        constants={"song_id": "-"},
        where=(Condition.parse("total_secs>0"),),
    )
    user = "+++hVY1rZox/33YtvDgmKA2Frg/2qhkz12B9ylCvh8o="
    assert events(found, "user_id", "ts") == [(user, 1479254400.0)]
    assert found.tally.left_out == 2


def test_days_that_stand_twice_count_once_where_that_is_asked_for() -> None:
    found = looked(
        "kkbox_user_logs.csv",
        mapping={"user_id": "msno", "ts": "date"},
        constants={"song_id": "-"},
        distinct=True,
    )
    assert (len(found.events), found.tally.repeated) == (2, 1)


def test_a_player_that_notes_skips_has_them() -> None:
    found = looked(
        "rockbox.scrobbler.log",
        format="tsv",
        columns=("artist_ids", "album", "song_id", "track", "length", "rating", "ts", "id"),
        constants={"user_id": "me"},
        actions=(ActionRule.parse("skip:rating=S"),),
    )
    assert [action for (action,) in events(found, "action")] == [None, None, None, "skip"]
