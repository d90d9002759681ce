"""Errors that a person can mend: the tree in the docstring is the tree of the code, and each has a hint."""

from __future__ import annotations

import re
import traceback

from stream import errors
from stream.errors import RefrainError, SnapshotDamaged, UnknownSnapshot


def drawn() -> set[tuple[str, str]]:
    """Each class and its parent, as the docstring draws them."""
    pairs, above = set(), []
    for line in str(errors.__doc__).splitlines():
        if found := re.match(r"(    )((?:│   |    )*)(?:├── |└── )?([A-Z]\w+)  ", line):
            depth = len(found[2]) // 4 + ("── " in line)
            above[depth:] = [found[3]]
            if depth:
                pairs.add((found[3], above[depth - 1]))
    return pairs


def test_the_tree_is_drawn_as_it_is() -> None:
    classes = [getattr(errors, name) for name in errors.__all__ if name != "RefrainError"]
    assert drawn() == {(each.__name__, each.__base__.__name__) for each in classes}


def test_a_snapshot_that_is_not_there_is_not_a_damaged_one() -> None:
    assert not issubclass(UnknownSnapshot, SnapshotDamaged)


def test_a_hint_is_a_field_and_stands_in_a_traceback() -> None:
    error = RefrainError("there is no Redis", hint="Install it.")
    assert (str(error), error.hint) == ("there is no Redis", "Install it.")
    assert "Install it." in traceback.format_exception(error)[-1]
