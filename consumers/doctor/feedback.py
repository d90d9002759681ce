"""What the doctor looks at in feedback: whether the notifier reports what it sends, and what is learned."""

from __future__ import annotations

from consumers.doctor.check import Check
from consumers.terminal.format import counted, percent
from models.click_rate import MIN_SENT, click_rate
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats
from stream.stores.releases import Releases

__all__ = ["check_clicks", "check_feedback"]

LOOKED_AT = 20  # releases
SETTLED = 600.0  # seconds after which the notifier should have begun to report
MOST_IMPLIED = 0.5  # of the sent
BY_CHANCE = 0.52  # AUC, below which clicks are hardly predicted


async def check_feedback(redis: AnyRedis, settings: Settings, now: float) -> Check:
    """Look at what came of the last releases (`now`: Unix seconds)."""
    releases = Releases(redis, settings.release_seconds)
    abouts = [await releases.about(name) for name in await releases.latest(LOOKED_AT, now)]
    settled = [about for about in abouts if float(about.get("planned_at", now)) < now - SETTLED]
    sent, clicked = _sum(abouts, "sent"), _sum(abouts, "clicked")
    if settled and not _sum(settled, "sent"):
        return Check.warning(
            "feedback",
            f"nothing is reported of the last {counted(len(settled), 'release')}",
            "let the notifier send `sent`, `opened`, `clicked`, ... to the topic feedback: docs/contract.md",
        )
    implied = _sum(abouts, "sent_implied")
    if sent >= MIN_SENT and implied > MOST_IMPLIED * sent:
        return Check.warning(
            "feedback",
            f"the notifier reports clicks, but not what it sends ({percent(implied / sent)} of {sent:,} are "
            "known by what followed only): CTRs are too high",
            "let it report `sent` for each notification: docs/contract.md",
        )
    found = click_rate(clicked, sent)
    if found.rate is None:
        return Check.fine("feedback", "too few notifications to give a CTR")
    known = f"{percent(found.rate)} ({100 * found.low:.1f} to {100 * found.high:.1f})"
    return Check.fine("feedback", f"CTR {known} over the last {counted(len(abouts), 'release')}")


async def check_clicks(redis: AnyRedis) -> Check | None:
    """Look at how well clicks are predicted; nothing before that is known."""
    trainer = next((state for state in (await heartbeats(redis)).values() if "ctr auc" in state), None)
    if trainer is None:
        return None
    error, auc = float(trainer["ctr calibration_error"]), float(trainer["ctr auc"])
    found = (
        f"of one who clicks and one who does not, the right one stands above in {percent(auc)}; CTRs are off "
        f"by {100 * error:.1f} points, over the last {float(trainer['ctr examples']):,.0f} notifications"
    )
    if refused := int(trainer.get("ctr refused", 0)):
        found += f"; {refused:,} models were worse and not published"
    if auc < BY_CHANCE:
        return Check.warning("clicks", found, "`refrain model clicks --use 0` ranks by taste alone")
    return Check.fine("clicks", found)


def _sum(abouts: list[dict[str, str]], field: str) -> int:
    return sum(int(about.get(field, 0)) for about in abouts)
