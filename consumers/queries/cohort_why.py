"""Why a listener is in a cohort, for programs and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumers.queries.listener import Seen
from models.explain import placement
from models.model import Model
from stream.stores.catalogue import Catalogue

__all__ = ["named_pulls", "pulling", "why_cohort", "words"]

LEAST = 0.05  # of the pull: an artist who pulls less is not worth a word
MOST = 3  # artists named


async def why_cohort(seen: Seen, model: Model, catalogue: Catalogue) -> dict[str, Any]:
    """Return why a listener is where they are under a model."""
    found = placement(seen.listener, model, seen.rules)
    labels = dict(zip(model.cohort_ids, model.labels, strict=True))
    return {
        "model_version": model.version,
        "cohort": found.cohort,
        "label": labels.get(found.cohort, ""),
        "reason": found.reason,
        "similarity": round(found.similarity, 6),
        "centre": round(found.centre, 6),
        "pulls": await named_pulls(found.pulls or {}, catalogue),
        "unknown_artists": sum(artist not in model.index for artist in seen.listener.affinities),
        "by_taste": found.by_taste,
        "by_taste_label": labels.get(found.by_taste, ""),
        "second": found.second,
        "second_label": labels.get(found.second, ""),
        "ahead": round(found.ahead, 6),
        "margin": seen.rules.margin,
    }


async def named_pulls(pulls: Mapping[str, float], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return pulls with the artists' names."""
    names = await catalogue.names(list(pulls))
    return [
        {"artist_id": artist, "name": names[artist], "pull": round(pull, 6)} for artist, pull in pulls.items()
    ]


def pulling(pulls: list[dict[str, Any]]) -> str:
    """Name the artists that pull, each with its share of all that pulls the same way.

    Examples
    --------
    >>> pulling([{"name": "Ana", "pull": 0.6}, {"name": "Bo", "pull": 0.2}, {"name": "Cy", "pull": -0.1}])
    'Ana (75 %), Bo (25 %)'
    """
    whole = sum(entry["pull"] for entry in pulls if entry["pull"] > 0)
    named = [entry for entry in pulls if entry["pull"] > LEAST * whole][:MOST]
    return ", ".join(f"{entry['name']} ({100 * entry['pull'] / whole:.0f} %)" for entry in named)


def words(found: dict[str, Any]) -> list[str]:
    """Say why a listener is where they are; each sentence is a line.

    Parameters
    ----------
    found
        What `refrain user --json` says of the listener.
    """
    why = found["why"]
    if found["bot"]:
        return ["in none: once clicked more in an hour than REFRAIN_BOT_CLICKS_PER_HOUR, so in no audience"]
    if why is None:
        return ["there is no model that could say so: `refrain doctor` tells why"]
    if not why["cohort"]:
        return [
            f"in none: model {why['model_version']} has not heard of any artist that they play"
            if why["reason"] == "unknown"
            else "in none: of the artists that the model knows all were skipped more than played"
        ]
    lines = _moving(found) + _nearest(why)
    if why["unknown_artists"]:
        lines.append(f"of {found['artists_kept']} artists {why['unknown_artists']} are unknown to it yet")
    return lines


def _moving(found: dict[str, Any]) -> list[str]:
    why = found["why"]
    if why["cohort"] == found["cohort"]:
        return []
    return [
        f"to be in {why['cohort']} ({why['label']}) by model {why['model_version']}: the sweep takes them "
        "there, or their next click"
    ]


def _nearest(why: dict[str, Any]) -> list[str]:
    pull = pulling(why["pulls"])
    by = f": {pull} {'pulls' if pull.count('%') == 1 else 'pull'} there" if pull else ""
    second = f"{why['second']} ({why['second_label']})"
    if why["reason"] == "lately":
        taste = f"{why['by_taste']} ({why['by_taste_label']})"
        return [f"what they played last decided: all that they play is nearer to {taste}"]
    if why["reason"] == "stays":
        return [
            f"was near and still is{by}",
            f"{second} is nearer by {-why['ahead']:.3f}; a move takes {why['margin']:g} (REFRAIN_MARGIN)",
        ]
    lines = [f"the nearest to what they play{by}"]
    if why["second"]:
        lines.append(f"the second, {second}, is {why['ahead']:.2f} farther")
    return lines
