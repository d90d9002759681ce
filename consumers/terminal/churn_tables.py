"""How well churn is predicted on history, as tables for people."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from consumers.churn.result import ChurnResult, Mean, Rated
from consumers.terminal.console import Terminal
from consumers.terminal.format import percent
from consumers.terminal.policy_tables import unusable_in_words
from consumers.terminal.tables import Column, facts, listing

__all__ = ["about_churn", "figure", "show_churn"]

MOST_FEATURES = 8
EXPLAINED = (
    "AUC: how often one who churned was predicted above one who came back. Brier: mean squared error, lower "
    "is better. Accuracy: share that is right at a threshold of 0.5. Calibration error: mean difference "
    "between predicted and found, in points."
)


def show_churn(result: ChurnResult) -> None:
    """Print how well churn was predicted on history."""
    console = Terminal()
    console.print(facts(about_churn(result)))
    console.print()
    console.print(_learners(result))
    ours = result.learners[0]
    console.print()
    console.print(ours.name, style="bold")
    console.print(_confusion(ours))
    strongest = [each for each in ours.importances if each.auc_lost > 0][:MOST_FEATURES]
    said = ", ".join(f"{each.feature} {each.auc_lost:.3f}" for each in strongest)
    console.print()
    console.print(f"AUC lost where a feature is shuffled: {said or 'none'}")
    console.print(f"{EXPLAINED} ± is a standard error over the parts.", style="dim")
    for note in result.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def about_churn(result: ChurnResult) -> dict[str, str]:
    """Return what was measured, in words."""
    unusable = unusable_in_words(result.tally.rows, result.tally.bad)
    return {
        **{name: value for name, value in result.about.items() if value},
        "examples": f"{result.examples:,} tried on, {percent(result.rate)} of them churned{unusable}",
        "seed": str(result.seed),
    }


def figure(mean: Mean, scale: float = 1.0, digits: int = 3) -> str:
    """Return a mean with its standard error.

    Examples
    --------
    >>> figure(Mean(0.9116, 0.0056)), figure(Mean(0.0123, None), 100, 1)
    ('0.912 ±0.006', '1.2')
    """
    error = "" if mean.error is None else f" ±{scale * mean.error:.{digits}f}"
    return f"{scale * mean.value:.{digits}f}{error}"


def _learners(result: ChurnResult) -> Table:
    table = listing(
        Column("learner"),
        Column("AUC", right=True),
        Column("Brier", right=True),
        Column("accuracy", right=True),
        Column("calibration error", right=True),
    )
    for at, each in enumerate(result.learners):
        table.add_row(
            each.name,
            figure(each.auc),
            figure(each.brier),
            figure(each.accuracy),
            figure(each.calibration_error, 100, 1),
            style="" if at else "bold",
        )
    return table


def _confusion(rated: Rated) -> Table:
    table = listing(
        Column("predicted to churn"),
        Column("churned", right=True),
        Column("came back", right=True),
        Column("accuracy", right=True),
    )
    for threshold, found, right in (
        ("0.50", rated.confusion, rated.accuracy.value),
        (f"{rated.best_threshold:.2f}, best in hindsight", rated.best_confusion, rated.best_accuracy),
    ):
        table.add_row(f"from {threshold}", f"{found.hits:,}", f"{found.false_alarms:,}", f"{right:.3f}")
        table.add_row("  below", f"{found.missed:,}", f"{found.rightly_not:,}", "")
    return table
