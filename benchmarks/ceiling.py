"""How far any score can get in the made-up heavy tail of `benchmarks.shapes`, where chances are known.

The oracle ranks listeners by the probability that a pair is held out, given that it is not among the known
ones, from what each listener was drawn with: tastes and number of artists. On the splits of
`benchmarks.shapes`, beside those who play the most known artists.

    python -m benchmarks.ceiling [SPLITS]    (default 5)
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.quality import SMALL, USUAL
from benchmarks.shapes import ASKED, SHARE, Floats, heavy_tail, heavy_tail_truth
from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.experiment import SHARES
from consumers.evaluate.holdout import hold_out
from models.quality.evaluation import measure


def main(splits: int) -> None:
    """Measure and print."""
    found = np.array([measured(seed) for seed in range(splits)])
    for size, what in ((USUAL, "5 %"), (SMALL, "1 %")):
        oracle, active = found[:, 0, size], found[:, 1, size]
        ratios = oracle / active
        print(
            f"lift at {what}: oracle {oracle.mean():.2f}, most active {active.mean():.2f}; "
            f"ratio {ratios.mean():.3f}, {ratios.min():.3f} to {ratios.max():.3f}"
        )


def measured(seed: int) -> list[list[float]]:
    """Return the lifts of the oracle and of the most active, for each size of audience."""
    with ClickLog(max_listeners=50_000) as log:
        for user, artist, _, times in heavy_tail(seed):
            log.put(user, {"artist_ids": [artist]}, times)
        log.arrange(np.random.default_rng(seed))
        split = hold_out(log, None, share=SHARE, most=ASKED, seed=seed)
        # Listeners are numbered as they came: u0, u1, ...
        chances = held_out(seed)[split.listeners]
        columns = [int(log.artists[artist][1:]) for artist in split.holdout.artists.tolist()]
    active = np.diff(split.holdout.known.indptr).astype(np.float64)
    scores = ((chances[:, column] for column in columns), (active for _ in columns))
    return [[reach.lift.value for reach in measure(split.holdout, each, SHARES).reach] for each in scores]


def held_out(seed: int) -> Floats:
    """Return the probability that a pair is held out, given that it is not known, shape (n, A)."""
    likes, chances, active = heavy_tail_truth(np.random.default_rng(seed))
    # Drawn with replacement twice as often as kept; of the different ones that many are kept.
    drawn = -np.expm1(2 * active[:, None] * np.log1p(-np.minimum(likes @ chances, 1 - 1e-12)))
    played = drawn * np.minimum(1.0, active / drawn.sum(axis=1))[:, None]
    found: Floats = SHARE * played / (1 - (1 - SHARE) * played)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
