"""How long a server is waited for."""

from __future__ import annotations

import time

__all__ = ["Patience"]


class Patience:
    """Seconds that begin again whenever a server says that it is only not ready yet.

    Redis says so while it reads its data from the disk: it is there, and what it has may take it longer than
    anybody waits for one that is not.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since = time.monotonic()

    def begin_anew(self) -> None:
        """Note that the server has just said so."""
        self._since = time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self._since > self.seconds
