"""Runs one server and ends it when the process that asked for it is gone, however that ended.

Started by :mod:`stream.broker.child` as ``python -I -S watcher.py GRACE COMMAND...``, with a pipe as standard
input whose other end its parent holds and never writes to. Nobody can miss the end of that pipe, not even by
``kill -9``, and it works on every POSIX system. Then the server gets SIGTERM, and SIGKILL when it is still
there GRACE seconds later. On Linux the kernel also kills the server should this process be killed first;
elsewhere such a server stays, and holds the data folder until somebody ends it.

SIGTERM is handed on. It prints the server's pid, and ends as the server ended (same exit code, same signal).
It imports the standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1


def _die_with_the_watcher() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_the_end_of_the_parent(server: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    server.terminate()
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()


def main(grace: str, *command: str) -> int:
    # close_fds=False: the server inherits the lock on the data folder, and so holds it as long as it lives.
    # The kernel's death signal is bound to the thread that starts the server: this one, which waits to the
    # end.
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        close_fds=False,
        preexec_fn=_die_with_the_watcher,  # noqa: PLW1509 - no thread is there yet
    )

    def stop(signum: int, frame: FrameType | None) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, stop)
    print(server.pid, flush=True)  # noqa: T201 - what the parent reads
    threading.Thread(target=_wait_for_the_end_of_the_parent, args=(server, float(grace)), daemon=True).start()
    code = server.wait()
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
