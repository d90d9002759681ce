"""The rows of a file that cannot be used, written down beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

from stream.files.sources import is_remote
from stream.files.tables import Bad

__all__ = ["BadRows"]


class BadRows(contextlib.AbstractContextManager["BadRows"]):
    """``FILE.bad.jsonl``: made with the first bad row; one of an earlier run does not outlive this one.

    Parameters
    ----------
    path, name
        The file of rows, and what the file beside it is called.
    spare
        The folder for it where nothing can be written beside the file, below which it stands as its file
        does below the root; None: nothing is written at all.
    told
        Hears that it cannot be written any further, and why: nothing else stops for that.

    Attributes
    ----------
    path
        Where it was made; None: not yet.
    """

    def __init__(self, path: Path, name: str, spare: Path | None, told: Callable[[str], object]) -> None:
        beside = [] if is_remote(path) else [path.with_name(name)]  # a store is read, not written
        self._places = [*beside, _elsewhere(path, name, spare)] if spare else []
        self._told = told
        self._file: IO[str] | None = None
        self.path: Path | None = None
        for place in self._places:
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)

    def write(self, bad: Bad) -> None:
        """Write a bad row down."""
        if not self._places:
            return
        entry = {"line": bad.line, "reason": bad.reason.value, "detail": bad.detail, "row": bad.row}
        try:
            if self._file is None:
                self._file = self._open()
                self.path = Path(self._file.name)
            self._file.write(json.dumps(entry, default=str) + "\n")
        except OSError as error:
            self._give_up(error)

    def _open(self) -> IO[str]:
        first, last = self._places[0], self._places[-1]
        try:
            return first.open("w", encoding="utf-8")
        except OSError:
            last.parent.mkdir(parents=True, exist_ok=True)
            return last.open("w", encoding="utf-8")

    def _give_up(self, error: OSError) -> None:
        self._told(f"{self.path or error.filename}: {error.strerror}")
        self._places.clear()
        if self._file:
            with contextlib.suppress(OSError):  # it still has what there was no room for
                self._file.close()
            self._file = None

    def __exit__(self, *_: object) -> None:
        try:
            if self._file:
                self._file.close()
        except OSError as error:
            self._give_up(error)


def _elsewhere(path: Path, name: str, spare: Path) -> Path:
    """Return a place in the spare folder that no file of another folder has."""
    whole = str(path).replace("://", "/", 1) if is_remote(path) else str(path.resolve()).lstrip("/")
    # In a store, unlike here, parts may be empty, or points.
    folders = (part if part.strip(".") else f"_{part}" for part in whole.split("/")[:-1])
    return spare.joinpath(*folders, name)
