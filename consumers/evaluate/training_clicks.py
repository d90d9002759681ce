"""Sends the known clicks of a log through a service, and publishes models on the way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from consumers.evaluate.click_log import ACTIONS, ClickLog, Records
from consumers.evaluate.holdout import Split
from consumers.evaluate.service import Service
from models.click_columns import NO_MS
from models.listener import Click, OffsetSource

__all__ = ["TrainingClicks"]

STEPS = 250
FEWEST, MOST = 256, 10_000  # clicks in a step
CLOSING = 4  # models after the last click, as a trainer publishes while nobody clicks
REPEATS = 3  # times that everybody is learned from for them
EVERY = 0.1  # of all clicks: a model, at least
FILE = OffsetSource(0)


class TrainingClicks:
    """The clicks that may be known, in order.

    Parameters
    ----------
    log
        All clicks.
    split
        What is not known of them.
    """

    def __init__(self, log: ClickLog, split: Split) -> None:
        self._log = log
        self._until = split.until
        self._hidden = split.hidden

    def run(self, service: Service, first_model: int, watch: Callable[[int, int], object]) -> None:
        """Send all through a service.

        Parameters
        ----------
        first_model
            Listeners before the first model.
        watch
            Is told clicks done, clicks in all.
        """
        total = self._log.clicks if self._until is None else self._log.before(self._until)
        step = int(np.clip(total // STEPS, FEWEST, MOST))
        done = published = 0
        now = self._log.first
        for read in self._log.records(step):
            records = read[: total - done]
            if not len(records):
                break
            now = max(now, float(records["ts"].max()))
            service.take(self._clicks(records, done), now)
            done += len(records)
            due = done >= min(2 * published, published + EVERY * total)
            if due and service.learner.ready(first_model):
                service.publish(now)
                published = done
            watch(done, total)
        for _ in range(CLOSING):
            for _ in range(REPEATS):
                service.repeat()
            service.publish(now)

    def _clicks(self, records: Records, offset: int) -> dict[int, list[Click]]:
        """Return the known ones of some records, by listener."""
        owner, artists = self._log.credited(records)
        if len(self._hidden):
            pairs = records["listener"][owner].astype(np.int64) * len(self._log.artists) + artists
            at = np.minimum(np.searchsorted(self._hidden, pairs), len(self._hidden) - 1)
            known = self._hidden[at] != pairs
            owner, artists = owner[known], artists[known]
        made_by: dict[int, tuple[str, ...]] = {}
        for row, artist in zip(owner.tolist(), artists.tolist(), strict=True):
            made_by[row] = (*made_by.get(row, ()), self._log.artists[artist])
        listeners, times = records["listener"].tolist(), records["ts"].tolist()
        actions, ms = records["action"].tolist(), records["ms_played"].tolist()
        clicks: dict[int, list[Click]] = {}
        for row, artist_ids in made_by.items():
            listener = listeners[row]
            click = Click(
                str(listener),
                FILE,
                offset + row,
                times[row],
                "",
                artist_ids,
                ACTIONS[actions[row]],
                ms_played=None if ms[row] == NO_MS else ms[row],
            )
            clicks.setdefault(listener, []).append(click)
        return clicks
