"""Empty topics on the broker of the tests."""

from __future__ import annotations

from kafka import KafkaAdminClient

from stream.settings import Settings
from stream.wire.topics import create_topics

__all__ = ["make_topics_anew"]


def make_topics_anew(settings: Settings) -> None:
    """Delete all topics, and create those of the contract."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        if old := [name for name in admin.list_topics() if not name.startswith("__")]:
            admin.delete_topics(old)
    finally:
        admin.close()
    create_topics(settings)
