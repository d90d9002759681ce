"""How well the next week and the stages are predicted, on simulated years whose truth is known.

    python -m benchmarks.lifecycle              # ten years of 3,000 listeners
    python -m benchmarks.lifecycle --seeds 2 --listeners 1000

Zero next week: Refrain's model learns week by week as it does while it serves, from what is kept of each
listener, and predicts before it learns. The reference is a logistic regression over the last five weekly
counts (scikit-learn), fitted again each week on all weeks before, once on the counts and once on their
logarithms. `truth` knows each listener's chances on the day of the prediction, not who is about to leave.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.cluster import Birch
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, silhouette_score

from benchmarks.year import Year, simulate
from models.traits.activity import ActiveDays, weekly
from models.traits.groups import Groups, pattern
from models.traits.lifecycle import STAGES, stages
from models.traits.next_week import NextWeek, what_came
from models.traits.transitions import Transitions

Floats = npt.NDArray[np.float64]

FIRST = 70  # days until predictions count
WEEK = 7
AHEAD = 4  # weeks
HISTORY = 12  # weeks
SAMPLE = 1500  # listeners that a silhouette is of


def next_week(year: Year) -> dict[str, float]:
    """Return Brier scores, AUC and errors of counts of a year, week by week, before learning."""
    model = NextWeek()
    said: dict[str, list[Floats]] = defaultdict(list)
    rows: list[Floats] = []
    zeros: list[Floats] = []
    for until in range(year.begin + WEEK, year.end - WEEK + 1, WEEK):
        now, later = year.active(until), year.active(until + WEEK)
        first = year.first_days(until)
        here = np.flatnonzero(first >= 0)
        came = what_came(later, until)[here]
        zero = (came == 0).astype(np.float64)
        counts = weekly(now, until)[here]
        if until >= year.begin + FIRST:
            outlook = model.predict(now, until, first)
            x, y = np.concatenate(rows), np.concatenate(zeros)
            for name, change in (("counts", np.asarray), ("log_counts", np.log1p)):
                fitted = LogisticRegression(max_iter=500).fit(change(x), y)
                said[name].append(fitted.predict_proba(change(counts))[:, 1])
            said["refrain"].append(outlook.zero[here])
            at = until - year.begin
            said["truth"].append(np.prod(1.0 - year.chance[here, at : at + WEEK].astype(np.float64), axis=1))
            said["zero"].append(zero)
            said["came"].append(came)
            said["expected"].append(outlook.expected[here])
            said["mean_of_five"].append(counts.mean(axis=1))
            said["last_week"].append(counts[:, 0])
        # As the service does, but for the day that it waits for clocks behind UTC: of what is kept by then.
        model.learn(_of(later, here), until, first[here])
        rows.append(counts)
        zeros.append(zero)
    y, came = np.concatenate(said["zero"]), np.concatenate(said["came"])
    found = {}
    for name in ("refrain", "counts", "log_counts", "truth"):
        p = np.concatenate(said[name])
        found[f"brier {name}"] = float(np.mean((p - y) ** 2))
        found[f"auc {name}"] = float(roc_auc_score(y, p))
    for name in ("expected", "mean_of_five", "last_week"):
        found[f"rmse {name}"] = float(np.sqrt(np.mean((np.concatenate(said[name]) - came) ** 2)))
    found["mean predicted over found"] = float(np.concatenate(said["expected"]).sum() / came.sum())
    found["brier ratio"] = found["brier refrain"] / min(found["brier counts"], found["brier log_counts"])
    return found


def _of(active: ActiveDays, some: npt.NDArray[np.int64]) -> ActiveDays:
    """Return the active days of some listeners only."""
    at = np.full(active.number, -1)
    at[some] = np.arange(len(some))
    kept = at[active.owner] >= 0
    return ActiveDays(len(some), at[active.owner[kept]], active.days[kept])


def stage_forecast(year: Year) -> dict[str, float]:
    """Forecast, every other week, how many of the regular are dormant or gone four weeks later.

    Once by what became of the regular within four weeks, and once by four steps of a week (a Markov chain).
    """
    untils = list(range(year.begin + WEEK, year.end + 1, WEEK))
    codes = np.column_stack([stages(year.active(until), until, year.first_days(until)) for until in untils])
    regular_code, lost = STAGES.index("regular"), [STAGES.index("dormant"), STAGES.index("gone")]
    said: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for week in range(HISTORY + 2, len(untils) - AHEAD, 2):
        regular = codes[:, week] == regular_code
        now = np.bincount(codes[regular, week], minlength=len(STAGES))
        found = float(np.isin(codes[regular, week + AHEAD], lost).sum())
        past = codes[:, week - HISTORY : week + 1]
        for name, forecast in (
            ("refrain", Transitions.of(past, AHEAD).forecast(now)),
            ("Markov chain", Transitions.of(past).forecast(now, AHEAD)),
        ):
            number, low, high = forecast.among("dormant", "gone")
            said[name].append((number, found, float(low <= found <= high)))
    figures = {}
    for name, rows in said.items():
        expected, found, inside = np.array(rows).T
        figures[f"lost in four weeks, {name}: expected over found"] = float(expected.sum() / found.sum())
        figures[f"lost in four weeks, {name}: mean error over mean"] = float(
            np.abs(expected - found).mean() / found.mean()
        )
        figures[f"lost in four weeks, {name}: inside 95 %"] = float(inside.mean())
    return figures


def groups(year: Year, seed: int) -> dict[str, float]:
    """Compare Groups with two of scikit-learn: silhouette, and the Brier score of a group's own rate."""
    found = {}
    until = year.begin + 35 * WEEK
    then, now = year.active(until - WEEK), year.active(until)
    before, counts = weekly(then, until - WEEK), weekly(now, until)
    seen = year.first_days(until - WEEK) >= 0
    before, counts = before[seen], counts[seen]
    zero = counts[:, 0] == 0
    next_zero = what_came(year.active(until + WEEK), until)[seen] == 0
    house = Groups(6, seed=seed).fit(before)
    scikit = ScikitKMeans(6, n_init=3, random_state=seed).fit(pattern(before))
    birch = Birch(n_clusters=6, threshold=0.2).fit(pattern(before))
    for name, old, new in (
        ("refrain", house.of(before), house.of(counts)),
        ("scikit-learn k-means", scikit.labels_, scikit.predict(pattern(counts))),
        ("scikit-learn Birch", birch.labels_, birch.predict(pattern(counts))),
    ):
        rates = np.array([zero[old == at].mean() if (old == at).any() else 0.5 for at in range(6)])
        width = silhouette_score(pattern(before), old, sample_size=SAMPLE, random_state=seed)
        found[f"groups {name}: silhouette"] = float(width)
        found[f"groups {name}: brier"] = float(np.mean((rates[new] - next_zero) ** 2))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print means with standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--listeners", type=int, default=3000)
    given = parser.parse_args(arguments)
    every: dict[str, list[float]] = defaultdict(list)
    for seed in range(given.seeds):
        year = simulate(given.listeners, seed=seed)
        for name, value in (next_week(year) | stage_forecast(year) | groups(year, seed)).items():
            every[name].append(value)
    print(f"{given.seeds} years of {given.listeners} listeners: mean ± standard error")
    for name, values in every.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        print(f"  {name:<58} {np.mean(values):8.4f} ± {error:.4f}")


if __name__ == "__main__":
    main()
