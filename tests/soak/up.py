"""What passes from `refrain up` until a first click is applied, on what the run before has left.

``python -m tests.soak.up [TIMES [LISTENERS RATE SECONDS]]``: after it was asked to end, and after all of it
was killed at once, servers too, as by a power cut; before each, so many listeners click so often a second,
for so long, and they go on clicking throughout.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis

from stream.broker import State, find_running
from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.soak.listeners import Listeners
from tests.soak.restart import APPLIED, PATIENCE, assigned, first_click
from tests.soak.service import SETTINGS
from tests.waiting import wait_for

LISTENERS, RATE, SECONDS = 5000, 500, 15
SEED = 7
ANSWER = "export REFRAIN_KAFKA="
"""What `refrain up` says once both servers answer."""


class Machine:
    """Where `refrain up` runs again and again, in one folder."""

    def __init__(self, data: Path, refrain: Refrain) -> None:
        self._data = data
        self._refrain = refrain

    def start(self) -> None:
        self._up = self._refrain.start("up")

    def servers(self) -> State:
        """Return where its servers are, once they answer."""
        return wait_for(lambda: find_running(self._data), "servers", PATIENCE)

    def stop(self) -> None:
        """Ask it to end."""
        self._up.signal(signal.SIGTERM)
        assert self._up.wait() == 0

    def kill(self) -> None:
        """End all of it at once."""
        everything = [*psutil.Process(self._up.pid).children(recursive=True), psutil.Process(self._up.pid)]
        for process in everything:
            process.suspend()  # nobody is to see another one die
        for process in everything:
            process.kill()
        self._up.wait()
        psutil.wait_procs(everything)

    def restarted(self, db: redis.Redis, listeners: int) -> dict[str, float]:
        """Start it; return the seconds until each step."""
        began, steps = time.time(), dict[str, float]()

        def wait(name: str, condition: Callable[[], object]) -> None:
            wait_for(condition, name, PATIENCE)
            steps[name] = time.time() - began

        self.start()
        wait("Redis answers", lambda: _answers(db))
        applied = first_click(db, listeners)  # no ingester runs yet
        wait("Kafka answers, too", lambda: ANSWER in self._up.log.read_text())
        wait(APPLIED, applied)
        log = (self._data / "logs" / "ingest.log").read_text()
        steps["an ingester has partitions"] = min(at for at in assigned(log) if at > began) - began
        return dict(sorted(steps.items(), key=lambda each: each[1]))


@contextmanager
def machine(settings: Settings, logs: Path) -> Iterator[Machine]:
    """Yield one that is not started; what was started ends with the block."""
    logs.mkdir()
    with Refrain(settings, logs) as refrain:
        yield Machine(settings.data, refrain)


def settings_in(data: Path) -> Settings:
    """Return settings without addresses, of a `refrain up` in this folder."""
    return Settings(data=data, broker="java", kafka="", redis="", **SETTINGS)


def _answers(db: redis.Redis) -> bool:
    try:
        return bool(db.ping())
    except redis.RedisError:
        return False


def main(times: int = 1, listeners: int = LISTENERS, rate: int = RATE, seconds: int = SECONDS) -> None:
    """Measure both ends by turns, and print."""
    with tempfile.TemporaryDirectory(prefix="refrain-up-") as folder:
        settings = settings_in(Path(folder) / "data")
        with machine(settings, Path(folder) / "logs") as ours:
            ours.start()
            for number in range(2 * times):
                at = ours.servers()
                addressed = settings.model_copy(update={"kafka": at.kafka, "redis": at.redis})
                with (
                    redis.Redis.from_url(at.redis) as db,
                    Listeners(addressed, listeners, rate, SEED + number),
                ):
                    time.sleep(seconds)
                    end = ours.kill if number % 2 else ours.stop
                    end()
                    steps = ours.restarted(db, listeners)
                shown = ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
                print(f"{'all killed' if number % 2 else 'stopped in order'}: {shown}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
