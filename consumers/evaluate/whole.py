"""An evaluation from files to its result."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from consumers.evaluate.installed import absent
from consumers.evaluate.ledger import Ledger
from consumers.evaluate.question import ask
from consumers.evaluate.reading import has_times, read, without_times
from consumers.evaluate.result import Result
from consumers.evaluate.study import Served, Study, Watch
from consumers.replay.plan import Plan
from stream.errors import RefrainError, WrongUse
from stream.files.times import seconds_of, zone
from stream.settings import Settings

__all__ = ["Wish", "evaluate"]


@dataclass(frozen=True)
class Wish:
    """How to evaluate.

    Attributes
    ----------
    split
        In time or at random; None: in time where there are times.
    until
        The moment of the split in time, as a person types it; empty: before the last `share` of clicks.
    share
        Held out: of the clicks in time, of the pairs at random.
    cohorts
        Numbers of cohorts to try.
    listeners, artists
        Listeners looked at, and artists asked about, at most.
    baselines
        Whether to compare with other ways.
    """

    split: Literal["time", "random"] | None
    until: str
    share: float
    cohorts: Sequence[int]
    listeners: int
    artists: int
    seed: int
    baselines: bool


def evaluate(plan: Plan, wish: Wish, settings: Settings, name: Callable[[str], str], watch: Watch) -> Result:
    """Evaluate on the clicks of a plan.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    try:
        return _evaluate(plan, wish, settings, name, watch)
    except OSError as error:
        raise RefrainError(
            f"clicks are set aside in {tempfile.gettempdir()}, and that failed: {error}. TMPDIR names "
            "another folder for them; a click takes 50 bytes there"
        ) from error


def _evaluate(plan: Plan, wish: Wish, settings: Settings, name: Callable[[str], str], watch: Watch) -> Result:
    started = time.monotonic()
    random = wish.split == "random"
    timed = has_times(plan)
    with Ledger(wish.listeners) as ledger:
        found = read(
            plan if timed else without_times(plan), ledger, lambda done, all_: watch("reading", done, all_)
        )
        note = ""
        if not random and not (timed and ledger.first < ledger.last):
            which = "all clicks have the same time" if timed else "the clicks have no times"
            if wish.split == "time" or wish.until:
                raise WrongUse(
                    f"{which}, so there is no before and after: name the column of times with "
                    "--map ts=COLUMN, or use --split random"
                )
            random, note = True, f"Not in time, as {which}"
        watch("putting in order", 0, 1)
        ledger.arrange(np.random.default_rng(wish.seed) if random else None)
        until = None if random else _until(plan, wish, ledger)
        question = ask(ledger, until, share=wish.share, most=wish.artists, seed=wish.seed)
        study = Study(ledger, question, settings, timed=timed, seed=wish.seed, name=name, watch=watch)
        # One thread for the small matrices there: waiting for a second one takes longer than they do.
        with threadpool_limits(1, "blas"):
            served = tuple(study.serve(n_cohorts) for n_cohorts in wish.cohorts)
        best = max(served, key=_worth)
        baselines = tuple(study.baselines(best.wanted)) if wish.baselines else ()
        return Result(
            files=tuple(str(path) for path in plan.files),
            read=found,
            listeners=len(question.listeners),
            listeners_in_all=round(len(question.listeners) / ledger.share),
            artists=len(ledger.artists),
            askable=question.askable,
            asked=len(question.split.artists),
            pairs=best.contenders[0].quality.pairs,
            until=until,
            share=wish.share,
            seed=wish.seed,
            note=note,
            served=served,
            best=best,
            baselines=baselines,
            missing=absent() if wish.baselines else (),
            seconds=time.monotonic() - started,
        )


def _until(plan: Plan, wish: Wish, ledger: Ledger) -> float:
    if not wish.until:
        return ledger.time_before_last(wish.share)
    until = seconds_of(wish.until, time.time(), zone(plan.recipe.timezone))
    if not ledger.first < until <= ledger.last:
        raise WrongUse(
            f"--until {wish.until} leaves nothing on one side: the clicks are from {_iso(ledger.first)} to "
            f"{_iso(ledger.last)}"
        )
    return until


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="seconds")


def _worth(served: Served) -> float:
    """The lift by cohort at 5 %: of what is emitted, the number of cohorts decides little."""
    return served.contenders[1].quality.reach[1].lift.value
