"""Presets: small files in the layouts of exports, written by hand; which preset goes before which option."""

from __future__ import annotations

import json
import shlex
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from consumers.replay.dry_run import dry_run
from consumers.replay.plan import Plan
from consumers.replay.summary import DryRun
from stream.errors import RefrainError, WrongUse
from stream.files.options import FileOptions, Kind
from stream.files.presets import NONE, options_of, over, presets, presets_called
from stream.files.recognise import settle
from tests.refrain_command import application

JANUARY = 1704067200  # 2024-01-01
TAB = "\t"

APPLE = """\
Album Name,Apple ID Number,Container Artist Name,End Reason Type,Event End Timestamp,Event Start Timestamp,\
Event Type,Media Duration In Milliseconds,Play Duration Milliseconds,Song Name
A Night at the Opera,0,Queen,NATURAL_END_OF_TRACK,2024-01-01T00:06:00Z,2024-01-01T00:00:00Z,PLAY_END,354000,\
354000,Bohemian Rhapsody
,0,,NATURAL_END_OF_TRACK,2024-01-01T00:10:00Z,,PLAY_END,200000,200000,Hurt
Fine Line,0,Harry Styles,TRACK_SKIPPED_FORWARDS,2024-01-01T00:11:00Z,,PLAY_END,174000,4000,Watermelon Sugar
Fine Line,0,Harry Styles,,2024-01-01T00:12:00Z,,LYRIC_DISPLAY,174000,174000,Watermelon Sugar
"""
APPLE_2019 = """\
"Apple ID Number","Artist Name","Content Name","End Reason Type","Event End Timestamp","Event Type",\
"Play Duration Milliseconds"
"1","Artist One","Track One","NATURAL_END_OF_TRACK","2024-01-01T00:00:00Z","PLAY_END","180000"
"""
APPLE_DAILY = """\
Country,Track Identifier,Media type,Date Played,Hours,Play Duration Milliseconds,End Reason Type,Source Type,\
Play Count,Skip Count,Ignore For Recommendations,Track Description
United States,978194965,N/A,20240101,"18, 19",1664000,NATURAL_END_OF_TRACK,IPHONE,2,4,,Brian Eno - 1/2 - Live
United States,123,N/A,20240101,12,0,TRACK_SKIPPED_FORWARDS,IPHONE,0,1,,The Beatles - Hey Jude
"""
APPLE_RECENT = """\
Last Modified,Container Type,Container Description,Track Description,First Event Timestamp,\
Last End Reason Tyoe,Last Event End Timestamp,Total plays,Total play duration in millis
2024-01-02T00:00:00.000Z,Album,X - Y,Joe Hisaishi - The Stink God,2024-01-01T00:00:00.000Z,\
PLAYBACK_MANUALLY_PAUSED,2024-01-01T00:00:00.500Z,1,168691
"""
APPLE_TRACKS = """\
Track Name,Last Played Date,Is User Initiated
Joe Hisaishi - The Stink God,1704067200000,true
"""
YOUTUBE = [
    {
        "header": "YouTube Music",
        "title": "Watched Solar",
        "titleUrl": "https://www.youtube.com/watch?v=-e8Nfjl_AKk",
        "subtitles": [{"name": "Sault - Topic", "url": "https://www.youtube.com/channel/UC-o"}],
        "time": "2024-01-01T00:00:00.784Z",
        "products": ["YouTube"],
    },
    {
        "header": "YouTube",
        "title": "Watched a film",
        "titleUrl": "https://www.youtube.com/watch?v=aaaabbbbccc",
        "subtitles": [{"name": "Somebody"}],
        "time": "2024-01-01T00:01:00.000Z",
    },
    {
        "header": "YouTube Music",
        "title": "Watched https://music.youtube.com/watch?v=xfeys7Jfnx8",
        "titleUrl": "https://music.youtube.com/watch?v=xfeys7Jfnx8",
        "time": "2024-01-01T00:02:00.000Z",
    },
]
TIDAL = """\
artist_name,track_title,entry_date,product_name,stream_duration_ms
Björk,Jóga,2024-01-01 00:00:00,HiFi,305000
Björk,Hunter,2024-01-01 00:05:05,HiFi,1200
"""
DEEZER = """\
Song Title,Artist,ISRC,Album Title,IP Address,Listening Time,Platform Name,Platform Model,Date
Jóga,Björk,GBAKW9700102,Homogenic,127.0.0.1,305,web,Chrome,2024-01-01 00:00:00
Hunter,Björk,GBAKW9700101,Homogenic,127.0.0.1,-1,web,Chrome,2024-01-01 00:05:05
"""
LASTFM_CSV = """\
uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid
"1704067200","01 Jan 2024, 00:00","Bloc Party","8c538f11-c141","","","Positive Tension",""
"""
LASTFM_TO_CSV = """\
"Sigur Rós",Takk,"Hoppípolla",01 Jan 2024 00:00
Björk,Homogenic,Jóga,01 Jan 2024 00:04
"""
SEGMENT_PAGE = {"type": "page", "userId": "u1", "name": "Home", "timestamp": "2024-01-01T00:00:00.000Z"}
SEGMENT = {
    "type": "track",
    "event": "Song Played",
    "messageId": "m1",
    "userId": "u1",
    "anonymousId": "a1",
    "properties": {"song_id": "s1", "artist_id": "x1"},
    "timestamp": "2024-01-01T00:00:00.000Z",
}
POSTHOG = {
    "uuid": "e1",
    "event": "song_played",
    "distinct_id": "u1",
    "person_id": "p1",
    "properties": {"trackId": "s1", "artists": ["x1", "x2"]},
    "timestamp": "2024-01-01T00:00:00.000000Z",
}


