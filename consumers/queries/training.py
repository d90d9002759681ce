"""What the trainer that leads says of itself: how far it is, how well it predicts, whether drifts came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats

__all__ = ["Training", "read_training"]

FORESIGHT = (
    "auc_cohort",
    "lift_cohort",
    "auc_listener",
    "lift_listener",
    "discoveries",
    "calibration_error",
)


@dataclass(frozen=True)
class Training:
    """What the trainer says.

    Attributes
    ----------
    listeners
        Those in its sample.
    up_to_date
        Whether it has learned from all that it has read.
    published, held, refused
        Models since it began: that serve or did, that were not worth it, that were worse than what serves.
    drifts
        How often listening has drifted away from the model since it began.
    drifted_at
        When it last did, Unix seconds; None: not since it began.
    foresight
        As for a snapshot (docs/contract.md), of the model that serves, up to now; empty where nothing was
        discovered yet.
    """

    listeners: int
    up_to_date: bool
    published: int
    held: int
    refused: int
    drifts: int
    drifted_at: float | None
    foresight: Mapping[str, float]


async def read_training(redis: AnyRedis, _: Settings) -> Training | None:
    """Return what the trainer that leads says; None where none runs, or it has just begun to."""
    for state in (await heartbeats(redis)).values():
        # One that has just begun to lead has no sample yet; one that leads no more has that of then.
        if state["kind"] == "train" and state.get("leads") == "1" and "sample" in state:
            return Training(
                listeners=int(float(state["sample"])),
                up_to_date=state.get("up_to_date") == "1",
                published=int(state.get("snapshots", 0)),
                held=int(state.get("held", 0)),
                refused=int(state.get("refused", 0)),
                drifts=int(state.get("drifts", 0)),
                drifted_at=float(state["drifted"]) if "drifted" in state else None,
                foresight={name: float(state[name]) for name in FORESIGHT if name in state},
            )
    return None
