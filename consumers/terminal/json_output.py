"""JSON for programs: what ``--json`` prints."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, is_dataclass

__all__ = ["print_json", "to_json"]


def to_json(value: object) -> object:
    """Return what JSON is made of; the fields of a dataclass keep their names.

    Examples
    --------
    >>> from consumers.terminal.tables import Column
    >>> to_json(Column("size", right=True))
    {'name': 'size', 'right': True, 'wide': False}
    """
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def print_json(value: object) -> None:
    """Print a dataclass, or what JSON can hold: one document, in one line, on standard output."""
    sys.stdout.write(json.dumps(_finite(to_json(value)), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def _finite(value: object) -> object:
    """Return the same with null for numbers that JSON has no words for: NaN, infinite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
