"""What a process does before it begins."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient

from consumers.runtime.startup import begin
from stream.settings import Settings
from stream.wire import topics as topics_module


async def test_a_process_makes_topics_and_looks_at_them_over_one_connection(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, closed = [], []

    class Counted(KafkaAdminClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            opened.append(self)

        def close(self) -> None:
            super().close()
            closed.append(self)

    monkeypatch.setattr(topics_module, "AdminClient", Counted)
    async with AsyncExitStack() as stack:
        begun = await begin(settings, "ingest", stack)
        assert set(begun.watch.shapes) == {"clicks", "merges", "artist-aliases"}
        assert len(opened) == len(closed) == 1


def test_what_only_learning_needs_is_not_imported_before_something_is_learned() -> None:
    code = (
        "import sys\n"
        "import consumers.deliver.process, consumers.ingest.ingester, consumers.train.trainer\n"
        "import consumers.traits.process\n"
        "assert 'scipy.special' not in sys.modules\n"
        "import consumers.web.process, consumers.work.worker\n"  # have it before the first release
        "slow = {'pandas', 'sklearn', 'scipy.optimize', 'scipy.stats'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
