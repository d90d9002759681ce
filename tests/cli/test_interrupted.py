from __future__ import annotations

import subprocess
import sys

INTERRUPTED_WHILE_IMPORTING = """
import sys
class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "consumers.commands.application":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
from consumers.cli import main
main()
"""


def test_ctrl_c_while_the_commands_are_imported_ends_it_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
