"""Draws docs/page.png: the page over a demo of two minutes. `python docs/page_picture.py [SECONDS]`

It needs a Chromium: as root, `apt-get install -y chromium`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.demo import demo

PICTURE = Path(__file__).with_name("page.png")
SIZE = {"width": 1180, "height": 760}
SETTLED = 2000  # milliseconds
SECONDS = 120.0


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
