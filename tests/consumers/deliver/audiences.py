"""Audiences as a worker writes them."""

from __future__ import annotations

from typing import Any

__all__ = ["audience", "page", "summary"]


def page(release_id: str, number: int, users: int = 2) -> dict[str, Any]:
    names = [f"{release_id[:20]} ü{number}-{each}" for each in range(users)]
    return {
        "release_id": release_id,
        "page": number,
        "user_ids": names,
        "cohort_ids": ["c1"] * users,
        "scores": [0.5] * users,
        "model_version": 1,
        "emitted_at": 1.7e9,
    }


def summary(release_id: str, pages: int, users: int = 2) -> dict[str, Any]:
    return {
        "release_id": release_id,
        "done": True,
        "pages": pages,
        "users": pages * users,
        "cohorts": 1,
        "reason": "done" if pages else "no model yet",
    }


def audience(release_id: str, pages: int, users: int = 2) -> list[dict[str, Any]]:
    """Pages and a summary."""
    return [*(page(release_id, number, users) for number in range(pages)), summary(release_id, pages, users)]
