"""An evaluation of churn as a page: one file with plots, which needs no network."""

from __future__ import annotations

from pathlib import Path

from consumers.churn.plots import plots
from consumers.churn.result import ChurnResult, Rated
from consumers.html_page.page import write_html
from consumers.terminal.churn_tables import about_churn, figure
from consumers.terminal.format import percent

__all__ = ["write_page"]

TEMPLATE = Path(__file__).with_name("page.html")


def write_page(result: ChurnResult, path: Path) -> None:
    """Write the page."""
    ours = result.learners[0]
    write_html(
        path,
        TEMPLATE,
        "How well churn is predicted",
        plots(result),
        files=[Path(name).name for name in result.files],
        tiles=[
            (f"{ours.auc.value:.3f}", "AUC: how often one who churned was predicted above one who came back"),
            (percent(ours.accuracy.value), "right at a threshold of 0.5"),
            (f"{ours.brier.value:.3f}", "Brier score; lower is better"),
            (f"{100 * ours.calibration_error.value:.1f}", "points between predicted and found"),
            (percent(result.rate), "of those tried on churned"),
        ],
        about=about_churn(result),
        learners=[_row(each) for each in result.learners],
        confusions=[_confusions(each) for each in result.learners],
        notes=result.notes,
    )


def _row(rated: Rated) -> dict[str, str]:
    return {
        "name": rated.name,
        "auc": figure(rated.auc),
        "brier": figure(rated.brier),
        "accuracy": figure(rated.accuracy),
        "off": figure(rated.calibration_error, 100, 1),
    }


def _confusions(rated: Rated) -> dict[str, object]:
    both = (("0.50", rated.confusion), (f"{rated.best_threshold:.2f}", rated.best_confusion))
    return {
        "name": rated.name,
        "at": [
            {"threshold": said, **{name: f"{number:,}" for name, number in found._asdict().items()}}
            for said, found in both
        ],
    }
