"""docs/architecture.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = ("models", "stream", "consumers")
PATHS = sorted(set(re.findall(rf"`((?:{'|'.join(PACKAGES)}|tests)/[\w/.]*)`", TEXT)))
FOLDERS = sorted(
    f"{folder.relative_to(ROOT)}/"
    for package in PACKAGES
    for folder in {
        source.parent for suffix in ("py", "lua") for source in (ROOT / package).rglob(f"*.{suffix}")
    }
)


@pytest.mark.parametrize("path", PATHS)
def test_what_it_names_exists(path: str) -> None:
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_names_every_folder(folder: str) -> None:
    assert folder in PATHS
