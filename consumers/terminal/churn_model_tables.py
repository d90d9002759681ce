"""The model of who does not come back, for people."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from consumers.queries.churn import ChurnFigures
from consumers.terminal.format import moment, percent
from consumers.terminal.tables import facts

__all__ = ["churn_line", "show_churn_model"]

SECONDS = 86_400
EXPLAINED = (
    "How well it was predicted while it was not known yet. AUC: how often one who churned was predicted "
    "above one who came back. Brier: mean squared error, lower is better. Off by: predicted less found, in "
    "points."
)


def show_churn_model(found: ChurnFigures | None) -> None:
    """Print how well the model that serves foresees churn."""
    console = Console(highlight=False)
    if found is None:
        console.print(
            "nothing is learned of churn yet: `refrain traits` learns it from what listeners did, once it is "
            "known who came back"
        )
        return
    console.print(f"[bold]churn, version {found.version}[/]")
    learned = "history alone" if found.learned < 0 else f"{_date(found.learned)} and what came after"
    console.print(
        facts(
            {
                "made": moment(found.made_at),
                "says": f"no activity in {found.outcome} days, by the {found.history} before",
                "learned": f"{found.examples:,} listeners, {percent(_share(found))} of them churned",
                "up to": learned,
                "foresaw": _foresaw(found),
            }
        )
    )
    console.print(f"[dim]{EXPLAINED}[/]", soft_wrap=True)


def churn_line(found: ChurnFigures) -> str:
    """Return how well churn is foreseen, in a line.

    Examples
    --------
    >>> churn_line(ChurnFigures(3, 0.0, 20_000, 30, 14, 900, 300, {}))
    'churn, version 3: learned from 900 listeners; no prediction has been judged yet'
    """
    return f"churn, version {found.version}: learned from {found.examples:,} listeners; {_foresaw(found)}"


def _foresaw(found: ChurnFigures) -> str:
    said = found.foresight
    if not said:
        return "no prediction has been judged yet"
    return (
        f"AUC {said['auc']:.3f}, Brier {said['brier']:.3f} ({said['brier_of_rate']:.3f} if all were alike), "
        f"off by {100 * said['calibration_error']:.1f}, over {said['examples']:,.0f} predictions"
    )


def _share(found: ChurnFigures) -> float | None:
    return found.churned / found.examples if found.examples else None


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * SECONDS, UTC):%-d %b %Y}"
