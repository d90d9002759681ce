"""constraints.txt pins what pyproject.toml asks for, and is all that is installed from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINNED = {canonicalize_name(name): version for name, version in (line.split("==") for line in LINES)}
REQUIREMENTS = [
    Requirement(text)
    for text in [
        *PROJECT["project"]["dependencies"],
        *(text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra),
        *PROJECT["build-system"]["requires"],
    ]
]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_dependency_is_pinned_to_a_version_it_allows(requirement: Requirement) -> None:
    assert requirement.specifier.contains(PINNED[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_dependency_has_a_lower_bound(requirement: Requirement) -> None:
    assert any(bound.operator == ">=" for bound in requirement.specifier)


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_a_name_and_a_version(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)


def test_neither_the_installers_nor_refrain_itself_are_pinned() -> None:
    assert not PINNED.keys() & {"pip", "setuptools", canonicalize_name(PROJECT["project"]["name"])}


@pytest.mark.parametrize("file", ["scripts/set-up", "Dockerfile"])
def test_it_is_what_is_installed_from(file: str) -> None:
    installs = re.findall(r"pip install .*", (ROOT / file).read_text())
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)
