"""Who does not come back: Refrain's model, which sees each example once, beside learners that see all.

    python -m benchmarks.churn                  all
    python -m benchmarks.churn table logs
    python -m benchmarks.churn year --seeds 10 --every 7 --listeners 3000

`table`: Music Box (kuwo) listeners who were active in the 21 days before 29 April 2017, features made by
others of their plays; ten parts in turn. `logs`: two logs of what people did, the way of `refrain churn
evaluate`: plays of Sparkify, a month of 96 made-up listeners, cut off at the end of each day on which there
is enough to learn from; and months in which Last.fm listeners tagged artists (HetRec), over six years, where
a month counts as a day. `year`: a simulated year (`benchmarks.year`), 500 listeners frozen each day and
predicted before their outcome is known; LightGBM learns again every few days from all that is known by then.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier
from threadpoolctl import threadpool_limits

from benchmarks.year import simulate
from consumers.churn.options import ChurnOptions
from consumers.churn.result import ChurnResult, Mean
from consumers.churn.run import evaluate_churn
from models.quality.binary import auc, brier, calibration_error
from models.traits.activity import FEATURES, ActiveDays
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span, churned, known
from stream.errors import BadFile
from stream.files.options import Condition, FileOptions

DATA = Path(__file__).parents[2] / "shared" / "data"
TABLE = DATA / "musicbox_churn" / "play_feature_316.csv.gz"
SPARKIFY = DATA / "sparkify_events_nov2018" / "log_events.jsonl.gz"
TAGS = DATA / "hetrec_lastfm_2k" / "user_taggedartists.dat.gz"
SPARKIFY_BEGINS, SPARKIFY_DAYS = 1_541_030_400, 30  # Unix seconds of 1 November 2018
SPARKIFY_SPANS = Span(7, 7), Span(14, 7)
TAGS_SPANS = Span(12, 3), Span(24, 6)  # months
TAGS_SINCE = 2005  # some tags are of 1956
TAGS_BEGIN = 1_000_000_000  # Unix seconds that months are counted from, one a day
DAY = 86_400
SPAN = Span()
FROZEN = 500  # listeners a day
JUDGED_FROM = 30  # days after the first outcome is known

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def table(seed: int) -> None:
    """Print how well each learner predicts, ten parts in turn."""
    if absent(TABLE):
        return
    asked = ChurnOptions(features=True, label="Churn", drop=("uid",), seed=seed)
    show(TABLE.name, [evaluate_churn([TABLE], FileOptions(), asked, SPAN, lambda *_: None)])


def logs(seed: int) -> None:
    """Print how well each learner predicts on logs, split in time."""
    if not absent(SPARKIFY):
        for span in SPARKIFY_SPANS:
            show(f"Sparkify, {span.history} days before, {span.outcome} after", list(sparkify(span, seed)))
    if not absent(TAGS):
        for span in TAGS_SPANS:
            found = tags_by_month(span, seed)
            show(f"HetRec tags, {span.history} months before, {span.outcome} after", [found])


def sparkify(span: Span, seed: int) -> Iterator[ChurnResult]:
    """Yield what is found of the plays until the end of each day, where there is enough to learn from."""
    for days in range(span.history + 2 * span.outcome, SPARKIFY_DAYS + 1):
        until = 1000 * (SPARKIFY_BEGINS + days * DAY)
        options = FileOptions(
            mapping={"user_id": "userId", "song_id": "song", "ts": "ts"},
            where=(Condition.parse("page=NextSong"), Condition.parse(f"ts<{until}")),
            mend=True,
        )
        try:
            yield evaluate_churn([SPARKIFY], options, ChurnOptions(seed=seed), span, lambda *_: None)
        except BadFile as error:
            print(f"   {days} days: {error}")


def tags_by_month(span: Span, seed: int) -> ChurnResult:
    """Return what is found of tags, of which mostly the month is known: a month stands for a day."""
    with tempfile.TemporaryDirectory() as folder, gzip.open(TAGS, "rt") as lines:
        path = Path(folder) / "tags.tsv"
        with path.open("w") as file:
            file.write("user_id\tsong_id\tts\n")
            next(lines)
            for line in lines:
                user, artist, _, _, month, year = map(int, line.split())
                if year >= TAGS_SINCE:
                    at = TAGS_BEGIN + (12 * (year - TAGS_SINCE) + month) * DAY
                    file.write(f"{user}\t{artist}\t{at}\n")
        return evaluate_churn([path], FileOptions(), ChurnOptions(seed=seed), span, lambda *_: None)


def absent(path: Path) -> bool:
    """Say where a data set is not here."""
    if not path.exists():
        print(f"left out, as the data set is not here: {path}")
    return not path.exists()


def show(name: str, found: Sequence[ChurnResult]) -> None:
    """Print the figures of each learner: means and standard errors over parts, or over several results."""
    examples = sum(result.examples for result in found)
    churned = sum(result.examples * result.rate for result in found)
    print(f"{name}: {len(found)} cut(s), {examples:,} predicted, {churned / examples:.3f} churned")
    for learner in (each.name for each in found[0].learners):
        same = [next(each for each in result.learners if each.name == learner) for result in found]
        said = []
        for what in ("auc", "accuracy", "brier", "calibration_error"):
            means: list[Mean] = [getattr(each, what) for each in same]
            mean = means[0] if len(means) == 1 else Mean.of([each.value for each in means])
            said.append(f"{what} {mean.value:.4f}" + (f" ±{mean.error:.4f}" if mean.error else ""))
        hindsight = np.mean([each.best_accuracy for each in same])
        print(f"   {learner:22} {', '.join(said)}; accuracy at the best threshold {hindsight:.4f}")


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
    """Predict with LightGBM, which learns again every few days from all days whose outcome is known."""
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
    """Print how well the two predict, over some years."""
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
    for name, at in (("Refrain, one pass", 0), (f"LightGBM, again every {every} days", 3)):
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
    parser.add_argument(
        "what", nargs="*", choices=("table", "logs", "year"), default=("table", "logs", "year")
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the table's parts")
    parser.add_argument("--every", type=int, default=7)
    parser.add_argument("--listeners", type=int, default=3000)
    asked = parser.parse_args()
    with threadpool_limits(1):
        if "table" in asked.what:
            table(asked.seed)
        if "logs" in asked.what:
            logs(asked.seed)
        if "year" in asked.what:
            print(f"simulated years of {asked.listeners:,} listeners, {FROZEN} frozen a day")
            simulated_year(asked.seeds, asked.every, asked.listeners)


if __name__ == "__main__":
    main()
