"""Policies judged by logs: on a shop's two policies of known propensities, and intervals in simulated logs.

Open Bandit (Saito et al. 2020): for a week a shop chose items at random for some of its visitors, and by
Thompson sampling (bts) for others. Each policy is judged by the log of the other one, beside what it earned
itself.

    python -m benchmarks.policy
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from consumers.evaluate.offline_options import Offline
from consumers.evaluate.policy import judge
from models.quality.off_policy import PolicyLog, PolicyValue, ips, snips
from stream.errors import NoOverlap
from stream.files.options import RowOptions

DATA = Path(__file__).parents[2] / "shared" / "data" / "open_bandit"
FEATURES = ("position", *(f"user_feature_{number}" for number in range(4)))
COLUMNS = {"action": "item_id", "propensity": "propensity_score", "reward": "click"}
ITEMS = {"men": 34, "women": 46}
LOGS = 400  # of each kind
ACTIONS, ROWS = 30, 10_000


def policy_as_run(log: Path, path: Path) -> Path:
    """Write how often a policy chose each item at each position, by its own log, as the file of a policy."""
    with gzip.open(log, "rt") as lines:
        chosen = Counter((row["position"], row["item_id"]) for row in csv.DictReader(lines))
    shown = Counter[str]()
    for (position, _), times in chosen.items():
        shown[position] += times
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["position", "item_id", "probability"])
        writer.writerows(
            [position, item, times / shown[position]] for (position, item), times in chosen.items()
        )
    return path


def judged(target: Path) -> tuple[str, ...]:
    """Return the options of `refrain evaluate --policy` that judge the policy in a file."""
    mapping = ",".join(f"{name}={column}" for name, column in COLUMNS.items())
    return (
        *("--map", mapping, "--target", str(target)),
        *("--target-map", "action=item_id", "--features", ",".join(FEATURES)),
    )


def main() -> None:
    """Judge, print."""
    if DATA.is_dir():
        shop()
    else:
        print(f"the data set is not here: {DATA}", file=sys.stderr)
    for line in intervals():
        print(line)


def shop() -> None:
    """Judge each policy by the log of the other one."""
    with tempfile.TemporaryDirectory() as folder:
        for campaign, items in ITEMS.items():
            random, bts = (DATA / name / campaign / f"{campaign}.csv.gz" for name in ("random", "bts"))
            target = policy_as_run(bts, Path(folder) / f"{campaign}.csv")
            file = Offline(policy=True, target=target, target_map={"action": "item_id"}, features=FEATURES)
            show(f"{campaign}: bts by the random log", random, file, {}, clicks(bts))
            column = Offline(policy=True, features=FEATURES)
            constant = {"target": str(1 / items)}
            show(f"{campaign}: random by the log of bts", bts, column, constant, clicks(random))


def show(name: str, log: Path, offline: Offline, constants: dict[str, str], ran: float) -> None:
    """Judge by a log, and print it beside what came of the policy when it ran."""
    print(f"{name}; when it ran {100 * ran:.2f} %")
    try:
        found = judge([log], RowOptions(mapping=COLUMNS, constants=constants), offline, 0)
    except NoOverlap as error:
        print(f"   refused: {error}")
        return
    print(f"   effective {found.overlap.effective:,.0f} rows, largest weight {found.overlap.largest:.1f}")
    for estimator, value in {"the log's own": found.logged, **found.estimates}.items():
        print(f"   {estimator}: {100 * value.value:.2f} % ({100 * value.low:.2f} to {100 * value.high:.2f})")


def clicks(log: Path) -> float:
    """Return the share of rows of a log that were clicked."""
    with gzip.open(log, "rt") as lines:
        return float(np.mean([int(row["click"]) for row in csv.DictReader(lines)]))


def intervals() -> Iterator[str]:
    """Say how often intervals hold the truth, by rate and by how unlike the two policies are."""
    yield f"of {LOGS} simulated logs of {ROWS:,} rows and {ACTIONS} actions: intervals that hold the truth"
    for rate in (0.005, 0.05, 0.3):
        for unlike in (0.3, 1.0, 1.5, 2.0, 2.5, 3.0):
            rng = np.random.default_rng(1)
            held, effective = np.zeros(4), []
            for _ in range(LOGS):
                log, truth = simulated(rate, unlike, rng)
                effective.append(log.overlap().effective)
                for at, value in enumerate((ips(log), snips(log))):
                    usual = 1.96 * usual_error(log, value, normalised=bool(at))
                    held[2 * at] += value.low <= truth <= value.high
                    held[2 * at + 1] += abs(value.value - truth) <= usual
            shares = (held / LOGS).round(3)
            yield (
                f"   rate {rate}, effective {np.median(effective):,.0f}: IPS {shares[0]} (usual interval "
                f"{shares[1]}), SNIPS {shares[2]} ({shares[3]})"
            )


def simulated(rate: float, unlike: float, rng: np.random.Generator) -> tuple[PolicyLog, float]:
    """Return a log, and what the policy to be judged, which chooses all alike, earns in truth."""
    logging = np.exp(unlike * rng.normal(size=ACTIONS))
    logging /= logging.sum()
    rates = np.clip(rate * np.exp(0.5 * rng.normal(size=ACTIONS)), 0, 1)
    actions = rng.choice(ACTIONS, ROWS, p=logging)
    clicked = (rng.random(ROWS) < rates[actions]).astype(float)
    log = PolicyLog(logging[actions], np.full(ROWS, 1 / ACTIONS), clicked, np.arange(ROWS))
    return log, float(rates.mean())


def usual_error(log: PolicyLog, found: PolicyValue, *, normalised: bool) -> float:
    """Return the standard error that the usual interval, value ± 1.96 of it, goes by."""
    if normalised:
        deviations = log.weights / log.weights.mean() * (log.rewards - found.value)
    else:
        deviations = log.weights * log.rewards - found.value
    return float((deviations @ deviations) ** 0.5) / len(deviations)


if __name__ == "__main__":
    main()
