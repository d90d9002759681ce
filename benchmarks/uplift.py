"""Whom a mailing moves: Qini coefficients beside those of the usual learners, over the same ten splits.

Hillstrom's MineThatData e-mail challenge (2008): 64,000 customers of a shop, a third of them mailed about
clothes for women, a third about clothes for men, a third not; who visited and who bought within two weeks.

    python -m benchmarks.uplift
"""

from __future__ import annotations

import sys
from pathlib import Path

from consumers.evaluate.offline_options import Offline
from consumers.evaluate.options import Measure
from consumers.evaluate.uplift import evaluate_uplift
from stream.files.options import Condition, RowOptions

DATA = Path(__file__).parents[2] / "shared" / "data" / "hillstrom_email"
MAILING = "hillstrom.csv.gz"
CONTROL = "No E-Mail"
FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")


def mailing(outcome: str) -> tuple[str, ...]:
    """Return the options of `refrain evaluate --uplift` for both mailings together."""
    return (
        *("--map", f"treated=segment,outcome={outcome}"),
        *("--control", CONTROL, "--features", ",".join(FEATURES)),
    )


def main() -> None:
    """Measure, print."""
    if not DATA.is_dir():
        sys.exit(f"the data set is not here: {DATA}")
    offline = Offline(uplift=True, features=FEATURES, control=CONTROL)
    for name, other in {"both": "", "womens": "Mens E-Mail", "mens": "Womens E-Mail"}.items():
        for outcome in ("visit", "conversion"):
            where = (Condition("segment", other, sign="!="),) if other else ()
            options = RowOptions(mapping={"treated": "segment", "outcome": outcome}, where=where)
            found = evaluate_uplift([DATA / MAILING], options, offline, Measure(), lambda *_: None)
            effect = found.effect
            print(f"{name}, {outcome}: {effect.control:.4f} without, {effect.treated:.4f} with it")
            for each in found.learners:
                half = (each.qini.high - each.qini.low) / 2
                ahead = each.ahead
                beside = (
                    f", Refrain ahead {ahead.value:+.4f} ±{(ahead.high - ahead.low) / 2:.4f}" if ahead else ""
                )
                print(f"   {each.name}: {each.qini.value:.4f} ±{half:.4f}{beside}")


if __name__ == "__main__":
    main()
