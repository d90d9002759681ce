"""What a process takes of the machine's memory."""

from __future__ import annotations

import subprocess
import sys

GIVES_BACK = """
import asyncio
import psutil
import numpy as np
from consumers.runtime.memory import give_back

def taken():
    return psutil.Process().memory_info().rss / 1e6

before = taken()
arrays = [np.ones(1250) for _ in range(20_000)]  # 200 MB in pieces of 10 KB
lives_on = arrays[::1000]
del arrays
kept = taken()
asyncio.run(give_back())
print(kept - before, taken() - before)
"""


def test_memory_that_is_free_between_what_lives_on_is_given_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GIVES_BACK], capture_output=True, text=True, check=True, timeout=60
    )
    kept, after = map(float, done.stdout.split())
    assert kept > 150
    assert after < 20
