"""Runs docs/notebook.ipynb on the service of REFRAIN_REDIS, and keeps what its cells show.

refrain up                                     (in another terminal; it says what to export)
refrain sample | refrain replay clicks -
python docs/notebook_page.py [FILE]            (FILE: where to write it; in its place by default)
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "notebook.ipynb"


def run(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Return the notebook with what its cells show; raise where one fails."""
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", record_timing=False)
    client.execute(cwd=str(folder))
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


if __name__ == "__main__":
    text = nbformat.read(NOTEBOOK, as_version=4)
    written = Path(sys.argv[1]) if sys.argv[1:] else NOTEBOOK
    nbformat.write(run(text, NOTEBOOK.parent.parent), written)
    sys.stdout.write(f"{written}\n")
