"""A row and the event that it became, field by field, to be shown."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic_core import from_json

from stream.files.columns import quoted
from stream.files.fields import Remark
from stream.files.row_events import Event, RowEvents
from stream.files.tables import Row

__all__ = ["ShownField", "ShownRow", "shown"]


class ShownField(NamedTuple):
    """What a field became: the column or the option that it is from, what stood there, and the value."""

    field: str
    column: str
    raw: str
    value: Any


class ShownRow(NamedTuple):
    """A row that became an event; of fields that were dropped the value is None."""

    file: str
    line: int
    fields: list[ShownField]


def shown(event_of: RowEvents, file: str, row: Row, event: Event) -> ShownRow:
    """Return what the fields of a row became; fields that have nothing in them apart.

    Parameters
    ----------
    event_of
        What made the event of the row.
    file
        The file's name.
    event
        What the row became.
    """
    fields = []
    dropped = {note.field: None for note in event.notes if note.remark is Remark.DROPPED}
    for field, value in (from_json(event.value) | dropped).items():
        column, raw = event_of.raw(field, row.values)
        if value != []:
            fields.append(ShownField(field, column, "" if column in ("", "--songs") else quoted(raw), value))
    return ShownRow(file, row.line, fields)
