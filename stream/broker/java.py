"""Apache Kafka itself, on this machine's Java: which Java, and the jars that Maven fetches."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from stream.errors import CannotStart

__all__ = [
    "APT",
    "JAVA_NEEDED",
    "fetch_jars",
    "find_java",
    "jars_folder",
    "java_version",
    "kafka_version",
    "version_text",
]

JAVA_NEEDED = 17
"""What Kafka 4 asks for."""

APT = "sudo apt-get install -y default-jre-headless maven"
"""The command that installs all of it on Debian and Ubuntu."""

_POM = Path(__file__).with_name("pom.xml")


def kafka_version() -> str:
    """The version of Kafka in pom.xml, the one place where it is written."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)", _POM.read_text())
    assert found is not None, "pom.xml names no kafka_2.13"  # noqa: S101 - a test reads it
    return found[1]


def find_java() -> str | None:
    """The Java of JAVA_HOME, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    return (home and shutil.which("java", path=str(Path(home, "bin")))) or shutil.which("java")


def java_version(java: str) -> int | None:
    """The major version of a Java, None where it does not run (as macOS's placeholder does not)."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text(java))
    return int(found[1]) if found else None


@functools.cache
def version_text(java: str) -> str:
    """All that a Java says of itself, with vendor and build; "" where it does not run."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    return answer.stderr if answer.returncode == 0 else ""


def jars_folder() -> Path:
    """Where the jars are kept, once for all of this user's data folders; there only when complete."""
    return platformdirs.user_cache_path("refrain") / f"kafka-{kafka_version()}"


def fetch_jars(*, say: Callable[[str], None]) -> Path:
    """Fetch Kafka's jars with Maven unless they are here, and return their folder.

    They arrive in a folder beside it that gets its name when all are there: half a fetch is never taken for
    whole.

    Raises
    ------
    CannotStart
        Where Maven is missing or fails.
    """
    folder = jars_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotStart(
            "Maven, which fetches Apache Kafka, is not installed", hint=f"On Debian or Ubuntu: {APT}"
        )
    say(f"fetching Apache Kafka {kafka_version()} with Maven (43 MB, only this once)")
    started = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as temporary:
        _run_maven(maven, Path(temporary))
        # Another process may have been quicker: then its jars are as good as ours.
        with suppress(OSError):
            (Path(temporary) / "jars").rename(folder)
    if not folder.is_dir():
        raise CannotStart(f"Maven ended well, but Kafka's jars cannot be put into {folder}.")
    say(f"Apache Kafka is in {folder} ({time.monotonic() - started:.0f} s)")
    return folder


def _run_maven(maven: str, folder: Path) -> None:
    shutil.copy(_POM, folder / "pom.xml")
    command = [maven, "--quiet", "--batch-mode", "--strict-checksums", "dependency:copy-dependencies"]
    answer = subprocess.run(
        [*command, "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        last = "\n".join(line for line in answer.stdout.splitlines() if line.strip())[-1000:]
        raise CannotStart(
            f"Maven cannot fetch Apache Kafka ({' '.join(command)} ended with {answer.returncode}). Is there "
            f"a way to Maven Central? Else give a broker with REFRAIN_KAFKA. Maven's last words:\n{last}"
        )
