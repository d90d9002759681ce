"""Labelled segments on the stores: learns from labels, predicts for listeners."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from consumers.runtime.rests import Rests
from models.model import Model
from models.traits.segment_rows import Known
from models.traits.segments import FEWEST, SegmentModel, learn_segment
from models.traits.where import SEGMENT
from stream.errors import SnapshotDamaged
from stream.retry import Clock
from stream.stores.listeners import Listeners
from stream.stores.segments import Segments, Sides

__all__ = ["SegmentTraits", "Shares"]

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

MOST = 5_000
"""Labelled listeners that a segment is learned from, half of either kind: some 100 MB while it is learned."""

AGAIN_SECONDS = 3600.0
"""After so long it is learned again though no label has come: labelled listeners go on clicking."""

DOUBTFUL_SECONDS = 30.0
"""The same while it is in doubt though enough are labelled, as long as most of them have not clicked yet."""

SHARE = 0.1
"""Of a core, for what is learned again as labels come."""

READ_AT_ONCE = 1_000  # listeners

Shares = Callable[[Sequence[str]], Awaitable[Mapping[str, Floats]]]
"""Gives the shares of listeners' activity by hour, weekday, city, genre (`models.traits.segment_rows.Known`):
the same names and numbers of columns at each call."""


async def _no_shares(_: Sequence[str]) -> Mapping[str, Floats]:
    return {}


class SegmentTraits:
    """Keeps the segments of a service. All state is in Redis: any process may go on with it.

    Parameters
    ----------
    listeners, segments
        The stores.
    serving
        Returns the model of cohorts that serves; None while there is none.
    top
        How many of a listener's artists are looked at.
    shares
        Where their activity comes from, if it is known.
    clock
        Unix seconds.

    Attributes
    ----------
    news
        Whether what was learned changes what is said of listeners; whoever has seen to that says False.
    """

    def __init__(
        self,
        listeners: Listeners,
        segments: Segments,
        serving: Callable[[], Model | None],
        top: int,
        shares: Shares = _no_shares,
        clock: Clock = time.time,
    ) -> None:
        self._listeners = listeners
        self._segments = segments
        self._serving = serving
        self._top = top
        self._shares = shares
        self._clock = clock
        self._models: dict[str, SegmentModel] = {}
        self._rests = Rests(SHARE, AGAIN_SECONDS, remembered=1)
        self._rests_until = -math.inf
        self.news = False

    async def learn(self) -> list[str]:
        """Learn where labels have changed, another model of cohorts serves, or the last time is long ago.

        Without a listener who was forgotten it is learned at once; for further labels alone no sooner than
        `SHARE` allows.

        Returns
        -------
        What was learned: a segment, or ``SEGMENT:CLASS``. Whether that changes what is said of listeners,
        `news` says.
        """
        model = self._serving()
        if model is None:
            return []
        learned, began = [], self._clock()
        predicted = await self._segments.predicted()
        for forgotten in self._models.keys() - predicted.keys():
            del self._models[forgotten]
        for name, (segment, side) in predicted.items():
            revision = await self._segments.revision(segment)
            about = await self._segments.about(name)
            if await self._due(name, about, revision, model):
                await self._learn(name, segment, side, revision, model)
                learned.append(name)
        now = self._clock()
        self._rests_until = max(self._rests_until, now + self._rests.after(now - began, len(learned)))
        return learned

    async def _due(self, name: str, about: Mapping[str, str], revision: int, model: Model) -> bool:
        if "revision" not in about or int(about["model_version"]) != model.version:
            return True
        now = self._clock()
        if about["revision"] != str(revision) and now >= self._rests_until:
            return True
        age = now - float(about["created_at"])
        if age <= DOUBTFUL_SECONDS or not about["doubt"]:
            return age > AGAIN_SECONDS
        labelled, positives = int(about["labelled"]), int(about["positives"])
        enough = min(positives, labelled - positives) >= FEWEST
        # Learned again from the same listeners it would be in doubt again.
        if enough and 2 * await self._segments.learned_from(name) < min(labelled, MOST):
            return True
        return age > AGAIN_SECONDS

    async def _learn(self, name: str, segment: str, side: Sides, revision: int, model: Model) -> None:
        # Counted first: where all labels of a kind are read, those that come meanwhile are not missed.
        counts = await self._segments.counts(segment, side)
        labelled = await self._segments.labelled(segment, side, MOST)
        known = await self._known([each.user_id for each in labelled], model)
        there = np.flatnonzero([bool(artists) for artists, _ in known.affinities])
        users = [labelled[at].user_id for at in there.tolist()]
        before = await self._model(name)
        positive = np.array([labelled[at].positive for at in there.tolist()], dtype=bool)
        learned, predicted = await asyncio.to_thread(
            learn_segment,
            known.some(there),
            positive,
            await self._segments.predictions(name, users),
            model,
            counts=counts,
            read=(len(labelled), sum(each.positive for each in labelled)),
            before=before,
            now=self._clock(),
        )
        # While it is not to be trusted nothing is said of listeners: nobody need be predicted again.
        self.news |= not (before.doubt and learned.doubt)
        by_user = dict(zip(users, predicted.tolist(), strict=True))
        await self._segments.publish(name, learned, by_user, revision)
        await self._segments.forget_unlabelled(segment, name, users)
        # Only now: whoever forgets the segment meanwhile finds what is learned, or we that it is forgotten.
        await self._segments.drop_unlabelled([name])
        logger.info("segment %s: version %d of %d labels", name, learned.version, learned.labelled)

    async def fields(self, users: Sequence[str], now: float) -> list[Mapping[str, str | float]]:
        """Return what is predicted of each listener, as it is written with their traits; sets follow.

        A field is empty of who is not known, and while a segment is not to be trusted
        (`SegmentModel.doubt`): no audience goes by it then, and none of them is in its set. There are no
        fields while no model of cohorts serves.

        Parameters
        ----------
        now
            Unix seconds, which predictions are marked with.
        """
        found, heard, models = await self._predict(users)
        if not models:
            return [{} for _ in users]
        trusted = {name for name, model in models.items() if not model.doubt}
        versions = json.dumps({name: model.version for name, model in models.items()})
        about: dict[str, str | float] = {"segments:version": versions, "segments:at": round(now, 3)}
        return [
            {
                f"{SEGMENT}{name}": round(probability, 5) if there and name in trusted else ""
                for name, probability in found[user].items()
            }
            | about
            for user, there in zip(users, heard, strict=True)
        ]

    async def forgotten(self, fields: Mapping[str, str | float]) -> list[str]:
        """Return those of `fields` that are of a segment which was forgotten since they were predicted."""
        names = [field.removeprefix(SEGMENT) for field in fields if field.startswith(SEGMENT)]
        return [SEGMENT + name for name in await self._segments.drop_unlabelled(names)]

    async def _predict(
        self, users: Sequence[str]
    ) -> tuple[dict[str, dict[str, float]], list[bool], dict[str, SegmentModel]]:
        """Return how likely each listener is in each segment, of whom anything is known, and the models."""
        model = self._serving()
        found: dict[str, dict[str, float]] = {user: {} for user in users}
        names = list(await self._segments.predicted())
        if model is None or not users or not names:
            return found, [False] * len(users), {}
        known = await self._known(users, model)
        heard = [bool(artists) for artists, _ in known.affinities]
        models = {}
        for name in names:
            # Kept: a segment may be forgotten, or another model serve, before this is at its end.
            segment = models[name] = await self._model(name)
            predicted = segment.predict(known, model).tolist()
            for user, probability in zip(users, predicted, strict=True):
                found[user][name] = probability
            pairs = zip(users, predicted, heard, strict=True)
            await self._segments.place(
                name,
                {user: p if there else -math.inf for user, p, there in pairs},
                math.inf if segment.doubt else segment.threshold,
            )
        await self._drop_forgotten([user for user, there in zip(users, heard, strict=True) if there], names)
        return found, heard, models

    async def _drop_forgotten(self, users: Sequence[str], names: Sequence[str]) -> None:
        """Take those out of the sets again who were forgotten after they had been read."""
        last_seen = (await self._listeners.clocks(users))[:, 0].tolist() if users else []
        gone = [user for user, seen in zip(users, last_seen, strict=True) if math.isnan(seen)]
        for name in names if gone else ():
            await self._segments.place(name, dict.fromkeys(gone, -math.inf), math.inf)

    async def _model(self, name: str) -> SegmentModel:
        """Return the model that serves, read again only where it is another."""
        version = await self._segments.version(name)
        held = self._models.get(name)
        if held is None or held.version != version:
            try:
                held = await self._segments.model(name)
            except SnapshotDamaged as error:
                logger.error("%s; it predicts the prior until it is learned again", error)
                held = SegmentModel(version)
            self._models[name] = held
        return held

    async def _known(self, users: Sequence[str], model: Model) -> Known:
        row_of = {cohort: row for row, cohort in enumerate(model.cohort_ids)}
        affinities: list[tuple[list[str], list[float]]] = []
        tastes = np.zeros((len(users), model.n_dims))
        cohorts = np.full(len(users), -1, dtype=np.int64)
        for start in range(0, len(users), READ_AT_ONCE):
            part = list(users[start : start + READ_AT_ONCE])
            place = {user: start + at for at, user in enumerate(part)}
            affinities += await self._listeners.rows(part, self._top)
            who, found = await self._listeners.tastes(part, model.n_dims)
            tastes[[place[user] for user in who]] = found
            for listener in await self._listeners.placed(part):
                cohorts[place[listener.user_id]] = row_of.get(listener.cohort, -1)
        # Bots have no rows: what else there is of them does not count either.
        nobody = [at for at, (artists, _) in enumerate(affinities) if not artists]
        tastes[nobody], cohorts[nobody] = 0.0, -1
        return Known(affinities, tastes, cohorts, await self._shares(users))
