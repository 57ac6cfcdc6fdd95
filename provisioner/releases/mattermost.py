"""What is particular to Mattermost's release archives: which edition one is, by what it carries.

Both editions have the same folders and programs, and an Enterprise archive is named like a plain one. What tells them
apart is the licence file that the vendor's packaging puts there (``server/build/release.mk``, ``package-prep``).
"""

from __future__ import annotations

from provisioner.releases.archive import Inspection
from provisioner.releases.catalogue import Release
from provisioner.releases.identity import Identity

_LICENCES = {"team": "MIT-COMPILED-LICENSE.md", "enterprise": "ENTERPRISE-EDITION-LICENSE.txt"}
_PROGRAMS = ("bin/mattermost", "bin/mmctl")


def keep(path: str) -> bool:
    """Say whether the content of this file is needed for the checks of this module: of none, names are enough."""
    return False


def identify(inspection: Inspection, release: Release) -> Identity:
    """Return what the archive is: a server of one edition. Its version it says to nobody but who runs it."""
    found = [edition for edition, licence in _LICENCES.items() if licence in inspection.files]
    said = " and ".join(f"{edition.capitalize()} Edition" for edition in found) or "no edition"
    lacking = [program for program in _PROGRAMS if program not in inspection.files]
    if inspection.root != release.application or lacking:
        return Identity(
            said,
            f"it has no {release.application}/{(lacking or _PROGRAMS)[0]}, so it is no Mattermost server",
        )
    if found != [release.edition]:
        asked = f"{release.edition.capitalize()} Edition was asked for"
        return Identity(said, f"by the licence files in it it is {said}, and {asked}")
    return Identity(f"Mattermost {said}")
