"""The rows of a Parquet file, by PyArrow, which is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stream.errors import BadFile
from stream.files.json_path import at_path
from stream.files.rows import Block, Column

__all__ = ["ParquetRows"]

ROWS = 8192  # decoded at a time
BLOCK = 512
"""Rows that become Python's values at a time: they fit into a processor's cache."""


class ParquetRows:
    """Rows of a Parquet file; only columns that were asked for are read, a part of them at a time.

    Times are text by ISO 8601, as in other files, with their time zone where the column has one. A time of no
    year from 1 to 9999, or text that is no UTF-8, makes its own row bad, not the whole file.

    Raises
    ------
    BadFile
        Where it is damaged, or PyArrow is not installed; of a column that is asked for, where Python does not
        know its time zone.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError as error:
            raise BadFile(
                f"{path} is a Parquet file, and PyArrow, which reads it, is not installed",
                hint="pip install 'refrain-cohorts[parquet]'",
            ) from error
        pa.set_memory_pool(pa.system_memory_pool())  # its own keeps some 25 MB more of what was decoded
        self._path = path
        self._open = pq.ParquetFile
        with self._file() as file:
            self._schema = file.schema_arrow
            self.columns = tuple(self._schema.names)
            self.count = file.metadata.num_rows
        self._asked: list[str] = []

    def column(self, name: str) -> Column | None:
        """Return what takes a column out of a row; what stands in a struct, a list or JSON, along dots."""
        top, *below = [name] if name in self.columns else name.split(".")
        if top not in self.columns:
            return None
        if top not in self._asked:
            self._check_zone(top)
            self._asked.append(top)
        at = self._asked.index(top)
        return (lambda values: at_path(values[at], below)) if below else (lambda values: values[at])

    def place(self, name: str) -> int | None:
        """Return where a column that was asked for stands in a row; None where it was not."""
        return self._asked.index(name) if name in self._asked else None

    def rows(self, told: Callable[[int], object]) -> Iterator[Block]:
        """Go through the rows by their number, from 1; `told` hears how many were read."""
        asked = self._asked or list(self.columns)
        for name in asked:
            self._check_zone(name)
        number = 0
        with self._file() as file:
            for batch in file.iter_batches(ROWS, columns=asked, use_threads=False):
                columns = [batch.column(name) for name in asked]
                for start in range(0, batch.num_rows, BLOCK):
                    yield Block(number + start + 1, [_plain(each.slice(start, BLOCK)) for each in columns])
                number += batch.num_rows
                told(number)

    def _check_zone(self, name: str) -> None:
        zone = _unknown_zone(self._schema.field(self.columns.index(name)).type)
        if zone is not None:
            raise BadFile(
                f"{self._path}: the times of its column {name!r} have the time zone {zone!r}, "
                "which Python does not know here",
                hint="`pip install tzdata` adds the zones of IANA. Where it is none of them, write the "
                "column in another, such as UTC: its moments stay the same.",
            )

    @contextmanager
    def _file(self) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415 - an extra

        with self._path.open("rb") as raw:
            try:
                yield self._open(raw, pre_buffer=False)
            except pa.ArrowException as error:
                raise BadFile(f"{self._path} cannot be read: {error}") from error


def _unknown_zone(kind: Any) -> str | None:
    """Return a time zone in a type, or further down in it, that Python does not know; None: there is none."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(kind):
        return _unknown_zone(kind.value_type)
    if not types.is_timestamp(kind):
        below = (_unknown_zone(kind.field(at).type) for at in range(kind.num_fields))
        return next((zone for zone in below if zone is not None), None)
    try:
        pa.scalar(0, pa.timestamp("us", kind.tz)).as_py()
    except (KeyError, ValueError, OSError):
        zone: str = kind.tz
        return zone
    return None


def _plain(column: Any) -> list[Any]:
    """Return a column's values as other files have them."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)  # Python's times go no finer
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):  # for one of them: the others are as good as ever
        return [_alone(scalar) for scalar in column]
    if any(is_kind(kind) for is_kind in (types.is_string, types.is_integer, types.is_floating)):
        return values
    return [_value(value) for value in values]


def _alone(scalar: Any) -> Any:
    """Return a value as other files have it; text where Python cannot hold it, so that its row is bad."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.DictionaryScalar):
        scalar = scalar.value
    if isinstance(scalar, pa.StructScalar):
        return {name: _alone(scalar[name]) for name in scalar}
    if isinstance(scalar, pa.ListScalar):
        return [_alone(each) for each in scalar.values]
    try:
        return _value(scalar.as_py())
    except UnicodeDecodeError:
        return _value(scalar.as_buffer().to_pybytes())
    except (OverflowError, ValueError):  # the bare number could be read as a time, in another unit
        return f"{scalar.value} as {scalar.type}"


def _value(value: Any) -> Any:
    if isinstance(value, date):  # and each time with a date
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, dict):
        return {name: _value(each) for name, each in value.items()}
    return str(value) if isinstance(value, Decimal) else value