def unstruct(data: dict[str, Any]) -> str:
    inner = {"schema": "iglu:com.acme/song_played/jsonschema/1-0-0", "data": data}
    return json.dumps(
        {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0", "data": inner}
    )


def snowplow(**values: str) -> str:
    """A line of the enriched stream."""
    (preset,) = presets_called("snowplow-json", "clicks")
    assert preset
    columns = presets_called("snowplow", "clicks")[0].parsed.columns
    assert len(columns) == 131
    fixed = {"app_id": "web", "platform": "web", "event_id": "c6ef3124-b53a-4b13-a233-0088f79dcbcb"}
    return TAB.join((fixed | values).get(name, "") for name in columns) + "\n"


SNOWPLOW = snowplow(
    event="unstruct",
    user_id="u1",
    derived_tstamp="2024-01-01 00:00:00.000",
    unstruct_event=unstruct({"song_id": "s1", "artist_id": "x1"}),
) + snowplow(event="page_view", domain_userid="c1", derived_tstamp="2024-01-01 00:00:01.000")
SNOWPLOW_JSON = {
    "app_id": "web",
    "collector_tstamp": "2024-01-01T00:00:01.000Z",
    "derived_tstamp": "2024-01-01T00:00:00.000Z",
    "event_id": "c6ef3124-b53a-4b13-a233-0088f79dcbcb",
    "v_collector": "ssc-2.9",
    "user_id": None,
    "domain_userid": "c1",
    "unstruct_event_com_acme_song_played_1": {"song_id": "s1", "artist_id": "x1"},
}
LISTEN = {
    "user_name": "ann",
    "listened_at": JANUARY,
    "recording_msid": "r1",
    "track_metadata": {"artist_name": "Björk", "track_name": "Jóga", "mbid_mapping": None},
}


class Made(NamedTuple):
    """A file, and what it is to become."""

    preset: str
    text: str
    events: list[dict[str, Any]]
    left_out: int = 0
    name: str = "export.csv"
    kind: Kind = "clicks"


def click(song: str, artists: list[str] | None, user: str = "me", ts: float = JANUARY, **others: Any) -> Any:
    made = {"user_id": user, "song_id": song, "ts": ts, **others}
    return made | ({"artist_ids": artists} if artists else {})


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


MADE = [
    Made(
        "apple-music",
        APPLE,
        [
            click("Bohemian Rhapsody", ["Queen"], ts=JANUARY + 360, ms_played=354_000),
            click("Hurt", None, ts=JANUARY + 600, ms_played=200_000),
        ],
        left_out=2,
    ),
    Made("apple-music", APPLE_2019, [click("Track One", ["Artist One"], ms_played=180_000)]),
    Made("apple-music-daily", APPLE_DAILY, [click("1/2 - Live", ["Brian Eno"])] * 2, left_out=1),
    Made("apple-music-recent", APPLE_RECENT, [click("The Stink God", ["Joe Hisaishi"], ts=JANUARY + 0.5)]),
    Made("apple-music-tracks", APPLE_TRACKS, [click("The Stink God", ["Joe Hisaishi"])]),
    Made(
        "youtube-music",
        json.dumps(YOUTUBE, indent=2),
        [click("-e8Nfjl_AKk", ["Sault"], ts=JANUARY + 0.784)],
        left_out=2,
        name="watch-history.json",
    ),
    Made("tidal", TIDAL, [click("Jóga", ["Björk"], ms_played=305_000)], left_out=1),
    Made("deezer", DEEZER, [click("GBAKW9700102", ["Björk"], ms_played=305_000)], left_out=1),
    Made("lastfm-csv", LASTFM_CSV, [click("Positive Tension", ["Bloc Party"])]),
    Made(
        "lastfm-to-csv",
        LASTFM_TO_CSV,
        [click("Hoppípolla", ["Sigur Rós"]), click("Jóga", ["Björk"], ts=JANUARY + 240)],
    ),
    Made(
        "spotify-api-page",
        json.dumps(
            {"items": [{"track": {"id": "t", "artists": [{"id": "x"}]}, "played_at": "2024-01-01T00:00:00Z"}]}
        ),
        [click("t", ["x"])],
        name="recently-played.json",
    ),
    Made(
        "listenbrainz-listens",
        json.dumps({"payload": {"count": 1, "listens": [LISTEN]}}),
        [click("r1", ["Björk"], user="ann")],
        name="listens.json",
    ),
    Made(
        "rockbox-old",
        "#AUDIOSCROBBLER/1.0\n#TZ/UTC\n#CLIENT/iPod\nBjörk\tHomogenic\tJóga\t2\t305\tL\t1704067200\n",
        [click("Jóga", ["Björk"])],
        name=".scrobbler.log",
    ),
    Made(
        "movielens",
        "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n",
        [click("31", ["31"], "1", 1260759144)],
    ),
    Made(
        "movielens-100k", "196\t242\t3\t881250949\n", [click("242", ["242"], "196", 881250949)], name="u.data"
    ),
    Made(
        "kkbox-songs",
        "song_id,song_length,genre_ids,artist_name,composer,lyricist,language\nCXoT=,247640,465|466,張信哲,,,3\n",
        [
            {
                "song_id": "CXoT=",
                "artist_ids": ["張信哲"],
                "artist_names": [],
                "genres": ["465", "466"],
                "duration_ms": 247640,
            }
        ],
        kind="songs",
    ),
    Made(
        "musicbox-search-day",
        "900000009 \tip \t2024-01-01 00:00:00 \t%e9%83%ad%e5%be%b7%e7%ba%b2 \n",
        [{"user_id": "900000009", "device": "ip", "ts": JANUARY, "action": "search", "query": "郭德纲"}],
        name="1_1_search.log",
    ),
    Made(
        "musicbox-download-day",
        "900000019 \tar \t442554 \t小酒窝 \t林俊杰&蔡卓妍 \t0 \n",
        [click("442554", ["林俊杰", "蔡卓妍"], "900000019", device="ar", action="download")],
        name="20240101_1_down.log",
    ),
    Made(
        "segment",
        lines(SEGMENT_PAGE, SEGMENT, SEGMENT | {"userId": None, "messageId": "m2"}),
        [click("s1", ["x1"], "u1", event_id="m1"), click("s1", ["x1"], "a1", event_id="m2")],
        left_out=1,
        name="events.json",
    ),
    Made(
        "posthog",
        lines(POSTHOG | {"event": "$pageview", "properties": {"$browser": "Chrome"}}, POSTHOG),
        [click("s1", ["x1", "x2"], "u1", event_id="e1")],
        left_out=1,
        name="events.jsonl",
    ),
    Made(
        "posthog-api",
        json.dumps({"next": None, "results": [{"id": "e1", **POSTHOG}]}),
        [click("s1", ["x1", "x2"], "u1", event_id="e1")],
        name="events.json",
    ),
    Made(
        "snowplow",
        SNOWPLOW,
        [click("s1", ["x1"], "u1", event_id="c6ef3124-b53a-4b13-a233-0088f79dcbcb")],
        left_out=1,
        name="part-00000.tsv",
    ),
    Made(
        "snowplow-json",
        lines(SNOWPLOW_JSON),
        [click("s1", ["x1"], "c1", event_id="c6ef3124-b53a-4b13-a233-0088f79dcbcb")],
        name="events.jsonl",
    ),
]


NAMED_ONLY = {"lastfm-to-csv", "musicbox-download-day"}  # other files may look the same


def looked(path: Path, options: FileOptions, kind: Kind = "clicks") -> tuple[DryRun, str]:
    found = settle(kind, options, [path])
    return dry_run(Plan(kind, (path,), found.options)), found.preset.name if found.preset else ""


def events(run: DryRun) -> list[dict[str, Any]]:
    return [json.loads(value) for _, value in run.events]


def written(folder: Path, made: Made) -> Path:
    path = folder / made.name
    path.write_text(made.text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "made", [made for made in MADE if made.preset not in NAMED_ONLY], ids=lambda made: made.preset
)
def test_an_export_is_found_by_itself_and_becomes_what_a_person_expects(made: Made, tmp_path: Path) -> None:
    run, found = looked(written(tmp_path, made), FileOptions(), made.kind)
    assert (found, events(run)) == (made.preset, made.events)
    assert (run.tally.left_out, run.tally.bad) == (made.left_out, {})


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.preset)
def test_a_preset_is_what_its_options_are_when_they_are_typed(made: Made, tmp_path: Path) -> None:
    path = written(tmp_path, made)
    (preset,) = (each for each in presets() if each.name == made.preset)
    typed, named = options_of(f"{preset.options} --preset none"), FileOptions(preset=made.preset)
    assert (
        events(looked(path, typed, made.kind)[0]) == events(looked(path, named, made.kind)[0]) == made.events
    )


