"""Feeds the targets with bytes that atheris makes up, guided by which lines of code they reach.

    python tests/fuzz/fuzz.py files|events [SECONDS]

What is found is written beside, as crash-*; put into corpus/TARGET/ it is a test from then on.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(name: str, seconds: str = "60") -> None:
    """Fuzz one target for so long, from its corpus on."""
    try:
        import atheris  # noqa: PLC0415 - only who fuzzes has it
    except ImportError:
        sys.exit(
            "atheris is not installed: .venv/bin/python -m pip install --constraint constraints.txt atheris"
        )
    with atheris.instrument_imports(include=["stream"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - to be watched line by line
    if name not in TARGETS:
        sys.exit(f"there is no target {name}: {', '.join(TARGETS)}")
    found = HERE.parents[1] / ".cache" / "fuzz" / name  # inputs that reach new lines, for the next time
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=30", f"-artifact_prefix={HERE}/"]
    atheris.Setup([sys.argv[0], *options, str(found), str(HERE / "corpus" / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    main(*sys.argv[1:3])
