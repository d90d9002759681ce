"""The service as a script or a notebook asks it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from consumers.queries.refrain import Refrain, to_frame
from stream.errors import UnknownCohort
from stream.settings import Settings

ROOT = Path(__file__).parents[2]


def test_cohorts_are_rows_of_a_data_frame(service: Settings) -> None:
    with Refrain(service) as refrain:
        frame = refrain.cohorts().to_frame()
    assert list(zip(frame["cohort_id"], frame["size"], strict=True)) == [("c1", 3), ("c2", 2)]


def test_listeners_of_a_cohort_come_over_several_pages(service: Settings) -> None:
    with Refrain(service) as refrain:
        assert [each.user_id for each in refrain.listeners("c1", limit=2)] == ["u1", "u2"]
        assert len(refrain.listeners()) == 7


def test_an_audience_is_asked_for_by_name(service: Settings) -> None:
    with Refrain(service) as refrain:
        preview = refrain.audience(["Radiohead"], max_audience=2)
    assert preview.listeners == 2
    assert set(to_frame(preview.first)["cohort_id"]) == {"c1"}


def test_it_answers_where_an_event_loop_runs_already(service: Settings) -> None:
    async def in_a_notebook() -> int:
        with Refrain(service) as refrain:
            return len(refrain.cohorts())

    assert asyncio.run(in_a_notebook()) == 2


def test_an_error_says_what_to_do(service: Settings) -> None:
    with Refrain(service) as refrain, pytest.raises(UnknownCohort) as raised:
        refrain.cohort("c99")
    assert raised.value.hint


def test_the_notebook_of_the_docs_runs_and_shows_as_much_as_it_does_there(
    service: Settings, tmp_path: Path
) -> None:
    written = tmp_path / "notebook.ipynb"
    subprocess.run(
        [sys.executable, "-W", "ignore", "docs/notebook_page.py", str(written)],
        cwd=ROOT,
        env={**os.environ, "REFRAIN_REDIS": service.redis, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shown, documented = (
        [len(cell.outputs) for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        for path in (written, ROOT / "docs" / "notebook.ipynb")
    )
    assert shown == documented
    assert sum(shown) >= 8
