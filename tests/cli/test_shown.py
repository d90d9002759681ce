"""Ids, titles and names are shown as they came, and drive no terminal."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import typer
from rich.text import Text
from typer.testing import CliRunner

from consumers.commands.frame import command
from consumers.demo.screen import PlainScreen, open_screen
from consumers.ingest.apply import Applier
from consumers.queries.release import KnownRelease
from consumers.queries.releases import ReleaseSummary
from consumers.queries.unfinished import UnfinishedRelease
from consumers.terminal.console import Terminal
from consumers.terminal.release_lines import ReleaseLines
from consumers.terminal.release_report import show_releases, show_unfinished
from consumers.terminal.visible import say
from models.affinity import ForwardDecay
from models.listener import Click, Rules
from stream.connect import AnyRedis
from stream.errors import RefrainError
from stream.settings import Settings
from stream.stores.listeners import Listeners
from stream.wire.events import Summary
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain

WithRedis = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]

READ_BY_RICH = ["song-1 [live]", "shop:new:17", "x[/y]", "[bold]z"]
"""Ids in which rich finds markup, a picture, an error of markup and a style."""


def listed(release_id: str) -> ReleaseSummary:
    """A release in the list of the latest."""
    return ReleaseSummary(
        release_id=release_id,
        title="",
        state="done",
        planned_at=0.0,
        audience=1,
        sent=1,
        clicked=0,
        opted_out=0,
        ctr=None,
        ctr_low=None,
        ctr_high=None,
        random_ctr=None,
        first_page_ms=None,
    )


@pytest.mark.parametrize("text", READ_BY_RICH)
def test_an_id_is_listed_among_the_latest_releases_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_releases([listed(text)])
    assert text in capsys.readouterr().out


@pytest.mark.parametrize("text", READ_BY_RICH)
def test_an_id_is_listed_among_unfinished_releases_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_unfinished([UnfinishedRelease(text, "", "paused", audience=5, held=2, due_at=0.0)])
    assert text in capsys.readouterr().out


@pytest.mark.parametrize("text", [*READ_BY_RICH, "it's x"])
def test_the_commands_that_follow_a_wave_are_said_as_a_shell_takes_them(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ReleaseLines().paused(KnownRelease({"wave": "1"}), text)
    shown = " ".join(capsys.readouterr().out.split())
    assert "wave 1 is out; more are told where it is clicked" in shown
    commands = [shlex.split(each) for each in re.findall("`refrain (.+?)`", shown)]
    assert commands == [["release", "show", text], ["release", "stop", text]]


@pytest.mark.parametrize("text", READ_BY_RICH)
def test_a_segment_is_among_the_reasons_to_be_left_out_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(
        release_id="r1", pages=0, users=0, cohorts=0, reason="nobody", left_out={f"segment:{text}": 3}
    )
    ReleaseLines().summary(summary, "", 0.1)
    assert f"left out: 3 segment:{text}" in capsys.readouterr().out


@pytest.mark.parametrize("text", READ_BY_RICH)
def test_what_the_demo_says_is_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen = open_screen()
    assert isinstance(screen, PlainScreen)
    screen.say(text)
    assert capsys.readouterr().out == f"{text}\n"


TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
DRIVES = [
    "Pune\x1b[2J",
    "Pune\x9b2J",
    "\x1b]0;owned\x07Pune",
    "a\rb",
    "\u202egnp.exe",
    "a\u2066b\u2069",
    "\x7f",
]
"""What clears a screen, names its window, goes back in the line, or turns the letters around."""


def driving(text: str) -> list[str]:
    """What of a text a terminal would obey; a line's end is its own."""
    return [sign for sign in text if (unicodedata.category(sign) == "Cc" and sign != "\n") or sign in TURNING]


@pytest.mark.parametrize("text", DRIVES)
def test_a_title_does_not_drive_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_releases([replace(listed("r1"), title=text)])
    show_unfinished([UnfinishedRelease("r1", text, "paused", audience=5, held=2, due_at=0.0)])
    Terminal().print(f"plain {text}", Text(text, "bold"))
    assert driving(capsys.readouterr().out) == []


def test_a_title_with_a_new_line_is_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    show_releases([replace(listed("r1"), title="Sól\nr2  forged")])
    _, row = capsys.readouterr().out.splitlines()
    assert "Sól␊r2" in row


@pytest.mark.parametrize("text", DRIVES)
def test_a_line_of_a_command_does_not_drive_the_terminal(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(text)
    say(text, err=True)
    assert [driving(each) for each in capsys.readouterr()] == [[], []]


@pytest.mark.parametrize("text", DRIVES)
def test_an_error_does_not_drive_the_terminal_and_has_its_lines(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @command(app, panel="Look", example="refrain fail")
    def fail() -> None:
        raise RefrainError(f"no {text}\nbut more", hint=f"try {text}")

    done = CliRunner().invoke(app, [])
    assert driving(done.stderr) == []
    assert [line[:3] for line in done.stderr.splitlines()] == ["Ref", "but", "try"]


def test_where_a_listener_is_does_not_drive_the_terminal(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    place = "Pune\x1b[2J\x9b2J\u202e"
    click = Click("new", "1", 0, NOW, "s-a1", ("a1",), "play", city=place, device=place)

    async def apply(redis: AnyRedis) -> None:
        applier = Applier(Listeners(redis), Rules(ForwardDecay(half_life=service.half_life)))
        await applier.apply({"new": [click]}, model_of(version=4, created_at=NOW), NOW)

    with_redis(apply)
    shown = refrain.run("user", "new").stdout
    assert "in Pune" in shown
    assert "on Pune" in shown
    assert driving(shown) == []
