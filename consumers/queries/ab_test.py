"""What came of an A/B test over the latest releases."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from consumers.queries.release_report import (
    Difference,
    PolicyReport,
    clicks_until,
    compared,
    policy_reports,
)
from stream.connect import AnyRedis
from stream.errors import NoAbTest
from stream.settings import Settings
from stream.stores.releases import Releases

__all__ = ["AbReport", "read_ab_report"]

COUNTS = ("told", "sent", "clicked", "opted_out")


@dataclass(frozen=True)
class AbReport:
    """What came of an A/B test.

    Attributes
    ----------
    releases
        How many releases were told by the two policies.
    policies
        Sums over the releases, the usual policy first.
    still_clicked
        Of how many of the releases clicks still come.
    clicks_until
        Until when they do, in Unix seconds; None: of no release.
    difference
        `consumers.queries.release_report.compared`. A listener counts once for each release.
    """

    releases: int
    policies: tuple[PolicyReport, ...]
    still_clicked: int
    clicks_until: float | None
    difference: Difference | None


async def read_ab_report(redis: AnyRedis, settings: Settings, policy: str | None, top: int) -> AbReport:
    """Add up the latest `top` releases that were told by two policies.

    Parameters
    ----------
    policy
        The other policy; None: that of the latest of these releases.

    Raises
    ------
    NoAbTest
        Where there is no such release.
    """
    releases = Releases(redis, settings.release_seconds)
    counts: dict[str, Counter[str]] = {}
    found: list[tuple[PolicyReport, ...]] = []
    now, still = time.time(), list[float]()
    for name in await releases.latest(top, now):
        about = await releases.about(name)
        if "ab_policy" not in about or about["ab_policy"] != (policy or about["ab_policy"]):
            continue
        policy = about["ab_policy"]
        found.append(policy_reports(about, await releases.response(name)))
        if until := clicks_until(about, settings, now):
            still.append(until)
        for report in found[-1]:
            counts.setdefault(report.policy, Counter()).update(
                {count: getattr(report, count) for count in COUNTS}
            )
    if not found:
        raise NoAbTest(
            f"none of the latest {top:,} releases was told by {policy or 'two policies'}",
            hint="REFRAIN_AB_POLICY=taste refrain work tells half of the listeners by taste alone.",
        )
    policies = tuple(PolicyReport.of(name, **numbers) for name, numbers in counts.items())
    return AbReport(len(found), policies, len(still), max(still, default=None), compared(found))
