"""Learns who clicks, a release at a time, and publishes it for the workers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from models.ctr import CtrModel
from models.ctr_judge import HOLDOUT_FROM, CtrJudge
from models.ctr_learner import CtrLearner
from stream.errors import SnapshotUnusable
from stream.retry import Clock, Retry
from stream.stores.ctr_models import CtrModels, Learned, LearnedRelease, flags_of, packed_flags
from stream.stores.decisions import Decisions, Outcome
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat

__all__ = ["ClickTrainer"]

logger = logging.getLogger(__name__)

Flags = npt.NDArray[np.bool_]

LOOK_SECONDS = 1.0
REMEMBERED = 1000  # releases that were learned from for good: some may be due once more after a crash


class ClickTrainer:
    """Learns a release when most who will click have clicked, and corrects it for those who clicked later.

    Who has not clicked by then is learned as not clicking; `models.ctr_learner.CtrLearner.correct` makes good
    for late clicks. A release of which nothing is reported yet is learned a day later, or not at all; so are
    waves that go out after it was learned, and who is reported as sent only then. One whose decisions have
    expired by then stays as it was learned.
    What is learned and what it was learned from are written in one step: a release that is met again after a
    crash is passed over.

    Parameters
    ----------
    late_after
        Seconds after a release was first learned from until it is corrected, and its decisions forgotten.
    """

    def __init__(
        self,
        decisions: Decisions,
        models: CtrModels,
        durability: Durability,
        heartbeat: Heartbeat,
        retry: Retry,
        late_after: float,
        clock: Clock = time.time,
    ) -> None:
        self._decisions = decisions
        self._models = models
        self._durability = durability
        self._heartbeat = heartbeat
        self._retry = retry
        self._late_after = late_after
        self._clock = clock
        self._learner, self._releases = CtrLearner(), dict[str, LearnedRelease]()
        self._judge, self._doubted = CtrJudge(), False
        self._version, self._unsettled = 0, ""

    async def run(self) -> None:
        """Learn whatever is due, until the process is to end."""
        await self._retry("loading what was learned of clicks", self.begin)
        await self._retry.every(LOOK_SECONDS, "learning who clicks", self.step)

    async def begin(self) -> None:
        """Go on from what is kept.

        What was learned may be lost while versions are kept, one of which serves: none is given out twice.
        What is kept does not say whether it was refused: where another model serves, the next is published
        only when it can be judged. Before `HOLDOUT_FROM` examples none is refused.
        """
        kept = await self._kept()
        self.go_on(kept)
        self._version = max(self._version, await self._models.last_version())
        serves = await self._models.current() in (0, kept.model.version)
        self._doubted = kept.model.examples >= HOLDOUT_FROM and not serves

    async def step(self) -> None:
        """Learn the releases that are due; where Redis fails in between, the next step goes on from there."""
        if self._unsettled:
            await self._settle(self._unsettled)
        for name in await self._decisions.due(self._clock()):
            await self._learn(name)
            await self._settle(name)

    def go_on(self, kept: Learned) -> None:
        """Go on from what was learned before."""
        self._learner, self._releases = CtrLearner(kept.model), dict(kept.releases)
        self._version, self._unsettled = kept.model.version, ""

    async def _kept(self) -> Learned:
        try:
            return await self._models.learned()
        except SnapshotUnusable as error:
            logger.error("%s: learning who clicks from the beginning", error)
            return Learned()

    async def _learn(self, name: str) -> None:
        outcome = await self._decisions.outcome(name)
        learned = self._releases.get(name, LearnedRelease())
        if learned.planned_at and outcome.planned_at not in (0.0, learned.planned_at):
            learned = LearnedRelease()  # another release of the same id
        times, clicked, known, _, unsent, held_out = learned
        if times > 1:
            return
        judges = await asyncio.to_thread(self._judge.holds_out, outcome.user_ids, self._learner.examples)
        new = np.arange(len(judges)) >= known
        if known <= len(new):  # else what was learned from has expired since
            new[:known] = flags_of(unsent, known)
            await self._correct(outcome, judges, new, clicked)
        # In doubt (`begin`) what came before does not judge alone.
        again = held_out and (self._judge.judges or not self._doubted)
        self._show_judge(outcome, judges if again else judges & new, final=times > 0)
        held_out = bool((outcome.sent & judges).any())
        if outcome.sent.any():
            await self._learn_new(outcome, judges, new)
            clicked, known = np.flatnonzero(outcome.clicked).tolist(), len(outcome.user_ids)
            unsent = packed_flags(~outcome.sent)
        if times > 0:
            clicked, unsent, held_out = [], [], False
        self._releases.pop(name, None)  # so that it is the last
        self._releases[name] = LearnedRelease(
            times + 1, clicked, known, outcome.planned_at or learned.planned_at, unsent, held_out
        )
        self._version += 1
        self._unsettled = name
        # Those that are learned from once more within `late_after` are kept, however many: else they would
        # be learned as new.
        for_good = [each for each, learned in self._releases.items() if learned.times > 1]
        for old in for_good[:-REMEMBERED]:
            del self._releases[old]

    async def _correct(self, outcome: Outcome, judges: Flags, new: Flags, clicked: Sequence[int]) -> None:
        """Learn that some clicked who had been learned as not clicking."""
        if new.all():
            return
        late = outcome.clicked & outcome.sent & ~judges & ~new
        late[list(clicked)] = False
        if late.any():
            await asyncio.to_thread(self._learner.correct, outcome.features[late])
        if outcome.told_early:
            followed = int(outcome.clicked[: outcome.told_early].sum())
            self._learner.learn_delay(outcome.clicked_early, followed)
        self._heartbeat.add("late clicks learned", int(late.sum()))

    def _show_judge(self, outcome: Outcome, judges: Flags, *, final: bool) -> None:
        """Let the judge see what became of those who are not learned from."""
        apart = outcome.sent & judges
        judging = [outcome.user_ids[at] for at in np.flatnonzero(apart).tolist()]
        self._judge.see(judging, outcome.features[apart], outcome.clicked[apart], final=final)

    async def _learn_new(self, outcome: Outcome, judges: Flags, new: Flags) -> None:
        """Learn from everybody who was sent something, but for judges, and who was learned from before."""
        taught = outcome.sent & ~judges & new
        await asyncio.to_thread(self._learner.learn, outcome.features[taught], outcome.clicked[taught])
        self._heartbeat.add("notifications learned", int(taught.sum()))

    async def _settle(self, name: str) -> None:
        """Write what was learned, let it serve, and say when the release is to be learned from again."""
        model = self._learner.model(self._version, self._clock())
        # Before it serves, and before what it was learned from is dropped.
        await self._durability.kept(partial(self._models.keep, Learned(model, self._releases)))
        await self._publish(model)
        if self._releases[name].times == 1:
            await self._decisions.learn_again(name, self._clock() + self._late_after)
        else:
            await self._decisions.drop(name)
        self._unsettled = ""

    async def _publish(self, model: CtrModel) -> None:
        """Let what is learned serve, unless nothing is, or it predicts worse than what does, or may do so."""
        if not model.examples:
            return
        self._heartbeat.led.update({f"ctr {name}": value for name, value in model.validation.items()})
        try:
            served = await self._models.load(await self._models.current())
        except SnapshotUnusable as error:
            logger.error("%s. %s", error, error.hint)
            served = CtrModel()
        if self._doubted and not self._judge.judges:
            logger.info("CTR model %d goes on until what was learned since can be judged", served.version)
        elif await asyncio.to_thread(self._judge.is_worse, model, than=served):
            self._heartbeat.add("ctr refused")
            logger.warning(
                "who clicks is predicted worse than by CTR model %d, which goes on", served.version
            )
        else:
            await self._durability.kept(partial(self._models.publish, model))
            self._doubted = False
