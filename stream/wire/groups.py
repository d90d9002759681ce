"""Every consumer group: which process joins it, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass

from stream.settings import Settings

__all__ = ["GROUPS", "Group", "groups_of"]


@dataclass(frozen=True)
class Group:
    """A consumer group.

    Attributes
    ----------
    name
        Without the prefix of the settings (`REFRAIN_GROUP`).
    process
        The kind of process that joins it.
    topics
        What it reads.
    every_event
        Whether it means to read all of them; else it passes over what it cannot keep up with.
    """

    name: str
    process: str
    topics: tuple[str, ...]
    every_event: bool = True

    def full_name(self, settings: Settings) -> str:
        """Return its name in Kafka."""
        return f"{settings.group}-{self.name}"


GROUPS = {
    group.name: group
    for group in (
        Group("ingest", "ingest", ("clicks",)),
        Group("merges", "ingest", ("merges",)),
        Group("aliases", "ingest", ("artist-aliases",)),
        Group("train", "train", ("clicks",), every_event=False),
        Group("work", "work", ("releases", "feedback", "songs")),
        Group("traits", "traits", ("clicks",), every_event=False),
        Group("labels", "traits", ("labels",)),
        Group("deliver", "deliver", ("audiences",)),
        Group("deliver-files", "deliver", ("audiences",)),
        Group("deliver-changes", "deliver", ("cohort-changes",)),
    )
}
"""Name -> group."""


def groups_of(process: str) -> tuple[Group, ...]:
    """Return the groups that a kind of process joins."""
    return tuple(group for group in GROUPS.values() if group.process == process)
