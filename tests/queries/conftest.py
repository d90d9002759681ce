"""A small service to ask."""

from tests.cli.conftest import service, with_redis

__all__ = ["service", "with_redis"]
