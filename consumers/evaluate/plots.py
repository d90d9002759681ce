"""The pictures of the page, as Vega-Lite says them. Colours and fonts are the page's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.evaluate.experiment import Cohort, Contender, Served
from consumers.evaluate.result import AT, Result
from consumers.html_page.plots import Spec, spec
from models.quality.evaluation import GAIN_AT
from models.taste import unit

__all__ = ["pictures"]

Floats = npt.NDArray[np.float64]

GAIN_TO = 0.5
WIDE, NARROW = (1000, 520), (330, 520)  # pixels, for which labels on the plane are chosen
LETTER = (6.4, 13)  # pixels
NEIGHBOURS = 8
FEWEST_FOR_PLANE = 4


def pictures(result: Result) -> dict[str, Spec]:
    """Return the pictures by name."""
    entries = (result.audience, *result.others)
    drawn = {
        "gain": _gain(entries),
        "lifts": _lifts(entries),
        "artists": _artists(result),
        "by_cohort": _bars(result.best, "lift"),
        "sizes": _bars(result.best, "members"),
    }
    if ratios := _ratios(result):
        drawn["ahead"] = _ahead(ratios)
    if len(result.best.cohorts) >= FEWEST_FOR_PLANE:
        drawn["plane"] = _plane(result.best)
    if len(result.served) > 1:
        drawn["curve"] = _curve(result.served)
    return drawn


def _gain(entries: tuple[Contender, ...]) -> Spec:
    values = [
        {"share": share, "found": round(float(found), 5), "who": entry.name}
        for entry in entries
        for share, found in zip((0.0, *GAIN_AT), (0.0, *entry.quality.gain), strict=True)
        if share <= GAIN_TO
    ]
    names = [entry.name for entry in entries]
    return spec(
        values,
        380,
        params=[{"name": "chosen", "select": {"type": "point", "fields": ["who"]}, "bind": "legend"}],
        mark={"type": "line", "interpolate": "monotone"},
        encoding={
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": "told",
                "axis": {"format": "%"},
            },
            "y": {
                "field": "found",
                "type": "quantitative",
                "title": "found",
                "axis": {"format": "%"},
            },
            "color": {
                "field": "who",
                "type": "nominal",
                "sort": names,
                "scale": {"domain": names},
                "legend": {"orient": "bottom", "columns": {"expr": "width < 500 ? 1 : 3"}, "title": None},
            },
            "strokeDash": _ours(entries, [1, 0], [5, 3]),
            "strokeWidth": _ours(entries, 3, 1.6),
            "opacity": {"condition": {"param": "chosen", "value": 1}, "value": 0.12},
            "tooltip": [
                {"field": "who", "title": " "},
                {"field": "share", "format": ".1%", "title": "told"},
                {"field": "found", "format": ".1%", "title": "found"},
            ],
        },
    )


def _ours(entries: tuple[Contender, ...], ours: Any, other: Any) -> Spec:
    names = [entry.name for entry in entries if entry.ours]
    return {"condition": {"test": {"field": "who", "oneOf": names}, "value": ours}, "value": other}


def _lifts(entries: tuple[Contender, ...]) -> Spec:
    values = []
    for entry in entries:
        lift = entry.quality.reach[AT].lift
        values.append(
            {"who": entry.name, "ours": entry.ours, "lift": lift.value, "low": lift.low, "high": lift.high}
        )
    y = {"field": "who", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 170}}
    color = {"condition": {"test": "datum.ours", "value": "accent"}, "value": "muted"}
    tooltip = [
        {"field": "who", "title": " "},
        {"field": "lift", "format": ".2f"},
        {"field": "low", "format": ".2f", "title": "95 % from"},
        {"field": "high", "format": ".2f", "title": "to"},
    ]
    return spec(
        values,
        30 * len(values) + 40,
        layer=[
            {
                "mark": {"type": "bar", "height": 12, "cornerRadiusEnd": 3, "opacity": 0.85},
                "encoding": {
                    "x": {"field": "lift", "type": "quantitative", "title": "lift of an audience of 5 %"},
                    "y": y,
                    "color": color,
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1.5, "color": "ink"},
                "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y},
            },
        ],
    )


def _ratios(result: Result) -> list[dict[str, Any]]:
    """Ratios of the audience's lift to each other's, with their intervals."""
    return [
        {
            "who": name,
            "ratio": ratio.value,
            "low": ratio.low,
            "high": ratio.high,
            "says": f"{ratio.value:.2f}  ({ratio.low:.2f} to {ratio.high:.2f})",
            "ahead": advantages[AT].sign > 0,
        }
        for name, advantages in result.ahead.items()
        # A log axis has no 0.
        if (ratio := advantages[AT].ratio) and ratio.low > 0
    ]


def _ahead(values: list[dict[str, Any]]) -> Spec:
    y = {"field": "who", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 170}}
    color = {"condition": {"test": "datum.ahead", "value": "accent"}, "value": "muted"}
    x = {
        "field": "ratio",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False},
        "axis": {"values": [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64], "format": "~g"},
        "title": "lift of Refrain, audience / lift of this one",
    }
    bare = {"type": "quantitative"}
    says = {"text": {"field": "says"}, "y": y}
    return spec(
        values,
        30 * len(values) + 50,
        layer=[
            {
                "mark": {"type": "rule", "strokeDash": [4, 4], "color": "ink"},
                "data": {"values": [{"even": 1}]},
                "encoding": {"x": {"field": "even", **bare}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 3},
                "encoding": {
                    "x": {"field": "low", **bare, "scale": x["scale"]},
                    "x2": {"field": "high"},
                    "y": y,
                    "color": color,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": color},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 14, "color": "ink", "fontSize": 12},
                "encoding": says | {"x": {"field": "high", **bare}},
            },
        ],
    )


def _artists(result: Result) -> Spec:
    """A point for each artist: the rival's lift and the audience's."""
    rival = result.rival
    ours, theirs = (
        entry.quality.lift_by_artist[:, AT].round(2).tolist() for entry in (result.audience, rival)
    )
    values = [
        {"artist": artist.name, "pairs": artist.pairs, "ours": here, "theirs": there}
        for artist, here, there in zip(result.asked, ours, theirs, strict=True)
    ]
    most = max(*ours, *theirs, 1.0)
    lift = {"type": "quantitative", "scale": {"domain": [0, most]}}
    line = {
        "mark": {"type": "line", "strokeDash": [4, 4], "color": "ink"},
        "data": {"values": [{"at": 0}, {"at": most}]},
        "encoding": {"x": {"field": "at", **lift}, "y": {"field": "at", **lift}},
    }
    points = {
        "mark": {"type": "circle", "color": "accent", "opacity": 0.45},
        "encoding": {
            "x": {"field": "theirs", "title": f"lift of {rival.name}", **lift},
            "y": {"field": "ours", "title": f"lift of {result.audience.name}", **lift},
            "size": {
                "field": "pairs",
                "type": "quantitative",
                "title": "to be found",
                "scale": {"range": [15, 500]},
                "legend": {"orient": "top", "symbolType": "circle", "tickCount": 3},
            },
            "tooltip": [
                {"field": "artist"},
                {"field": "pairs", "title": "to be found"},
                {"field": "ours", "title": result.audience.name, "format": ".1f"},
                {"field": "theirs", "title": rival.name, "format": ".1f"},
            ],
        },
    }
    return spec(values, 460, layer=[points, line])


def _bars(served: Served, what: str) -> Spec:
    """Bars, a cohort each, the highest first."""
    values = [_cohort(cohort) for cohort in served.cohorts]
    return spec(
        values,
        260,
        layer=[
            {
                "mark": {"type": "bar", "color": "accent", "cornerRadiusEnd": 2, "opacity": 0.85},
                "encoding": {
                    "x": {
                        "field": "cohort",
                        "type": "nominal",
                        "sort": {"field": what, "order": "descending"},
                        "title": f"{len(values)} cohorts",
                        "axis": {"labels": False, "ticks": False},
                    },
                    "y": {
                        "field": what,
                        "type": "quantitative",
                        "title": "lift" if what == "lift" else "listeners",
                    },
                    "tooltip": TOOLTIP,
                },
            },
            {
                "mark": {"type": "rule", "strokeDash": [4, 4], "color": "ink"},
                "encoding": {
                    "y": {"field": what, "type": "quantitative", "aggregate": "mean"},
                    "tooltip": {"field": what, "aggregate": "mean", "format": ".2f", "title": "mean"},
                },
            },
        ],
    )


TOOLTIP = [
    {"field": "cohort"},
    {"field": "label"},
    {"field": "members", "title": "listeners", "format": ","},
    {"field": "lift", "format": ".2f"},
]


def _cohort(cohort: Cohort) -> dict[str, Any]:
    return {
        "cohort": cohort.cohort_id,
        "label": cohort.label,
        "members": cohort.members,
        "lift": cohort.lift,
    }


def _plane(served: Served) -> Spec:
    places = on_plane(served.centers)
    names = [next(iter(cohort.artists), cohort.cohort_id) for cohort in served.cohorts]
    sizes = np.array([cohort.members for cohort in served.cohorts])
    shown = {"wide": readable(places, names, sizes, WIDE), "narrow": readable(places, names, sizes, NARROW)}
    values = [
        _cohort(cohort)
        | {"x": round(float(x), 4), "y": round(float(y), 4), "name": name}
        | {width: bool(fit[row]) for width, fit in shown.items()}
        for row, (cohort, (x, y), name) in enumerate(zip(served.cohorts, places, names, strict=True))
    ]
    bare = {"type": "quantitative", "axis": None, "scale": {"domain": [-0.08, 1.08]}}
    at = {"x": {"field": "x", **bare}, "y": {"field": "y", **bare}}
    return spec(
        values,
        WIDE[1],
        layer=[
            {
                "mark": {"type": "circle", "opacity": 0.75, "stroke": "paper", "strokeWidth": 1},
                "encoding": at
                | {
                    "size": {
                        "field": "members",
                        "type": "quantitative",
                        "scale": {"range": [30, 900]},
                        "legend": None,
                    },
                    "color": {
                        "field": "lift",
                        "type": "quantitative",
                        "title": "lift",
                        "scale": {"range": "heatmap"},
                        "legend": {"orient": "top", "gradientLength": 160},
                    },
                    "tooltip": TOOLTIP,
                },
            },
            {
                "mark": {"type": "text", "dy": -14, "color": "ink", "fontSize": 11},
                "encoding": at
                | {
                    "text": {"field": "name"},
                    "opacity": {
                        "condition": {"test": "width < 600 ? datum.narrow : datum.wide", "value": 1},
                        "value": 0,
                    },
                    "tooltip": TOOLTIP,
                },
            },
        ],
    )


def on_plane(centers: Floats) -> Floats:
    """Return places on a plane, 0 to 1 on either side, shape (k, 2): what is near stays near (t-SNE).

    References
    ----------
    [^1]: van der Maaten, L. and Hinton, G., 2008. Visualizing data using t-SNE. JMLR.
    """
    from sklearn.manifold import TSNE

    neighbours = min(NEIGHBOURS, (len(centers) - 1) / 3)
    places = TSNE(perplexity=neighbours, metric="cosine", init="random", random_state=0).fit_transform(
        unit(centers)
    )
    low, high = places.min(axis=0), places.max(axis=0)
    scaled: Floats = (places - low) / np.maximum(high - low, 1e-9)
    return scaled


def readable(
    places: Floats, names: list[str], sizes: npt.NDArray[np.int64], pixels: tuple[int, int]
) -> list[bool]:
    """Say which names can stand on the plane without touching, those of the largest cohorts first."""
    boxes: list[tuple[float, float, float]] = []
    shown = [False] * len(names)
    for row in np.argsort(-sizes, kind="stable").tolist():
        x, y = places[row] * pixels
        half = len(names[row]) * LETTER[0] / 2
        free = all(abs(x - a) > half + b or abs(y - c) > LETTER[1] for a, b, c in boxes)
        if free and half <= x + pixels[0] * 0.08 and x + half <= pixels[0] * 1.08:
            shown[row] = True
            boxes.append((x, half, y))
    return shown


def _curve(curve: tuple[Served, ...]) -> Spec:
    values = [
        {
            "cohorts": served.wanted,
            "who": entry.name,
            "lift": entry.quality.reach[AT].lift.value,
            "low": entry.quality.reach[AT].lift.low,
            "high": entry.quality.reach[AT].lift.high,
            "empty": served.empty,
            "largest": served.largest,
        }
        for served in curve
        for entry in served.contenders
    ]
    x = {
        "field": "cohorts",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False},
        "axis": {"values": [served.wanted for served in curve], "grid": False},
        "title": "number of cohorts",
    }
    color = {"field": "who", "type": "nominal", "sort": None, "legend": {"orient": "bottom", "title": None}}
    return spec(
        values,
        320,
        layer=[
            {
                "mark": {"type": "area", "opacity": 0.15},
                "encoding": {
                    "x": x,
                    "y": {"field": "low", "type": "quantitative", "title": "lift"},
                    "y2": {"field": "high"},
                    "color": color,
                },
            },
            {
                "mark": {"type": "line", "point": {"size": 50}},
                "encoding": {
                    "x": x,
                    "y": {"field": "lift", "type": "quantitative"},
                    "color": color,
                    "tooltip": [
                        {"field": "who", "title": " "},
                        {"field": "cohorts"},
                        {"field": "lift", "format": ".2f"},
                        {"field": "largest", "format": ".1%", "title": "largest cohort"},
                        {"field": "empty", "title": "empty cohorts"},
                    ],
                },
            },
        ],
    )
