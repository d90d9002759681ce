"""Why a listener is in a cohort, or in none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.queries.known_listener import KnownListener
from models.explain import placement
from models.model import Model
from stream.stores.catalogue import Catalogue

__all__ = ["Pull", "WhyCohort", "named_pulls", "why_cohort"]


@dataclass(frozen=True)
class Pull:
    """An artist of a listener's, and how much of a similarity or score comes from playing them."""

    artist_id: str
    name: str
    pull: float


@dataclass(frozen=True)
class WhyCohort:
    """Why a listener is where they are under a model; `models.explain.Placement` says what each part is.

    Attributes
    ----------
    pulls
        The strongest first.
    unknown_artists
        How many of the listener's artists the model does not know.
    margin
        By how much another cohort must be nearer before a listener moves.
    """

    model_version: int
    cohort: str
    label: str
    reason: str
    similarity: float
    centre: float
    pulls: tuple[Pull, ...]
    unknown_artists: int
    by_taste: str
    by_taste_label: str
    second: str
    second_label: str
    ahead: float
    margin: float


async def why_cohort(known: KnownListener, model: Model, catalogue: Catalogue) -> WhyCohort:
    """Return why a listener is where they are under a model."""
    found = placement(known.listener, model, known.rules)
    labels = dict(zip(model.cohort_ids, model.labels, strict=True))
    return WhyCohort(
        model_version=model.version,
        cohort=found.cohort,
        label=labels.get(found.cohort, ""),
        reason=found.reason,
        similarity=round(found.similarity, 6),
        centre=round(found.centre, 6),
        pulls=await named_pulls(found.pulls or {}, catalogue),
        unknown_artists=sum(artist not in model.index for artist in known.listener.affinities),
        by_taste=found.by_taste,
        by_taste_label=labels.get(found.by_taste, ""),
        second=found.second,
        second_label=labels.get(found.second, ""),
        ahead=round(found.ahead, 6),
        margin=known.rules.margin,
    )


async def named_pulls(pulls: Mapping[str, float], catalogue: Catalogue) -> tuple[Pull, ...]:
    """Return pulls with the artists' names."""
    names = await catalogue.names(list(pulls))
    return tuple(Pull(artist, names[artist], round(pull, 6)) for artist, pull in pulls.items())
