"""What is predicted of a listener, in words."""

from __future__ import annotations

from collections.abc import Mapping

from consumers.queries.listener_traits import ListenerTraits
from consumers.terminal.format import moment

__all__ = ["traits_in_words"]

LEAST = 0.005
"""Shares nearer to 0 or 1 would be rounded to it."""


def traits_in_words(traits: ListenerTraits) -> Mapping[str, str]:
    """Say what is predicted of a listener: what it is about -> a sentence, "" for what is not known.

    Examples
    --------
    >>> said = traits_in_words(ListenerTraits("regular", None, 0.125, 20.4, 0.0312, {"rap": 0.934}))
    >>> said["next week"], said["churn"], said["segments"]
    ('20 actions expected, 12 % likely to do nothing', '3 % likely not to come back', 'rap 93 %')
    """
    week = ""
    if traits.zero_week is not None and traits.expected_week is not None:
        week = (
            f"{traits.expected_week:,.0f} actions expected, {_percent(traits.zero_week)} likely to do nothing"
        )
    return {
        "stage": f"{traits.stage}, since {moment(traits.stage_since)}"
        if traits.stage_since
        else traits.stage,
        "next week": week,
        "churn": "" if traits.churn is None else f"{_percent(traits.churn)} likely not to come back",
        "segments": ", ".join(f"{name} {_percent(share)}" for name, share in traits.segments.items()),
    }


def _percent(share: float) -> str:
    """Return whole percents; what is neither 0 nor 1 is not called so."""
    if 0.0 < share < LEAST:
        return "under 1 %"
    return "over 99 %" if 1.0 - LEAST < share < 1.0 else f"{100 * share:.0f} %"
