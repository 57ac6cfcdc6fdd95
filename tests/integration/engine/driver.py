"""The sovstack command with playbooks of the test's own: everything else is the real thing.

Usage: driver.py CONTENT local|ssh VERB ...; with ``local`` the tasks run on this computer instead of over SSH.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from unittest.mock import MagicMock

from provisioner import cli, inventory
from provisioner.deployment import pipeline, session, steps, verification
from provisioner.engine.content import Content
from provisioner.profile import memory

ROOT = Path(__file__).parents[3]


def main() -> None:
    """Be the command."""
    # A shell ignores these in what it starts in the background, and so the tests would for all their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    content, connection, *arguments = sys.argv[1:]
    root = Path(content)
    session.locate = lambda: Content(root / "playbooks", root / "roles", root / "tests", ROOT / "ansible.cfg")
    # No application is installed, and none is verified.
    steps.obtain_releases = lambda run, sources: steps.name_releases(run.profile)
    pipeline.Verification = lambda *arguments: MagicMock()
    if connection == "local":
        steps.connect = lambda run: steps.Hosts(memory.budgets(run.profile))
        steps.connection.lost = lambda run, targets, environment: []
        build = inventory.build

        def build_local(*arguments: object, **options: object) -> inventory.Inventory:
            built = build(*arguments, **options)  # type: ignore[arg-type]
            local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
            return inventory.Inventory(
                built.groups, built.group_vars_all, dict.fromkeys(built.host_vars, local)
            )

        steps.inventory.build = build_local
    sys.argv = ["sovstack", *arguments]
    cli.main()


if __name__ == "__main__":
    assert verification
    main()
