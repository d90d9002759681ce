"""Why a listener is in a cohort, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.queries.listener import ListenerView
from consumers.queries.placement import Pull, WhyCohort

__all__ = ["artists_that_pull", "why_in_words"]

LEAST = 0.05  # of the pull: an artist who pulls less is not worth a word
MOST = 3  # artists named


def artists_that_pull(pulls: Iterable[Pull]) -> str:
    """Name the artists that pull, each with its share of all that pulls the same way.

    Examples
    --------
    >>> artists_that_pull([Pull("a", "Ana", 0.6), Pull("b", "Bo", 0.2), Pull("c", "Cy", -0.1)])
    'Ana (75 %), Bo (25 %)'
    """
    towards = [entry for entry in pulls if entry.pull > 0]
    whole = sum(entry.pull for entry in towards)
    named = [entry for entry in towards if entry.pull > LEAST * whole][:MOST]
    return ", ".join(f"{entry.name} ({100 * entry.pull / whole:.0f} %)" for entry in named)


def why_in_words(listener: ListenerView) -> list[str]:
    """Say why a listener is where they are; each sentence is a line."""
    why = listener.why
    if listener.bot:
        return [
            "in none: once clicked more in an hour than REFRAIN_BOT_CLICKS_PER_HOUR, or played more in a day"
            " than REFRAIN_BOT_PLAYS_PER_DAY or 24 hours, so in no audience"
        ]
    if why is None:
        return ["there is no model that could say so: `refrain doctor` tells why"]
    if not why.cohort:
        return [
            f"in none: model {why.model_version} knows none of the artists that they play"
            if why.reason == "unknown"
            else "in none: they skipped all artists that the model knows more often than they played them"
        ]
    lines = _moving(listener, why) + _nearest(why)
    if why.unknown_artists:
        lines.append(
            f"the model does not know {why.unknown_artists} of their {listener.artists_kept} artists"
        )
    return lines


def _moving(listener: ListenerView, why: WhyCohort) -> list[str]:
    if why.cohort == listener.cohort:
        return []
    return [
        f"model {why.model_version} puts them into {why.cohort} ({why.label}): they move with the sweep or "
        "with their next click"
    ]


def _nearest(why: WhyCohort) -> list[str]:
    pull = artists_that_pull(why.pulls)
    by = f", mostly because of {pull}" if pull else ""
    second = f"{why.second} ({why.second_label})"
    if why.reason == "lately":
        taste = f"{why.by_taste} ({why.by_taste_label})"
        return [f"nearest to what they played last; by all that they play it would be {taste}"]
    if why.reason == "stays":
        return [
            f"near to what they play{by}",
            f"{second} is nearer by {-why.ahead:.3f}, less than the {why.margin:g} of REFRAIN_MARGIN",
        ]
    lines = [f"nearest to what they play{by}"]
    if why.second:
        lines.append(f"the second nearest, {second}, is {why.ahead:.2f} farther")
    return lines
