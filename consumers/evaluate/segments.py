"""Labelled segments, from files of clicks and labels to how well they are predicted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json
from scipy.sparse import csr_matrix, hstack
from threadpoolctl import threadpool_limits

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import Experiment, Watch
from consumers.evaluate.holdout import Split
from consumers.evaluate.profile_spreads import spreads_of
from consumers.evaluate.reading import Read, has_times, read, without_times
from consumers.evaluate.segment_options import LabelFile, Trial
from consumers.evaluate.segment_rivals import rivals
from consumers.evaluate.segment_trial import SegmentTried, Subjects, try_segment
from consumers.evaluate.service import Service
from consumers.replay.plan import Plan
from models.quality.evaluation import Holdout
from models.traits.logistic import FOLDS
from models.traits.segment_rows import Known
from stream.errors import BadFile, RefrainError
from stream.files.options import FileOptions
from stream.files.reading import Tally
from stream.settings import Settings
from stream.stores.segments import sides

__all__ = ["SegmentsResult", "evaluate_segments", "labels_plan"]

Ints = npt.NDArray[np.int64]

USUAL_COHORTS = 48  # where the settings leave their number to the stream
Labels = dict[str, dict[str, str]]
"""Segment -> listener -> value."""


@dataclass(frozen=True)
class SegmentsResult:
    """What was found.

    Attributes
    ----------
    files
        What was read.
    clicks, labels
        What became of their rows.
    unknown
        Labelled listeners of whom there are no clicks.
    listeners, cohorts
        How many there are.
    segments
        Each, with those that were tried on it.
    splits, seed
        How labels were split.
    notes
        What is missing.
    seconds
        How long it took.
    """

    files: tuple[str, ...]
    clicks: Read
    labels: Tally
    unknown: int
    listeners: int
    cohorts: int
    segments: tuple[SegmentTried, ...]
    splits: int
    seed: int
    notes: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "files": list(self.files),
            "clicks": self.clicks.clicks,
            "labels": self.labels.rows - self.labels.bad.total() - self.labels.left_out,
            "bad_labels": dict(self.labels.bad),
            "labelled_without_clicks": self.unknown,
            "listeners": self.listeners,
            "cohorts": self.cohorts,
            "splits": self.splits,
            "seed": self.seed,
            "segments": [asdict(each) for each in self.segments],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
        }


def labels_plan(files: Sequence[Path], given: LabelFile) -> Plan:
    """Return the plan of a file of labels; one without times has all at one time, and the last row counts."""
    constants = {"segment": given.segment} if given.segment else {}
    options = FileOptions(mapping=given.labels_map, columns=given.labels_columns, constants=constants)
    return Plan("labels", tuple(files), options)


def evaluate_segments(
    clicks: Plan, labels: Plan, trial: Trial, settings: Settings, watch: Watch = lambda *_: None
) -> SegmentsResult:
    """Learn listeners and cohorts from all clicks, as the service would; segments from a part of the labels.

    Parameters
    ----------
    clicks, labels
        What to read; of profiles both have the same files.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    started = time.monotonic()
    found, tally = _read_labels(labels)
    with ClickLog(trial.listeners) as log:
        timed = has_times(clicks)
        was = read(
            clicks if timed else without_times(clicks), log, lambda done, all_: watch("reading", done, all_)
        )
        log.arrange(None if timed and log.first < log.last else np.random.default_rng(trial.seed))
        # Before threads are limited, so that those of libraries that are imported here are, too.
        opponents, notes = ({}, ()) if trial.no_baselines else rivals()
        with threadpool_limits(1):
            subjects = _subjects(log, clicks, settings, timed=timed, seed=trial.seed, watch=watch)
            segments = _tried(subjects, found, opponents, trial, watch)
    everyone = {user for own in found.values() for user in own}
    files = dict.fromkeys(str(path) for path in (*clicks.files, *labels.files))
    return SegmentsResult(
        tuple(files),
        was,
        tally,
        len(everyone - set(subjects.ids)),
        len(subjects.ids),
        len(subjects.model.cohort_ids),
        segments,
        FOLDS * trial.repeats,
        trial.seed,
        notes,
        time.monotonic() - started,
    )


def _read_labels(plan: Plan) -> tuple[Labels, Tally]:
    """Return the last label of each listener in each segment, by time and then by row."""
    found: dict[str, dict[str, tuple[float, str]]] = {}
    timed = has_times(plan)
    reading = (plan if timed else without_times(plan)).reading(time.time(), None)
    for event in reading.events():
        label = from_json(event.value)
        own = found.setdefault(label["segment"], {})
        ts = label.get("ts", 0.0)
        if ts >= own.get(label["user_id"], (ts, ""))[0]:
            own[label["user_id"]] = ts, str(label["value"])
    if not found:
        raise BadFile(
            f"{', '.join(map(str, plan.files))}: no row is a label",
            hint="A label has user_id, segment and value: --labels-map says which columns they are, "
            "--segment what the segment is called.",
        )
    return {s: {user: value for user, (_, value) in own.items()} for s, own in found.items()}, reading.tally


def _subjects(
    log: ClickLog, plan: Plan, settings: Settings, *, timed: bool, seed: int, watch: Watch
) -> Subjects:
    plays = log.plays()
    everyone = np.arange(log.n_listeners)
    nothing = np.zeros(0, dtype=np.int64)
    split = Split(Holdout(plays, csr_matrix(plays.shape), nothing), everyone, None, nothing, 0)
    experiment = Experiment(log, split, settings, timed=timed, seed=seed, watch=watch)
    service = experiment.learned(USUAL_COHORTS if settings.cohorts == "auto" else settings.cohorts)
    raw = plays.tocsr()
    raw.data = np.log1p(raw.data)
    known = _known(service, everyone)
    if plan.options.format == "profiles":
        shares, seconds = spreads_of(plan, log.listeners)
        known, raw = replace(known, shares=shares), hstack([raw, seconds], format="csr")
    return Subjects(log.listeners, known, service.serving, raw)


def _known(service: Service, everyone: Ints) -> Known:
    names = service.residents.artists.names
    affinities = []
    for number in everyone.tolist():
        own = service.residents.affinities(number)
        affinities.append(([names[artist] for artist in own], list(own.values())))
    return Known(affinities, service.residents.tastes(everyone), service.cohorts)


def _tried(
    subjects: Subjects, found: Labels, opponents: Mapping[str, Any], trial: Trial, watch: Watch
) -> tuple[SegmentTried, ...]:
    row_of = {user: row for row, user in enumerate(subjects.ids)}
    tried = []
    for segment, own in found.items():
        at = np.array([row_of[user] for user in own if user in row_of], dtype=np.int64)
        values = np.array([value for user, value in own.items() if user in row_of])
        for name, side in sides(segment, set(own.values())).items():
            asked = np.isin(values, (side.value, *side.others)) if len(values) else np.zeros(0, dtype=bool)
            tried.append((name, at[asked], (values[asked] == side.value)))
    if not any(len(at) for _, at, _ in tried):
        raise RefrainError(
            "none of the labelled listeners has clicked",
            hint="Ids are compared as they are written: are those of --labels the user_id of the clicks?",
        )
    done, total = 0, len(tried) * FOLDS * trial.repeats

    def count() -> None:
        nonlocal done
        done += 1
        watch("trying segments", done, total)

    return tuple(
        try_segment(
            name, subjects, at, positive, opponents, repeats=trial.repeats, seed=trial.seed, watch=count
        )
        for name, at, positive in tried
    )
