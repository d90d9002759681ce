"""Draws docs/demo.svg: the demo's view after four minutes. `python docs/demo_picture.py [SECONDS]`"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from consumers.demo.run import demo
from consumers.demo.view import Picture
from stream.settings import Settings

COLUMNS, ROWS = 100, 30
# Without the fonts that rich names: a picture fetches nothing. Any monospaced font will do.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class Draughtsman:
    """A screen that keeps the last moment as a picture."""

    def say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    def show(self, picture: Picture) -> None:
        """Nothing: the last moment is enough."""

    def end(self, last: Picture | None, words: list[str]) -> None:
        if last is not None:
            console = Console(
                record=True, width=COLUMNS, height=ROWS, file=io.StringIO(), force_terminal=True,
                color_system="truecolor",
            )  # fmt: skip
            console.print(last)
            svg = console.export_svg(title="make demo", code_format=FORMAT)
            Path(__file__).with_name("demo.svg").write_text(svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 240.0
    with tempfile.TemporaryDirectory() as folder:
        demo(Settings(data=Path(folder)), seconds, screen=Draughtsman())
