"""Draws docs/page.png: the page over a demo of two minutes. `python docs/page_picture.py [SECONDS]`

It needs a Chromium: as root, `apt-get install -y chromium`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PICTURE = Path(__file__).with_name("page.png")
SIZE = {"width": 1180, "height": 760}
AT_START = 240.0  # seconds until the page answers, at most
SETTLED = 2000  # milliseconds
SECONDS = 120.0


def address_of(demo: subprocess.Popen[str]) -> str:
    """Return where the demo says that its page is."""
    give_up = time.monotonic() + AT_START
    for line in demo.stdout or ():
        sys.stderr.write(line)
        if found := re.search(r"page on (http://\S+)", line):
            return found[1]
        if time.monotonic() > give_up:
            break
    raise SystemExit("the demo has not said where its page is")


@contextmanager
def demo(seconds: float) -> Iterator[str]:
    """Let a demo run for so long; yield the address of its page."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "consumers.cli", "demo"],
            env={**os.environ, "REFRAIN_DATA": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = address_of(process)
            time.sleep(seconds)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open a browser."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def draw(address: str) -> None:
    """Write the picture."""
    with chromium() as browser:
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{address}/cohorts")
        page.wait_for_timeout(SETTLED)
        page.screenshot(path=PICTURE)


if __name__ == "__main__":
    with demo(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS) as address:
        draw(address)
    sys.stdout.write(f"{PICTURE}\n")
