"""Options out of dataclasses: a command's parameter that is one stands for an option per field.

The fields say with a `stream.files.options.Flag` how they are given. A field without one is no option.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from stream.files.options import Flag
from stream.wire.composed import nfc

__all__ = ["LAST", "MOST", "Files", "ReleaseId", "UserId", "given", "options_from_dataclasses"]

MOST = 1000
"""How many are read of Redis at once, at most: it does little else meanwhile."""
LAST = 2**32 - 1
"""How many members a sorted set of Redis can have."""

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="CSV, TSV, JSON or Parquet, packed or not; a folder, a pattern, s3://...; - is standard input.",
    ),
]

UserId = Annotated[str, typer.Argument(metavar="USER", help="The listener's id.", parser=nfc)]
ReleaseId = Annotated[str, typer.Argument(metavar="ID", help="Id of the release.", parser=nfc)]


def options_from_dataclasses(function: Callable[..., None]) -> Callable[..., None]:
    """Let typer see each field of the dataclasses that a command takes as an option of the command.

    Raises
    ------
    WrongUse
        When called: where a text that was given cannot be parsed, or a dataclass refuses its values.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Speed:
    ...     rate: Annotated[float | None, Flag("--rate", "Events a second.", "N")] = None
    >>> @options_from_dataclasses
    ... def replay(kind: str, speed: Speed) -> None:
    ...     print(kind, speed)
    >>> list(inspect.signature(replay).parameters)
    ['kind', 'rate']
    >>> replay(kind="clicks", rate=2.0)
    clicks Speed(rate=2.0)
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {}
    parameters = []
    for name, parameter in inspect.signature(function).parameters.items():
        if is_dataclass(hints[name]):
            groups[name] = hints[name]
            parameters += list(_options(hints[name]))
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def called(**given: Any) -> None:
        made = {name: _made(group, given) for name, group in groups.items()}
        function(**given, **made)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def given(*groups: Any) -> list[str]:
    """Return the options among the fields of dataclasses that have another value than their default.

    Examples
    --------
    >>> from stream.files.options import Order
    >>> given(Order(spread="30d"))
    ['--spread']
    """
    blank = {type(group): type(group)() for group in groups}
    return [
        flag.name
        for group in groups
        for entry, _, flag in _flags(type(group))
        if getattr(group, entry.name) != getattr(blank[type(group)], entry.name)
    ]


def _flags(group: Any) -> Iterator[tuple[Field[Any], Any, Flag]]:
    hints = get_type_hints(group, include_extras=True)
    for entry in fields(group):
        kind, *notes = get_args(hints[entry.name])
        for flag in notes:
            if isinstance(flag, Flag):
                yield entry, kind, flag


def _options(group: Any) -> Iterator[inspect.Parameter]:
    for entry, kind, flag in _flags(group):
        typed, default = kind, None if entry.default is MISSING else entry.default
        if flag.parse:
            typed, default = (list[str] | None, None) if flag.repeated else (str, "")
        is_file = Path in (typed, *get_args(typed))
        option = typer.Option(
            flag.name,
            help=flag.help,
            metavar=flag.metavar,
            rich_help_panel=flag.panel,
            min=flag.least,
            max=flag.most,
            exists=is_file,
            dir_okay=not is_file,
        )
        yield inspect.Parameter(
            entry.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[typed, option]
        )


def _made(group: Any, given: dict[str, Any]) -> Any:
    """Make a dataclass of what was given to its options, and take that out."""
    values = {entry.name: (given.pop(entry.name), flag) for entry, _, flag in _flags(group)}
    return group(
        **{
            name: flag.parse(value) if flag.parse else value
            for name, (value, flag) in values.items()
            if value or not flag.parse
        }
    )
