"""Of several releases at once, who of their listeners hears of which: the better match wins."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from consumers.work.gate import Gate
from consumers.work.planner import Audience

__all__ = ["reserve_best_first"]


class _Match(NamedTuple):
    """How likely a listener is to click on one of the releases, and their row among its candidates."""

    likely: float
    audience: int
    row: int


async def reserve_best_first(audiences: Sequence[Audience], gate: Gate, now: float) -> None:
    """Reserve the places of listeners who are in several audiences, that of their best match first.

    As caps leave fewer places than releases, those that match worse find none when their pages are made. Who
    is drawn for comparison is asked after in the same order, so that the groups differ by nothing else.

    Parameters
    ----------
    now
        Unix seconds.
    """
    if len(audiences) < 2 or not any(gate.caps):  # noqa: PLR2004 - there is nothing to choose from
        return
    contested = {user: found for user, found in _matches(audiences).items() if len(found) > 1}
    if gate.erased:
        await gate.erased.refresh()
        for user in compress(list(contested), gate.erased.among(list(contested))):
            del contested[user]
    for turn in range(len(audiences)):
        rows: dict[int, list[int]] = defaultdict(list)
        for matches in contested.values():
            if turn < len(matches):
                rows[matches[turn].audience].append(matches[turn].row)
        await asyncio.gather(*(_reserve(audiences[at], some, gate, now) for at, some in rows.items()))


def _matches(audiences: Sequence[Audience]) -> dict[str, list[_Match]]:
    """Return listener -> the releases that they would be told of, the likeliest to be clicked first."""
    found: dict[str, list[_Match]] = defaultdict(list)
    for at, audience in enumerate(audiences):
        draft = audience.draft
        if draft.likely is None:
            continue
        rows = draft.told
        likely = draft.likely(rows).tolist()
        for user, chance, row in zip(draft.candidates.users_at(rows), likely, rows.tolist(), strict=True):
            found[user].append(_Match(chance, at, row))
    for matches in found.values():
        matches.sort(key=lambda match: -match.likely)
    return found


async def _reserve(audience: Audience, rows: Sequence[int], gate: Gate, now: float) -> None:
    candidates, release = audience.draft.candidates, audience.release
    some = np.array(rows)
    drawn = gate.drawn(release.release_id, candidates.users_at(some))
    quiet = gate.quiet_until(candidates.gather("utc_offset_min", some), now)
    awake = np.flatnonzero(quiet == 0)
    some, drawn = some[awake], [drawn[at] for at in awake.tolist()]
    users = candidates.users_at(some)
    admitted = await gate.admit(release, users, drawn, now)
    for user, group, reason, control in zip(users, drawn, *admitted, strict=True):
        if group:
            audience.asked[user] = "" if control else reason
