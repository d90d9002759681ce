"""An evaluation as a page: one file with pictures, which needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from consumers.evaluate.experiment import SHARES
from consumers.evaluate.result import AT, Result
from consumers.html_page.page import can_write, write_html
from consumers.terminal.evaluation_tables import about, comparison_in_words, decimals, missing_in_words
from consumers.terminal.format import ago, percent
from models.quality.evaluation import Estimate

__all__ = ["can_draw", "write_page"]

TEMPLATE = Path(__file__).with_name("page.html")
AHEAD = "lift of Refrain, audience / lift of this one"
SHOWN = 8  # artists on either side


def can_draw(path: Path) -> None:
    """Make sure, before hours of work, that the page can be written.

    Raises
    ------
    WrongUse
        Where a library is missing, or nothing can be written there.
    """
    can_write(path, also=("sklearn",))


def write_page(result: Result, path: Path) -> None:
    """Write the page."""
    from consumers.evaluate.plots import pictures

    best = result.best
    write_html(
        path,
        TEMPLATE,
        "How well releases find their listeners",
        pictures(result),
        files=[Path(name).name for name in result.files],
        tiles=_tiles(result),
        caution=result.caution,
        compared=comparison_in_words(result),
        about=about(result),
        wanted=best.wanted,
        shares=[f"{100 * share:g} %" for share in SHARES],
        figures=_figures(result),
        missing=missing_in_words(result),
        rival=result.rival.name,
        artists=_artists(result),
        cohorts=_cohorts(result),
        seconds=ago(result.seconds),
    )


def _tiles(result: Result) -> list[tuple[str, str]]:
    best = result.best
    reach = best.contenders[0].quality.reach[1]
    tiles = [
        (f"{reach.lift.value:.1f} x", "the hits of a random audience of 5 %"),
        (percent(reach.recall.value), "of those to be found are told"),
        (f"{100 * reach.precision.value:.{decimals(reach.precision)}f} %", "of those told are to be found"),
        (str(len(best.cohorts)), f"cohorts, {best.empty or 'none'} of them empty"),
        (percent(best.largest), "of listeners in the largest"),
    ]
    if best.restless is not None:
        tiles.append((percent(best.restless), "change cohort from model to model"))
    return tiles


def _figures(result: Result) -> dict[str, list[dict[str, Any]]]:
    entries = (result.audience, *result.others)
    found = {
        measure: [
            {
                "name": entry.name,
                "ours": entry.ours,
                "cells": [_cell(getattr(reach, measure), measure) for reach in entry.quality.reach],
                "auc": f"{entry.quality.auc.value:.3f}",
            }
            for entry in entries
        ]
        for measure in ("lift", "precision", "recall")
    }
    found[AHEAD] = [
        {"name": entry.name, "ours": entry.ours, "cells": [_ratio(a.ratio) for a in result.ahead[entry.name]]}
        for entry in result.others
    ]
    return found


def _ratio(figure: Estimate | None) -> tuple[str, str]:
    return _cell(figure, "lift") if figure else ("", "")


def _artists(result: Result) -> dict[str, list[dict[str, Any]]]:
    """Artists of whom the audience finds the most listeners that the rival does not, and the reverse."""
    ours, theirs = (entry.quality.found[:, AT] for entry in (result.audience, result.rival))
    more = ours - theirs
    order = np.argsort(-more, kind="stable").tolist()
    chosen = {
        "Ahead most": [row for row in order[:SHOWN] if more[row] > 0],
        "Behind most": [row for row in order[: -SHOWN - 1 : -1] if more[row] < 0],
    }
    return {
        title: [
            {
                "name": result.asked[row].name,
                "pairs": f"{result.asked[row].pairs:,}",
                "found": [f"{ours[row]:.0f}", f"{theirs[row]:.0f}", f"{more[row]:+.0f}"],
            }
            for row in rows
        ]
        for title, rows in chosen.items()
        if rows
    }


def _cell(figure: Estimate, measure: str) -> tuple[str, str]:
    if measure == "lift":
        return f"{figure.value:.2f}", f"{figure.low:.2f}, {figure.high:.2f}"
    digits = decimals(figure)
    return (
        f"{100 * figure.value:.{digits}f} %",
        f"{100 * figure.low:.{digits}f}, {100 * figure.high:.{digits}f}",
    )


def _cohorts(result: Result) -> list[dict[str, Any]]:
    found = []
    for cohort in sorted(result.best.cohorts, key=lambda cohort: -cohort.members):
        most = max(cohort.artists.values(), default=1.0)
        found.append(
            {
                "cohort_id": cohort.cohort_id,
                "label": cohort.label,
                "members": f"{cohort.members:,} listener{'s' if cohort.members != 1 else ''}",
                "lift": "?" if cohort.lift is None else f"{cohort.lift:.1f}",
                "artists": [
                    {"name": name, "times": f"{times:.1f}", "width": round(100 * times / most)}
                    for name, times in cohort.artists.items()
                ],
            }
        )
    return found
