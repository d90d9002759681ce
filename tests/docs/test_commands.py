"""docs/commands.md is held to the command line, docs/settings.md to the settings."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from consumers.commands.application import build
from stream.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
GENERAL = {"--help", "--json"}


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(commands(get_command(build())))
OPTIONS = sorted(
    {
        (name[0], option)
        for name, command in COMMANDS.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
)


def section(command: str) -> str:
    """The part of the page whose heading names a command."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    found = [part for part in parts if command in re.split(r",\s*", part.splitlines()[0])]
    assert len(found) == 1, f"{command} has {len(found)} headings"
    return found[0]


def test_the_command_line_is_the_one_that_was_promised() -> None:
    assert {" ".join(name) for name in COMMANDS} == {
        *(
            "up",
            "demo",
            "ingest",
            "train",
            "work",
            "traits",
            "deliver",
            "serve",
            "key add",
            "key list",
            "key revoke",
            "lifecycle",
            "sample",
            "replay",
            "presets",
            "evaluate",
        ),
        *("audience", "recommend"),
        *(
            "cohorts",
            "cohort",
            "users",
            "user",
            "opt-outs",
            "merge",
            "alias",
            "forget",
            "doctor",
            "model list",
            "model show",
            "model use",
        ),
        *("redrive", "model clicks", "release publish", "release list", "release show"),
        *("release stop", "release ab"),
        *("report targets", "report ctr"),
        *("churn evaluate", "history load", "history abandon", "history evaluate", "model churn"),
        "export",
        *("segments", "segment show", "segment forget", "segment evaluate"),
    }


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_is_documented(name: tuple[str, ...]) -> None:
    if name[0] in ("train", "work", "traits", "deliver"):
        assert f"`{name[0]}`" in PAGE
    else:
        assert f"refrain {' '.join(name)}" in section(name[0])


@pytest.mark.parametrize(("command", "option"), [entry for entry in OPTIONS if entry[1] not in GENERAL])
def test_every_option_is_documented(command: str, option: str) -> None:
    assert re.search(rf"{option}(?![\w-])", section(command))


def test_every_option_that_is_documented_is_there() -> None:
    there = {option for _, option in OPTIONS} | {
        *("--help", "--version", "--install-completion", "--show-completion")
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE)) <= there


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_has_json_and_an_example_in_its_help(name: tuple[str, ...]) -> None:
    command = COMMANDS[name]
    assert any("--json" in parameter.opts for parameter in command.params)
    assert command.help
    assert f"refrain {' '.join(name)}" in command.epilog


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_example_is_a_call_that_is_understood(name: tuple[str, ...]) -> None:
    examples = [line for line in re.findall(r"\[bold\](.*?)\[/bold\]", COMMANDS[name].epilog) if line]
    assert examples
    known = {
        option
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for example in examples:
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", example)) <= known


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("replay", "--help"),
        ("history", "load", "--help"),
        ("history", "evaluate", "--help"),
        ("model", "--help"),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_that_takes_long(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom consumers.cli import main\n"
        f"sys.argv = ['refrain', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "slow = {'numpy', 'scipy', 'river', 'faust', 'aiokafka', 'kafka', 'redis', 'pyspark', 'pyarrow'}\n"
        "slow &= set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_page_of_presets_is_what_the_presets_say() -> None:
    page = ROOT / "docs" / "presets.md"
    text = page.read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / "docs" / "presets_page.py"))["page"](text)
    assert made == text, "run python docs/presets_page.py"


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    page = ROOT / "docs" / "settings.md"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    code = (
        "import runpy, pathlib\n"
        "script = runpy.run_path('docs/settings_page.py')\n"
        "text = script['PAGE'].read_text(encoding='utf-8')\n"
        "assert script['page'](text) == text, 'run python docs/settings_page.py'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    documented = re.findall(r"^\| `REFRAIN_(\w+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name.lower() for name in documented] == list(Settings.model_fields)
