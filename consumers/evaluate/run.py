"""An evaluation from files to its result."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Experiment, Served, Watch
from consumers.evaluate.holdout import hold_out
from consumers.evaluate.installed import absent
from consumers.evaluate.options import Measure
from consumers.evaluate.reading import asked_for_times, has_times, read, without_times
from consumers.evaluate.result import Result
from consumers.replay.plan import Plan
from stream.errors import RefrainError, WrongUse
from stream.files.times import seconds_of, zone
from stream.settings import Settings

__all__ = ["evaluate"]

USUAL_COHORTS = 48  # where the settings leave their number to the stream


def evaluate(
    plan: Plan, measure: Measure, settings: Settings, name: Callable[[str], str], watch: Watch
) -> Result:
    """Evaluate on the clicks of a plan.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    try:
        return _evaluate(plan, measure, settings, name, watch)
    except OSError as error:
        raise RefrainError(
            f"clicks are set aside in {tempfile.gettempdir()}, and that failed: {error}. TMPDIR names "
            "another folder for them; a click takes 50 bytes there"
        ) from error


def _evaluate(
    plan: Plan, measure: Measure, settings: Settings, name: Callable[[str], str], watch: Watch
) -> Result:
    started = time.monotonic()
    random = measure.split == "random"
    timed = has_times(plan)
    with ClickLog(measure.listeners) as log:
        found = read(
            plan if timed else without_times(plan), log, lambda done, all_: watch("reading", done, all_)
        )
        note = "" if asked_for_times(plan) or not timed else "Clicks have the times of the column ts"
        if random and timed:
            note = "The clicks' times count for nothing: none is forgotten, as in the baselines"
        if not random and not (timed and log.first < log.last):
            which = "all clicks have the same time" if timed else "the clicks have no times"
            if measure.split == "time" or measure.until:
                raise WrongUse(
                    f"{which}, so there is no before and after: name the column of times with "
                    "--map ts=COLUMN, or use --split random"
                )
            random, note = True, f"Not in time, as {which}"
        timed = timed and not random
        watch("putting in order", 0, 1)
        log.arrange(np.random.default_rng(measure.seed) if random else None)
        until = None if random else _until(plan, measure, log)
        split = hold_out(log, until, share=measure.share, most=measure.artists, seed=measure.seed)
        experiment = Experiment(log, split, settings, timed=timed, seed=measure.seed, name=name, watch=watch)
        usual = (USUAL_COHORTS if settings.cohorts == "auto" else settings.cohorts,)
        # One thread for the small matrices there: waiting for a second one takes longer than they do.
        with threadpool_limits(1, "blas"):
            served = tuple(experiment.serve(n_cohorts) for n_cohorts in measure.cohorts or usual)
        best = max(served, key=_worth)
        baselines = tuple(experiment.baselines(best.wanted)) if not measure.no_baselines else ()
        return Result(
            files=tuple(str(path) for path in plan.files),
            read=found,
            listeners=len(split.listeners),
            listeners_in_all=round(len(split.listeners) / log.share),
            artists=len(log.artists),
            askable=split.askable,
            asked=experiment.artists(),
            until=until,
            share=measure.share,
            seed=measure.seed,
            note=note,
            served=served,
            best=best,
            baselines=baselines,
            missing=absent() if not measure.no_baselines else (),
            seconds=time.monotonic() - started,
        )


def _until(plan: Plan, measure: Measure, log: ClickLog) -> float:
    if not measure.until:
        return log.time_before_last(measure.share)
    until = seconds_of(measure.until, time.time(), zone(plan.options.timezone))
    if not log.first < until <= log.last:
        raise WrongUse(
            f"--until {measure.until} leaves nothing on one side: the clicks are from {_iso(log.first)} to "
            f"{_iso(log.last)}"
        )
    return until


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="seconds")


def _worth(served: Served) -> float:
    """The lift by cohort at 5 %: of what is emitted, the number of cohorts decides little."""
    return served.contenders[1].quality.reach[1].lift.value
