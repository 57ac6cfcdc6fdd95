"""Releases: what gets installed, from where, and how it was checked.

:mod:`.catalogue` is the data, :mod:`.fit` says what a release runs on, :mod:`.obtaining` finds an archive,
has it checked by the :mod:`.gates` and keeps it in the :mod:`.cache`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from provisioner.releases.catalogue import Catalogue, Release
from provisioner.releases.fit import find_misfits, refuse_upgrade

if TYPE_CHECKING:
    from provisioner.releases.cache import Cache, TrustRecord
    from provisioner.releases.gates import Gate
    from provisioner.releases.obtaining import ObtainedRelease, Sources, obtain, trust
    from provisioner.releases.progress import Progress

__all__ = [
    "Cache",
    "Catalogue",
    "Gate",
    "ObtainedRelease",
    "Progress",
    "Release",
    "Sources",
    "TrustRecord",
    "find_misfits",
    "obtain",
    "refuse_upgrade",
    "trust",
]

# Checking archives needs cryptography and networking; `validate` only asks what fits, and must stay quick.
_LATER = {
    "Cache": "cache",
    "Gate": "gates",
    "ObtainedRelease": "obtaining",
    "Progress": "progress",
    "Sources": "obtaining",
    "TrustRecord": "cache",
    "obtain": "obtaining",
    "trust": "obtaining",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        found: object = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
