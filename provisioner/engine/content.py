"""Where the playbooks, the roles and the host checks live: in the wheel, or in the checkout."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Content:
    """The Ansible side of sovstack, all paths absolute."""

    playbooks: Path
    roles: Path
    infra_tests: Path
    ansible_cfg: Path

    def digest(self) -> str:
        """Return the SHA-256 over every playbook and role file, so that two reports can be compared."""
        total = hashlib.sha256()
        for root in (self.playbooks, self.roles):
            for file in sorted(path for path in root.rglob("*") if path.is_file()):
                if "__pycache__" not in file.parts:
                    total.update(f"{root.name}/{file.relative_to(root)}\0".encode())
                    total.update(hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()


def locate() -> Content:
    """Return the content that belongs to this package.

    Raises:
        Unavailable: The installation is incomplete.
    """
    package = Path(__file__).resolve().parent.parent
    for root in (package / "_content", package.parent):
        if (root / "playbooks").is_dir() and (root / "roles").is_dir():
            return Content(root / "playbooks", root / "roles", root / "tests" / "infra", root / "ansible.cfg")
    raise Unavailable(
        f"no playbooks and roles beside {package}",
        hint="the installation is incomplete; install sovstack again",
    )
