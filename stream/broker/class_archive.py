"""Java's archive of the classes that Kafka begins with: it is up for two thirds of the processor time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stream.broker.java import version_text

__all__ = ["archive_path", "making", "using"]


def archive_path(java: str, jars: Path) -> Path:
    """Where it is: beside the jars, under a name of this very Java, as another one's is of no use.

    Examples
    --------
    >>> archive_path("false", Path("/cache/kafka-4.1.0")).name
    'kafka-4.1.0.e3b0c442.jsa'
    """
    build = hashlib.sha256(version_text(java).encode()).hexdigest()[:8]
    return jars.with_name(f"{jars.name}.{build}.jsa")


@contextmanager
def making(archive: Path) -> Iterator[list[str]]:
    """Yield the options of a short run of Java that leaves the archive, where it is not there yet.

    It gets its name when it is whole and on disk: Java dies of half an archive. Where its folder cannot be
    written, none is made, as Java would end with an error.
    """
    if archive.exists() or not os.access(archive.parent, os.W_OK):
        yield using(archive)
        return
    half = archive.with_suffix(f".{os.getpid()}")
    yield [f"-XX:ArchiveClassesAtExit={half}"]
    with suppress(FileNotFoundError):  # Java may have left none, and has said why
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.replace(archive)


def using(archive: Path) -> list[str]:
    """Return the options that make Java read it; none where it is not there.

    Java passes over one that is not its own, with a word in its log.
    """
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
