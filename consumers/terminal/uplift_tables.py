"""Whom an experiment moved, as tables for people."""

from __future__ import annotations

from rich.text import Text

from consumers.evaluate.uplift import GAIN_AT, Ranked, UpliftResult
from consumers.terminal.console import Terminal
from consumers.terminal.format import percent
from consumers.terminal.policy_tables import unusable_in_words
from consumers.terminal.tables import Column, facts, listing
from models.quality.qini import SplitMean

__all__ = ["show_uplift"]


def show_uplift(result: UpliftResult) -> None:
    """Print it."""
    console = Terminal()
    console.print(facts(_about(result)))
    console.print()
    table = listing(Column("learner"), Column("Qini", right=True), Column("Refrain ahead", right=True))
    for each in result.learners:
        ahead = _figure(each.ahead) if each.ahead else ""
        table.add_row(each.name, _figure(each.qini), ahead, style="" if each.ahead else "bold")
    console.print(table)
    console.print()
    console.print(_gains(result.learners[0]))
    console.print(
        "Qini coefficient: 0 is chance, 1 knows each outcome. Means over the splits, ± half of a 95 % "
        "interval.",
        style="dim",
    )
    for note in result.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _about(result: UpliftResult) -> dict[str, str]:
    effect, treatments = result.effect, f" ({', '.join(result.treatments)})" if result.treatments else ""
    points = f"{100 * effect.difference:+.2f} points"
    low, high = 100 * effect.difference_low, 100 * effect.difference_high
    return {
        "treated": f"{result.treated:,}{treatments}: {percent(effect.treated)} have the outcome",
        "control": f"{result.control:,}: {percent(effect.control)}"
        f"{unusable_in_words(result.tally.rows, result.tally.bad)}",
        "uplift": f"{points} (95 %: {low:+.2f} to {high:+.2f})",
        "features": ", ".join(result.features),
        "splits": f"{result.splits}, each with {percent(result.share)} held out; seed {result.seed}",
    }


def _gains(ours: Ranked) -> Text:
    whole = ours.gain[-1]
    parts = [
        f"best {100 * share:g} % {100 * gain:.2f}" for share, gain in zip(GAIN_AT, ours.gain, strict=True)
    ]
    return Text(
        f"Outcomes more per 100 rows, were only the best by Refrain treated: {', '.join(parts[:-1])}; "
        f"all {100 * whole:.2f}"
    )


def _figure(figure: SplitMean) -> str:
    return f"{figure.value:.4f} ±{(figure.high - figure.low) / 2:.4f}"
