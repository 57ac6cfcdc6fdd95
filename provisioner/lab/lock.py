"""Locks between commands: per lab, and one for what all labs of this computer share."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.errors import Busy, ProvisionerError
from provisioner.lab import record

_WAIT_SECONDS = 10.0


def open_lock(path: Path) -> int:
    """Open a lock file that child processes do not inherit; return its descriptor."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(handle: int) -> bool:
    """Take the lock behind ``handle`` if nobody has it. The kernel frees it when its holder dies."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def hold(path: Path, busy: str, wait_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold a lock file for the length of a ``with`` block.

    Raises:
        Busy: Another process kept the lock for ``wait_seconds``; ``busy`` is the message.
    """
    handle = open_lock(path)
    try:
        deadline = time.monotonic() + wait_seconds
        while not try_lock(handle):
            if time.monotonic() >= deadline:
                raise Busy(busy, hint="wait until it is done, then run this again")
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


@contextmanager
def hold_lab(name: str) -> Iterator[None]:
    """Hold the lock of one lab: its record and everything it names is ours to change.

    Raises:
        Busy: Another command works on the lab.
        ProvisionerError: What was done under the lock met a full disk, a missing right or the like.
    """
    path = record.lab_home() / f".{record.check_name(name)}.lock"
    try:
        with hold(path, f"another command is working on lab {name}"):
            yield
    except OSError as error:
        raise ProvisionerError(
            f"lab {name} cannot be worked on: {error.strerror or error}: {error.filename or path}",
            hint=f"then `sovstack lab up {name}` completes it, and `sovstack lab down {name}` removes it",
        ) from error
