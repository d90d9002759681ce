"""The CTR models that are kept, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.ctr import FEATURES, CtrModel
from stream.connect import AnyRedis
from stream.errors import SnapshotUnusable, UnknownSnapshot
from stream.settings import Settings
from stream.stores.ctr_models import CtrModels

__all__ = ["CtrModelSummary", "list_ctr_models"]


@dataclass(frozen=True)
class CtrModelSummary:
    """A CTR model.

    Attributes
    ----------
    created_at
        Unix seconds; None where it cannot be read.
    examples, clicks
        Notifications that it was learned from, and how many were clicked.
    foresight
        How well the last notifications were predicted before they were learned
        (`models.ctr_learner.CtrLearner.figures`): `log_loss`, `log_loss_of_ctr` (if all had one CTR), `auc`,
        `calibration_error` and more; empty where they are too few.
    coefficients
        What is known of a listener -> by how much the log-odds of a click rise with one standard deviation of
        it, beside the play rate.
    unusable
        Why it cannot be read, and so not be used: then 0 and empty is what else is said of it. None: it can.
    """

    version: int
    created_at: float | None
    serves: bool
    examples: int
    clicks: int
    foresight: Mapping[str, float]
    coefficients: Mapping[str, float]
    unusable: str | None = None


async def list_ctr_models(redis: AnyRedis, _: Settings) -> tuple[CtrModelSummary, ...]:
    """Return the models that are kept, also those that cannot be read: whoever goes back needs the others."""
    store = CtrModels(redis)
    serving = await store.current()
    found = []
    for version in await store.versions():
        try:
            found.append(_summary(await store.load(version), version == serving))
        except UnknownSnapshot:
            pass  # dropped since, as a newer one came
        except SnapshotUnusable as error:
            found.append(CtrModelSummary(version, None, version == serving, 0, 0, {}, {}, str(error)))
    return tuple(found)


def _summary(model: CtrModel, serves: bool) -> CtrModelSummary:
    return CtrModelSummary(
        version=model.version,
        created_at=model.created_at,
        serves=serves,
        examples=model.examples,
        clicks=model.clicks,
        foresight=dict(model.validation),
        coefficients={
            name: round(float(value), 4) for name, value in zip(FEATURES, model.coefficients[1:], strict=True)
        },
    )
