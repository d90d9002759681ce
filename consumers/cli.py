"""The program `refrain`: what all its commands run under. They are in ``consumers/commands/``."""

from __future__ import annotations

import gc
import logging
import sys

__all__ = ["main"]

INTERRUPTED = 130  # the exit code, as shells have it, of what Ctrl-C has ended


def main(handed: object = None) -> None:
    """Run the command line.

    Parameters
    ----------
    handed
        What the caller gives to the command, beside arguments: to `refrain serve` the socket to listen on.
    """
    # What is imported, some 200,000 objects, stays: to look for cycles among them took a seventh of a start.
    gc.set_threshold(500_000, 20, 100)
    try:
        from consumers.commands.line import LINE  # noqa: PLC0415 - only behind that
    except KeyboardInterrupt:  # before there is anybody to say so
        sys.exit(INTERRUPTED)

    # What goes wrong is said once, in a sentence of ours; a process that runs on sets up its own log.
    for library in ("aiokafka", "kafka"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    LINE(obj=handed)


if __name__ == "__main__":
    main()
