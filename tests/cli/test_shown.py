"""Ids, titles and names are shown as they came."""

from __future__ import annotations

import pytest

from consumers.demo.screen import PlainScreen, open_screen
from consumers.queries.release import KnownRelease
from consumers.queries.releases import ReleaseSummary
from consumers.queries.unfinished import UnfinishedRelease
from consumers.terminal.release_lines import ReleaseLines
from consumers.terminal.release_report import show_releases, show_unfinished
from stream.wire.events import Summary

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


@pytest.mark.parametrize("text", READ_BY_RICH)
def test_an_id_is_in_the_commands_that_follow_a_wave_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ReleaseLines().paused(KnownRelease({"wave": "1"}), text)
    shown = " ".join(capsys.readouterr().out.split())
    assert "wave 1 is out; more are told where it is clicked" in shown
    assert text in shown


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
