"""Tests of what ingesters write run against every backend that there is."""

from __future__ import annotations

from tests.stream.conftest import redis

__all__ = ["redis"]
