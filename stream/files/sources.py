"""Which files are meant: names, patterns, folders of part files, object stores, standard input."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import cast

from stream.errors import BadFile, NotWritten, WrongUse

__all__ = ["SIDE", "files_of", "is_remote", "readable", "source"]

DASH = "-"
SIDE = ".bad.jsonl"
"""How the names of files of bad rows end, which stand beside their files and are none of them."""

URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
STORES = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
"""How an address begins -> the extra that reads it."""

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}


def is_remote(name: object) -> bool:
    """Say whether a name is the address of an object store.

    Examples
    --------
    >>> is_remote("s3://bucket/clicks.csv"), is_remote("clicks.csv")
    (True, False)
    """
    return bool(URL.match(str(name)))


def source(name: str) -> Path:
    """Return a file by its name or address, which reads as a path does.

    Raises
    ------
    WrongUse
        Where there is no such store, or what reads it is not installed.
    """
    if not is_remote(name):
        return Path(name)
    scheme = name.partition(":")[0].lower()
    if scheme not in STORES:
        stores = ", ".join(f"{each}://" for each in STORES)
        raise WrongUse(f"{name}: files are read from disk, or from {stores}")
    extra = STORES[scheme]
    if missing := [each for each in (PACKAGES[extra], "upath") if find_spec(each) is None]:
        raise WrongUse(
            f"reading {scheme}:// needs packages that are not installed ({', '.join(missing)})",
            hint=f"pip install 'refrain-cohorts[{extra}]'",
        )
    from upath import UPath  # noqa: PLC0415 - an extra

    return cast(Path, UPath(name, use_listings_cache=False))  # what is there now


def files_of(names: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that names stand for, as `readable` does, without standard input.

    Raises
    ------
    WrongUse
        Where a file does not exist.
    BadFile
        Where an object store cannot be asked.
    """
    return tuple(path for name in names for path in _found(name))


def _found(name: str) -> list[Path]:
    """Return the files that a name stands for: itself, those that fit a pattern, or those in a folder."""
    try:
        found = sorted(_meant(name, source(name)))
    except WrongUse:
        raise
    except Exception as error:
        # A store's library raises errors of its own, and of the libraries below it.
        if not is_remote(name):
            raise
        raise BadFile(
            f"{name} cannot be read: {error}",
            hint="Keys, region and address come from where the store's own tools take them, such as "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL.",
        ) from error
    if not found:
        raise WrongUse(f"no file fits {name}" if glob.has_magic(name) else f"the file {name} does not exist")
    return found


def _meant(name: str, path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield path
    elif glob.has_magic(name):
        yield from _fitting(name)


def _in_folder(folder: Path) -> Iterator[Path]:
    """Go through the files of a folder and those below, but what is put beside: ``_SUCCESS``, bad rows."""
    none = True
    for path in folder.rglob("*"):
        below = PurePath(str(path)[len(str(folder)) :].lstrip("/\\")).parts
        hidden = any(part.startswith((".", "_")) for part in below)
        if not hidden and not path.name.endswith(SIDE) and path.is_file():
            yield path
            none = False
    if none:
        raise WrongUse(f"there are no files in {folder}")


def _fitting(pattern: str) -> Iterator[Path]:
    before = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    folder = before[: before.rfind("/") + 1]
    for path in source(folder or ".").glob(pattern[len(folder) :]):
        if path.is_file() and (pattern.endswith(SIDE) or not path.name.endswith(SIDE)):
            yield path


@contextlib.contextmanager
def readable(
    names: Sequence[str], folder: Path | None = None, *, again: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Give the files that names stand for, which can be read again and again.

    A name is that of a file, a pattern (``2026-*.csv``), a folder of files, or an address in an object
    store, such as ``s3://bucket/clicks/``. Files of bad rows are meant only where the name ends as theirs
    do. ``-`` is standard input, read to its end into a temporary file.

    Parameters
    ----------
    folder
        Where the temporary file is made: what is written beside it stays there. None: where the system has
        its temporary files.
    again
        Whether the files must be those of an earlier call, which standard input cannot be.

    Raises
    ------
    WrongUse
        Where a file does not exist; where standard input is named twice, or nothing is piped into it.
    BadFile
        Where an object store cannot be asked.
    NotWritten
        Where there is no room for the temporary file.
    """
    files = [(name, [] if name == DASH else _found(name)) for name in map(str, names)]
    if DASH not in dict(files):
        yield tuple(path for _, paths in files for path in paths)
        return
    if again:
        raise WrongUse("--resume needs a file, and - is standard input: save it as a file, and replay that")
    if [name for name, _ in files].count(DASH) > 1:
        raise WrongUse("- is standard input, which can be read once: name it once")
    if sys.stdin.isatty():
        raise WrongUse("- is standard input, and nothing is piped into it: pipe rows into it, or name a file")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix="standard-input-", dir=folder) as copy:
        try:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # it still has what there was no room for
                copy.close()
            raise NotWritten(
                f"{copy.name}, a copy of standard input, cannot be written: {error.strerror}",
                hint="Save it where there is room, and name that file.",
            ) from error
        yield tuple(path for name, paths in files for path in ([Path(copy.name)] if name == DASH else paths))
