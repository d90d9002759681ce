"""What a file is by its first bytes: packed, an archive of files, or nothing that has rows of text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, ClassVar, NamedTuple

import zstandard

from stream.errors import BadFile

__all__ = ["PACKED", "PARQUET", "Member", "members", "unpacked"]

PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz"})
"""Ends of names that say how a file is packed, not what is in it."""

HEAD = 512
"""Bytes that say what a file is: the header of a tar."""

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
TAR = slice(257, 262)  # where "ustar" stands in a tar
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
SKIPPED = 1 << 20  # bytes of a tar that are passed over at a time
CHUNK = 1 << 12  # of zstd: a few bytes of it may be very many

DAMAGED = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError)
"""What decompressors raise of bytes that they did not write, beside OSError and EOFError."""

FIRST, FIRST_BYTES = 16, 64 << 20
"""Files at the beginning of a tar, and its bytes unpacked, that are enough to say what is in it."""

LISTED = 4096
"""Files of which is remembered what is in them: to list a tar.gz is to unpack it."""

PARQUET = b"PAR1"

NO_ROWS = {
    PARQUET: ("a Parquet file in another file", "Unpack it first."),
    b"ARROW1": ("an Arrow file", "Write it as CSV or JSON lines first."),
    b"ORC": ("an ORC file", "Write it as CSV or JSON lines first."),
    b"Obj\x01": ("an Avro file", "Write it as JSON lines first."),
    b"SQLite format 3\x00": (
        "an SQLite database",
        "Write the table as CSV: sqlite3 -header -csv FILE QUERY.",
    ),
    b"\xd0\xcf\x11\xe0": ("an old Excel or Word file", "Save the sheet as CSV."),
    b"\x89HDF": ("an HDF5 file", "Write it as CSV or JSON lines first."),
    b"%PDF": ("a PDF", "Rows are read from CSV, TSV and JSON lines."),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "Unpack it first."),
    b"Rar!": ("a RAR archive", "Unpack it first."),
    b"\x04\x22\x4d\x18": ("packed by lz4", "Unpack it first: lz4 -d."),
    b"\xff\x06\x00\x00sNaPpY": ("packed by Snappy", "Unpack it first."),
}
"""First bytes -> what has no rows of text, and what to do about it."""


class Member(NamedTuple):
    """A file in an archive: its name, and its bytes when it is unpacked.

    It is an `entry` of a zip, or begins at a `place` of a `tar`.
    """

    name: str
    size: int
    entry: zipfile.ZipInfo | None = None
    place: int = 0
    tar: Tar | None = None


def members(path: Path, *, first: bool = False) -> list[Member]:
    """Return the files in an archive; none where the file is no archive.

    What systems put beside files is left out: hidden files, ``__MACOSX``, ``_SUCCESS``.

    Parameters
    ----------
    first
        Whether a few from its beginning are enough: then a tar is not unpacked to its end.

    Raises
    ------
    BadFile
        Where the file holds no rows of text; it is named for what it is.
    OSError, EOFError
        Where it cannot be read, or ends in the middle.
    """
    now = path.stat()
    found = _listed(path, now.st_size, now.st_mtime, first=first)
    tar = Tar(path)  # of these members alone: it is read at one place at a time
    return [member if member.entry else member._replace(tar=tar) for member in found]


@lru_cache(maxsize=LISTED)
def _listed(path: Path, size: int, changed: float, *, first: bool) -> list[Member]:
    """Return what is in a file; one of another size, or changed at another time, is another file."""
    with path.open("rb") as raw, _as_os_errors():
        head = raw.read(HEAD)
        if head.startswith(PARQUET):
            return []
        _refuse(head, str(path))
        raw.seek(0)
        if head.startswith(ZIP):
            with _known_method(str(path)), zipfile.ZipFile(raw) as archive:
                return _in_zip(archive, path)
        with _plain(raw, head) as plain:
            if not _is_tar(plain.read(HEAD)):
                return []
        raw.seek(0)
        with _plain(raw, head) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            found = _in_tar(tar, first=first)
    return _wanted(found, path, "tar")


def _in_tar(tar: tarfile.TarFile, *, first: bool) -> list[Member]:
    found: list[Member] = []
    for entry in tar:
        if entry.isreg() and _is_wanted(entry.name):
            found.append(Member(entry.name, entry.size, place=entry.offset_data))
        enough = len(found) == FIRST or entry.offset_data + entry.size > FIRST_BYTES
        if first and found and enough:
            break  # to come to the next one is to unpack this one
    return found


def _in_zip(archive: zipfile.ZipFile, path: Path) -> list[Member]:
    entries = archive.infolist()
    if any(entry.filename == "xl/workbook.xml" for entry in entries):
        raise BadFile(f"{path} is an Excel file", hint="Save the sheet as CSV.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise BadFile(f"{path} is a zip with a password", hint="Unpack it first.")
    found = [Member(entry.filename, entry.file_size, entry) for entry in entries]
    return _wanted([member for member in found if not member.name.endswith("/")], path, "zip")


def _wanted(found: list[Member], path: Path, kind: str) -> list[Member]:
    wanted = [member for member in found if _is_wanted(member.name)]
    if not wanted:
        raise BadFile(f"{path} is a {kind} without a file in it")
    return wanted


def _is_wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not parts[-1].startswith((".", "_SUCCESS")) and "__MACOSX" not in parts


@contextmanager
def unpacked(
    raw: IO[bytes], member: Member | None, told: Callable[[int], object]
) -> Iterator[io.BufferedReader]:
    """Give the bytes of a file, or of a file in it, as they were before they were packed.

    They are unpacked as they are read.

    Parameters
    ----------
    told
        Hears how many bytes are read: of the file as it lies there, or of the member unpacked.

    Raises
    ------
    BadFile
        Where a member holds no rows of text.
    OSError, EOFError
        Where bytes are damaged, or end in the middle; reading on raises them, too.
    """
    head = raw.read(HEAD)
    raw.seek(0)
    with _as_os_errors():
        if member is None:
            with _plain(_Told(raw, told), head) as plain:
                yield plain
        elif member.entry:
            with _Listed(raw) as archive:
                with _known_method(member.name), archive.open(member.entry) as first:
                    start = first.read(HEAD)
                with archive.open(member.entry) as packed, _inner(packed, start, member, told) as plain:
                    yield plain
        elif member.tar:
            packed_file = io.BufferedReader(_Told(member.tar.opened(member), told), 1 << 16)
            with _inner(packed_file, packed_file.peek(HEAD)[:HEAD], member, lambda _: None) as plain:
                yield plain


def _inner(packed: IO[bytes], head: bytes, member: Member, told: Callable[[int], object]) -> Any:
    try:
        _refuse(head, member.name)
    except BadFile as error:
        raise BadFile(
            str(error), hint=f"{error.hint} --member PATTERN says which files are meant."
        ) from error
    if head.startswith(ZIP) or _is_tar(head):
        raise BadFile(f"{member.name} is an archive in an archive", hint="Unpack the outer one first.")
    return _plain(_Told(packed, told), head)


@contextmanager
def _plain(raw: Any, head: bytes) -> Iterator[io.BufferedReader]:
    """Give what is packed in one stream; gzip, bz2, xz and zstd may be several, one behind the other."""
    opened: Any
    if head.startswith(GZIP):
        opened = gzip.GzipFile(fileobj=raw)
    elif head.startswith(b"BZh"):
        opened = bz2.BZ2File(raw)
    elif head.startswith(b"\xfd7zXZ\x00"):
        opened = lzma.LZMAFile(raw)  # noqa: SIM115  -- it owns no file to close
    elif head.startswith(ZSTD):
        opened = _Zstd(raw)
    else:
        opened = raw
    yield io.BufferedReader(_Safe(opened), 1 << 18)


def _is_tar(head: bytes) -> bool:
    return head[TAR] == b"ustar"


def _refuse(head: bytes, name: str) -> None:
    for start, (what, hint) in NO_ROWS.items():
        if head.startswith(start):
            raise BadFile(f"{name} is {what}, and has no rows of text", hint=hint)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise OSError(f"it is damaged, or not whole ({error})") from error


@contextmanager
def _known_method(name: str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:
        raise BadFile(
            f"{name} is packed by a method that is not read here", hint="Unpack it first."
        ) from error


class _Listed(zipfile.ZipFile):
    """A zip whose directory is not read: whoever opens it has the entry."""

    def _RealGetContents(self) -> None:  # noqa: N802  -- where Python calls it otherwise, it is read again
        pass


class Tar:
    """A tar, packed or not, which is unpacked once while its files are read one after the other.

    Of all there are, the last one stays open: a folder may have more than a process may open.
    """

    _last: ClassVar[weakref.ref[Tar] | None] = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: _OpenTar | None = None

    def opened(self, member: Member) -> _Part:
        """Return the bytes of a file in it. Of several that are open, only the last can be read."""
        if self._opened is None or self._opened.at > member.place:
            if last := Tar._last and Tar._last():
                last._opened = None  # a file in it that is being read keeps it
            self._opened, Tar._last = _OpenTar(self._path), weakref.ref(self)
        tar = self._opened
        while tar.at < member.place:
            if not tar.read(min(member.place - tar.at, SKIPPED)):
                raise EOFError("the archive ends in the middle")
        return _Part(tar, member.size)


class _OpenTar:
    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        raw = self._stack.enter_context(path.open("rb"))
        head = raw.read(HEAD)
        raw.seek(0)
        self._plain, self.at = self._stack.enter_context(_plain(raw, head)), 0

    def __del__(self) -> None:
        self._stack.close()

    def read(self, count: int) -> bytes:
        """Read on."""
        got = self._plain.read(count)
        self.at += len(got)
        return got


class _Part:
    def __init__(self, tar: _OpenTar, size: int) -> None:
        self._tar, self._left = tar, size

    def read(self, count: int) -> bytes:
        got = self._tar.read(min(count, self._left))
        if self._left and not got:
            raise EOFError("the archive ends in the middle")
        self._left -= len(got)
        return got


class _Safe(io.RawIOBase):
    """Reads what is there, however little, and calls damage an OSError as of all files."""

    def __init__(self, inner: Any) -> None:
        self._read = getattr(inner, "read1", inner.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _as_os_errors():
            got = self._read(len(buffer))
        buffer[: len(got)] = got
        return len(got)


class _Told(io.RawIOBase):
    """Tells how much of a file is read."""

    def __init__(self, inner: Any, told: Callable[[int], object]) -> None:
        self._inner, self._told, self._count = inner, told, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._inner.read(len(buffer))
        buffer[: len(got)] = got
        self._count += len(got)
        self._told(self._count)
        return len(got)


class _Zstd(io.RawIOBase):
    """Frames of zstd, one behind the other. The library's own reader does not say where one breaks off."""

    def __init__(self, packed: Any) -> None:
        self._packed = packed
        self._frame: Any = None  # the one that is not at its end
        self._rest = b""  # of what was read, not looked at yet
        self._got = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._got:
            chunk = self._rest or self._packed.read(CHUNK)
            if not chunk:
                if self._frame is not None:
                    raise EOFError("a frame of zstd ends in the middle")
                return 0
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._got = memoryview(self._frame.decompress(chunk))
            self._rest = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        count = min(len(buffer), len(self._got))
        buffer[:count] = self._got[:count]
        self._got = self._got[count:]
        return count
