"""What the doctor looks at where audiences are delivered to an endpoint or to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from consumers.doctor.check import Check
from consumers.terminal.format import ago
from stream.settings import Settings

__all__ = ["READ_BY_DELIVER", "check_deliveries", "deliver_reads"]

READ_BY_DELIVER = {"deliver": "deliver", "deliver-files": "deliver", "deliver-changes": "deliver"}
"""Consumer group, without the prefix -> the process that it belongs to."""
PATIENCE = 60.0  # seconds: an endpoint that is restarted is away for less


def deliver_reads(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return what `refrain deliver` reads with these settings: consumer group -> topics."""
    reads: dict[str, tuple[str, ...]] = {}
    if settings.deliver_url:
        reads["deliver"] = ("audiences",)
    if settings.deliver_cohort_changes:
        reads["deliver-changes"] = ("cohort-changes",)
    if settings.deliver_folder:
        reads["deliver-files"] = ("audiences",)
    return reads


def check_deliveries(
    settings: Settings, states: Mapping[str, Mapping[str, str]], now: float
) -> Iterator[Check]:
    """Look whether a process delivers, where one is to, and whether the endpoint takes what it is sent.

    Parameters
    ----------
    states
        Name of each process that lives -> what it says of itself.
    now
        Unix seconds.
    """
    delivering = [state for state in states.values() if state["kind"] == "deliver"]
    if not delivering:
        if deliver_reads(settings):
            yield Check.wrong("deliver", "none runs: audiences are not delivered", "start `refrain deliver`")
        return
    failing = {
        state["failing why"]: now - float(state["failing since"])
        for state in delivering
        if float(state.get("failing since", 0.0))
    }
    for why, seconds in failing.items():
        found = f"{why}; it began {ago(seconds)}"
        if seconds < PATIENCE:
            yield Check.fine("deliver", found)
        else:
            yield Check.wrong(
                "deliver",
                found,
                "mend the endpoint, or REFRAIN_DELIVER_URL and _SECRET; pages wait in Kafka meanwhile",
            )
    if not failing:
        number = len(delivering)
        yield Check.fine("deliver", "1 runs" if number == 1 else f"{number} run")
