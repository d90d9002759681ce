"""Which files make up an export. It is written last: before that the export is as the run before left it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from consumers.export.folder import Folder
from stream.errors import BadFile

__all__ = ["File", "Manifest"]

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class File:
    """A file of a table.

    Attributes
    ----------
    file
        ``TABLE/NAME.parquet``; no other file ever has that name.
    run
        That wrote it.
    """

    table: str
    file: str
    run: int
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What an export consists of.

    Attributes
    ----------
    run
        How many runs there were.
    exported_at
        When the last one began, Unix seconds.
    erased_read_at
        Who was erased before that is out of the files.
    topic_id, offsets
        Of `cohort-changes`: partition -> all before this offset is exported.
    """

    run: int = 0
    exported_at: float = 0.0
    erased_read_at: float = 0.0
    topic_id: str = ""
    offsets: Mapping[str, int] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Folder) -> Manifest:
        """Return that of a folder; an empty one where there is none.

        Raises
        ------
        BadFile
            Where it is none of ours, or was written by a newer Refrain.
        """
        text = folder.text(NAME)
        if text is None:
            return cls()
        try:
            held = json.loads(text)
            files = tuple(File(**each) for each in held.pop("files"))
            found = cls(**held, files=files)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadFile(
                f"{folder.name}/{NAME} is no manifest of an export ({error})",
                hint="Export to another folder, or put back the manifest that was there.",
            ) from error
        if found.format > FORMAT:
            raise BadFile(f"{folder.name}/{NAME} was written by a newer Refrain (format {found.format})")
        return found

    def write(self, folder: Folder) -> None:
        """Let it be what the export consists of."""
        folder.put_text(NAME, json.dumps(asdict(self)) + "\n")  # one line: warehouses read it, too

    def of(self, table: str) -> tuple[File, ...]:
        """Return the files of a table, those of the first run first."""
        return tuple(sorted((each for each in self.files if each.table == table), key=lambda f: f.run))

    def with_files(self, gone: Sequence[File], new: Sequence[File]) -> Manifest:
        """Return it with other files."""
        without = set(gone)
        left = [each for each in self.files if each not in without]
        return replace(self, files=(*left, *new))
