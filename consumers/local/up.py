"""`refrain up`: everything on one machine, in one command."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType

from consumers.runtime.forked import import_ahead
from consumers.runtime.listening import listen
from consumers.runtime.reach import ADD_KEY, require_key
from consumers.runtime.supervisor import KINDS, Supervisor, commands
from consumers.runtime.web_address import web_address
from stream.broker import Servers, servers
from stream.errors import WrongUse
from stream.redis_url import shown
from stream.settings import Settings

__all__ = ["all_processes", "up"]

LOOK_SECONDS = 0.2

IMPORTED = {
    "ingest": "consumers.ingest.ingester",
    "train": "consumers.train.trainer",
    "work": "consumers.work.worker",
    "traits": "consumers.traits.process",
    "serve": "consumers.web.process",
    "deliver": "consumers.deliver.process",
}
"""Kind of process -> what it imports, while the servers start."""
IMPORTED_BY_ALL = "consumers.cli", "consumers.commands.line", "consumers.runtime.process"

FIRST_KEY = (
    "Start `refrain up --without serve`, and in another terminal `refrain key add NAME --role administer`; "
    "then end the first, and start `refrain up` once more. Or listen on 127.0.0.1."
)
"""How a first key is made where Redis runs only as long as we do."""

TRY = """\
Try, in another terminal:
  refrain sample | refrain replay clicks -   2,000 made-up listeners
  refrain replay clicks FILE...              your own listening history
  refrain cohorts                            who listens alike
  refrain doctor                             is all well?"""


def up(
    settings: Settings,
    for_seconds: float | None = None,
    say: Callable[[str], None] = lambda _: None,
    without: Collection[str] = (),
) -> None:
    """Run a broker and a Redis (where none is given) and Refrain's processes, until asked to stop.

    Parameters
    ----------
    settings
        `kafka` and `redis` may be empty.
    for_seconds
        How long to run; None: until Ctrl-C or SIGTERM.
    say
        Is told what people would want to know, one line at a time: addresses, what to try, what the
        processes log.
    without
        Kinds of processes that are not started.

    Raises
    ------
    WrongUse
        Where there is no such kind.
    CannotStart
        Where something is missing on this machine, or a process dies again and again.
    Unreachable
        Where a server does not answer, or one of ours has ended.
    """
    kinds: Sequence[str] = (*KINDS, "deliver") if settings.deliver_url or settings.deliver_folder else KINDS
    if unknown := sorted(set(without) - set(kinds)):
        raise WrongUse(f"there is no process {unknown[0]!r}; there are {', '.join(kinds)}")
    kinds = [kind for kind in kinds if kind not in without]
    asked = signals_interrupt()
    with (
        suppress(KeyboardInterrupt),
        asked as to_end,
        all_processes(settings, say, kinds=kinds, first_key=FIRST_KEY) as everything,
    ):
        running, supervisor, addressed = everything
        end = time.monotonic() + for_seconds if for_seconds is not None else float("inf")
        tail = _Tail(supervisor.logs)
        say(f"logs in {settings.data / 'logs'}; for programs of your own:")
        say(f"  export REFRAIN_KAFKA={running.kafka} REFRAIN_REDIS={shown(running.redis)}")
        if port := settings.metrics_port:
            ports = ", ".join(f"{kind} {port + number}" for number, kind in enumerate(supervisor.logs))
            say(f"metrics for Prometheus at {settings.metrics_host}, ports: {ports}")
        if "serve" in kinds:
            say(f"page on {web_address(addressed)}")
        say(TRY)
        while not to_end.is_set() and (now := time.monotonic()) < end:
            running.check()
            supervisor.tend(now)
            for kind, line in tail.read():
                say(f"{kind:<6} | {line}")
            time.sleep(min(LOOK_SECONDS, end - now))
        if not to_end.is_set():
            say("the time is up")


@contextmanager
def all_processes(
    settings: Settings,
    say: Callable[[str], None],
    prepare: Callable[[Settings], None] = lambda _: None,
    kinds: Sequence[str] = KINDS,
    *,
    first_key: str,
) -> Iterator[tuple[Servers, Supervisor, Settings]]:
    """Run servers and processes as long as the block; give the settings with all addresses, too.

    The page has another port where its own cannot be had. We listen there ourselves: `serve` may end and be
    started again, and nobody takes the port meanwhile.

    Parameters
    ----------
    settings, say
        As in `up`.
    prepare
        Is called with settings that have all addresses, when the servers answer and before any process runs.
    kinds
        Of the processes that run.
    first_key
        How a first key is made, where other machines could ask and a Redis of our own has none.

    Raises
    ------
    CannotStart, Unreachable
        As in `up`.
    """
    import_ahead([*IMPORTED_BY_ALL, *map(IMPORTED.__getitem__, kinds)])
    with servers(settings, say=say) as running:
        addressed = settings.model_copy(update={"kafka": running.kafka, "redis": running.redis})
        prepare(addressed)
        try:
            with ExitStack() as stack:
                handed = {}
                if "serve" in kinds:
                    hint = ADD_KEY if settings.redis else first_key
                    asyncio.run(require_key(addressed.web_host, partial(_any_key, addressed), hint))
                    listener = handed["serve"] = stack.enter_context(listen(addressed, say))
                    addressed = addressed.model_copy(update={"web_port": listener.getsockname()[1]})
                targets = commands(kinds, handed)
                supervisor = stack.enter_context(Supervisor(addressed, settings.data / "logs", say, targets))
                supervisor.tend(time.monotonic())
                # The client of Kafka is imported while our own servers start.
                from stream.wire.topics import create_topics

                try:
                    # In a thread: an interrupt in the middle of kafka-python's own loop can leave it waiting.
                    with ThreadPoolExecutor(1) as pool:
                        pool.submit(create_topics, addressed).result()
                    yield running, supervisor, addressed
                finally:
                    say(f"stopping {', '.join(reversed(kinds))}")
        finally:
            if running.children:
                say(f"stopping {' and '.join(child.name for child in running.children)}")


async def _any_key(settings: Settings) -> bool:
    # The client of Redis is imported while our own servers start.
    from consumers.runtime.session import redis_session
    from stream.stores.api_keys import ApiKeys

    async with redis_session(settings) as redis:
        return await ApiKeys(redis).any()


@contextmanager
def signals_interrupt() -> Iterator[Event]:
    """Let SIGTERM and Ctrl-C interrupt the block.

    The event says that one of them came, also where the interrupt itself was lost: Python drops what is
    raised while it clears up an object.
    """
    asked = Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Tail:
    """What is added to log files from now on."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = {kind: (log, log.stat().st_size if log.exists() else 0) for kind, log in logs.items()}

    def read(self) -> Iterator[tuple[str, str]]:
        """Yield the whole lines that are new, with the kind of the process."""
        for kind, (log, position) in self._logs.items():
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(position)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._logs[kind] = log, position + len(whole) + len(newline)
            for line in whole.decode(errors="replace").splitlines():
                yield kind, line.rstrip()
