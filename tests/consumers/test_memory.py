"""What a process takes of the machine's memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREE_BETWEEN = """
import asyncio
import psutil
import numpy as np
from consumers.runtime import memory
from consumers.runtime.process import run_process
from stream.settings import Settings

def taken():
    return psutil.Process().memory_info().rss / 1e6

def leave_holes():
    arrays = [np.ones(1250) for _ in range(20_000)]  # 200 MB in pieces of 10 KB
    return arrays[::1000]

before = taken()
lives_on = leave_holes()
kept = taken()
"""
AT_ONCE = """
asyncio.run(memory.give_back())
print(kept - before, taken() - before)
"""
IN_A_PROCESS = """
async def main(settings, stop):
    while taken() - before >= 20:
        await asyncio.sleep(0.05)

memory.EVERY = 0.1
run_process(main, Settings())
print(kept - before, taken() - before)
"""


@pytest.mark.parametrize(
    "giving_back", [AT_ONCE, IN_A_PROCESS], ids=["at once", "in a process, now and then"]
)
def test_memory_that_is_free_between_what_lives_on_is_given_back_to_the_system(giving_back: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FREE_BETWEEN + giving_back],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    kept, after = map(float, done.stdout.split()[-2:])
    assert kept > 150
    assert after < 20


CYCLES = """
import asyncio, gc, weakref
from consumers.runtime import memory
from consumers.runtime.process import run_process
from stream.settings import Settings

gc.set_threshold(100_000, 20, 100)  # as the command line has it

class Node:
    pass

async def main(settings, stop):
    node = Node()
    node.itself = node
    gone = weakref.ref(node)
    del node
    while gone() is not None:
        await asyncio.sleep(0.05)

memory.EVERY = 0.1
run_process(main, Settings())
"""


def test_what_is_only_in_a_cycle_is_freed_in_a_process() -> None:
    subprocess.run([sys.executable, "-c", CYCLES], check=True, timeout=60)


LARGE = """
import numpy as np
import psutil
from consumers.runtime.process import run_process
from stream.settings import Settings

def taken():
    return psutil.Process().memory_info().rss / 1e6

async def main(settings, stop):
    np.ones(4_000_000)  # from then on glibc alone would take what is smaller from its heap
    before = taken()
    large, small = zip(*[(np.ones(1_000_000), np.ones(1000)) for _ in range(20)])
    kept = taken()
    del large
    print(kept - before, taken() - before)

run_process(main, Settings())
"""


def test_a_large_block_is_the_systems_again_as_soon_as_a_process_has_freed_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LARGE], capture_output=True, text=True, check=True, timeout=60
    )
    kept, after = map(float, done.stdout.split()[-2:])
    assert kept > 150
    assert after < 20
