"""The CTR models that are kept, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.ctr import FEATURES, CtrModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.ctr_models import CtrModels

__all__ = ["CtrModelSummary", "list_ctr_models"]


@dataclass(frozen=True)
class CtrModelSummary:
    """A CTR model.

    Attributes
    ----------
    created_at
        Unix seconds.
    examples, clicks
        Notifications that it was learned from, and how many were clicked.
    foresight
        How well the last notifications were predicted before they were learned
        (`models.ctr_learner.CtrLearner.figures`): `log_loss`, `log_loss_of_ctr` (if all had one CTR), `auc`,
        `calibration_error` and more; empty where they are too few.
    coefficients
        What is known of a listener -> by how much the log-odds of a click rise with one standard deviation of
        it, beside the play rate.
    """

    version: int
    created_at: float
    serves: bool
    examples: int
    clicks: int
    foresight: Mapping[str, float]
    coefficients: Mapping[str, float]


async def list_ctr_models(redis: AnyRedis, _: Settings) -> tuple[CtrModelSummary, ...]:
    """Return the models that are kept.

    Raises
    ------
    SnapshotUnusable
        Where one cannot be read.
    """
    store = CtrModels(redis)
    serving = await store.current()
    return tuple([_summary(await store.load(version), serving) for version in await store.versions()])


def _summary(model: CtrModel, serving: int) -> CtrModelSummary:
    return CtrModelSummary(
        version=model.version,
        created_at=model.created_at,
        serves=model.version == serving,
        examples=model.examples,
        clicks=model.clicks,
        foresight=dict(model.validation),
        coefficients={
            name: round(float(value), 4) for name, value in zip(FEATURES, model.coefficients[1:], strict=True)
        },
    )
