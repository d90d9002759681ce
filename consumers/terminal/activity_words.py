"""What a listener did lately, in words."""

from __future__ import annotations

from consumers.queries.listener_activity import ListenerActivity
from consumers.terminal.format import counted

__all__ = ["activity_in_words"]

SHOWN = 3  # hours, cities, devices


def activity_in_words(activity: ListenerActivity) -> list[str]:
    """Say what a listener did; each sentence is a line.

    Examples
    --------
    >>> hours = (0.0,) * 20 + (0.75, 0.25, 0.0, 0.0)
    >>> weeks = (9, 0, 3, 0, 0)
    >>> for line in activity_in_words(ListenerActivity(4, 12, 2520, 0.5, weeks, hours, {"Pune": 9}, {})):
    ...     print(line)
    12 plays on 4 of the last 30 days, 50 % to the end, 42 minutes
    by week, the latest first: 9-0-3-0-0
    mostly at 20:00 and 21:00; in Pune
    """
    if not activity.active_days:
        return ["nothing in the last 30 days"]
    lines = [f"{counted(activity.plays, 'play')} on {activity.active_days} of the last 30 days"]
    if activity.plays and activity.share_to_the_end:
        lines[0] += f", {100 * activity.share_to_the_end:.0f} % to the end"
    if activity.seconds:
        lines[0] += f", {counted(round(activity.seconds / 60), 'minute')}"
    lines.append(f"by week, the latest first: {'-'.join(map(str, activity.weeks))}")
    hours = sorted(
        (hour for hour, share in enumerate(activity.hours) if share), key=lambda hour: -activity.hours[hour]
    )
    where = ["mostly at " + " and ".join(f"{hour}:00" for hour in hours[:SHOWN])] if hours else []
    if activity.cities:
        where.append("in " + ", ".join(list(activity.cities)[:SHOWN]))
    if activity.devices:
        where.append("on " + ", ".join(list(activity.devices)[:SHOWN]))
    return [*lines, "; ".join(where)] if where else lines
