"""One HTML file with plots, which needs no network: styles, plotting library and data are in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from consumers.html_page.plots import Spec
from stream.errors import WrongUse

__all__ = ["EXTRA", "can_write", "write_html"]

EXTRA = "pip install 'refrain-cohorts[evaluate]'"
NEEDS = ("jinja2", "vl_convert")
BASE = Path(__file__).parent


def can_write(path: Path, also: Iterable[str] = ()) -> None:
    """Make sure, before any work is done for it, that a page can be written.

    Parameters
    ----------
    also
        Modules that this page needs beside those that every page needs.

    Raises
    ------
    WrongUse
        Where a library is missing, or nothing can be written there.
    """
    if absent := [name for name in sorted({*NEEDS, *also}) if find_spec(name) is None]:
        raise WrongUse(f"--html needs {', '.join(absent)}, which is not installed: {EXTRA}")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise WrongUse(f"--html {path}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise WrongUse(f"--html {path}: nothing can be written there; name another place")


def write_html(path: Path, template: Path, title: str, pictures: Mapping[str, Spec], **values: Any) -> None:
    """Write a page.

    Parameters
    ----------
    template
        A Jinja template that extends base.html. All that it shows is escaped.
    pictures
        Id of an element of the page -> the plot that is drawn in it.
    values
        What else the template shows.
    """
    import vl_convert
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(autoescape=True, loader=FileSystemLoader([template.parent, BASE]))
    library = ""
    if pictures:
        library = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets the default
    page = templates.get_template(template.name).render(
        title=title,
        pictures=pictures,
        library=library,
        version=version("refrain-cohorts"),
        **values,
    )
    path.write_text(page, encoding="utf-8")
