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
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_name("page.png")
SIZE = {"width": 1180, "height": 760}
AT_START = 240.0  # seconds until the page answers, at most
SETTLED = 2000  # milliseconds


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


def draw(address: str) -> None:
    """Write the picture."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{address}/cohorts")
        page.wait_for_timeout(SETTLED)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    with tempfile.TemporaryDirectory() as folder:
        demo = subprocess.Popen(
            [sys.executable, "-u", "-m", "consumers.cli", "demo"],
            env={**os.environ, "REFRAIN_DATA": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = address_of(demo)
            time.sleep(seconds)
            draw(address)
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.communicate()
    sys.stdout.write(f"{PICTURE}\n")
