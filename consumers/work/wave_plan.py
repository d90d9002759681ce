"""What of an audience goes out in a wave: the first explores where it is clicked, the others go there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from consumers.work.draft import NO_ROWS, Draft
from models.waves import Cohorts, Wave, choose, explore

__all__ = ["TOO_SELDOM", "first_wave", "in_wave"]

SMALLEST_WAVE = 100  # listeners: of fewer nothing is learned that is worth the wait
TOO_SELDOM = "clicked too seldom"


def first_wave(draft: Draft, share: float) -> Wave | None:
    """Return the first wave of an audience; None where all of it goes out at once.

    Parameters
    ----------
    share
        Of the audience, for the first wave.
    """
    wave = Wave.first(len(draft.told), share)
    explores = draft.ctr.version > 0 and wave.until >= SMALLEST_WAVE and not wave.is_last
    return wave if explores else None


def in_wave(draft: Draft, wave: Wave, told: int, random: np.random.Generator) -> Draft:
    """Return the part of an audience that goes out in a wave.

    Parameters
    ----------
    told
        How many listeners are told already.
    """
    places = max(wave.until - told, 0)
    if draft.ranking is None:  # while there is no model to plan it by, the next wave tells them
        return replace(draft, wave=wave, ends=wave.is_last or draft.leads_nowhere)
    if wave.number == 1 and not wave.is_last and draft.candidates.log_odds is not None:
        return _exploring(draft, wave, places, random)
    if not wave.is_last:
        draft = replace(draft, told=draft.told[:places], places=places, ends=len(draft.told) < places)
    short = (places > 0 and not len(draft.told)) if wave.is_last else draft.ends
    return replace(draft, wave=wave, reason=TOO_SELDOM if short and wave.number > 1 else draft.reason)


def _exploring(draft: Draft, wave: Wave, places: int, random: np.random.Generator) -> Draft:
    pool, others = draft.told, NO_ROWS
    if draft.ab_test:  # the other policy tells its best, in proportion, and explores nothing
        other = draft.ab_test.drawn(draft.candidates.users_at(pool))
        others = pool[other][: round(places * draft.ab_test.share)]
        pool = pool[~other]
    explored = min(places - len(others), len(pool))
    ctr, cohort = draft.candidates.ctrs(pool), draft.candidates.cohort_rows(pool)
    likely = explore(ctr, cohort, Cohorts.of(ctr, cohort, explored), explored, random)
    drawn = choose(likely, random)
    propensities = dict(zip(pool[drawn].tolist(), likely[drawn].tolist(), strict=True))
    told = np.concatenate([pool[drawn], others])
    return replace(
        draft, told=told, places=len(told), propensities=propensities, wave=wave, ends=False, ranking=None
    )
