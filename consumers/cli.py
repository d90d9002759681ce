"""The program `refrain`: what all its commands run under. They are in ``consumers/commands/``."""

from __future__ import annotations

import gc
import logging

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # Batches make objects by the ten thousand, hardly any in a cycle, and what is imported stays: looking for
    # cycles took a third of an ingester's time, and a seventh of a start.
    gc.set_threshold(100_000, 20, 100)
    from consumers.commands.application import build  # noqa: PLC0415 - only behind that

    # What goes wrong is said once, in a sentence of ours; a process that runs on sets up its own log.
    for library in ("aiokafka", "kafka"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    build()()


if __name__ == "__main__":
    main()
