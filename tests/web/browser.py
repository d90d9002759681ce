"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

__all__ = ["PHONE", "Visit", "chromium", "visiting"]

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 900}
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@dataclass
class Visit:
    """A browser's visit to a service: what it asked for, and what went wrong on the way."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def watch(self) -> None:
        here = urlsplit(self.address).netloc

        def asked(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts.netloc != here:
                self.elsewhere.append(request.url)

        self.page.on("request", asked)
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def hurdles(self) -> list[str]:
        """What keeps people from using the page, by axe-core: rules of WCAG A and AA."""
        found = Axe().run(
            self.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
        )
        return [
            f"{each['id']}: {node['html']} ({node.get('failureSummary', '')})"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    def too_wide(self) -> bool:
        """Whether one has to scroll sideways."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )


@contextmanager
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium: as root, `apt-get install -y chromium`; scripts/set-up does so")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--in-process-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, address: str, **how: Any) -> Iterator[Visit]:
    context = browser.new_context(viewport=how.pop("viewport", DESK), **how)
    context.set_default_timeout(PATIENCE)
    try:
        visit = Visit(context.new_page(), address)
        visit.watch()
        yield visit
    finally:
        context.close()
