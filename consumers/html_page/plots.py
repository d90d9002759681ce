"""What the plots of a page have in common, as Vega-Lite says it. Colours and fonts are the page's."""

from __future__ import annotations

from typing import Any

__all__ = ["Spec", "spec"]

Spec = dict[str, Any]


def spec(values: list[dict[str, Any]], height: int, **parts: Any) -> Spec:
    """Return a plot as wide as the page.

    Parameters
    ----------
    values
        The data, a row each.
    height
        In pixels.
    parts
        Marks, encodings, layers.
    """
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": values},
        **parts,
    }
