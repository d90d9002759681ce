"""What all pages have: templates, the words of their filters, who looks."""

from __future__ import annotations

import hashlib
import re
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from consumers.terminal.format import ago, clock, counted, moment, percent
from consumers.terminal.placement_words import artists_that_pull
from consumers.web.access import Caller

__all__ = ["PAGES", "STATIC", "listener_url", "page", "part", "release_url"]

HERE = Path(__file__).parent
STATIC = HERE / "static"

PAGES = (
    ("/", "Now"),
    ("/cohorts", "Cohorts"),
    ("/desk", "Release desk"),
    ("/listener", "Listeners"),
    ("/models", "Models"),
    ("/lifecycle", "Lifecycle"),
    ("/health", "Health"),
)
"""Address and name of each page, as the navigation has them."""

STATES = {
    "new": "being planned",
    "started": "going out",
    "paused": "more follows later",
    "planned": "going out",
    "done": "all told",
    "history": "from history",
}


@cache
def _file(name: str) -> str:
    """Return the address of a file of `static/`; another version of it has another."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{digest}"


def _state(state: str) -> str:
    return STATES.get(state, state)


def release_url(release_id: str) -> str:
    """Return the address of a release's page. In a path, browsers take an id such as `..` for a way up."""
    return f"/release?id={quote(release_id, safe='')}"


def _cohort_url(cohort_id: str) -> str:
    return f"/cohorts/{quote(cohort_id, safe='')}"


def listener_url(user_id: str) -> str:
    """Return the address of a listener's page."""
    return f"/listener?id={quote(user_id, safe='')}"


def _commands(words: str) -> Markup:
    """Return words in which what stands between backticks is set as code; all of it is escaped."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped


TEMPLATES = Environment(
    autoescape=True,
    loader=FileSystemLoader(HERE / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {
    "file": _file,
    "pages": PAGES,
    "version": version("refrain-cohorts"),
    "cohort_url": _cohort_url,
    "release_url": release_url,
    "listener_url": listener_url,
}
TEMPLATES.filters |= {
    "ago": ago,
    "clock": clock,
    "commands": _commands,
    "counted": counted,
    "moment": moment,
    "percent": percent,
    "pulls": artists_that_pull,
    "state": _state,
}


def page(
    template: str, title: str, here: str, caller: Caller | None, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a whole page.

    Parameters
    ----------
    here
        Its address in the navigation.
    caller
        Who looks; None: nobody who is known.
    values
        What else the template shows.
    """
    # The zone by now: a process may live on into summer time.
    text = TEMPLATES.get_template(template).render(
        title=title, here=here, caller=caller, zone=time.strftime("%Z"), **values
    )
    return HTMLResponse(text, status)


def part(template: str, **values: Any) -> str:
    """Return a part of a page, which htmx puts in its place."""
    return TEMPLATES.get_template(template).render(**values)
