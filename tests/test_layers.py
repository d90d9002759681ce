"""Who may import whom: consumers/ -> stream/ -> models/, and models/ knows neither files nor clocks.

Within consumers/ the table below says who may import whom; each folder's docstring is its map.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "models": {"models"},
    "stream": {"models", "stream"},
    "consumers": {"models", "stream", "consumers"},
}
APPLICATIONS_MAY_IMPORT = {
    "runtime": set(),
    "ingest": {"runtime"},
    "train": {"runtime"},
    "traits": {"runtime"},
    "deliver": {"runtime"},
    "work": {"runtime"},
    "local": {"runtime"},
    "queries": {"runtime", "work"},  # a preview is planned as a worker plans it
    "actions": {"queries", "runtime"},
    "report": {"queries", "runtime", "work"},  # past releases are aimed as a worker aims them
    "terminal": {"queries", "churn", "doctor", "evaluate", "history", "redrive", "replay", "report"},
    "doctor": {"queries", "runtime", "terminal"},
    "replay": {"runtime"},
    "history": {"evaluate", "replay", "runtime"},
    "html_page": {"queries", "terminal"},
    "evaluate": {"html_page", "replay", "terminal", "work"},
    "churn": {"evaluate", "html_page", "replay", "terminal"},
    "export": {"runtime"},
    "demo": {"local", "runtime"},
    "web": {"actions", "doctor", "html_page", "queries", "runtime", "terminal"},
}
"""Which folders of consumers/ each may import, beside itself. Only the command line imports commands/."""
COMMAND_LINE = {"cli", "commands"}
LIBRARIES_OF_MODELS = {"numpy", "scipy", "river"}
STANDARD_OF_MODELS = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "random",
    "statistics",
    "types",
    "typing",
    "zlib",
}
"""No I/O, no clock, no process: what computes and no more."""


def _modules() -> list[Path]:
    return sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def _folders() -> list[Path]:
    return sorted({path.parent for path in _modules()})


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each module that a file imports, at its top or inside a function."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join([*base, *filter(None, [node.module])])


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {entry.name for entry in ROOT.iterdir() if entry.is_dir() and any(entry.glob("*.py"))}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in _imports(path)
        if name.partition(".")[0] in ours - MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "consumers").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_folder_of_consumers_imports_those_it_may(path: Path) -> None:
    folder = path.relative_to(ROOT / "consumers").parts[0].removesuffix(".py")
    if folder in COMMAND_LINE:
        return
    allowed = {folder} | APPLICATIONS_MAY_IMPORT.get(folder, set())
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in _imports(path)
        if name.startswith("consumers.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "consumers" / "terminal").glob("*.py")), ids=lambda path: path.name
)
def test_what_is_shown_comes_from_queries_not_from_stores(path: Path) -> None:
    assert [name for _, name in _imports(path) if name.startswith("stream.stores")] == []


def test_only_a_terminal_that_reads_no_markup_prints_for_people() -> None:
    terminal = ROOT / "consumers" / "terminal" / "console.py"
    consoles = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "consumers").rglob("*.py")
        if path != terminal and any(name == "rich.console" for _, name in _imports(path))
    ]
    # The demo draws its own picture.
    assert sorted(consoles) == ["consumers/demo/screen.py", "consumers/demo/view.py"]


@pytest.mark.parametrize("folder", _folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folders_docstring_is_the_map_of_its_files(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    inner = [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
    there |= {f"{path.name}/" for path in inner if any(path.glob("*[a-z].*"))}
    named = set(re.findall(r"(?<![\w/.])\w+(?:\.py\b|/)", text))
    assert sorted(there - named) == [], "say in the docstring of __init__.py what these are for"
    assert sorted(name for name in named - there if name.endswith(".py")) == [], "these are not there"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "models").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_core_computes_and_no_more(path: Path) -> None:
    allowed = {"models"} | LIBRARIES_OF_MODELS | STANDARD_OF_MODELS
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in _imports(path)
        if name.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_the_rule_names_modules_that_exist() -> None:
    assert sys.stdlib_module_names >= STANDARD_OF_MODELS
    assert all((ROOT / package / "__init__.py").exists() for package in MAY_IMPORT)


def test_a_relative_import_is_seen_as_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "stream").mkdir()
    path = tmp_path / "stream" / "x.py"
    path.write_text("from . import redis\nfrom ..consumers import up\n")
    assert [name for _, name in _imports(path)] == ["stream", "consumers"]
