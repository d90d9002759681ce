"""A policy that was judged by a log, as tables for people."""

from __future__ import annotations

from rich.text import Text

from consumers.evaluate.policy import PolicyResult
from consumers.terminal.console import Terminal
from consumers.terminal.format import counted
from consumers.terminal.tables import Column, facts, listing
from models.quality.off_policy import PolicyValue

__all__ = ["show_policy", "unusable_in_words"]


def show_policy(result: PolicyResult) -> None:
    """Print it."""
    console = Terminal()
    console.print(facts(_about(result)))
    console.print()
    table = listing(Column("mean reward"), Column("", right=True), Column("95 % interval", right=True))
    table.add_row("the log's own policy", *_figures(result.logged), style="dim")
    for name, value in result.estimates.items():
        table.add_row(
            f"the policy to be judged, {name}", *_figures(value), style="bold" if name == "DR" else ""
        )
    console.print(table)
    over = "over listeners" if result.users is not None else "over rows"
    console.print(
        "IPS: by inverse propensities; SNIPS: self-normalised; DR: doubly robust, with a model of rewards. "
        f"Intervals {over}.",
        style="dim",
    )
    for note in result.notes:
        console.print(Text(note, style="yellow"))


def unusable_in_words(rows: int, bad: dict[str, int]) -> str:
    """Say how many rows cannot be used, and why; nothing where all can."""
    if not bad:
        return ""
    listed = ", ".join(f"{number:,} {reason}" for reason, number in bad.items())
    return f"; {sum(bad.values()):,} of {rows:,} rows cannot be used ({listed})"


def _about(result: PolicyResult) -> dict[str, str]:
    overlap = result.overlap
    users = f" of {counted(result.users, 'listener')}" if result.users is not None else ""
    return {
        "rows": f"{overlap.rows:,}{users}{unusable_in_words(result.tally.rows, result.tally.bad)}",
        "actions": "" if result.actions is None else f"{result.actions:,}",
        "rewarded": f"{result.rewarded:,}",
        "effective": f"{overlap.effective:,.0f} rows ({100 * overlap.effective / overlap.rows:.1f} %)",
        "weights": f"{overlap.mean:.3f} in the mean, {overlap.largest:,.1f} at most",
        "unseen": f"{100 * overlap.unseen:.2f} % of the choices" if overlap.unseen else "",
        "reward model": ", ".join(result.reward_model),
    }


def _figures(value: PolicyValue) -> tuple[str, str]:
    return f"{value.value:.4g}", f"{value.low:.4g} to {value.high:.4g}"
