"""Settings by which everybody is told: what a test is not about stands in no other's way."""

from __future__ import annotations

from typing import Any

__all__ = ["EVERYBODY"]

EVERYBODY: dict[str, Any] = {
    "control": 0.0,
    "told_a_day": 0,
    "told_a_week": 0,
    "told_artist_hours": 0.0,
}
