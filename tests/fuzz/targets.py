"""What must hold whatever bytes come, of a file or as an event. Each target raises where it does not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stream.errors import RefrainError
from stream.files.kinds import KINDS
from stream.files.options import FileOptions, Kind, Layout
from stream.files.reading import Reading
from stream.files.recipe import Recipe
from stream.files.tables import Table
from stream.wire.dead_letter import DeadLetter
from stream.wire.events import EVENTS
from stream.wire.parsing import parse, parse_clicks
from stream.wire.record import Record

__all__ = ["TARGETS", "events", "files"]

NAMED = FileOptions(mapping={"user_id": "a", "song_id": "b", "ts": "c"})
WAYS: tuple[tuple[str, Kind, Layout, FileOptions], ...] = (
    ("a.csv", "clicks", Layout(), FileOptions()),
    ("a.csv", "clicks", Layout(columns=("a", "b", "c")), NAMED),
    ("a.tsv", "clicks", Layout(skip=1, comment="#"), FileOptions(constants={"user_id": "me"}, distinct=True)),
    ("a.dat", "clicks", Layout(delimiter="::", columns=("a", "b", "c"), mend=True), NAMED),
    ("a.json", "clicks", Layout(), FileOptions(separator="|", since="2020-01-01")),
    ("a.json", "songs", Layout(records="x.*"), FileOptions()),
    ("a.jsonl", "releases", Layout(), FileOptions()),
    ("a.csv", "feedback", Layout(encoding="cp1252"), FileOptions()),
)
"""How a file may be read: the first byte of the input says which."""

NOW = 1_800_000_000.0


def files(data: bytes) -> None:
    """Read bytes as a file: no row is lost, and each event is one by the rules of the wire."""
    name, kind, layout, options = WAYS[data[0] % len(WAYS)] if data else WAYS[0]
    with tempfile.TemporaryDirectory(prefix="refrain-fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(data[1:])
        by_column = _read(path, kind, layout, options, show=0)
        row_by_row = _read(path, kind, layout, options, show=1)
        assert by_column == row_by_row, "columns are read as a look at each row reads them"


def _read(path: Path, kind: Kind, layout: Layout, options: FileOptions, show: int) -> object:
    recipe = Recipe(kind, options)
    try:
        reading = Reading(Table.all_of(path, layout), recipe, None, path.parent, show)
        found = [(event.key, event.value) for event in reading.events()]
    except RefrainError as error:
        return str(error)
    tally = reading.tally
    made = len(found) + tally.joined + tally.repeated
    assert tally.rows == made + tally.left_out + tally.bad.total(), "each row is an event or counted"
    for key, value in found:
        record = Record(KINDS[kind].topic, 0, 0, key, value)
        if kind == "clicks":
            assert len(parse_clicks([record], NOW)[0]) == 1, f"a click that no ingester takes: {value!r}"
        else:
            [model] = EVENTS[KINDS[kind].topic]
            assert not isinstance(parse(model, record), DeadLetter), value
    return found, tally.bad, tally.unusable, tally.remarks


def events(data: bytes) -> None:
    """Parse bytes as each kind of event: an event, or a dead letter with its reason."""
    clicks, letters = parse_clicks([Record("clicks", 0, 0, b"", data)], NOW)
    assert len(clicks) + len(letters) == 1
    for letter in letters:
        _ = letter.headers
    for topic in ("songs", "releases", "feedback", "labels", "merges"):
        [model] = EVENTS[topic]
        made = parse(model, Record(topic, 0, 0, b"", data))
        assert isinstance(made, (model, DeadLetter))
        if isinstance(made, DeadLetter):
            _ = made.headers


TARGETS = {"files": files, "events": events}
