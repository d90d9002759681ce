"""CTR models, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from consumers.queries.ctr_models import CtrModelSummary
from consumers.terminal.console import Terminal
from consumers.terminal.format import clock, percent
from consumers.terminal.tables import Column, listing

__all__ = ["EXPLAINED", "NO_CLICKS", "UNREAD", "goes_by", "show_ctr_models"]

STRONGEST = 6
NO_CLICKS = (
    "nothing is learned of clicks yet: audiences are ranked by taste until the notifier reports what "
    "it sent and what was clicked, and the time to click is over"
)
EXPLAINED = (
    "How well the last notifications were predicted before they were learned. AUC: how often one "
    "that was clicked stood above one that was not. Off by: predicted less found CTR, in points. Log "
    "loss: and what it would be if all had the same CTR."
)
UNREAD = (
    ": workers go on with the one that they have, and rank by taste alone once they are started again, until "
    "the trainer publishes the next or another is chosen"
)
NOT_WORTH_A_WORD = 0.02


def show_ctr_models(found: Sequence[CtrModelSummary]) -> None:
    """Print the models that are kept, and what the one that serves goes by."""
    console = Terminal()
    if not found:
        console.print(NO_CLICKS)
        return
    table = listing(
        Column("version", right=True),
        Column("made", wide=True),
        Column("sent", right=True),
        Column("CTR", right=True),
        Column("AUC", right=True),
        Column("off by", right=True),
        Column("log loss", right=True),
        Column(""),
    )
    for model in found:
        table.add_row(
            str(model.version),
            clock(model.created_at) if model.created_at is not None else "-",
            "-" if model.unusable else f"{model.examples:,}",
            percent(model.clicks / model.examples if model.examples else None),
            *_foresight(model.foresight),
            _state(model),
        )
    console.print(table)
    console.print(EXPLAINED, style="dim")
    for model in found:
        if model.unusable:
            console.print(f"\n{model.unusable}{UNREAD if model.serves else ''}")
    for model in found:
        if model.serves and (said := goes_by(model.coefficients)):
            console.print()
            console.print(f"beside the play rate, version {model.version} goes by {said}")


def _state(model: CtrModelSummary) -> Text:
    if model.unusable:
        return Text("chosen, unusable" if model.serves else "unusable", "red")
    return Text("serves" if model.serves else "", "green")


def _foresight(foresight: Mapping[str, float]) -> tuple[str, str, str]:
    if not foresight:
        return "-", "-", "-"
    off, loss = 100 * foresight["calibration_error"], foresight["log_loss"]
    return f"{foresight['auc']:.2f}", f"{off:.1f}", f"{loss:.3f} ({foresight['log_loss_of_ctr']:.3f})"


def goes_by(coefficients: Mapping[str, float]) -> str:
    """Return what a model goes by beside the play rate, the strongest first; "" for nothing."""
    strongest = sorted(coefficients.items(), key=lambda pair: -abs(pair[1]))[:STRONGEST]
    return ", ".join(
        f"{name.replace('_', ' ')} {value:+.2f}" for name, value in strongest if abs(value) > NOT_WORTH_A_WORD
    )
