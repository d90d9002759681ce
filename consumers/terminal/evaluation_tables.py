"""An evaluation as tables for people."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from consumers.evaluate.experiment import SHARES, Contender
from consumers.evaluate.holdout import LEAST
from consumers.evaluate.installed import EXTRA
from consumers.evaluate.result import AT, Result
from consumers.terminal.console import Terminal
from consumers.terminal.format import clock, percent
from consumers.terminal.tables import facts
from models.quality.evaluation import Estimate

__all__ = ["about", "comparison_in_words", "decimals", "missing_in_words", "show", "split_in_words"]

ONE_PERCENT = 0.01
MARKS = {1: ("▼", "green"), 0: ("≈", "dim"), -1: ("▲", "yellow")}
MARKS_IN_WORDS = (
    '▼ below "Refrain, audience" over the same artists, ▲ above it, ≈ neither: the paired 95 % interval of '
    "the difference holds 0."
)


def show(result: Result) -> None:
    """Print it."""
    console = Terminal()
    console.print(facts(about(result)))
    console.print()
    console.print(_contenders(result))
    console.print(
        "lift: how many times more often than at random one who is told is one to be found; precision: "
        "how many of those told are; recall: how many of those to be found are told. ± half of a 95 % "
        "interval over artists. Who plays the artist already is left out.",
        style="dim",
    )
    if not result.few:
        console.print(MARKS_IN_WORDS, style="dim")
    if compared := comparison_in_words(result):
        console.print(compared, style="bold")
    if result.caution:
        console.print(result.caution, style="yellow")
    for name, install in missing_in_words(result).items():
        console.print(Text.assemble((f"not compared with {name}: ", "yellow"), install), soft_wrap=True)
    if len(result.served) > 1:
        console.print()
        console.print(_curve(result))


def about(result: Result) -> dict[str, str]:
    """Return what was evaluated, in words."""
    read, best = result.read, result.best
    bad = read.tally.bad
    unusable = f"; {bad.total():,} of {read.tally.rows:,} rows cannot be used ({_listed(bad)})" if bad else ""
    nameless = f"; {read.nameless:,} more name no artist" if read.nameless else ""
    sample = (
        f", a sample of about {result.listeners_in_all:,}"
        if result.listeners_in_all > result.listeners
        else ""
    )
    restless = "" if best.restless is None else f", {percent(best.restless)} change from model to model"
    fewer = f" of {best.wanted} asked for" if len(best.cohorts) < best.wanted else ""
    asked = f", {len(result.asked):,} of them are asked about" if len(result.asked) < result.askable else ""
    about = {
        "clicks": f"{read.clicks:,}{nameless}{unusable}",
        "listeners": f"{result.listeners:,}{sample}",
        "artists": f"{result.artists:,}; {result.askable:,} have {LEAST} known listeners and {LEAST} to be "
        f"found{asked}",
        "split": split_in_words(result),
        "to be found": f"{result.pairs:,} (listener, artist) pairs",
        "cohorts": f"{len(best.cohorts)}{fewer}, {best.empty} empty, the largest has {percent(best.largest)} "
        f"of listeners{restless}",
    }
    if best.calibration_error is not None:
        about["play rates"] = f"calibration error {best.calibration_error:.3f}"
    return about


def comparison_in_words(result: Result) -> str:
    """Say how the audience compares with the best of the others; nothing where too few artists can tell."""
    rival, ratio = result.rival, result.ahead[result.rival.name][AT].ratio
    if result.few or ratio is None:
        return ""
    best = ", the best baseline" if result.baselines else ""
    return (
        f'At {100 * SHARES[AT]:g} %, "{result.audience.name}" has {ratio.value:.2f} times the lift of '
        f'"{rival.name}"{best} ({ratio.low:.2f} to {ratio.high:.2f} over the same artists).'
    )


def split_in_words(result: Result) -> str:
    """Say how it was split."""
    if result.until is None:
        how = (
            f"at random: {percent(result.share)} of the (listener, artist) pairs held out, seed {result.seed}"
        )
    else:
        how = f"in time: learned until {clock(result.until)}; to be found is who is new to an artist then"
    return f"{how}. {result.note}" if result.note else how


def missing_in_words(result: Result) -> dict[str, str]:
    """Return what it is not compared with, and how to install that."""
    return dict.fromkeys(result.missing, EXTRA)


def _contenders(result: Result) -> Table:
    entries = (result.audience, *result.others)
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("audience of", no_wrap=True)
    for share in SHARES:
        table.add_column(f"{100 * share:g} %", justify="right", no_wrap=True)
    table.add_column("AUC", justify="right", no_wrap=True, min_width=5)
    for measure in ("lift", "precision", "recall"):
        table.add_row(Text(measure, "dim"))
        for entry in entries:
            figures = [getattr(reach, measure) for reach in entry.quality.reach]
            cells = _lifts(result, entry) if measure == "lift" else [Text(_percent(f)) for f in figures]
            auc = f"{entry.quality.auc.value:.3f}" if measure == "lift" else ""
            table.add_row(f"  {entry.name}", *cells, auc, style="bold" if entry.ours else "")
    return table


def _lifts(result: Result, entry: Contender) -> list[Text]:
    """Lifts, each with how it compares to the audience's; with too few artists, none is marked."""
    lifts = [_lift(reach.lift) for reach in entry.quality.reach]
    if result.few or entry.name not in result.ahead:
        return [Text(lift) for lift in lifts]
    return [
        Text.assemble(MARKS[advantage.sign], f" {lift}")
        for advantage, lift in zip(result.ahead[entry.name], lifts, strict=True)
    ]


def _curve(result: Result) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("cohorts", "lift, cohorts", "lift, audience", "empty", "largest", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    for served in result.served:
        audience, cohorts = (_lift(entry.quality.reach[1].lift) for entry in served.contenders)
        wanted = (
            f"{served.wanted}"
            if len(served.cohorts) == served.wanted
            else f"{served.wanted} ({len(served.cohorts)})"
        )
        table.add_row(
            wanted,
            cohorts,
            audience,
            str(served.empty),
            percent(served.largest),
            percent(served.restless),
            style="bold" if served is result.best else "",
        )
    return table


def _lift(figure: Estimate) -> str:
    return f"{figure.value:.2f} ±{(figure.high - figure.low) / 2:.2f}"


def _percent(figure: Estimate) -> str:
    digits = decimals(figure)
    return f"{100 * figure.value:.{digits}f} ±{50 * (figure.high - figure.low):.{digits}f} %"


def decimals(share: Estimate) -> int:
    """Return how many decimals of a percentage say something."""
    return 1 if share.value >= ONE_PERCENT else 2


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.most_common())
