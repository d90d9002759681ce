"""What stands further down in a value of JSON: ``track.artists.*.name``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from stream.files.rows import Column

__all__ = ["at_path", "entries", "entry"]

ALL = "*"


def entry(name: str) -> Column:
    """Return what takes a value out of a dictionary: by its name, or further down along its dots.

    Examples
    --------
    >>> entry("user.id")({"user": {"id": 7}}), entry("user.id")({"user.id": 8}), entry("user.id")({})
    (7, 8, None)
    """
    top, *below = path = name.split(".")
    if _is_pattern(top):
        return lambda values: values[name] if name in values else at_path(values, path)
    if not below:
        return lambda values: values.get(name)

    def get(values: dict[str, Any]) -> Any:
        return values[name] if name in values else at_path(values.get(top), below)

    return get


def entries(name: str) -> Callable[[Sequence[dict[str, Any]]], list[Any]]:
    """Return what takes a value out of each of many dictionaries, as `entry` out of one.

    Examples
    --------
    >>> entries("user")([{"user": 7}, {}]), entries("user.id")([{"user": {"id": 7}}, {}])
    ([7, None], [7, None])
    """
    get = entry(name)
    if "." in name or _is_pattern(name):
        return lambda objects: list(map(get, objects))
    return lambda objects: [each.get(name) for each in objects]  # most are: in a quarter of the time


def at_path(value: Any, path: Sequence[str]) -> Any:
    """Return what stands at a path; None where there is nothing.

    A part is the name of a member, the number of an element from 0, or ``*`` for all of them: then it is a
    list. A name with ``*`` in it stands for the first member that is named so and holds something. Text that
    is JSON again, as in a column of CSV, is opened.

    Examples
    --------
    >>> track = {"artists": [{"name": "A"}, {"name": "B"}], "tags": '{"mood": "calm"}'}
    >>> at_path(track, ["artists", "*", "name"]), at_path(track, ["artists", "0", "name"])
    (['A', 'B'], 'A')
    >>> at_path(track, ["tags", "mood"]), at_path(track, ["ta*", "mood"])
    ('calm', 'calm')
    """
    for at, part in enumerate(path):
        if isinstance(value, str):
            value = _opened(value)
        if part == ALL and isinstance(value, list | dict):
            elements = value.values() if isinstance(value, dict) else value
            return _flat([at_path(each, path[at + 1 :]) for each in elements])
        if isinstance(value, dict):
            value = _member(value, part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _is_pattern(part: str) -> bool:
    return ALL in part and part != ALL


def _member(members: dict[str, Any], part: str) -> Any:
    if part in members or not _is_pattern(part):
        return members.get(part)
    named = (value for name, value in members.items() if fnmatchcase(name, part.replace("[", "[[]")))
    return next((value for value in named if value is not None), None)


def _opened(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _flat(found: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for each in found:
        flat += each if isinstance(each, list) else [] if each is None else [each]
    return flat
