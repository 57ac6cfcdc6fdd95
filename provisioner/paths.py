"""Where sovstack keeps what it makes: the XDG directories, each movable by a variable.

State (run directories, locks, lab records) and cache (release archives, lab base images) are per user.
``SOVSTACK_STATE_DIR`` and ``SOVSTACK_CACHE_DIR`` move them, for tests and for shared controllers.
"""

from __future__ import annotations

import os
from pathlib import Path


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
