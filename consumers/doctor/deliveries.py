"""What the doctor looks at where audiences are delivered to an endpoint or to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from consumers.doctor.check import Check
from consumers.terminal.format import ago
from stream.settings import Settings
from stream.wire.groups import Group, groups_of

__all__ = ["check_deliveries", "deliver_reads"]

PATIENCE = 60.0  # seconds: an endpoint that is restarted is away for less


def deliver_reads(settings: Settings) -> list[Group]:
    """Return the consumer groups that `refrain deliver` joins with these settings."""
    is_asked_for = {
        "deliver": settings.deliver_url,
        "deliver-changes": settings.deliver_cohort_changes,
        "deliver-files": settings.deliver_folder,
    }
    return [group for group in groups_of("deliver") if is_asked_for[group.name]]


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
