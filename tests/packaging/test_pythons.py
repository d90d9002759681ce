"""The wheel on every Python that it says it is for, as far as they are on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PREFIX = "Programming Language :: Python :: 3."
MINORS = [
    name.removeprefix(PREFIX)
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    if name.startswith(PREFIX)
]


def _python(minor: str) -> str:
    """Return an interpreter of a version; where there is none, the test is skipped."""
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(of_pyenv.glob(f"3.{minor}.*/bin/python"))
    for candidate in (shutil.which(f"python3.{minor}"), *map(str, found)):
        if candidate and subprocess.run([candidate, "-V"], capture_output=True, check=False).returncode == 0:
            return candidate
    return pytest.skip(f"there is no Python 3.{minor} on this machine")


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("minor", MINORS)
def test_the_demo_of_the_wheel_runs(minor: str, tmp_path: Path) -> None:
    _run(_python(minor), "-m", "venv", tmp_path / "own", cwd=tmp_path)
    pip = [tmp_path / "own" / "bin" / "pip", "--disable-pip-version-check"]
    _run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    _run(*pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    said = _run(
        *(tmp_path / "own" / "bin" / "refrain", "demo", "--for", "30", "--json"),
        cwd=tmp_path,
        REFRAIN_DATA=str(tmp_path / "data"),
    )
    assert json.loads(said.splitlines()[-1])["summary"]["told"] > 0
