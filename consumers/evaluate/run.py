"""An evaluation from files to its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Contender, Experiment, Served, Variants, Watch
from consumers.evaluate.holdout import Split, hold_out
from consumers.evaluate.installed import absent
from consumers.evaluate.options import Measure
from consumers.evaluate.reading import Read, asked_for_times, has_times, read, without_times
from consumers.evaluate.result import Result
from consumers.replay.plan import Plan
from stream.errors import WrongUse
from stream.files.times import seconds_of, zone
from stream.settings import Settings

__all__ = ["References", "Source", "evaluate", "evaluate_log"]

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
    started = time.monotonic()
    timed = has_times(plan)
    with ClickLog(measure.listeners) as log:
        found = read(
            plan if timed else without_times(plan), log, lambda done, all_: watch("reading", done, all_)
        )
        files = tuple(str(path) for path in plan.files)
        source = Source(
            files, found, plan.options.timezone, timed=timed, asked_for_times=asked_for_times(plan)
        )
        result = evaluate_log(log, source, measure, settings, name, watch)
    return replace(result, seconds=time.monotonic() - started)


@dataclass(frozen=True)
class Source:
    """Where the clicks of a log come from.

    Attributes
    ----------
    read
        What was in the files.
    timezone
        Of moments as a person types them; "" for UTC.
    timed, asked_for_times
        Whether clicks have times, and whether it was said where these stand.
    share
        Of all listeners, how many were to come into the log.
    note
        What else is to be known.
    """

    files: tuple[str, ...]
    read: Read
    timezone: str
    timed: bool
    asked_for_times: bool
    share: float = 1.0
    note: str = ""


References = Callable[[ClickLog, Split], Mapping[str, Variants]]
"""Returns baselines, by name, that are measured beside the usual ones."""


def evaluate_log(
    log: ClickLog,
    source: Source,
    measure: Measure,
    settings: Settings,
    name: Callable[[str], str],
    watch: Watch,
    references: References = lambda log, split: {},
) -> Result:
    """Evaluate on the clicks of a log into which all have been put.

    Raises
    ------
    WrongUse
        Where there is no before and after, and a split in time is asked for.
    BadFile
        Where there is no artist to ask about.
    """
    started = time.monotonic()
    random, timed = measure.split == "random", source.timed
    note = "" if source.asked_for_times or not timed else "Clicks have the times of the column ts"
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
    until = None if random else _until(source.timezone, measure, log)
    split = hold_out(log, until, share=measure.share, most=measure.artists, seed=measure.seed)
    experiment = Experiment(log, split, settings, timed=timed, seed=measure.seed, name=name, watch=watch)
    usual = (USUAL_COHORTS if settings.cohorts == "auto" else settings.cohorts,)
    # One thread for the small matrices there: waiting for a second one takes longer than they do.
    with threadpool_limits(1, "blas"):
        served = tuple(experiment.serve(n_cohorts) for n_cohorts in measure.cohorts or usual)
    best = max(served, key=_worth)
    baselines: tuple[Contender, ...] = ()
    if not measure.no_baselines:
        others = (experiment.tuned(*each) for each in references(log, split).items())
        baselines = (*experiment.baselines(best.wanted), *others)
    return Result(
        files=source.files,
        read=source.read,
        listeners=len(split.listeners),
        listeners_in_all=round(len(split.listeners) / log.share / source.share),
        artists=len(log.artists),
        askable=split.askable,
        asked=experiment.artists(),
        until=until,
        share=measure.share,
        seed=measure.seed,
        note=". ".join(filter(None, [note, source.note])),
        served=served,
        best=best,
        baselines=baselines,
        missing=absent() if not measure.no_baselines else (),
        seconds=time.monotonic() - started,
    )


def _until(timezone: str, measure: Measure, log: ClickLog) -> float:
    if not measure.until:
        return log.time_before_last(measure.share)
    until = seconds_of(measure.until, time.time(), zone(timezone))
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
