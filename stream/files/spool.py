"""Events set aside in temporary files, to be counted or shuffled before the first one goes."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from stream.files.no_room import no_room
from stream.files.recipe import Event

__all__ = ["Spool"]

BUCKETS = 64


class Spool:
    """Takes events in, gives them back one copy at a time: in their order, or shuffled.

    Shuffling deals every copy to one of 64 files at random, and shuffles each file in memory on its way out:
    every order is as likely as any other, and memory holds a 64th of the events.

    Parameters
    ----------
    seed
        Of the shuffle: the same seed and events, the same order. None keeps the order.

    Examples
    --------
    >>> with Spool(seed=1) as spool:
    ...     spool.put(Event(b"u1", b"{}", copies=3))
    ...     len(spool), list(spool)
    (3, [(b'u1', b'{}'), (b'u1', b'{}'), (b'u1', b'{}')])
    """

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else random.Random(seed)  # noqa: S311  -- an order, not a secret
        self._folder = tempfile.TemporaryDirectory(prefix="refrain-replay-")
        count = BUCKETS if self._random else 1
        self._files = [(Path(self._folder.name) / str(number)).open("w+b") for number in range(count)]
        self._count = 0

    def put(self, event: Event) -> None:
        """Set an event aside.

        Raises
        ------
        NotWritten
            Where there is no room for it.
        """
        line = event.key + b"\t" + event.value + b"\n"  # neither has a tab or a line end of its own
        self._count += event.copies
        try:
            if self._random is None:
                self._files[0].write(line * event.copies)
                return
            for _ in range(event.copies):
                self._files[self._random.randrange(BUCKETS)].write(line)
        except OSError as error:
            raise no_room(error) from error

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        try:
            for file in self._files:
                file.seek(0)  # writes what waits for its turn in memory
        except OSError as error:
            raise no_room(error) from error
        shuffle: Callable[[list[bytes]], None] | None = self._random.shuffle if self._random else None
        for file in self._files:
            lines = file
            if shuffle:
                held = file.readlines()
                shuffle(held)
            for line in held if shuffle else lines:
                key, _, value = line.partition(b"\t")
                yield key, value[:-1]

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):  # what there was no room for is not needed any more
                file.close()
        self._folder.cleanup()
