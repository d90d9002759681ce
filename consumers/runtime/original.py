"""The Python that processes are copied from imports this before all else: it ends with us, at once."""

from __future__ import annotations

import ctypes
import gc
import os
import signal

PR_SET_PDEATHSIG = 1

# It takes no signals that ask us to end, and looks whether we are gone only once all is imported.
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
# Several processes share the machine; each with threads for every core would only wait for the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.disable()  # what it imports stays; a process that begins enables it again
