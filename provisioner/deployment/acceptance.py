"""How deep a verification goes, and what its deepest level, use by throw-away people, is pointed at."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial

from provisioner.checks import infra
from provisioner.checks.infra import Machine
from provisioner.checks.outside import ChatTarget, FilesTarget, WebTarget
from provisioner.checks.use import ChatHost, Suite
from provisioner.deployment.session import Session


class Level(StrEnum):
    """What a verification does: look at everything, or also use it as people do."""

    STANDARD = "standard"
    USE = "use"


def suite(
    session: Session,
    web: Mapping[str, WebTarget],
    files: Sequence[FilesTarget],
    chat: Sequence[ChatTarget],
    machines: Sequence[Machine],
    ssh: Sequence[str],
) -> Suite:
    """Return the deployment as its people meet it.

    Args:
        session: The run.
        web: The sites, by purpose or ``portal``.
        files: At most one Nextcloud.
        chat: At most one Mattermost.
        machines: All hosts.
        ssh: Options of ssh for every host.
    """
    profile = session.profile
    stood_in = {release.application for release in session.recorder.releases if release.double}
    services = dict(profile.services.placed())
    by_name = {machine.name: machine for machine in machines}
    return Suite(
        web=web,
        doubles={purpose: service.app for purpose, service in services.items() if service.app in stood_in},
        files=next(iter(files), None),
        chat=next(
            (
                ChatHost(target, partial(_run, by_name[profile.host_of(services["chat"])], ssh))
                for target in chat
            ),
            None,
        ),
        meet=None,
        owner=_owner(session),
        directory=session.run.directory,
        scratch=session.run.scratch,
    )


def _run(machine: Machine, ssh: Sequence[str], line: str) -> tuple[int, str]:
    return infra.command(machine, line, ssh)


def _owner(session: Session) -> str:
    """Return what stands for this deployment on this controller, the same for every run."""
    here = f"{platform.node()}:{session.workspace.directory}"
    return hashlib.sha256(here.encode()).hexdigest()[:6]
