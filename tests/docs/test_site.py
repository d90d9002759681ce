"""The pages of docs/ as a site."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def build(source: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("zensical")
    command = [program, "build", "--strict", "--config-file", "mkdocs.yml"]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)


def test_it_is_built_without_a_warning_of_every_page_and_nothing_of_other_hosts(source: Path) -> None:
    done = build(source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stderr
    site = source / "build" / "site"
    named = {
        page.relative_to(source / "docs").with_suffix("").as_posix()
        for page in (source / "docs").rglob("*.md")
    }
    built = {page.relative_to(site).with_suffix("").as_posix() for page in site.rglob("*.html")}
    assert {name.replace("README", "index") for name in named} <= built
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\" >]+)", page.read_text())
        assert loaded == [], page


@pytest.mark.parametrize("link", ["nowhere.md", "commands.md#no-such-command"])
def test_a_link_to_nowhere_is_refused(source: Path, link: str) -> None:
    with (source / "docs" / "index.md").open("a") as page:
        page.write(f"\n[this]({link})\n")
    assert build(source).returncode != 0
