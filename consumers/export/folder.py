"""Where an export is: a folder, or a place in an object store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stream.errors import NotWritten
from stream.files.sources import is_remote, source

__all__ = ["Folder"]

CODEC = "zstd"


class Folder:
    """A folder of files which are written whole or not at all.

    Parameters
    ----------
    name
        A path, or an address such as ``s3://bucket/refrain``.

    Raises
    ------
    WrongUse
        Where there is no such kind of store, or what writes to it is not installed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._remote = is_remote(name)
        self._path = source(name.rstrip("/"))

    def text(self, file: str) -> str | None:
        """Return the content of a file; None where there is none."""
        with self._failing(file):
            path = self._path / file
            return path.read_text(encoding="utf-8") if path.exists() else None

    def put_text(self, file: str, text: str) -> None:
        """Write a file."""
        self._put(file, lambda opened: opened.write(text.encode()))

    def put_table(self, file: str, table: pa.Table) -> None:
        """Write a table as Parquet."""
        self._put(file, lambda opened: pq.write_table(table, opened, compression=CODEC))

    def table(self, file: str, columns: list[str] | None = None) -> pa.Table:
        """Return a table, or some columns of it."""
        with self._failing(file), (self._path / file).open("rb") as opened:
            return pq.read_table(opened, columns=columns)

    def files(self, folder: str) -> list[str]:
        """Return the files in a folder below, each with the name of that; none where it is not there."""
        with self._failing(folder):
            below = self._path / folder
            if not below.exists():
                return []
            return [f"{folder}/{path.name}" for path in below.iterdir() if path.is_file()]

    def size(self, file: str) -> int:
        """Return how many bytes a file has."""
        with self._failing(file):
            return (self._path / file).stat().st_size

    def remove(self, file: str) -> None:
        """Delete a file, where it is there."""
        with self._failing(file):
            (self._path / file).unlink(missing_ok=True)

    def _put(self, file: str, write: Any) -> None:
        path = self._path / file
        with self._failing(file):
            if self._remote:  # an object is there when it is closed
                with path.open("wb") as opened:
                    write(opened)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"{path.name}.tmp")
            with unfinished.open("wb") as opened:
                write(opened)
                opened.flush()
                os.fsync(opened.fileno())
            unfinished.replace(path)
            _sync(path.parent)

    @contextmanager
    def _failing(self, file: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotWritten(
                f"{self.name}/{file}: {error.strerror or error}",
                hint="See that there is room and the right to write, and run it again: nothing is half done.",
            ) from error


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