def test_every_preset_of_the_issue_is_there() -> None:
    asked = (
        "spotify spotify-extended listenbrainz lastfm maloja apple-music youtube-music tidal deezer musicbox "
        "saavn kkbox hotstar movielens segment posthog snowplow"
    )
    assert set(asked.split()) <= {preset.name for preset in presets()}


def test_names_are_unique_and_kinds_known() -> None:
    names = [preset.name for preset in presets()]
    assert len(set(names)) == len(names)
    assert {kind for preset in presets() for kind in preset.kinds} <= set(get_args(Kind))


def test_options_of_presets_are_as_a_shell_takes_them() -> None:
    for preset in presets():
        assert shlex.join(shlex.split(preset.options)) == preset.options


def test_every_preset_that_may_be_found_says_what_is_unmistakable() -> None:
    assert [
        preset.name
        for preset in presets()
        if preset.found and not (preset.columns or preset.lines or preset.first)
    ] == []


SPOTIFY = '[{"endTime": "2024-01-01 00:00", "artistName": "A", "trackName": "T", "msPlayed": %d}]'


def test_what_is_typed_goes_before_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "StreamingHistory0.json"
    path.write_text(SPOTIFY % 5000)
    typed = options_of("--preset spotify --set user_id=ann --map song_id=artistName --where 'msPlayed>=0'")
    run, _ = looked(path, typed)
    assert events(run) == [click("A", ["A"], "ann", ms_played=5000)]


