"""What ``verify`` looks at: every host from the inside, every service and every port from the outside."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from provisioner.checks import concurrently, infra, outside, use
from provisioner.checks.infra import Machine
from provisioner.checks.outside import (
    ChatTarget,
    Client,
    FilesTarget,
    HostTarget,
    MediaTarget,
    MeetingsTarget,
    PortalTarget,
    RelayTarget,
    WebTarget,
)
from provisioner.checks.result import Check, Verdict
from provisioner.checks.stream import Merged
from provisioner.deployment import meetings
from provisioner.deployment.acceptance import Level, suite
from provisioner.deployment.session import Session
from provisioner.deployment.steps import Vault
from provisioner.errors import VerificationFailed
from provisioner.inventory import Inventory
from provisioner.profile import Profile, media, people
from provisioner.profile.placement import roles_of

#: TCP ports that a role's service answers on; everything else must be closed.
_PORTS = {"nginx": frozenset({80, 443})}


class Verification:
    """The checks of a deployment: on the hosts and from outside at the same time, then those of use.

    As a context manager it ends what still runs. Nothing is asked of a host before ``run``.
    """

    def __init__(self, session: Session, inventory: Inventory, vault: Vault, level: Level) -> None:
        """Find out what is to be checked. ``level`` is how deep."""
        self._session = session
        self._vault = vault
        self._level = level
        self._targets = _find_targets(session, inventory, vault)
        self._begin = threading.Event()
        self._on_hosts: Merged | None = None

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        if self._on_hosts:
            self._on_hosts.close()

    def load(self) -> Merged:
        """Load the hosts' tests, beside something that keeps this computer waiting; return their checks to come."""
        if self._on_hosts is None:
            self._on_hosts = infra.run(
                self._session.content.infra_tests,
                self._targets.machines,
                ssh_arguments=self._targets.ssh,
                log=self._session.run.directory / "checks.log",
                begin=self._begin,
            )
        return self._on_hosts

    def run(self) -> None:
        """Make all checks.

        Raises:
            VerificationFailed: A check failed, or could not be made: missing evidence is not a pass.
        """
        session, targets = self._session, self._targets
        with session.phase("verify") as summarize:
            on_hosts = self.load()
            self._begin.set()
            with contextlib.closing(concurrently(on_hosts, _from_outside(session, targets))) as checks:
                for check in checks:
                    session.tell(check)
            if self._level is Level.USE:
                used = suite(
                    session,
                    targets.web,
                    targets.files,
                    targets.chat,
                    targets.portal,
                    targets.machines,
                    targets.ssh,
                    self._vault.values,
                )
                with contextlib.closing(use.run(used)) as checks_of_use:
                    for check in checks_of_use:
                        session.tell(check)
            made = session.recorder.checks
            summarize(_count(made))
            bad = [check for check in made if check.verdict in (Verdict.FAIL, Verdict.NOT_ASSESSED)]
            if bad:
                raise VerificationFailed(
                    f"{len(bad)} of {len(made)} checks did not pass: "
                    + ", ".join(dict.fromkeys(check.id for check in bad)),
                    hint="each is in the report with what was seen and what to do about it",
                )


@dataclass(frozen=True, slots=True)
class _Targets:
    """Everything that is looked at, and ``ssh``, the options with which the hosts are reached."""

    machines: Sequence[Machine]
    ssh: Sequence[str]
    web: Mapping[str, WebTarget]
    files: Sequence[FilesTarget]
    chat: Sequence[ChatTarget]
    meet: Sequence[MeetingsTarget]
    relays: Sequence[RelayTarget]
    media: Sequence[MediaTarget]
    portal: Sequence[PortalTarget]


def _find_targets(session: Session, inventory: Inventory, vault: Vault) -> _Targets:
    web = _web_targets(session, vault)
    return _Targets(
        machines=[
            Machine(
                name,
                roles_of(session.profile, name),
                {**inventory.group_vars_all, **variables, "inventory_hostname": name},
            )
            for name, variables in inventory.host_vars.items()
        ],
        ssh=("-F", str(session.run.directory / "ssh_config")),
        web=web,
        files=_files_targets(web, vault),
        chat=_chat_targets(web, vault),
        meet=meetings.meetings_targets(session.profile, web, vault),
        relays=meetings.relay_targets(session.profile, web, vault),
        media=meetings.media_targets(session.profile),
        portal=_portal_targets(session.profile, web),
    )


def _from_outside(session: Session, targets: _Targets) -> Iterator[Check]:
    return outside.run(
        web=list(targets.web.values()),
        files=targets.files,
        chat=targets.chat,
        meet=targets.meet,
        relays=targets.relays,
        media=targets.media,
        portal=targets.portal,
        hosts=[
            HostTarget(
                machine.name,
                session.profile.hosts[machine.name].address,
                _open_ports(session.profile, machine.name),
                listeners=partial(infra.listeners, machine, targets.ssh),
            )
            for machine in targets.machines
        ],
    )


def _web_targets(session: Session, vault: Vault) -> dict[str, WebTarget]:
    """Return every site as people's browsers meet it, by the service's purpose or ``portal``."""
    profile, authority = session.profile, _authority(session, vault)
    targets = {
        site.name: WebTarget(site.hostname, profile.hosts[profile.host_of(site)].address, authority)
        for site in profile.sites()
    }
    if "meet" in targets:
        # The bare address leads there, by a redirect with a policy of its own.
        targets["meet"] = replace(targets["meet"], page=f"/?lang={profile.organisation.language}")
    if profile.portal:
        targets["portal"] = replace(targets["portal"], page=f"/{profile.portal.languages[0]}/")
    return targets


def _files_targets(web: Mapping[str, WebTarget], vault: Vault) -> list[FilesTarget]:
    if "files" not in web:
        return []
    administrator = Client(web["files"], people.ADMINISTRATOR, vault.values["nextcloud_admin_password"])
    return [FilesTarget(web["files"], administrator)]


def _chat_targets(web: Mapping[str, WebTarget], vault: Vault) -> list[ChatTarget]:
    if "chat" not in web:
        return []
    return [ChatTarget(web["chat"], people.ADMINISTRATOR, vault.values["mattermost_admin_password"])]


def _portal_targets(profile: Profile, web: Mapping[str, WebTarget]) -> list[PortalTarget]:
    if profile.portal is None:
        return []
    services = tuple(target for name, target in web.items() if name != "portal")
    duties = tuple(profile.portal.links.model_dump(exclude_none=True).values())
    return [PortalTarget(web["portal"], profile.portal.languages, services, duties)]


def _authority(session: Session, vault: Vault) -> Path | None:
    """Return the file with the authority that certificates must come from; None for the system's own."""
    tls = session.profile.tls
    if tls.issuer != "internal":
        return Path(tls.ca_certificate_file) if tls.ca_certificate_file else None
    return session.run.write("authority.pem", vault.values["tls_ca_certificate"].reveal())


def _open_ports(profile: Profile, host: str) -> frozenset[int]:
    ports = {profile.hosts[host].ssh.port}
    meet = profile.services.meet
    if meet and host == media.turn_host(profile, meet):
        ports.add(meet.turn.tls_port)
    return frozenset(ports.union(*(_PORTS.get(role, ()) for role in roles_of(profile, host))))


def _count(checks: tuple[Check, ...]) -> str:
    counts = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    said = ", ".join(
        f"{count} {verdict.value.replace('_', ' ')}" for verdict, count in counts.items() if count
    )
    return said or "no checks"
