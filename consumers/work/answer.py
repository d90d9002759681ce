"""How far the answer to a release is, and what of it goes out now."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from consumers.work.planner import Audience
from consumers.work.tally import Tally
from consumers.work.tracing import ReleaseTrace
from stream.stores.durability import Primaries
from stream.stores.releases import Asked, Held
from stream.wire.events import Summary

__all__ = ["Answer", "Part", "places"]


@dataclass
class Answer:
    """How far the answer to a release is.

    Attributes
    ----------
    primaries
        Redis's, before anything was written of it.
    trace
        Its spans.
    out
        Pages and summary that are in the topic already, as bytes -> when they were sent, in Unix seconds.
    told
        What the pages come to that are fixed.
    left_out
        Why others who would be on them are not, and how many.
    latency_ms
        From the publishing of the release to the broker's word that it has the first page.
    held
        How many listeners are told when their quiet hours end.
    stopped
        Whether somebody has stopped the release meanwhile.
    began
        Since when its listeners are chosen, in Unix seconds.
    """

    asked: Asked
    primaries: Primaries
    trace: ReleaseTrace
    out: Mapping[bytes, float] = field(default_factory=dict)
    told: Tally = field(default_factory=Tally)
    left_out: Counter[str] = field(default_factory=Counter)
    latency_ms: float | None = None
    held: int = 0
    stopped: bool = False
    began: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        return self.asked.release.release_id

    def first_page_out(self, at: float) -> None:
        if self.asked.published_at is not None:
            self.latency_ms = 1000 * (at - self.asked.published_at)

    @property
    def about(self) -> dict[str, str]:
        """What lines of the log are about."""
        trace_id = self.trace.trace_id
        return {"release_id": self.name, **({"trace_id": trace_id} if trace_id else {})}

    def end_trace(self, reason: str) -> None:
        """End the span of this part, where it has not ended."""
        self.trace.end(reason=reason, pages=self.told.pages, told=self.told.users)

    def summary(self, reason: str) -> Summary:
        return Summary(
            release_id=self.name,
            pages=self.told.pages,
            users=self.told.users,
            cohorts=len(self.told.cohorts),
            reason=reason,
            left_out=dict(self.left_out) or None,
            waves=self.told.waves,
        )

    def totals(self) -> dict[str, str | float]:
        """Return how far it is, as it is to be known of the release."""
        summary = self.summary("")
        known: dict[str, str | float] = {
            "audience": summary.users,
            "pages": summary.pages,
            "cohorts": summary.cohorts,
            "left_out": json.dumps(self.left_out),
            "held": self.held,
        }
        if self.told.mean_ctr is not None:
            known["expected_ctr"] = round(self.told.mean_ctr, 6)
        if self.latency_ms is not None:
            known["latency_ms"] = round(self.latency_ms, 1)
        if summary.waves:
            by_wave = [self.told.by_wave[wave] for wave in range(1, summary.waves + 1)]
            known["told_by_wave"] = json.dumps(by_wave)
        if self.told.by_policy:
            known["told_by_policy"] = json.dumps(self.told.by_policy)
        return known


@dataclass
class Part:
    """What of a release goes out now.

    Attributes
    ----------
    answer
        How far it is.
    reason
        "done", or why there is nobody to tell.
    about
        What is to be known of the release from now on.
    audience
        Whom to tell now; None: all is out, but for the summary.
    held
        Who was to be told when their quiet hours end.
    due
        Those of them whose quiet hours have ended: this part is about them.
    next_wave_at
        When the next wave is due, in Unix seconds; 0: none is, but what follows from this part.
    """

    answer: Answer
    reason: str
    about: dict[str, str | float]
    audience: Audience | None = None
    held: Mapping[str, Held] = field(default_factory=dict)
    due: Set[str] = frozenset()
    next_wave_at: float = 0.0


def places(held: Mapping[str, Held]) -> int:
    """Return how many places in the audience those take who are held."""
    return sum(not each.drawn for each in held.values())
