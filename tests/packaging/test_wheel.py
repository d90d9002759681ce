"""The wheel, installed into an empty environment, gives a working `refrain`."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "stream", "consumers")


def _run(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    answer = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    _run(*command, "--wheel-dir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel and its dependencies alone."""
    folder = tmp_path_factory.mktemp("environment")
    # This environment's pip installs into it: to give it a pip of its own takes seconds.
    _run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    options = [
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
        "--constraint",
        str(ROOT / "constraints.txt"),
    ]
    _run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    return folder / "bin"


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    ours = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"stream/broker/pom.xml", "stream/broker/log4j2.xml"} <= ours
    with zipfile.ZipFile(wheel) as archive:
        assert {
            name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")
        } == ours


OF_EXTRAS = {
    "stream.wire.protobuf_values",
    *(f"consumers.history.{name}" for name in ("blocks", "bucket", "columns", "evaluate", "listeners")),
    "consumers.history.load",
    "consumers.history.packets",
    *(f"consumers.history.{name}" for name in ("read", "sample", "spark_als", "summary", "write")),
    *(f"consumers.export.{name}" for name in ("compaction", "delta", "erasure", "folder", "manifest")),
    *(f"consumers.export.{name}" for name in ("of_cohorts", "of_listeners", "of_releases", "run", "tables")),
    "consumers.export.moves",
    "consumers.export.versions",
    "consumers.export.writer",
    "consumers.terminal.history_summary",
}
"""Modules that only what is in an extra can import; those that need them import them when they run."""


@pytest.mark.timeout(900)
def test_it_brings_what_it_imports(environment: Path, tmp_path: Path) -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "__init__.py"
    }
    _run(environment / "python", "-c", f"import {', '.join(sorted(modules - OF_EXTRAS))}", cwd=tmp_path)
    assert modules > OF_EXTRAS


@pytest.mark.timeout(900)
def test_the_command_runs(environment: Path, tmp_path: Path) -> None:
    text = _run(environment / "refrain", "--help", cwd=tmp_path)
    assert "ingest" in text


@pytest.mark.timeout(900)
def test_its_maven_file_is_where_the_code_looks(environment: Path, tmp_path: Path) -> None:
    code = "import stream.broker.java as java; print(java.__file__, java.kafka_version())"
    file, version = _run(environment / "python", "-c", code, cwd=tmp_path).split()
    assert Path(file).is_relative_to(environment.parent)
    assert version[0] == "4"
