"""The plots of what came of a release, as Vega-Lite says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.html_page.plots import Spec, spec
from consumers.terminal.format import percent
from consumers.terminal.release_report import between

__all__ = ["Share", "bars", "intervals"]

ROW = 34  # pixels
AROUND = 60  # pixels: the axis and its title
TICKS = 6
ROOM = 1.25  # how much longer than the longest bar the axis is: for its number


@dataclass(frozen=True)
class Share:
    """A share and its interval."""

    name: str
    share: float
    low: float
    high: float


def intervals(shares: Sequence[Share], title: str, whole: float | None = None) -> Spec:
    """Return a plot of shares, a row each: a dot, and a line for the interval.

    Parameters
    ----------
    title
        What the shares are of.
    whole
        Where a dashed line goes, for comparison.
    """
    values = [
        {
            "name": each.name,
            "share": each.share,
            "low": each.low,
            "high": each.high,
            "said": percent(each.share),
            "between": between(each.low, each.high),
        }
        for each in shares
    ]
    x = {
        "field": "share",
        "type": "quantitative",
        "title": title,
        "axis": {"format": "~%", "tickCount": TICKS},
        "scale": {"zero": True},
    }
    y = _names()
    tooltip = [
        {"field": "name", "title": " "},
        {"field": "said", "title": title},
        {"field": "between", "title": "95 %"},
    ]
    compared = {
        "mark": {"type": "rule", "strokeDash": [4, 4], "color": "ink", "opacity": 0.6},
        "data": {"values": [{"whole": whole}]},
        "encoding": {"x": {"field": "whole", "type": "quantitative"}},
    }
    return spec(
        values,
        ROW * len(values) + AROUND,
        description=title,
        layer=[
            *([compared] if whole is not None else []),
            {
                "mark": {"type": "rule", "strokeWidth": 3, "color": "accent", "opacity": 0.5},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative"},
                    "x2": {"field": "high"},
                    "y": y,
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": "accent"},
                "encoding": {"x": x, "y": y, "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "dy": -12, "fontSize": 11, "color": "ink"},
                "encoding": {"text": {"field": "said"}, "x": x, "y": y},
            },
        ],
    )


def bars(counts: Mapping[str, int], title: str) -> Spec:
    """Return a plot of counts, a bar each."""
    values = [{"name": name, "count": number, "said": f"{number:,}"} for name, number in counts.items()]
    x = {
        "field": "count",
        "type": "quantitative",
        "title": title,
        "axis": {"format": ",d", "tickCount": TICKS, "tickMinStep": 1},
        "scale": {"domain": [0, ROOM * max(counts.values())], "nice": False},
    }
    y = _names()
    return spec(
        values,
        ROW * len(values) + AROUND,
        description=title,
        layer=[
            {
                "mark": {"type": "bar", "height": 14, "cornerRadiusEnd": 3, "color": "accent"},
                "encoding": {"x": x, "y": y},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12, "color": "ink"},
                "encoding": {"text": {"field": "said"}, "x": x, "y": y},
            },
        ],
    )


def _names() -> dict[str, Any]:
    """Return the axis of names, in the order of the rows. On a phone they are cut off earlier."""
    axis = {
        "labelLimit": {"expr": "containerSize()[0] < 500 ? 120 : 280"},
        "labelPadding": 18,  # the number over a dot at 0 % is as wide as that to the left
    }
    return {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": axis}