def test_a_column_typed_for_a_field_takes_the_place_of_the_presets_value(tmp_path: Path) -> None:
    path = tmp_path / "StreamingHistory0.json"
    path.write_text(SPOTIFY % 50_000)
    assert (
        events(looked(path, options_of("--preset spotify --map user_id=artistName"))[0])[0]["user_id"] == "A"
    )
    assert events(looked(path, options_of("--preset spotify --set song_id=x"))[0])[0]["song_id"] == "x"


def test_times_that_come_otherwise_leave_out_the_presets(tmp_path: Path) -> None:
    (listens,) = presets_called("listenbrainz-import", "clicks")
    assert "ts" not in over(FileOptions(), listens, without_times=True).mapping
    assert not over(FileOptions(), listens, without_times=True).distinct
    assert "ts" not in over(FileOptions(time_in_name="%Y.json"), listens).mapping


def test_a_preset_that_is_typed_is_taken_where_nothing_is_unmistakable(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating,timestamp,tag\n1,31,2.5,1260759144,x\n")
    assert looked(path, FileOptions())[1] == ""
    run, name = looked(path, FileOptions(preset="movielens"))
    assert (name, events(run)) == ("movielens", [click("31", ["31"], "1", 1260759144)])


@pytest.mark.parametrize(
    "typed", ["--preset none", "--map song_id=trackName", "--format json", "--records items", "--columns a,b"]
)
def test_none_is_looked_for_where_a_person_says_how_it_is(typed: str, tmp_path: Path) -> None:
    path = tmp_path / "StreamingHistory0.json"
    path.write_text(SPOTIFY % 50_000)
    assert settle("clicks", options_of(typed), [path]).preset is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("contract.jsonl", '{"user_id": "u", "song_id": "s", "artist_ids": ["a"], "ts": 1704067200}\n'),
        ("contract.csv", "user_id,song_id,artist_ids,ts\nu,s,a,1704067200\n"),
        ("plays.csv", "date,artist,track,album,listener\n2024-01-01,A,T,B,u\n"),
        ("ratings.csv", "userId,movieId,rating,timestamp,source\n1,2,3,1704067200,x\n"),
        ("four.tsv", "196\t242\t3\t1704067200\n"),
        ("headed.csv", f"user,time,song,day\n{'5' * 32},1533115844,_JUdlvPU,20180801\n"),
        ("empty.json", "[]"),
        ("empty.csv", ""),
        ("some.json", '{"endTime": "2024-01-01 00:00", "trackName": "T"}\n'),
        ("track.jsonl", '{"type": "track", "event": "x", "properties": {}}\n'),
        ("bytes.bin", "\0\1\2\3" * 99),
    ],
)
def test_a_file_that_may_be_something_else_is_taken_for_nothing(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert settle("clicks", FileOptions(), [path]) == (FileOptions(), None, "")


@pytest.mark.parametrize(
    "named", [({"username": "a"}, {"username": "b"}), ({"user_id": "a"}, {"user_id": "a"})]
)
def test_a_file_that_names_its_listeners_is_not_taken_for_one_persons(
    named: tuple[dict[str, str], ...], tmp_path: Path
) -> None:
    path = tmp_path / "plays.jsonl"
    play = json.loads(SPOTIFY % 50_000)[0]
    path.write_text(lines(*(play | each for each in named)))
    assert settle("clicks", FileOptions(), [path]).preset is None
    path.write_text(lines(play | {"username": "a"}, play | {"username": ""}))
    assert looked(path, FileOptions())[1] == "spotify"


def test_of_a_dump_of_all_listeners_each_is_one(tmp_path: Path) -> None:
    listen = {name: LISTEN[name] for name in ("listened_at", "track_metadata", "recording_msid")}
    path = tmp_path / "1.listens"
    path.write_text(lines(listen | {"user_id": 7, "user_name": "ann"}, listen | {"user_id": 8}))
    run, found = looked(path, FileOptions())
    assert (found, [event["user_id"] for event in events(run)]) == ("listenbrainz-dump", ["7", "8"])


def test_files_without_rows_beside_an_export_do_no_harm(tmp_path: Path) -> None:
    one = written(tmp_path, next(made for made in MADE if made.preset == "segment"))
    (tmp_path / "part-2.json").write_text("")
    assert settle("clicks", FileOptions(), [tmp_path / "part-2.json", one]).preset is not None
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(one, "part-1.json")
        archive.write(tmp_path / "part-2.json", "part-2.json")
    assert looked(tmp_path / "all.zip", FileOptions())[1] == "segment"


def test_an_archive_of_an_export_and_something_else_is_taken_for_nothing(tmp_path: Path) -> None:
    one = written(tmp_path, next(made for made in MADE if made.preset == "segment"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(one, "part-1.json")
        archive.writestr("part-2.csv", "a,b\n1,2\n")
    assert settle("clicks", FileOptions(), [tmp_path / "all.zip"]).preset is None


def test_files_of_different_exports_are_taken_for_nothing(tmp_path: Path) -> None:
    one = written(tmp_path, next(made for made in MADE if made.preset == "tidal"))
    other = written(tmp_path, next(made for made in MADE if made.preset == "youtube-music"))
    assert settle("clicks", FileOptions(), [one, other]).preset is None


@settings(max_examples=40)
@given(st.sampled_from(MADE), st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=8))
def test_a_damaged_export_is_read_or_refused_and_no_row_is_lost(
    tmp_path_factory: pytest.TempPathFactory, made: Made, at: int, cut: int, put: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / made.name
    whole = made.text.encode()
    at %= len(whole)
    path.write_bytes(whole[:at] + put + whole[at + cut :])
    try:
        options = settle(made.kind, FileOptions(), [path]).options
        reading = Plan(made.kind, (path,), options).reading(1.8e9, None)
        found = sum(event.copies > 0 for event in reading.events())
    except RefrainError:
        return
    tally = reading.tally
    assert tally.rows == found + tally.joined + tally.repeated + tally.left_out + tally.bad.total()


def test_a_name_stands_for_its_layouts(tmp_path: Path) -> None:
    path = written(tmp_path, next(made for made in MADE if made.preset == "lastfm-csv"))
    assert looked(path, FileOptions(preset="lastfm"))[1] == "lastfm-csv"


def test_a_preset_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no preset 'spotfy'; there are spotify, spotify-extended"):
        settle("clicks", FileOptions(preset="spotfy"), [tmp_path])
    with pytest.raises(WrongUse, match="tidal is no preset for songs"):
        settle("songs", FileOptions(preset="tidal"), [tmp_path])


def test_who_made_the_songs_of_a_preset_is_read_by_it_too(tmp_path: Path) -> None:
    path = written(tmp_path, next(made for made in MADE if made.text == APPLE))
    songs = tmp_path / "Apple Music Library Tracks.json"
    songs.write_text('[{"Title": "Hurt", "Artist": "Johnny Cash", "Track Identifier": 1}]')
    run, _ = looked(path, options_of(f"--preset apple-music --songs {shlex.quote(str(songs))}"))
    assert [event["artist_ids"] for event in events(run)] == [["Queen"], ["Johnny Cash"]]


def test_the_command_says_what_a_file_is_read_as(tmp_path: Path) -> None:
    path = tmp_path / "StreamingHistory0.json"
    path.write_text(SPOTIFY % 50_000)
    done = CliRunner().invoke(application(), ["replay", "clicks", str(path), "--dry-run"])
    assert done.exit_code == 0
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("read as")]
    assert line.startswith("read as spotify (--preset none to read it plainly): --member ")
    assert " --set user_id=me --map song_id=trackName," in line
    plain = CliRunner().invoke(application(), ["replay", "clicks", str(path), "--dry-run", "--preset", NONE])
    assert (plain.exit_code, "read as" in plain.stderr) == (1, False)


def test_presets_are_listed_with_the_options_to_copy() -> None:
    done = CliRunner().invoke(application(), ["presets", "spotify", "--json"])
    found = json.loads(done.stdout)
    assert [each["name"] for each in found] == [
        each.name for each in presets() if each.name.startswith("spotify")
    ]
    assert found[0]["options"][2:4] == ["--set", "user_id=me"]
    assert CliRunner().invoke(application(), ["presets", "nothing"]).exit_code == 2
