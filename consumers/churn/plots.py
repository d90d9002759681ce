"""The plots of the page, as Vega-Lite says them. Colours and fonts are the page's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from consumers.churn.result import ChurnResult, Rated
from consumers.html_page.plots import Spec, spec

__all__ = ["plots"]

MOST_FEATURES = 20


def plots(result: ChurnResult) -> dict[str, Spec]:
    """Return the plots by name."""
    return {"roc": _roc(result), "calibration": _calibration(result), "importances": _importances(result)}


def _roc(result: ChurnResult) -> Spec:
    return _curves(
        result,
        lambda each: each.roc,
        x="false positive rate: came back, and were predicted to churn",
        y="true positive rate: churned, and were predicted to",
        point=False,
    )


def _calibration(result: ChurnResult) -> Spec:
    return _curves(result, lambda each: each.calibration, x="predicted", y="found", point=True)


def _curves(
    result: ChurnResult,
    points: Callable[[Rated], tuple[tuple[float, float], ...]],
    *,
    x: str,
    y: str,
    point: bool,
) -> Spec:
    names = [each.name for each in result.learners]
    values = [
        {"who": each.name, "x": left, "y": up, "order": at}
        for each in result.learners
        for at, (left, up) in enumerate(points(each))
    ]
    ours = {"test": {"field": "who", "equal": names[0]}}

    def axis(field: str, title: str) -> dict[str, Any]:
        return {"field": field, "type": "quantitative", "title": title, "scale": {"domain": [0, 1]}}

    lines = {
        "params": [{"name": "chosen", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}],
        "mark": {"type": "line", "point": point},
        "encoding": {
            "x": axis("x", x) | {"axis": {"format": "%"}},
            "y": axis("y", y) | {"axis": {"format": "%"}},
            "order": {"field": "order"},
            "color": {
                "field": "who",
                "type": "nominal",
                "scale": {"domain": names},
                "legend": {"orient": "bottom", "columns": {"expr": "width < 500 ? 1 : 3"}, "title": None},
            },
            "strokeWidth": {"condition": ours | {"value": 3}, "value": 1.6},
            "opacity": {"condition": {"param": "chosen", "value": 1}, "value": 0.12},
            "tooltip": [
                {"field": "who", "title": " "},
                {"field": "x", "format": ".1%", "title": x},
                {"field": "y", "format": ".1%", "title": y},
            ],
        },
    }
    diagonal = {
        "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "color": "muted"},
        "encoding": {"x": axis("x", x), "y": axis("y", y)},
    }
    return spec(values, 380, layer=[diagonal, lines])


def _importances(result: ChurnResult) -> Spec:
    ours = result.learners[0].importances[:MOST_FEATURES]
    values = [{"feature": each.feature, "lost": round(each.auc_lost, 5)} for each in ours]
    return spec(
        values,
        22 * len(values) + 40,
        mark={"type": "bar", "height": 12, "cornerRadiusEnd": 3, "color": "accent"},
        encoding={
            "x": {"field": "lost", "type": "quantitative", "title": "AUC lost where it is shuffled"},
            "y": {"field": "feature", "type": "nominal", "sort": None, "title": None},
            "tooltip": [{"field": "feature", "title": " "}, {"field": "lost", "format": ".4f"}],
        },
    )
