"""Conditions on traits as an event and a command say them, made `models.traits.where.Where` and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz.process import extractOne

from models.traits.lifecycle import STAGES
from models.traits.where import NUMBERS, SEGMENT, STAGE, Condition, Where, bounds_of
from stream.wire.composed import nfc

__all__ = ["parse_where", "read_where", "where_json"]

BOUNDS = {"min": "least", "max": "most", "above": "above", "below": "below"}
OPERATORS = {">=": "min", "<=": "max", ">": "above", "<": "below"}
OPERATOR = r"\s*(>=|<=|!=|==|=|>|<)\s*"
ONE = re.compile(rf"\s*([^<>=!]+?){OPERATOR}(.+?)\s*")
OF_A_SEGMENT = re.compile(rf"\s*({SEGMENT}.+?){OPERATOR}([^\s<>=!]+)\s*")
"""Names of segments and classes are of any characters: "rock and roll", "age:<18"."""
EXAMPLE = "for example churn>0.7 and stage=regular|fading and segment:rap>=0.5"
NAMES = f"traits are {STAGE}, {', '.join(NUMBERS)} and {SEGMENT}NAME"


def read_where(given: Mapping[str, Any]) -> Where:
    """Read the conditions of an event.

    Raises
    ------
    ValueError
        Where one cannot be: it says which, and how it is said right.

    Examples
    --------
    >>> read_where({"churn": {"max": 0.8}}).conditions[0].most
    0.8
    >>> read_where({"chrun": {"max": 0.8}})
    Traceback (most recent call last):
        ...
    ValueError: there is no trait 'chrun', the nearest is churn; traits are stage, zero_week, expected_week,\
 churn and segment:NAME
    """
    return Where(tuple(_condition(nfc(trait), said) for trait, said in given.items()))


def parse_where(text: str) -> Where:
    """Parse conditions as a person types them.

    Raises
    ------
    ValueError
        As `read_where`.

    Examples
    --------
    >>> where_json(parse_where("churn>0.7 and stage=regular|fading"))
    {'churn': {'above': 0.7}, 'stage': ['regular', 'fading']}
    """
    given: dict[str, Any] = {}
    for part in _parts(text.strip()):
        found = OF_A_SEGMENT.fullmatch(part) or ONE.fullmatch(part)
        if not found:
            raise ValueError(f"{part!r} is no condition: a trait, one of = != > >= < <=, a value; {EXAMPLE}")
        trait, operator, value = found.groups()
        if trait == STAGE:
            _add_stages(given, operator, value)
        else:
            _add_bound(given, trait, operator, value)
    return read_where(given)


def _parts(text: str) -> list[str]:
    """Split at each "and" but those in the name of a segment."""
    found: list[str] = []
    between = ""
    for at, part in enumerate(re.split(r"(\s+and\s+)", text, flags=re.IGNORECASE)):
        if at % 2:
            between = part
        elif found and found[-1].startswith(SEGMENT) and not OF_A_SEGMENT.fullmatch(found[-1]):
            found[-1] += between + part
        else:
            found.append(part)
    return found


def where_json(where: Where) -> dict[str, Any]:
    """Return conditions as an event says them."""
    return {condition.trait: _said(condition) for condition in where.conditions}


def _said(condition: Condition) -> Any:
    if condition.trait == STAGE:
        return list(condition.stages)
    bounds = {name: getattr(condition, field) for name, field in BOUNDS.items()}
    return {name: bound for name, bound in bounds.items() if math.isfinite(bound)}


def _condition(trait: str, said: Any) -> Condition:
    if trait == STAGE:
        return _checked(Condition(STAGE, _stages(said)))
    limits = bounds_of(trait)
    if limits is None:
        nearest, _, _ = extractOne(trait, [STAGE, *NUMBERS])
        raise ValueError(f"there is no trait {trait!r}, the nearest is {nearest}; {NAMES}")
    if not isinstance(said, Mapping) or not said or said.keys() - BOUNDS.keys():
        raise ValueError(
            f'{trait} takes bounds, such as {{"min": 0.2, "max": 0.8}} (above and below leave out the bound '
            f"itself), not {said!r}"
        )
    bounds: dict[str, float] = {}
    for name, bound in said.items():
        number = isinstance(bound, int | float) and not isinstance(bound, bool)
        if not number or not limits[0] <= bound <= limits[1]:
            span = f"{limits[0]:g} to {limits[1]:g}" if math.isfinite(limits[1]) else f"{limits[0]:g} or more"
            raise ValueError(f"{trait} is a number, {span}, not {bound!r}")
        bounds[name] = float(bound)
    least, most = bounds.get("min", -math.inf), bounds.get("max", math.inf)
    above, below = bounds.get("above", -math.inf), bounds.get("below", math.inf)
    return _checked(Condition(trait, (), least, most, above, below))


def _checked(condition: Condition) -> Condition:
    if not condition.possible:
        raise ValueError(f"nobody can meet {condition.trait} {_said(condition)}: its bounds leave nothing")
    return condition


def _stages(said: Any) -> tuple[str, ...]:
    stages = [said] if isinstance(said, str) else said
    if not isinstance(stages, list) or not stages or not all(isinstance(each, str) for each in stages):
        raise ValueError(f'stage takes stages, such as ["regular", "fading"], not {said!r}')
    for stage in stages:
        if stage not in STAGES:
            raise ValueError(f"there is no stage {stage!r}; stages are {', '.join(STAGES)}")
    return tuple(dict.fromkeys(stages))


def _add_stages(given: dict[str, Any], operator: str, value: str) -> None:
    said = _stages([stage.strip() for stage in re.split(r"[|,]", value)])
    if operator not in ("=", "==", "!="):
        raise ValueError(
            f"stages are equal or not: stage={value} or stage!={value}, not stage{operator}{value}"
        )
    allowed = [stage for stage in STAGES if stage not in said] if operator == "!=" else list(said)
    before = given.get(STAGE)
    given[STAGE] = [stage for stage in allowed if before is None or stage in before]
    if not given[STAGE]:
        raise ValueError("no stage meets all that is said of stage")


def _add_bound(given: dict[str, Any], trait: str, operator: str, value: str) -> None:
    if bounds_of(trait) is not None and operator not in OPERATORS:
        raise ValueError(f"{trait} is compared with > >= < <=, not with {operator}; {EXAMPLE}")
    try:
        bound = float(value)
    except ValueError:
        way = "conditions are joined by `and` alone" if " or " in value else EXAMPLE
        raise ValueError(f"{value!r} is no number; {way}") from None
    bounds = given.setdefault(trait, {})
    name = OPERATORS.get(operator, operator)
    if name in bounds:
        raise ValueError(f"{trait}{operator} is said twice")
    bounds[name] = bound
