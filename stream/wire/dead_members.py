"""Members of consumer groups that died on this machine: taken out of their group at once.

Kafka keeps the place of a process that was killed until its session ends, six to ten seconds, and lets nobody
who joins begin before that; after a power cut the sessions even begin again with the broker. So a client is
named by the process that it is of, and a process that starts takes out those of its own machine that are no
more. Of others it knows nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from kafka import errors
from kafka.admin import KafkaAdminClient, MemberToRemove

__all__ = ["client_id", "remove_dead"]

PASSING = "CoordinatorLoadInProgress", "CoordinatorNotAvailable", "NotCoordinator"
"""Errors, in kafka-python's words, of a broker that has just started: it knows no member yet."""

logger = logging.getLogger(__name__)

NAMESPACE = Path("/proc/self/ns/pid")
"""Names, on Linux, the world that process ids are of: each container has its own.

That of processes in no container has the same name on every machine.
"""

MACHINE = Path("/etc/machine-id")
"""Names, on Linux, the machine, also after it has started anew; a container may have none."""


def client_id() -> str:
    """Return the name of this process's clients in Kafka: ``refrain@HOST/MACHINE/NAMESPACE/PID``."""
    return f"{_here()}{os.getpid()}"


def _here() -> str:
    namespace = NAMESPACE.readlink().name if NAMESPACE.is_symlink() else ""
    return f"refrain@{socket.gethostname()}/{_machine()}/{namespace}/"


def _machine() -> str:
    """Return what tells this machine from others of its host name; "" where nothing does."""
    try:
        name = MACHINE.read_bytes().strip()
    except OSError:
        return ""
    # It is to be kept from the network, says systemd: what is made of it tells machines apart as well.
    return hashlib.sha256(b"refrain" + name).hexdigest()[:12] if name else ""


def remove_dead(admin: KafkaAdminClient, groups: Sequence[str]) -> int:
    """Take dead processes of this machine out of consumer groups; return how many members that were.

    Where a process id was given to another process meanwhile, its member stays until its session ends.

    Raises
    ------
    KafkaError
        Kafka's own; where the coordinator is reading its groups, one that passes.
    """
    removed = 0
    try:
        described = admin.describe_groups(groups)
    except errors.GroupAuthorizationFailedError as error:  # of a group that it joins only by some settings
        logger.info("who died on this machine stays in its groups until the sessions end: %s", error)
        return 0
    for group, found in described.items():
        if any(name in (found["error"] or "") for name in PASSING):
            raise errors.CoordinatorNotAvailableError(found["error"])
        dead = [
            MemberToRemove(member_id=member["member_id"])
            for member in found["members"]
            if _is_dead(member["client_id"])
        ]
        if dead:
            logger.info("taking %d members of the group %s out that died on this machine", len(dead), group)
            admin.remove_group_members(group, dead)
        removed += len(dead)
    return removed


def _is_dead(client: str) -> bool:
    number = client.removeprefix(_here())
    if number == client or not number.isdecimal():  # another machine's, or another program's
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        return False
    return False
