"""Where and how sovstack keeps what it makes: the XDG directories, each movable by a variable; private files.

State (run directories, locks, lab records) and cache (release archives, lab base images) are per user.
``SOVSTACK_STATE_DIR`` and ``SOVSTACK_CACHE_DIR`` move them, for tests and for shared controllers.
"""

from __future__ import annotations

import os
from pathlib import Path

#: File in a release that says that it is a contract double (docs/adr/0013): in its archive, and where it is installed.
DOUBLE_MARKER = "SOVSTACK-CONTRACT-DOUBLE"


def _directory(override: str, xdg: str, fallback: str) -> Path:
    if named := os.environ.get(override):
        return Path(named).expanduser().absolute()
    base = os.environ.get(xdg)
    return (Path(base) if base else Path.home() / fallback).absolute() / "sovstack"


def state_dir() -> Path:
    """Return the directory of run directories, locks and lab records; it may not exist yet."""
    return _directory("SOVSTACK_STATE_DIR", "XDG_STATE_HOME", ".local/state")


def cache_dir() -> Path:
    """Return the directory of release archives and lab base images; it may not exist yet."""
    return _directory("SOVSTACK_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def config_dir() -> Path:
    """Return the directory of vault password files that ``sovstack init`` makes; it may not exist yet."""
    return _directory("SOVSTACK_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")


def make_private(directory: Path) -> None:
    """Make a directory (0700) and its missing parents."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file (0600) so that a reader meets the old or the new content, never half of it."""
    make_private(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(handle)  # a name that survives a power cut must not lead to an empty file
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
