"""Snapshots of the model as tables for people."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.text import Text

from consumers.queries.models import ModelContent, ModelList, Sweep
from consumers.terminal.churn_model_tables import churn_line
from consumers.terminal.console import Terminal
from consumers.terminal.format import ago, clock, counted, moment, percent
from consumers.terminal.tables import Column, facts, listing, rows_that_fit

__all__ = ["LIFT", "migrated", "show_model", "show_models"]

BAR = 20
LIFT = (
    "Lift at 5 %: of the listeners who discovered an artist, how many more than by chance had been "
    "among the 5 % ranked best for it, by their cohort or one by one."
)
AROUND = 13  # lines around the cohorts of a snapshot: the command, facts, header, summary


def show_models(found: ModelList) -> None:
    """Print the snapshots that are kept."""
    table = listing(
        Column("version", right=True),
        Column("made"),
        Column("size", right=True),
        Column("by cohort", right=True),
        Column("one by one", right=True),
        Column(""),
    )
    for model in found.models:
        pinned = ", pinned" if model.version == found.pinned else ""
        table.add_row(
            str(model.version),
            clock(model.created_at),
            f"{model.bytes / 1e6:,.1f} MB",
            *_lifts(model.foresight),
            Text.assemble(("serves", "green"), pinned) if model.serves else "",
        )
    console = Terminal()
    console.print(table)
    console.print(LIFT, style="dim")
    if found.sweep:
        console.print()
        console.print(migrated(found.sweep))
    if found.churn:
        console.print()
        console.print(churn_line(found.churn), soft_wrap=True)
    if found.pinned is not None:
        console.print("`refrain model use newest` goes back to the newest", style="dim")


def _lifts(foresight: Mapping[str, float]) -> tuple[str, str]:
    if not foresight:
        return "-", "-"
    return f"{foresight['lift_cohort']:.1f} x", f"{foresight['lift_listener']:.1f} x"


def migrated(sweep: Sweep) -> str:
    """Return how far the sweep is.

    Examples
    --------
    >>> migrated(Sweep(version=4, met=1250, listeners=5000, began_at=0.0, done=0))
    '━━━━━───────────────  1,250 of 5,000 listeners are migrated to model 4'
    >>> migrated(Sweep(version=4, met=5000, listeners=5000, began_at=0.0, done=4))
    'all 5,000 listeners are migrated to model 4'
    """
    if sweep.done == sweep.version:
        return f"all {sweep.listeners:,} listeners are migrated to model {sweep.version}"
    full = round(BAR * sweep.met / max(sweep.listeners, 1))
    bar = "━" * full + "─" * (BAR - full)
    return f"{bar}  {sweep.met:,} of {sweep.listeners:,} listeners are migrated to model {sweep.version}"


def show_model(found: ModelContent) -> None:
    """Print one snapshot."""
    console = Terminal()
    serves = "  serves" if found.serves else ""
    console.print(Text.assemble((f"model {found.version}", "bold"), (serves, "green")))
    console.print(
        facts(
            {
                "made": moment(found.created_at),
                "from": f"{found.clicks:,} clicks, a sample of {found.listeners:,} listeners",
                "holds": f"{found.artists:,} artists in {found.dims} dimensions, "
                f"{counted(len(found.cohorts), 'cohort')}",
                "learned": _settings(found.settings),
                "predicted": _predicted(found.foresight),
                "play rate": _play_rate(found),
                "checksum": "right",
            }
        )
    )
    table = listing(
        Column("cohort"),
        Column("what sets it apart", wide=True),
        Column("of the sample", right=True),
        Column("age", right=True),
    )
    now, fit = time.time(), rows_that_fit(AROUND)
    for cohort in sorted(found.cohorts, key=lambda entry: -entry.sample)[:fit]:
        share = percent(cohort.sample / max(found.listeners, 1))
        table.add_row(cohort.cohort_id, Text(cohort.label), share, ago(now - cohort.born))
    console.print()
    console.print(table)
    if fit is not None and len(found.cohorts) > fit:
        smaller = counted(len(found.cohorts) - fit, "smaller cohort")
        console.print(f"{smaller} not shown: --json has all", style="dim")


def _settings(settings: Mapping[str, float | str]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    )


def _play_rate(found: ModelContent) -> str:
    likelier = ", ".join(f"{times:.1f} at {score} x" for score, times in found.play_rate.items())
    error = found.foresight.get("calibration_error")
    said = f"\ncalibration error {error:.3f}" if error is not None else ""
    return f"times likelier than the average listener, by score over the mean score:\n{likelier}{said}"


def _predicted(foresight: Mapping[str, float]) -> str:
    if not foresight:
        return "nothing yet: nobody has discovered an artist since the first model"
    by_cohort, one_by_one = _lifts(foresight)
    return (
        f"lift at 5 % {by_cohort} by cohort, {one_by_one} one by one; "
        f"AUC {foresight['auc_cohort']:.2f}, {foresight['auc_listener']:.2f}; "
        f"{foresight['discoveries']:,.0f} discoveries"
    )
