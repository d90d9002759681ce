"""What goes wrong is said in a sentence, with the way out; exit codes are those that were promised."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from stream.settings import Settings
from tests.refrain_command import NO_BROKER, Refrain

NOWHERE = "redis://127.0.0.1:1/0"
ASKING = [
    ("cohorts",),
    ("cohort", "c1"),
    ("user", "u1"),
    ("forget", "u1"),
    ("model", "list"),
    ("audience", "--artist", "x"),
]


@pytest.mark.parametrize("arguments", ASKING[:2], ids=" ".join)
def test_no_redis_is_told(refrain: Refrain, arguments: tuple[str, ...]) -> None:
    failed = refrain.run_program(*arguments, redis=NOWHERE, connect_timeout=0.2)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"Redis does not answer at {NOWHERE}" in failed.stderr
    assert "REFRAIN_REDIS says where" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_with_json_an_error_is_json(refrain: Refrain, arguments: tuple[str, ...]) -> None:
    failed = refrain.run(*arguments, "--json", redis=NOWHERE, connect_timeout=0.2)
    assert failed.returncode == 1
    error = json.loads(failed.stdout)
    assert error["kind"] == "Unreachable"
    assert f"Redis does not answer at {NOWHERE}" in error["error"]
    assert error["hint"].startswith("Is it running? REFRAIN_REDIS says where")


def test_the_hint_is_on_a_line_of_its_own(refrain: Refrain) -> None:
    failed = refrain.run("cohorts", redis=NOWHERE, connect_timeout=0.2)
    said, hint = failed.stderr.splitlines()[-2:]
    assert said.startswith(f"Unreachable: Redis does not answer at {NOWHERE}")
    assert hint.startswith("Is it running? REFRAIN_REDIS says where")


@pytest.mark.parametrize("arguments", [("cohorts",), ("doctor",), ("ingest",), ("work",)], ids=" ".join)
def test_where_nothing_runs_it_is_said_how_to_start_it(refrain: Refrain, arguments: tuple[str, ...]) -> None:
    failed = refrain.run(*arguments, kafka="", redis="")
    assert failed.returncode == 1
    assert "REFRAIN_REDIS not set" in failed.stderr
    assert "start `refrain up`" in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [("cohorts",), ("cohort", "c1"), ("model", "list"), ("model", "show")],
    ids=" ".join,
)
def test_before_the_first_model_it_is_said_what_that_waits_for(
    settings: Settings, refrain: Refrain, arguments: tuple[str, ...]
) -> None:
    failed = refrain.run(*arguments, first_model_listeners=40)
    assert failed.returncode == 1
    assert "no model yet" in failed.stderr
    assert "40 listeners have clicked" in failed.stderr
    assert "Start `refrain train`" in failed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ("cohort",),
            ("nonsense",),
            ("user", "u", "--top", "0"),
            ("model", "use", "first"),
            ("release", "r1"),
        ),
        *(("replay", "plays", "x"), ("replay", "clicks", "not-there.csv"), ("audience",)),
        ("release", "{}", "--artist", "Radiohead"),
    ],
    ids=" ".join,
)
def test_wrong_use_has_exit_code_2(service: Settings, refrain: Refrain, arguments: tuple[str, ...]) -> None:
    failed = refrain.run(*arguments)
    assert failed.returncode == 2, failed.stderr
    assert failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("option", ["--listeners", "--clicks"])
def test_how_many_click_cannot_be_said_of_songs(refrain: Refrain, option: str) -> None:
    failed = refrain.run("sample", "songs", option, "10")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "--listeners and --clicks are of clicks: songs go by --seed alone" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "u", "--top", "0"), "--top"),
        (("release", "r1"), "--artist"),
        (("model", "show", "first"), "version"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_use_is_json_too_where_that_was_asked_for(
    refrain: Refrain, arguments: tuple[str, ...], said: str
) -> None:
    failed = refrain.run(*arguments, "--json")
    assert (failed.returncode, failed.stderr) == (2, "")
    error = json.loads(failed.stdout)
    assert error["kind"] == "WrongUse"
    assert said in error["error"]


def test_a_setting_that_cannot_be_is_named(refrain: Refrain) -> None:
    failed = refrain.run("cohorts", "--json", cohorts="many")
    assert failed.returncode == 2
    assert "REFRAIN_COHORTS='many'" in json.loads(failed.stdout)["error"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:SECRET@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?password=SECRET",
        "me:SECRET@127.0.0.1:1",
        "redis://me:SEC/RET@127.0.0.1:1/0",
        "redis://me:SEC#RET@127.0.0.1:1/0",
    ],
)
@pytest.mark.parametrize(
    "arguments", [("cohorts", "--json"), ("doctor",), ("up",), ("ingest",)], ids=" ".join
)
def test_a_password_is_not_shown(refrain: Refrain, arguments: tuple[str, ...], url: str) -> None:
    run = refrain.run_program if arguments[0] in ("doctor", "up") else refrain.run
    failed = run(*arguments, redis=url, kafka=NO_BROKER, connect_timeout=0.2)
    assert failed.returncode in (1, 2)
    said = failed.stdout + failed.stderr
    assert "127.0.0.1" in said or "***" in said
    assert "SEC" not in said
    assert "Traceback" not in said


def test_a_variable_that_is_no_setting_is_told(refrain: Refrain) -> None:
    failed = refrain.run("cohorts", kafak="127.0.0.1:1")
    assert failed.returncode == 2
    assert "REFRAIN_KAFAK is not a setting; the nearest is REFRAIN_KAFKA" in failed.stderr


def test_no_command_at_all_shows_what_there_is(refrain: Refrain) -> None:
    shown = refrain.run()
    assert "cohorts" in shown.stdout + shown.stderr


def test_the_version_is_told(refrain: Refrain) -> None:
    assert refrain.run_program("--version").stdout == f"refrain {version('refrain-cohorts')}\n"
