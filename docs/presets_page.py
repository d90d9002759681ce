"""Writes the table of docs/presets.md from the presets themselves. `python docs/presets_page.py`"""

from __future__ import annotations

import sys
from pathlib import Path

from stream.files.presets import Preset, presets

PAGE = Path(__file__).with_name("presets.md")

START = "## The presets\n"


def page(text: str) -> str:
    """Return the page with the presets rewritten."""
    return text[: text.index(START)] + START + "".join(map(_section, presets()))


def _section(preset: Preset) -> str:
    kinds = (
        "" if preset.kinds == ("clicks",) else f" For {' and '.join(f'`{kind}`' for kind in preset.kinds)}."
    )
    found = "" if preset.found else " Never found by itself."
    songs = f"\nWith `--songs FILE` also `{preset.with_songs}`.\n" if preset.with_songs else ""
    return f"""
### {preset.name}

**{preset.what}.** {preset.means}{kinds}{found}

    {preset.options}
{songs}"""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
