"""Hand the vault password to Ansible through a named pipe: never in an argument, the environment or a file.

A pipe has no content on any disk, so nothing is left when the controller is killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

# A waiting writer looks this often whether somebody reads; Ansible reads once, at its start.
_POLL_SECONDS = 0.01


@contextlib.contextmanager
def serve_password(pipe: Path, password: str, begin: threading.Event | None = None) -> Iterator[Path]:
    """Make a named pipe (0600) whose every reader gets the password; it is gone when the context ends.

    Before ``begin`` is set, who reads waits.
    """
    os.mkfifo(pipe, 0o600)
    closing = threading.Event()
    server = threading.Thread(
        target=_serve, args=(pipe, password.encode(), begin, closing), name="vault password", daemon=True
    )
    server.start()
    try:
        yield pipe
    finally:
        closing.set()
        server.join()
        pipe.unlink(missing_ok=True)


def _serve(pipe: Path, password: bytes, begin: threading.Event | None, closing: threading.Event) -> None:
    while not closing.wait(_POLL_SECONDS):
        if begin and not begin.is_set():
            continue
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads
                continue
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, password)
        # The next reader gets a pipe of its own: this one may take its time to meet the end, and must not meet the
        # password a second time instead.
        another = pipe.with_name(f"{pipe.name}.next")
        os.mkfifo(another, 0o600)
        another.replace(pipe)
        os.close(writer)
