"""Fields of Redis's hashes, read as numbers."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["number_of"]


def number_of(about: Mapping[str, str], field: str) -> float | None:
    """Return the number that a field holds; None where it holds nothing, or is not there.

    Examples
    --------
    >>> number_of({"ctr": "0.25", "born": ""}, "ctr"), number_of({"born": ""}, "born")
    (0.25, None)
    """
    return float(about[field]) if about.get(field) else None
