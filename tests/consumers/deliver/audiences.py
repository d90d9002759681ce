"""Audiences as a worker writes them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

__all__ = ["audience", "full_page", "page", "summary"]


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


def full_page(release_id: str) -> dict[str, Any]:
    """A page of as many listeners as there may be, by ids as services have them, with all that is learned."""
    numbers = range(1000)
    chances = [(each + 1) / 1003 for each in numbers]
    ids = [str(UUID(int=each << 90 | each)) for each in numbers]
    learned = {"user_ids": ids, "scores": chances, "ctrs": chances, "propensities": chances}
    return page(release_id, 0, 1000) | learned


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
