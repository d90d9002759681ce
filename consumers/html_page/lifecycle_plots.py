"""The plots of listeners' lifecycle, as Vega-Lite says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consumers.html_page.plots import Spec, spec
from consumers.queries.lifecycle import ActivityGroup, LostForecast
from consumers.terminal.format import percent

__all__ = ["band", "heat", "shapes"]

ROW = 30  # pixels
AROUND = 60
HEIGHT = 260


def heat(cells: Sequence[tuple[str, str, float | None]], x_title: str, y_title: str) -> Spec:
    """Return a table of shares, the darker the higher.

    Parameters
    ----------
    cells
        Row, column and share of each, in the order in which they are shown.
    """
    values = [
        {"y": row, "x": column, "share": share, "said": percent(share)}
        for row, column, share in cells
        if share is not None
    ]
    columns = list(dict.fromkeys(column for _, column, _ in cells))
    x = {"field": "x", "type": "nominal", "sort": columns, "title": x_title, "axis": {"labelAngle": 0}}
    y = {"field": "y", "type": "nominal", "sort": None, "title": y_title}
    color = {
        "field": "share",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, 1], "range": "heatmap"},
    }
    strong = {"test": "datum.share > 0.5", "value": "paper"}
    return spec(
        values,
        ROW * len({row for row, _, _ in cells}) + AROUND,
        description=f"{y_title}, {x_title}",
        encoding={"x": x, "y": y},
        layer=[
            {"mark": "rect", "encoding": {"color": color}},
            {
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {
                    "text": {"field": "said"},
                    "color": {"condition": strong, "value": "ink"},
                },
            },
        ],
    )


def band(lost: Sequence[LostForecast]) -> Spec:
    """Return a line with its 95 % interval over the weeks to come."""
    values = [
        {"weeks": each.weeks, "expected": each.expected, "low": each.low, "high": each.high} for each in lost
    ]
    x = {"field": "weeks", "type": "quantitative", "title": "weeks ahead", "axis": {"tickMinStep": 1}}
    y = {"field": "expected", "type": "quantitative", "title": "listeners", "scale": {"zero": True}}
    return spec(
        values,
        HEIGHT,
        description="regular listeners who will be dormant or gone",
        encoding={"x": x},
        layer=[
            {
                "mark": {"type": "area", "opacity": 0.25, "color": "accent"},
                "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
            },
            {"mark": {"type": "line", "point": True, "color": "accent"}, "encoding": {"y": y}},
        ],
    )


def shapes(groups: Sequence[ActivityGroup]) -> Spec:
    """Return the mean weekly counts of groups, a line each."""
    values: list[dict[str, Any]] = [
        {"group": f"group {number}", "week": ago - len(group.weekly), "actions": actions}
        for number, group in enumerate(groups, start=1)
        for ago, actions in enumerate(group.weekly)
    ]
    x = {"field": "week", "type": "quantitative", "title": "week", "axis": {"tickMinStep": 1}}
    y = {
        "field": "actions",
        "type": "quantitative",
        "title": "actions a week",
        "scale": {"type": "symlog", "zero": True},
    }
    color = {"field": "group", "type": "nominal", "title": None, "legend": {"orient": "bottom"}}
    return spec(
        values,
        HEIGHT,
        description="actions a week by group",
        mark={"type": "line", "point": True},
        encoding={"x": x, "y": y, "color": color},
    )
