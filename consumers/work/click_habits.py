"""Who clicks, as a worker has it in memory: the CTR model, and the click-through rates of cohorts."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from consumers.work.draft import Candidates, are_among
from models.affinity import DAY
from models.audience import Target, play_rates
from models.click_rate import COHORT_PRIOR, LISTENER_PRIOR, MIN_SENT, shrunk_rate
from models.ctr import CtrModel, features
from models.model import Model
from stream.errors import SnapshotUnusable
from stream.stores.cohorts import Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.feedback import FADING
from stream.stores.told import LATELY
from stream.wire.events import Release

__all__ = ["ClickHabits"]

logger = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

UNTOLD_CTR = 0.05  # assumed of all listeners, for as much as MIN_SENT notifications
OPT_OUT_RATE, OPT_OUT_PRIOR = 0.001, 1000.0  # assumed, for as much as so many notifications
MISSING_SECONDS = 60.0  # until a model that was not there is looked for again
MINUTE, HOUR = 60.0, 3600.0
THURSDAY = 3  # was the first day of 1970
SENT, CLICKED, LAST_DAY, LAST_WEEK, LAST = (
    LATELY.index(name) for name in ("sent", "clicked", "day", "week", "last")
)


class ClickHabits:
    """Follows what is learned of clicks, and says what is known of listeners when a release comes.

    Attributes
    ----------
    model
        The CTR model that serves; of version 0 while nothing is learned.
    ctr
        The click-through rate of all listeners.
    opt_out_rate
        Share of notifications upon which a listener opts out.
    """

    def __init__(self, cohorts: Cohorts, ctr_models: CtrModels) -> None:
        self._cohorts = cohorts
        self._ctr_models = ctr_models
        self.model = CtrModel()
        self.ctr = UNTOLD_CTR
        self.opt_out_rate = OPT_OUT_RATE
        self._by_cohort: Mapping[str, float] = {}
        self._unusable = 0
        self._other = CtrModel()
        self._missing_until = 0.0

    async def refresh(self, cohort_ids: Sequence[str]) -> None:
        """Read the model again where another serves, and the click-through rates of cohorts."""
        version = await self._ctr_models.current()
        if version not in (self.model.version, self._unusable):
            try:
                self.model = await self._ctr_models.load(version)
            except SnapshotUnusable as error:
                self._unusable = version
                logger.error("%s. %s", error, error.hint)
        abouts = await self._cohorts.about_each(cohort_ids)
        stored = np.array(
            [[float(about.get(f"{kind}_fading", 0.0)) for kind in ("sent", "clicked")] for about in abouts]
        ).reshape(-1, 2)
        sent, clicked = FADING.read(stored, time.time()).T
        self.ctr = float(shrunk_rate(clicked.sum(), sent.sum(), UNTOLD_CTR, MIN_SENT))
        rates = shrunk_rate(clicked, sent, self.ctr, COHORT_PRIOR)
        counts = [[int(about.get(kind, 0)) for kind in ("opted_out", "sent")] for about in abouts]
        out, told = np.array(counts).reshape(-1, 2).sum(axis=0)
        self.opt_out_rate = float(shrunk_rate(out, told, OPT_OUT_RATE, OPT_OUT_PRIOR))
        self._by_cohort = dict(zip(cohort_ids, rates.tolist(), strict=True))

    async def of_version(self, version: int) -> CtrModel | None:
        """Return another CTR model than the one that serves; None where that version is not kept."""
        if version == self._other.version:
            return self._other
        if time.monotonic() < self._missing_until:
            return None
        try:
            self._other = await self._ctr_models.load(version)
        except SnapshotUnusable as error:
            self._missing_until = time.monotonic() + MISSING_SECONDS
            logger.error("there is no A/B test now: %s. %s", error, error.hint)
            return None
        return self._other

    def known(
        self,
        release: Release,
        target: Target,
        model: Model,
        candidates: Candidates,
        players: Ints,
        rows: Ints,
        now: float,
    ) -> Singles:
        """Return what is known of some candidates for a release, shape (n, d), `models.ctr.features`.

        Parameters
        ----------
        players
            Rows, rising, of who still plays an artist of the release (`Candidates.players`).
        rows
            Shape (n,), which candidates.
        now
            Unix seconds.
        """
        cohort_ctr = np.array([self._by_cohort.get(cohort, self.ctr) for cohort in candidates.cohorts])
        at = candidates.cohort_rows(rows)
        lately, offsets, strengths = candidates.gather_all(["told", "utc_offset_min", "strengths"], rows)
        told = lately.astype(np.float64)
        sent, clicked = FADING.read(told[:, [SENT, CLICKED]], now).T
        # Where it is not known what a listener's clock says, the one in Greenwich has to do.
        clock = now + MINUTE * np.nan_to_num(offsets.astype(np.float64))
        return features(
            play_rate=play_rates(model, target, candidates.scores[rows]),
            plays_artist=are_among(rows, players),
            activity=strengths - model.strength,
            ctr=self.ctr,
            cohort_ctr=cohort_ctr[at],
            listener_ctr=shrunk_rate(clicked, sent, cohort_ctr[at], LISTENER_PRIOR),
            listener_sent=sent,
            sent_day=told[:, LAST_DAY],
            sent_week=told[:, LAST_WEEK],
            hours_since_sent=np.where(told[:, LAST] > 0, (now - told[:, LAST]) / HOUR, np.inf),
            local_hour=clock / HOUR % 24.0,
            weekday=(clock // DAY + THURSDAY) % 7,
            release_age_hours=(now - release.ts) / HOUR if release.ts else 0.0,
            closeness=candidates.closeness[rows],
            artist_listeners=float(model.heard_by(model.known(release.artist_ids)).sum()),
        )
