"""Find and end every process of a run, however far it detached itself.

Ansible's workers (core >= 2.19) and ssh's connection masters leave their process group, so a group cannot be
killed as a whole. Their environment they keep: a run marks it with ``SOVSTACK_RUN``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "SOVSTACK_RUN"

# How long a process gets to end by itself: Ansible needs a moment, who pressed Ctrl-C has little patience.
_GRACE_SECONDS = 0.5
_STEP_SECONDS = 0.02


def end_marked(value: str) -> int:
    """End every process of this user that carries ``SOVSTACK_RUN=value``; return how many there were."""
    found = set(_marked(value))
    _signal(found, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while (alive := set(_marked(value))) and time.monotonic() < deadline:
        time.sleep(_STEP_SECONDS)
    # A process may have been forked between looking and killing: look until there is none.
    while alive:
        _signal(alive, signal.SIGKILL)
        found |= alive
        time.sleep(_STEP_SECONDS)
        alive = set(_marked(value))
    return len(found)


def _marked(value: str) -> Iterator[int]:
    wanted = f"{MARK}={value}".encode()
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def _signal(pids: set[int], signum: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
