"""An older version of Refrain's code, out of the history of this checkout."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

__all__ = ["old_version"]

ROOT = Path(__file__).parents[2]


def old_version(revision: str, folder: Path) -> Path:
    """Write the code of a revision (``HEAD~50``, a tag) into a folder, and return that.

    Raises
    ------
    subprocess.CalledProcessError
        Where git knows no such revision, or this is no checkout.
    """
    archive = subprocess.run(
        ["git", "archive", "--format=tar", revision, "models", "stream", "consumers"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder
