"""A demo that runs, and says where its page is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def demo(seconds: float = 0.0) -> Iterator[str]:
    """Run a demo in a folder of its own; yield the address of its page so long after it is said."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "consumers.cli", "demo"],
            env={**os.environ, "REFRAIN_DATA": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = _address(process)
            time.sleep(seconds)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        sys.stderr.write(line)
        if found := re.search(r"page on (http://\S+)", line):
            return found[1]
    raise RuntimeError("the demo has ended, and not said where its page is")
