"""Every file of real_files: what a person would expect to come of it, written down by hand from the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.replay.dry_run import dry_run
from consumers.replay.plan import Plan
from consumers.replay.summary import DryRun
from stream.errors import BadFile
from stream.files.options import Kind
from stream.files.presets import options_of
from stream.files.recognise import settle
from stream.settings import Settings
from tests.refrain_command import Refrain

FILES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason=f"the files are not here: {FILES}")

NOT_HISTORY = {"INDEX.md", "SOURCE.txt"}
NEW_YEAR = 1577836800  # 2020-01-01


class Expected(NamedTuple):
    """What comes of a file: the first events (None: as of what is left to chance), and of all its rows."""

    file: str
    events: list[dict[str, Any]]
    preset: str = ""  # found by itself; "": read plainly
    typed: str = ""
    kind: Kind = "clicks"
    sent: int | None = None  # rows that become events; None: as many as events are written down
    left_out: int = 0
    repeated: int = 0
    bad: dict[str, int] = {}  # noqa: RUF012 - of a named tuple, never changed
    whole: bool = True  # whether the events have no other fields than those written down


def click(user: str, song: str, artists: list[str], ts: float, **others: Any) -> dict[str, Any]:
    return {"user_id": user, "song_id": song, "artist_ids": artists, "ts": ts, **others}


def heard(song: str, artist: str, ts: float, ms_played: int) -> dict[str, Any]:
    return click("me", song, [artist], ts, ms_played=ms_played)


SPOTIFY = [
    heard('Lose Yourself - From "8 Mile" Soundtrack', "Eminem", 1605274620, 106820),
    heard("evermore (feat. Bon Iver)", "Taylor Swift", 1609320780, 59378),
    heard("The Bard's Song - In the Forest - Remastered 2007", "Blind Guardian", 1609672800, 178805),
]
ENDSONG = [  # but for the third, of which nothing was heard
    heard("spotify:track:6pHLEjP6LdsoP31jZDNc6e", "The Yardbirds", 1363257865, 154902),
    heard("spotify:track:7JSHs5GH7pq5moVo8wu1I6", "Beastie Boys", 1514144260, 75788),
    heard("spotify:track:09k5Qyysx5RnXLqamvdYEN", "Spoon", 1291199324, 212022),
    heard("spotify:track:5PWgRaypedaYMGJderchQc", "Nubya Garcia", 1620644601, 581491),
]
LASTFM = [
    click("me", "The Same - remastered version 2009", ["Dark Tranquillity"], 1586754091),
    click("me", "Haven - remastered version 2009", ["Dark Tranquillity"], 1586753879),
]
MUSICBOX = [
    click("900000001", "20870993", ["狮子合唱团"], 1488326400, device="ar"),
    click("900000002", "6560858", ["伯贤", "D.O.", "张艺兴", "朴灿烈"], 1488326400, device="ip"),
    click("900000003", "3385963", ["EXO"], 1488326400, device="ar"),
]
A_CLICK = click("u", "s", ["a"], NEW_YEAR)
KKBOX = "+++hVY1rZox/33YtvDgmKA2Frg/2qhkz12B9ylCvh8o="

EXPECTED = [
    Expected("spotify_StreamingHistory0.json", SPOTIFY, "spotify", sent=352, left_out=48),
    Expected("spotify_endsong_0.json", ENDSONG, "spotify-extended", left_out=1),
    # Fourteen were shorter than 30 s, and one does not say how long it was.
    Expected("spotify_extended_skipped.json", ENDSONG[3:], "spotify-extended", left_out=14),
    Expected(
        "listenbrainz_listens.jsonl",
        [
            click(
                "me",
                "03dcc65c-0e01-4f25-aa1f-0f469d10e2ad",
                ["a96d82a0-cdca-40bf-b4c8-3d7ec178d85b"],
                1748964167,
            ),
            click(
                "me",
                "23417b11-6914-4339-991c-bdfc3e120678",
                ["ff294730-0315-440d-a543-54005779c15b"],
                1748967954,
            ),
        ],
        "listenbrainz",
    ),
    # One has no artist, one no title.
    Expected(
        "listenbrainz_mixed_validity.jsonl",
        [
            click("me", "California Dreamin'", ["The Mamas & The Papas"], 1748967954),
            click("me", "Golden Brown", ["The Stranglers"], 1748967956),
            click("me", "Altered State", ["Sweet Garden"], 1748967958),
        ],
        "listenbrainz",
        left_out=1,
        bad={"missing-field": 1},
    ),
    Expected(
        "listenbrainz_same_batch_duplicates.json",
        [click("me", "Fade", ["Kanye West"], 1486466946)],
        "listenbrainz-import",
        repeated=2,
    ),
    Expected(
        "listenbrainz_timestamp_in_ns.json",
        [click("me", "Fade", ["Kanye West"], 1486449409)],
        "listenbrainz-import",
    ),
    Expected("listenbrainz_unicode_null.json", [], "listenbrainz-import", bad={"bad-id": 1}),
    Expected(
        "maloja_export.json",
        [
            click("me", "Not Now, Jesus", ["Alabaster Deplume"], 1760532613),
            heard("Old Friend; The Sea", "Vega Trails", 1760532855, 245_000),
        ],
        "maloja",
    ),
    # One is untagged, one was skipped.
    Expected(
        "rockbox.scrobbler.log",
        [
            click("me", "Come Together", ["The Beatles"], NEW_YEAR),
            click("me", "YELLOW ALERT", ["今堀恒雄"], 1577840400),
        ],
        "rockbox",
        left_out=2,
    ),
    Expected(
        "spinitron_sample.csv",
        [
            click("me", "People Just Want To Dream", ["Microdisney"], 1725523387),
            click("me", "Jungle", ["Ganglians"], 1725523173),
            click("me", "Hello Music", ["Kramer"], 1725522874),
        ],
        "spinitron",
        bad={"bad-time": 1, "missing-field": 1},
    ),
    Expected("lastfm_r_export.csv", LASTFM, "lastfm", sent=899),
    *(
        Expected(f"lastfm_r_export.{clothes}", LASTFM, "lastfm", sent=199)
        for clothes in ("utf16.csv", "bom.crlf.semicolon.csv", "zip", "csv.bz2", "two-members.csv.gz")
    ),
    Expected("lastfm_r_export.latin1.csv", LASTFM, "lastfm", typed="--encoding cp1252", sent=199),
    # The first two lines are counts.
    Expected("musicbox_all_play.log.fn", MUSICBOX, "musicbox", sent=8, bad={"bad-value": 2}),
    Expected("20170301_play.log", MUSICBOX, "musicbox-play", sent=8, bad={"bad-value": 2}),
    Expected("edge/20170301_play.log.tar.gz", MUSICBOX, "musicbox-play", sent=8, bad={"bad-value": 2}),
    Expected(
        "musicbox_all_search.log.fn",
        [
            {
                "user_id": "900000009",
                "device": "ip",
                "ts": 1488326424,
                "action": "search",
                "query": "郭德纲",
            },
            {
                "user_id": "900000010",
                "device": "ar",
                "ts": 1488326453,
                "action": "search",
                "query": "毯子舞",
            },
        ],
        "musicbox-search",
        sent=10,
    ),
    Expected(
        "musicbox_all_down.log.fn",
        [
            click("900000019", "442554", ["林俊杰", "蔡卓妍"], 1490832000, device="ar", action="download"),
            click("900000019", "6334611", ["萧全"], 1490832000, device="ar", action="download"),
        ],
        "musicbox-download",
        sent=10,
    ),
    Expected(
        "saavn_sample100mb.csv",
        [{"user_id": "5525c71b6213340569f3aa1abc225514", "song_id": "_JUdlvPU", "ts": 1533115844}],
        "saavn",
    ),
    # The file of songs has another song than the one that was clicked.
    Expected(
        "saavn_sample100mb.csv",
        [],
        "saavn",
        typed="--songs FILES/saavn_newmetadata_part-00000",
        bad={"unknown-song": 1},
    ),
    Expected(
        "saavn_part-00000_2017.csv",
        [
            {"user_id": "u1", "song_id": "zzmLg9px", "ts": 1514160000},
            {"user_id": "u2", "song_id": "zzk_wgWc", "ts": 1514163600},
        ],
        "saavn-2017",
        bad={"missing-field": 1},
    ),
    Expected(
        "saavn_newmetadata_part-00000",
        [{"song_id": "Zil3cVnY", "artist_ids": ["516437"], "artist_names": [], "genres": []}],
        typed="--preset saavn",
        kind="songs",
    ),
    Expected(
        "saavn_notification_clicks_part-00000",
        [
            {
                "release_id": "9681",
                "user_id": "69f1004d6c2395cf556c76498e041d5e",
                "kind": "clicked",
                "ts": 1535241600,
            }
        ],
        "saavn-clicks",
        kind="feedback",
    ),
    Expected(
        "saavn_notification_actor.csv",
        [{"release_id": "9553", "artist_ids": ["535722"], "genres": [], "featuring": [], "similar_to": []}],
        typed="--preset saavn",
        kind="releases",
    ),
    # One title of 23 s, one of 40 s; then one of 5,444 s, which is seven clicks, and one of 454 s.
    Expected(
        "hotstar_train.json",
        [
            {"user_id": "train-1", "song_id": "JOLLY LLB", "ms_played": 23_000, "city": "mumbai"},
            {"user_id": "train-1", "song_id": "Ishqbaaz", "ms_played": 40_000, "city": "mumbai"},
            {"user_id": "train-2", "song_id": "India vs England, 3rd Test", "city": "delhi"},
        ],
        "hotstar",
        sent=13,
        whole=False,  # when is relative to now
    ),
    Expected(
        "hotstar_train.json",
        [
            {"user_id": "train-1", "segment": "profile", "value": 1.0},
            {"user_id": "train-2", "segment": "profile", "value": 0.0},
        ],
        "hotstar",
        kind="labels",
        whole=False,
    ),
    # No seconds, twice.
    Expected(
        "kkbox_user_logs.csv",
        [click(KKBOX, "-", ["-"], 1479254400, ms_played=5013120)],
        "kkbox",
        left_out=2,
    ),
    Expected(
        "edge/bq.csv",
        [A_CLICK, A_CLICK | {"ts": NEW_YEAR + 0.123456}, A_CLICK, A_CLICK, A_CLICK],
        sent=7,
        bad={"bad-time": 1},
    ),
    Expected(
        "edge/clicks_many.csv",
        [click("u1", "s1", ["a1", "a2"], 1533115844)],
        typed="--columns user_id,ts,song_id,day --songs FILES/edge/songs_many.csv "
        "--songs-columns song_id,artist_ids",
    ),
    Expected(
        "edge/songs_many.csv",
        [
            {"song_id": "s1", "artist_ids": ["a1", "a2"], "artist_names": [], "genres": []},
            {"song_id": "s2", "artist_ids": ["a3"], "artist_names": [], "genres": []},
        ],
        typed="--columns song_id,artist_ids",
        kind="songs",
        sent=3,
    ),
    Expected("edge/cr.csv", [A_CLICK, A_CLICK | {"song_id": "s2"}]),
    Expected(
        "edge/dc.dat",
        [click("1", "1193", ["1193"], 978300760), click("1", "661", ["661"], 978302109)],
        "movielens-1m",
    ),
    Expected("edge/empty.csv", []),
    Expected("edge/header.csv", []),
    Expected(
        "edge/feedback.csv",
        [
            {"release_id": "r1", "user_id": "u1", "kind": "clicked", "ts": NEW_YEAR},
            {"release_id": "r1", "user_id": "u1", "kind": "opened", "ts": NEW_YEAR},
            {"release_id": "r1", "user_id": "u1", "kind": "opted_out", "ts": NEW_YEAR},
            {"release_id": "r1", "user_id": "u1", "kind": "sent", "ts": 1535241600},
            {"release_id": "r1", "user_id": "u1", "kind": "sent", "ts": 4102444800},
        ],
        typed="--value kind:open=opened,unsubscribe=opted_out",
        kind="feedback",
    ),
    Expected("edge/feedback.csv", [], bad={"missing-field": 5}),
    Expected(
        "edge/float_ids.csv",
        [A_CLICK | {"user_id": "154422682"}, A_CLICK | {"user_id": "154422682"}],
    ),
    Expected(
        "edge/float_ids.jsonl",
        [click("154422682", "20870993", ["a"], 1), click("154422682", "s", ["a"], 1)],
        bad={"bad-id": 1},
    ),
    Expected(
        "edge/ids.jsonl",
        [
            *[{"user_id": "u", "song_id": "s", "ts": 1}] * 5,
        ],
        sent=9,
        whole=False,
        bad={"bad-id": 5, "bad-value": 1},
    ),
    Expected("edge/lastfm_api.json", [click("me", "S", ["A"], NEW_YEAR)], "lastfm-api"),
    # The second is playing now.
    Expected("edge/lastfm_api.jsonl", [click("me", "S", ["A"], NEW_YEAR)], "lastfm-tracks", left_out=1),
    Expected("edge/micro.jsonl", [A_CLICK | {"ts": 1575779411.418}]),
    Expected("edge/nano.jsonl", [A_CLICK | {"ts": 1486449409}]),
    Expected("edge/msplayed.csv", [A_CLICK | {"ms_played": 270_000}, *[A_CLICK] * 4], sent=6),
    Expected("edge/nan.jsonl", [A_CLICK | {"ts": 1}], bad={"bad-time": 1}),
    Expected("edge/oneline.json", ENDSONG, "spotify-extended", left_out=1),
    Expected("edge/props.csv", [click("u1", "s1", ["a1"], 1767225600, event_id="1")], "posthog"),
    # A quote that is opened and not closed costs its row; a song's name of two lines is no id.
    Expected(
        "edge/quote.csv",
        [
            click("u", "Eat It", ['"Weird Al" Yankovic'], NEW_YEAR),
            A_CLICK | {"artist_ids": ["Guns N' Roses"]},
            A_CLICK | {"song_id": '12" mix'},
            A_CLICK | {"song_id": '12" mix'},
            A_CLICK | {"song_id": "s2"},
        ],
        sent=6,
        bad={"bad-id": 1, "bad-value": 1},
    ),
    Expected("edge/ragged.csv", [A_CLICK, A_CLICK], bad={"bad-value": 1}),
    Expected("edge/spaces.csv", [], bad={"missing-field": 1}),
    Expected(
        "edge/spaces.csv",
        [{"user_id": "u1", "song_id": "s1", "ts": 1533115844}],
        typed="--map 'user_id=User ID,song_id=Song ID,ts=Timestamp'",
    ),
    Expected("edge/spotify_api.jsonl", [click("me", "t1", ["a1", "a2"], 1672531200.123)], "spotify-api"),
    # A time of 1902, and one of 2037.
    Expected(
        "edge/taobao.csv",
        [
            {"user_id": "1", "song_id": "2268318", "action": "play", "ts": 1511544070},
            {"user_id": "4", "song_id": "1", "action": "play", "ts": 0},
        ],
        typed="--columns user_id,song_id,category,action,ts --value action:pv=play",
        bad={"bad-time": 1, "too-far-in-the-future": 1},
    ),
]


def looked(expected: Expected) -> tuple[DryRun, str]:
    """A dry run, and which preset the file was read by."""
    path = FILES / expected.file
    options = options_of(expected.typed.replace("FILES", str(FILES)))
    found = settle(expected.kind, options, [path])
    run = dry_run(Plan(expected.kind, (path,), found.options))
    return run, found.preset.name if found.preset and not options.preset else ""


SENT = [  # file, kind, what is typed: rows, and events of which one is written down
    ("spotify_StreamingHistory0.json", "clicks", "--set user_id=ann", 352, SPOTIFY[0] | {"user_id": "ann"}),
    ("edge/20170301_play.log.tar.gz", "clicks", "", 8, MUSICBOX[1]),
    (
        "saavn_notification_clicks_part-00000",
        "feedback",
        "",
        1,
        {
            "release_id": "9681",
            "user_id": "69f1004d6c2395cf556c76498e041d5e",
            "kind": "clicked",
            "ts": 1535241600,
        },
    ),
    (
        "edge/songs_many.csv",
        "songs",
        "--columns song_id,artist_ids",
        2,
        {"song_id": "s1", "artist_ids": ["a1", "a2"], "artist_names": [], "genres": []},
    ),
]


def test_what_a_dry_run_shows_is_what_the_topics_hold(
    topics: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    for file, kind, typed, sent, _ in SENT:
        path = Path(shutil.copy(FILES / file, tmp_path))  # bad rows are written beside it
        done = refrain.run("replay", kind, str(path), *typed.split(), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sent"] == sent
    for kind in ("clicks", "feedback", "songs"):
        there = held(topics, kind)
        hand = [(sent, event) for _, of, _, sent, event in SENT if of == kind]
        assert len(there) == sum(sent for sent, _ in hand)
        assert all(event in there for _, event in hand)


def held(settings: Settings, topic: str) -> list[dict[str, Any]]:
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    found: list[dict[str, Any]] = []
    while any(consumer.position(place) < ends[place] for place in places):
        for messages in consumer.poll(timeout_ms=500).values():
            found += [json.loads(message.value) for message in messages]
    consumer.close()
    return found


def case(expected: Expected) -> str:
    return f"{expected.file}-{expected.kind}{'-typed' if expected.typed else ''}"


@pytest.mark.parametrize("expected", EXPECTED, ids=case)
def test_a_real_file_becomes_what_a_person_expects(expected: Expected) -> None:
    run, preset = looked(expected)
    assert preset == expected.preset
    events = [json.loads(value) for _, value in run.events[: len(expected.events)]]
    if not expected.whole:
        fields = zip(events, expected.events, strict=False)
        events = [{name: each.get(name) for name in hand} for each, hand in fields]
    assert events == expected.events
    tally = run.tally
    sent = len(expected.events) if expected.sent is None else expected.sent
    assert (tally.left_out, tally.repeated, tally.bad) == (expected.left_out, expected.repeated, expected.bad)
    assert tally.rows == sent + expected.left_out + expected.repeated + sum(expected.bad.values())


@pytest.mark.parametrize("expected", [each for each in EXPECTED if each.bad], ids=case)
def test_each_row_that_cannot_be_used_has_its_line_its_reason_and_what_to_try(expected: Expected) -> None:
    run, _ = looked(expected)
    assert all(each.line and each.detail and each.hint for each in run.tally.unusable.values())


def test_no_file_is_left_out() -> None:
    there = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    assert there - NOT_HISTORY == {expected.file for expected in EXPECTED}


def test_text_that_is_no_utf8_is_refused_with_the_encoding_to_try() -> None:
    with pytest.raises(BadFile, match="is no UTF-8") as told:
        looked(Expected("lastfm_r_export.latin1.csv", []))
    assert "--encoding cp1252" in told.value.hint


@pytest.mark.parametrize("file", sorted(NOT_HISTORY))
def test_what_is_no_history_is_refused_row_by_row(file: str) -> None:
    run, preset = looked(Expected(file, []))
    assert (preset, run.events, run.tally.bad.total()) == ("", [], run.tally.rows)
