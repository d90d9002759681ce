"""Standard input as a file: what reads files reads them more than once."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stream.errors import WrongUse

__all__ = ["readable"]

DASH = Path("-")


@contextmanager
def readable(
    files: Sequence[Path], folder: Path | None = None, *, again: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Give files that can be read again and again; ``-`` is read to its end, into a temporary file.

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
    """
    for file in files:
        if file != DASH and not file.exists():
            raise WrongUse(f"the file {file} does not exist")
    if DASH not in files:
        yield tuple(files)
        return
    if again:
        raise WrongUse("--resume needs a file, and - is standard input: save it as a file, and replay that")
    if list(files).count(DASH) > 1:
        raise WrongUse("- is standard input, which can be read once: name it once")
    if sys.stdin.isatty():
        raise WrongUse("- is standard input, and nothing is piped into it: pipe rows into it, or name a file")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix="standard-input-", dir=folder) as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield tuple(Path(copy.name) if file == DASH else file for file in files)
