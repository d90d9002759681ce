"""The model of who does not come back, for people."""

from __future__ import annotations

from datetime import UTC, datetime

from consumers.queries.churn import ChurnFigures
from consumers.terminal.console import Terminal
from consumers.terminal.format import moment, percent
from consumers.terminal.tables import facts
from models.traits.churn import ENOUGH

__all__ = ["EXPLAINED", "NO_CHURN", "about_churn", "churn_line", "show_churn_model"]

SECONDS = 86_400
NO_CHURN = (
    "nothing is learned of churn yet: `refrain traits` learns it once REFRAIN_CHURN_DAYS are over "
    "and it is known who came back; while history seems to be on its way it waits, and its log says why; "
    "`refrain replay clicks FILE` sends a history to begin with"
)
EXPLAINED = (
    "Each prediction is judged once its outcome is known, before it is learned from. AUC: how often one who "
    "churned was predicted above one who came back; 0.5 is chance. Brier: mean squared error, lower is "
    "better."
)


def show_churn_model(found: ChurnFigures | None) -> None:
    """Print how well the model that serves predicts churn."""
    console = Terminal()
    if found is None:
        console.print(NO_CHURN)
        return
    console.print(f"churn, version {found.version}", style="bold")
    console.print(facts(about_churn(found)))
    if found.foresight:
        console.print(EXPLAINED, style="dim")


def about_churn(found: ChurnFigures) -> dict[str, str]:
    """Return what there is to say of the model that serves."""
    last = f"{_date(found.learned)}, and the {found.outcome} days from then on"
    return {
        "made": moment(found.made_at),
        "predicts": f"no activity in {found.outcome} days, from the {found.history} days before",
        "learned": f"{found.examples:,} examples, {percent(_share(found))} of them churned",
        "up to": "history alone" if found.learned < 0 else last,
        "judged": _judged(found),
    }


def churn_line(found: ChurnFigures) -> str:
    """Return how well churn is predicted, in a line.

    Examples
    --------
    >>> churn_line(ChurnFigures(3, 0.0, 20_000, 30, 14, 900, 300, {}))
    'churn, version 3: learned from 900 examples; no prediction has been judged yet'
    >>> churn_line(ChurnFigures(1, 0.0, -1, 30, 14, 90, 30, {}))
    'churn, version 1: learned from 90 examples; nobody is predicted before 200'
    """
    return f"churn, version {found.version}: learned from {found.examples:,} examples; {_judged(found)}"


def _judged(found: ChurnFigures) -> str:
    said = found.foresight
    if found.examples < ENOUGH:
        return f"nobody is predicted before {ENOUGH}"
    if not said:
        return "no prediction has been judged yet"
    return (
        f"AUC {said['auc']:.3f}, Brier {said['brier']:.3f} ({said['brier_of_rate']:.3f} if all were alike), "
        f"calibration error {100 * said['calibration_error']:.1f} points, over {said['examples']:,.0f} "
        "predictions"
    )


def _share(found: ChurnFigures) -> float | None:
    return found.churned / found.examples if found.examples else None


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * SECONDS, UTC):%-d %b %Y}"
