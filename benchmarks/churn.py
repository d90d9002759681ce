"""Who does not come back: Refrain's model, which sees each example once, beside learners that see all.

    python -m benchmarks.churn                  both
    python -m benchmarks.churn table
    python -m benchmarks.churn year --seeds 10 --every 7 --listeners 3000

`table`: Music Box (kuwo) listeners who were active in the 21 days before 29 April 2017, features made by
others of their plays; ten parts in turn. `year`: a simulated year (`benchmarks.year`), 500 listeners frozen
each day and predicted before their outcome is known; LightGBM learns anew every few days from all that is
known by then.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier
from threadpoolctl import threadpool_limits

from benchmarks.year import simulate
from consumers.churn.options import ChurnOptions
from consumers.churn.run import evaluate_churn
from models.quality.binary import auc, brier, calibration_error
from models.traits.activity import FEATURES, ActiveDays
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span, churned, known
from stream.files.options import FileOptions

DATA = Path(__file__).parents[2] / "shared" / "data" / "musicbox_churn"
TABLE = "play_feature_316.csv.gz"
SPAN = Span()
FROZEN = 500  # listeners a day
JUDGED_FROM = 30  # days after the first outcome is known

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def table(seed: int) -> None:
    """Print AUC and accuracy of each learner, ten parts in turn."""
    if not DATA.is_dir():
        sys.exit(f"the data set is not here: {DATA}")
    asked = ChurnOptions(features=True, label="Churn", drop=("uid",), seed=seed)
    found = evaluate_churn([DATA / TABLE], FileOptions(), asked, SPAN, lambda *_: None)
    print(f"{TABLE}: {found.examples:,} listeners, {found.rate:.3f} churned; ten parts, standard errors")
    for each in found.learners:
        print(
            f"   {each.name:22} AUC {each.auc.value:.4f} ±{each.auc.error:.4f}, "
            f"accuracy {each.accuracy.value:.4f} ±{each.accuracy.error:.4f} "
            f"(best threshold {each.best_accuracy:.4f}), Brier {each.brier.value:.4f}, "
            f"calibration error {each.calibration_error.value:.4f}"
        )


def frozen(seed: int, listeners: int) -> tuple[Ints, Floats, Floats]:
    """Return of a simulated year day, rows and outcomes of who was frozen, day after day."""
    year, random = simulate(listeners=listeners, seed=seed), np.random.default_rng([seed, 1])
    whole = ActiveDays(year.listeners, year.owner, year.days)
    days, rows, outcomes = [], [], []
    for day in range(year.begin + SPAN.history, year.end - SPAN.outcome):
        first = year.first_days(day)
        made, asked = known(year.active(until=day), day, SPAN, np.where(first < 0, day, first))
        there = np.flatnonzero(asked)
        chosen = np.sort(random.choice(there, min(FROZEN, len(there)), replace=False))
        days.append(np.full(len(chosen), day))
        rows.append(made[chosen])
        outcomes.append(churned(whole, day, SPAN)[chosen].astype(float))
    return np.concatenate(days), np.concatenate(rows), np.concatenate(outcomes)


def go_through(
    days: Ints, rows: Floats, learn: Callable[[int], None], predict: Callable[[Floats], Floats]
) -> Floats:
    """Predict each day's listeners, after what is known by then was learned; NaN before anything is known."""
    predicted = np.full(len(days), np.nan)
    begin = int(days[0])
    for day in np.unique(days).tolist():
        if day >= begin + SPAN.outcome:
            learn(day - SPAN.outcome)
            predicted[days == day] = predict(rows[days == day])
    return predicted


def one_pass(days: Ints, rows: Floats, outcomes: Floats) -> Floats:
    """Predict with Refrain's model, which learns a day when its outcome is known."""
    model = ChurnModel(FEATURES)

    def learn(until: int) -> None:
        model.learn(rows[days == until], outcomes[days == until])

    return go_through(days, rows, learn, model.predict)


def retrained(days: Ints, rows: Floats, outcomes: Floats, every: int) -> Floats:
    """Predict with LightGBM, which learns anew every few days from all days whose outcome is known."""
    held: list[LGBMClassifier] = []

    def learn(until: int) -> None:
        if not held or (until - int(days[0])) % every == 0:
            model = LGBMClassifier(
                n_estimators=100,
                learning_rate=0.05,
                num_leaves=15,
                min_child_samples=50,
                n_jobs=1,
                verbose=-1,
            )
            held[:] = [model.fit(rows[days <= until], outcomes[days <= until])]

    return go_through(days, rows, learn, lambda some: held[0].predict_proba(some)[:, 1])


def simulated_year(seeds: int, every: int, listeners: int) -> None:
    """Print how well the two foresee, over some years."""
    ratios, found = [], []
    for seed in range(seeds):
        days, rows, outcomes = frozen(seed, listeners)
        judged = days >= days[0] + SPAN.outcome + JUDGED_FROM
        began = time.process_time()
        ours = one_pass(days, rows, outcomes)[judged]
        ours_took, began = time.process_time() - began, time.process_time()
        theirs = retrained(days, rows, outcomes, every)[judged]
        theirs_took, y = time.process_time() - began, outcomes[judged]
        figures = [f(p, y) for p in (ours, theirs) for f in (auc, brier, calibration_error)]
        found.append(figures)
        ratios.append(figures[0] / figures[3])
        print(
            f"   seed {seed}: AUC {figures[0]:.4f} and {figures[3]:.4f}, ratio {ratios[-1]:.4f}; Brier "
            f"{figures[1]:.4f} and {figures[4]:.4f}; {ours_took:.0f} and {theirs_took:.0f} s",
            flush=True,
        )
    means, errors = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / seeds**0.5
    for name, at in (("Refrain, one pass", 0), (f"LightGBM, anew every {every} days", 3)):
        said = ", ".join(
            f"{what} {means[at + k]:.4f} ±{errors[at + k]:.4f}"
            for k, what in enumerate(("AUC", "Brier", "calibration error"))
        )
        print(f"   {name}: {said}")
    error = np.std(ratios, ddof=1) / seeds**0.5
    print(f"   AUC, Refrain / LightGBM: {np.mean(ratios):.4f} ±{error:.4f}")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("table", "year", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the table's parts")
    parser.add_argument("--every", type=int, default=7)
    parser.add_argument("--listeners", type=int, default=3000)
    asked = parser.parse_args()
    with threadpool_limits(1):
        if asked.what != "year":
            table(asked.seed)
        if asked.what != "table":
            print(f"simulated years of {asked.listeners:,} listeners, {FROZEN} frozen a day")
            simulated_year(asked.seeds, asked.every, asked.listeners)


if __name__ == "__main__":
    main()
