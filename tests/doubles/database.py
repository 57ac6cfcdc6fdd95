"""A PostgreSQL of this computer's own Debian, thrown away after its test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_server() -> Path | None:
    """Return the folder of the server's programs, the newest where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def running(programs: Path) -> Iterator[Path]:
    """Run a server without network and give the folder of its socket; the user ``postgres`` may do everything."""
    # PostgreSQL refuses to run as root, and its account must reach its folder.
    home = Path(tempfile.mkdtemp(prefix="sovstack-double-"))
    become = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    database = home / "database"
    initdb = [programs / "initdb", "--auth=trust", "--username=postgres", "--no-sync", "--pgdata", database]
    options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
    control = [*become, programs / "pg_ctl", "--pgdata", database, "--wait"]
    log = subprocess.DEVNULL
    try:
        subprocess.run([*become, *initdb], check=True, capture_output=True, cwd="/")
        subprocess.run([*control, "start", "-o", options], check=True, stdout=log, stderr=log, cwd="/")
        yield home
        subprocess.run([*control, "stop", "--mode=immediate"], check=True, stdout=log, cwd="/")
    finally:
        shutil.rmtree(home)
