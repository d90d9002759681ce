"""A CSV file for each release, complete once its summary has come."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from stream.errors import CannotStart, NotWritten
from stream.wire.events import Page, Summary

__all__ = ["ReleaseFiles", "file_name"]

logger = logging.getLogger(__name__)

HEADER = "user_id,score,cohort\r\n"
PARTS = ".parts"
SUMMARY = "summary.json"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LONGEST = 100  # characters of an id in the name of a file


class ReleaseFiles:
    """Files in a folder.

    Pages are kept in a hidden folder of the release, a file each, so that whoever goes on after a crash has
    those that came before. When the summary and all its pages are there they are put together, and the file
    appears in one step. What comes again changes nothing.

    Parameters
    ----------
    folder
        It is made where it is not there.

    Raises
    ------
    CannotStart
        Where nothing can be written there.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = ReleaseFiles(Path(folder))
    ...     page = {"user_ids": ["u1"], "cohort_ids": ["c1"], "scores": [0.5], "model_version": 1}
    ...     files.take(Page(release_id="r1", page=0, emitted_at=0.0, **page))
    ...     files.take(Summary(release_id="r1", pages=1, users=1, cohorts=1, reason="done"))
    ...     (Path(folder) / "r1.csv").read_text().splitlines()
    ['user_id,score,cohort', 'u1,0.5,c1']
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            (folder / PARTS).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder / PARTS):
                pass
        except OSError as error:
            raise CannotStart(
                f"nothing can be written to REFRAIN_DELIVER_FOLDER={folder}: {error.strerror}",
                hint="Make the folder, and let the user that this process runs as write there.",
            ) from error

    def take(self, event: Page | Summary) -> None:
        """Keep a page or a summary; make the file where it was the last that was missing.

        Raises
        ------
        NotWritten
            Where there is no room, say. It may be taken again.
        """
        path = self._folder / file_name(event.release_id)
        try:
            self._take(event, path)
        except OSError as error:
            raise NotWritten(f"{error.filename or path}: {error.strerror}") from error

    def _take(self, event: Page | Summary, path: Path) -> None:
        parts = self._folder / PARTS / path.stem
        # A release that was told to nobody may be published again: its file has no rows then.
        if path.exists() and path.stat().st_size > len(HEADER):
            shutil.rmtree(parts, ignore_errors=True)
            logger.info("%s is complete: what came again is passed over", path.name)
            return
        parts.mkdir(exist_ok=True)
        for left in parts.glob("*.tmp"):  # by a process that was killed in the middle
            left.unlink(missing_ok=True)
        if isinstance(event, Page):
            _write(parts / f"{event.page}.csv", _rows(event))
        else:
            _write(parts / SUMMARY, json.dumps(event.pages))
        if (parts / SUMMARY).exists():
            self._finish(parts, path, pages=json.loads((parts / SUMMARY).read_text()))

    def _finish(self, parts: Path, path: Path, pages: int) -> None:
        found = [parts / f"{number}.csv" for number in range(pages)]
        if missing := [part.stem for part in found if not part.exists()]:
            logger.warning("%s waits for %d of %d pages", path.name, len(missing), pages)
            return
        _write(path, HEADER, *found, by=parts)
        shutil.rmtree(parts)


def file_name(release_id: str) -> str:
    """Return the name of a release's file: its id where that can be a name, else what stands for it.

    Examples
    --------
    >>> file_name("r1"), file_name("../r1")
    ('r1.csv', '_..%2Fr1-b8a318fee4c0b057.csv')
    """
    if PLAIN.fullmatch(release_id):
        return f"{release_id}.csv"
    return f"_{quote(release_id, safe='')[:LONGEST]}-{sha256(release_id.encode()).hexdigest()[:16]}.csv"


def _rows(page: Page) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(zip(page.user_ids, page.scores, page.cohort_ids, strict=True))
    return text.getvalue()


def _write(path: Path, *content: str | Path, by: Path | None = None) -> None:
    """Write texts and files one after the other to a file, which is there in whole or not at all.

    Parameters
    ----------
    by
        A folder of the same file system for what is not whole yet; None: that of the file.
    """
    number, name = tempfile.mkstemp(dir=by or path.parent, suffix=".tmp")
    try:
        with os.fdopen(number, "wb") as file:
            for each in content:
                file.write(each.encode() if isinstance(each, str) else each.read_bytes())
            file.flush()
            os.fchmod(number, 0o644)
            os.fsync(number)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)  # on a full disk each further try would take more of it
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
