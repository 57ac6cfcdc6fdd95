"""How deep a verification goes, and what its deepest level, use by throw-away people, is pointed at."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial

from provisioner.checks import infra
from provisioner.checks.infra import Machine
from provisioner.checks.outside import ChatTarget, FilesTarget, PortalTarget, WebTarget
from provisioner.checks.use import ChatHost, MeetTarget, Participant, Suite, Videobridge
from provisioner.deployment.session import Session
from provisioner.inventory import wanted_releases
from provisioner.profile import Profile, media, meeting
from provisioner.profile.secrets import Secret
from provisioner.releases import Catalogue

_INVITED = timedelta(minutes=15)


class Level(StrEnum):
    """What a verification does: look at everything, or also use it as people do."""

    STANDARD = "standard"
    USE = "use"


def suite(
    session: Session,
    web: Mapping[str, WebTarget],
    files: Sequence[FilesTarget],
    chat: Sequence[ChatTarget],
    portal: Sequence[PortalTarget],
    machines: Sequence[Machine],
    ssh: Sequence[str],
    secrets: Mapping[str, Secret],
) -> Suite:
    """Return the deployment as its people meet it.

    Args:
        session: The run.
        web: The sites, by purpose or ``portal``.
        files: At most one Nextcloud.
        chat: At most one Mattermost.
        portal: At most one portal.
        machines: All hosts.
        ssh: Options of ssh for every host.
        secrets: The deployment's, by name.
    """
    services = dict(session.profile.services.placed())
    by_name = {machine.name: machine for machine in machines}
    return Suite(
        web=web,
        doubles=_doubles(session),
        files=next(iter(files), None),
        chat=next(
            (
                ChatHost(target, partial(_run, by_name[session.profile.host_of(services["chat"])], ssh))
                for target in chat
            ),
            None,
        ),
        meet=_meetings(session.profile, web, secrets),
        portal=next(iter(portal), None),
        owner=_owner(session),
        directory=session.run.directory,
        scratch=session.run.scratch,
    )


def _doubles(session: Session) -> dict[str, str]:
    """Return the application of each purpose for which, or for a part of which, a contract double was installed."""
    installed = {release.application for release in session.recorder.releases if release.double}
    wanted = wanted_releases(session.profile, Catalogue.load())
    applications = {release.application for release in wanted if release.name in installed}
    return {
        purpose: service.app
        for purpose, service in session.profile.services.placed()
        if service.app in applications
    }


def _meetings(
    profile: Profile, web: Mapping[str, WebTarget], secrets: Mapping[str, Secret]
) -> MeetTarget | None:
    service = profile.services.meet
    if service is None:
        return None
    key = secrets["jitsi_app_secret"]
    relay = replace(
        web["meet"],
        hostname=media.turn_hostname(profile, service),
        address=profile.hosts[media.turn_host(profile, service)].address,
        port=service.turn.tls_port,
    )

    def link(room: str, name: str, *, moderator: bool) -> str:
        invitation = meeting.invite(
            service.hostname, room, name=name, moderator=moderator, now=datetime.now(UTC), valid=_INVITED
        )
        return invitation.link(key)

    def invite(room: str) -> list[Participant]:
        waits = service.lobby
        moderator, guest, other = "sovstack moderator", "sovstack guest", "sovstack other"
        return [
            Participant("the moderator", moderator, link(room, moderator, moderator=True)),
            Participant("a guest with a link", guest, link(room, guest, moderator=False), waits),
            Participant("a guest without a link", other, f"https://{service.hostname}/{room}", waits)
            if service.guests
            else Participant("another guest with a link", other, link(room, other, moderator=False), waits),
        ]

    bridges = tuple(
        Videobridge(name, profile.hosts[name].address, tuple(profile.hosts[name].public_addresses))
        for name in media.videobridge_hosts(profile, service)
    )
    return MeetTarget(web["meet"], invite, relay, bridges)


def _run(machine: Machine, ssh: Sequence[str], line: str) -> tuple[int, str]:
    return infra.command(machine, line, ssh)


def _owner(session: Session) -> str:
    """Return what stands for this deployment on this controller, the same for every run."""
    here = f"{platform.node()}:{session.workspace.directory}"
    return hashlib.sha256(here.encode()).hexdigest()[:6]
