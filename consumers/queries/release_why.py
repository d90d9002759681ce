"""Why a listener is told of a release, or is not: for programs and in words."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from consumers.queries.cohort_why import named_pulls, pulling
from consumers.queries.listener import Seen
from consumers.terminal.cohort_tables import facts
from consumers.terminal.format import percent
from consumers.work.planner import Draft
from models.audience import rank_members
from models.explain import pulls
from models.model import Model
from models.taste import unit
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.listeners import Listeners
from stream.wire.events import Release

__all__ = ["show_why", "why_listener"]

NO_SCORE = 0.1  # what makes up less is not worth a word

REASONS = {
    "told": "it suits them well enough",
    "opted out": "they have opted out of hearing of releases",
    "bot": "they click like a bot, so are in no cohort and no audience",
    "no cohort": "they are in no cohort yet; `refrain user` says why",
    "not met": "this model has not met them yet; `refrain model list` shows how far the sweep is",
    "min_ctr": "their cohort promises less than --min-ctr",
    "cohort": "members are looked at only of cohorts that promise more than theirs",
    "score": "it suits others better",
}


async def why_listener(
    redis: AnyRedis, settings: Settings, release: Release, model: Model, draft: Draft, seen: Seen
) -> dict[str, Any]:
    """Return why a listener is in an audience, or is not."""
    user, cohort, ranked = seen.listener.user_id, seen.listener.cohort, draft.ranked
    told = [ranked.users[place] for place in draft.told]
    place = ranked.users.index(user) if user in ranked.users else None
    score = await _score(redis, settings, model, draft, user) if place is None else ranked.scores[place]
    rate = draft.ctr.get(cohort)
    catalogue = Catalogue(redis)
    plays = [artist for artist in release.artist_ids if seen.listener.affinities.get(artist, 0.0) > 0]
    names = await catalogue.names(plays)
    return {
        "user_id": user,
        "told": user in told,
        "reason": "told" if user in told else _reason(seen, release, draft, looked_at=place is not None),
        "score": None if score is None else round(score, 6),
        "audience_ends_at": round(ranked.scores[draft.told[-1]], 6) if told else None,
        "place": None if place is None else place + 1,
        "looked_at": len(ranked.users),
        "listeners": len(told),
        "cohort": cohort,
        "label": dict(zip(model.cohort_ids, model.labels, strict=True)).get(cohort, ""),
        "predicted_ctr": rate,
        "cohort_rank": None if rate is None else 1 + sum(other > rate for other in draft.ctr.values()),
        "cohorts": len(draft.ctr),
        "cohorts_looked_at": len(draft.chosen),
        "relied_on": draft.target.relied_on,
        "pulls": await named_pulls(pulls(seen.listener.affinities, model, draft.target.vector), catalogue),
        "plays_already": [{"artist_id": artist, "name": names[artist]} for artist in plays],
    }


async def _score(redis: AnyRedis, settings: Settings, model: Model, draft: Draft, user: str) -> float | None:
    """Return the score of one whose cohort was not looked at."""
    _, tastes = await Listeners(redis, settings.max_artists).tastes([user], model.n_dims)
    if not tastes.any() or draft.target.relied_on == "nothing":
        return None
    _, scores = rank_members(unit(tastes), draft.target)
    return float(scores[0])


def _reason(seen: Seen, release: Release, draft: Draft, *, looked_at: bool) -> str:
    """Return a key of `REASONS`, or the reason why nobody at all is told."""
    cohort, rate = seen.listener.cohort, draft.ctr.get(seen.listener.cohort)
    reasons = (
        (seen.opted_out, "opted out"),
        (seen.listener.bot, "bot"),
        (not draft.ctr, draft.reason),
        (not cohort, "no cohort"),
        (rate is None, "not met"),
        (rate is not None and rate < (release.min_ctr or 0.0), "min_ctr"),
        (cohort not in draft.chosen, "cohort"),
        (not looked_at, "not met"),
        (True, "score"),
    )
    return next(reason for holds, reason in reasons if holds)


def show_why(found: dict[str, Any]) -> None:
    """Print why a listener is in an audience, or is not."""
    console = Console(highlight=False)
    verdict = (" is told: ", "green") if found["told"] else (" is not told: ", "yellow")
    reason = REASONS.get(found["reason"], found["reason"])
    console.print(Text.assemble((found["user_id"], "bold"), verdict, reason))
    console.print(
        facts(
            {
                "score": _score_words(found),
                "made by": pulling(found["pulls"]) if (found["score"] or 0.0) > NO_SCORE else "",
                "place": _place_words(found),
                "cohort": _cohort_words(found),
                "goes by": found["relied_on"].replace("_", " "),
                "plays": _plays_words(found),
            }
        )
    )


def _score_words(found: dict[str, Any]) -> str:
    if found["score"] is None:
        return ""
    ends = found["audience_ends_at"]
    return f"{found['score']:.3f}" + (f"; the last who is told has {ends:.3f}" if ends is not None else "")


def _place_words(found: dict[str, Any]) -> str:
    if found["place"] is None:
        return ""
    return (
        f"{found['place']:,} of {found['looked_at']:,} who were looked at one by one, of whom "
        f"{found['listeners']:,} are told"
    )


def _cohort_words(found: dict[str, Any]) -> str:
    if not found["cohort"]:
        return ""
    said = f"{found['cohort']}  {found['label']}"
    if found["cohort_rank"] is None:
        return said
    return (
        f"{said}\nnumber {found['cohort_rank']} of {found['cohorts']} by predicted CTR "
        f"({percent(found['predicted_ctr'])}); members of {found['cohorts_looked_at']} were looked at"
    )


def _plays_words(found: dict[str, Any]) -> str:
    names = ", ".join(entry["name"] for entry in found["plays_already"])
    return f"{names} already, which keeps nobody out" if names else ""
