"""The steps that verbs are made of, each a phase of its session."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from provisioner import inventory, sizing
from provisioner.deployment import hints
from provisioner.deployment.session import Session
from provisioner.engine import connection, host_keys, runner
from provisioner.engine.connection import Contact, Target
from provisioner.engine.declaration import Declaration
from provisioner.engine.events import Event, Note, Output, PlaybookFinished, TaskFinished
from provisioner.engine.host_keys import fingerprint
from provisioner.engine.password_pipe import serve_password
from provisioner.errors import (
    HostFailed,
    HostUnreachable,
    ProvisionerError,
    ReleaseNotTrusted,
    VerificationFailed,
)
from provisioner.inventory import Inventory, ReleaseRef
from provisioner.profile import Profile, memory, secrets, settings
from provisioner.profile.secrets import Secret, SecretStore, VaultPassword
from provisioner.releases import Cache, Catalogue, ObtainedRelease, Release, Sources, obtain
from provisioner.reporting.report import Failure, Gate, ReleaseRecord, last_lines
from provisioner.sizing import Budget

KNOWN_HOSTS = "known_hosts"


@dataclass(frozen=True, slots=True)
class Vault:
    """The deployment's secrets: the vaulted file, its password, and the values."""

    file: Path
    password: Secret
    values: Mapping[str, Secret]


def ensure_secrets(session: Session) -> Vault:
    """Make the secrets that are missing, and have all of them masked from now on.

    Raises:
        ProfileError: The vault password cannot be had, or the file is damaged.
    """
    with session.phase("secrets") as summarize:
        store = SecretStore(
            session.folder / secrets.FILE_NAME, VaultPassword(session.profile.secrets.vault_password)
        )
        values = store.ensure(session.profile)
        password = store.password.resolve()
        session.hide([password.reveal(), *(secret.reveal() for secret in values.values())])
        summarize(f"{len(values)} in {store.file.name}")
    return Vault(store.file, password, values)


def obtain_releases(session: Session, sources: Sources) -> Mapping[str, ReleaseRef]:
    """Have every archive that the profile installs on this computer, checked; return them by what they are of.

    Raises:
        ReleaseNotTrusted: One is missing or fails a gate.
    """
    found: dict[str, ReleaseRef] = {}
    with session.phase("releases") as summarize:
        for release in inventory.wanted_releases(session.profile, Catalogue.load()):
            obtained = obtain(release, Cache(), sources, session.progress)
            found[release.name] = ReleaseRef(release.own_version, str(obtained.path), obtained.sha256)
            session.tell(_record(obtained))
        summarize(", ".join(f"{name} {release.version}" for name, release in found.items()))
    return found


def name_releases(profile: Profile) -> Mapping[str, ReleaseRef]:
    """Return the releases that the profile means, for verbs that install none: without an archive.

    The digest is that of a plugin, by which its archive on the host is known, and empty where it is not known here.
    """
    cache = Cache()
    return {
        release.name: ReleaseRef(
            release.own_version,
            "/nonexistent",
            _plugin_digest(release, cache) if release.plugin else "0" * 64,
        )
        for release in inventory.wanted_releases(profile, Catalogue.load())
    }


def _plugin_digest(release: Release, cache: Cache) -> str:
    if release.digest:
        return release.digest.sha256
    with contextlib.suppress(ReleaseNotTrusted):  # a damaged cache tells nothing
        if entry := cache.find(release):
            return entry.sha256
    return ""


def targets(profile: Profile) -> list[Target]:
    """Return how the profile's hosts are reached."""
    return [
        Target(
            name,
            host.address,
            host.ssh.port,
            host.ssh.user,
            " ".join(host.ssh.host_key.split()[:2]) if host.ssh.host_key else None,
            Path(host.ssh.key_file) if host.ssh.key_file else None,
        )
        for name, host in profile.hosts.items()
    ]


def tell_calls(session: Session) -> None:
    """Tell what the profile lets call the vendor or others, and why."""
    for purpose, service in session.profile.services.placed():
        for call in settings.calls(session.profile, service):
            reason = call.reason or "no reason is given, and sovereignty.level asks for none"
            session.note(f"services.{purpose}: {call.name} {call.what}: {reason}")


def recorded_keys(profile: Profile, folder: Path) -> Mapping[str, Sequence[str]]:
    """Return by host the SSH host keys that are recorded in the deployment's folder."""
    return {
        target.name: host_keys.recorded(folder / KNOWN_HOSTS, target.label) for target in targets(profile)
    }


@dataclass(frozen=True, slots=True)
class Hosts:
    """What the first contact told.

    Attributes:
        budgets: How the memory of each host is divided.
        declared: What an ``apply`` recorded on each host.
        doubles: Applications and packages for which a contract double is installed on any of them.
    """

    budgets: Mapping[str, Budget]
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    doubles: frozenset[str] = frozenset()


def connect(session: Session, *, to_verify: bool = False) -> Hosts:
    """Open the connection to every host, and return what it told.

    Raises:
        HostUnreachable: At least one cannot be used; all that cannot are named.
        VerificationFailed: There is nothing ``to_verify``, because no host carries a deployment.
    """
    with session.phase("connect") as summarize:
        contacts = connection.connect(
            session.run,
            targets(session.profile),
            session.folder / KNOWN_HOSTS,
            runner.base_environment(),
        )
        for contact in contacts:
            if contact.first_key:
                session.note(
                    f"{contact.target}: its SSH host key is recorded at this first contact: "
                    f"{fingerprint(contact.first_key)}"
                )
        _raise_failed(contacts)
        if to_verify and not any(contact.deployed for contact in contacts):
            raise VerificationFailed(
                "nothing is deployed on " + ", ".join(str(contact.target) for contact in contacts),
                hint=f"sovstack apply {session.folder.name} deploys, and verifies",
            )
        summarize(", ".join(f"{contact.target.name}: {contact.system}" for contact in contacts))
    seen = {contact.target.name: contact.memory_megabytes for contact in contacts}
    budgets = memory.budgets(session.profile, seen)
    for budget in budgets.values():
        session.tell(budget)
    return Hosts(
        budgets,
        {contact.target.name: contact.declared for contact in contacts},
        frozenset().union(*(contact.doubles for contact in contacts)),
    )


def refuse_small_hosts(session: Session, budgets: Mapping[str, Budget]) -> None:
    """See to it that every host has the memory for what it carries.

    Raises:
        HostFailed: One has too little; all that have are named, with the number that would do.
    """
    small = [budget for budget in budgets.values() if not budget.fits]
    if small:
        users = session.profile.organisation.users
        raise HostFailed(
            "; ".join(
                f"{budget.host} has {budget.memory} MB of memory, too little for {users} users: "
                f"{budget.enough} MB would do"
                for budget in small
            ),
            details="\n".join(f"{budget.host} needs: {sizing.explain(budget)}" for budget in small),
            hint="give it more memory, or place services on other hosts; nothing was changed",
        )


def write_inventory(
    session: Session,
    releases: Mapping[str, ReleaseRef],
    budgets: Mapping[str, Budget],
    present: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Inventory:
    """Write what Ansible is told to the run directory, and return it; secrets are in it by name only.

    ``present`` are roles that are on a host, whether the profile names them or not.
    """
    built = inventory.build(
        session.profile,
        releases,
        deployment=session.workspace.name,
        budgets=budgets,
        recorded_keys=recorded_keys(session.profile, session.folder),
        present=present,
    )
    for name, content in built.files().items():
        session.run.write(f"inventory/{name}", inventory.dump(content))
    return built


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook that Ansible has begun to get ready for; ``go`` lets it read its inventory."""

    go: threading.Event
    happenings: Iterator[Event]


@contextlib.contextmanager
def started(
    session: Session, playbook: str, vault: Vault, transport: runner.Transport, *, check: bool = False
) -> Iterator[Playbook]:
    """Start Ansible, which computes for a while before it needs an inventory; end it after the block.

    It reads the vault password first, and waits for it.
    """
    go = threading.Event()
    with serve_password(session.run.scratch / "vault-password", vault.password.reveal(), go) as pipe:
        request = runner.RunRequest(
            content=session.content,
            playbook=playbook,
            inventory=session.run.directory / "inventory",
            scratch=session.run.scratch,
            ssh_config=session.run.directory / "ssh_config",
            transport=transport,
            variable_files=(vault.file,),
            password_pipe=pipe,
            check=check,
            diff=True,
        )
        with runner.run(request) as happenings:
            yield Playbook(go, happenings)


def play(
    session: Session, playbook: Playbook, phase: str, *, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Have a playbook that has been started run on the hosts of its plays; the inventory has to be written.

    ``meanwhile`` is called with every task that ends: before the first one Ansible computes, from then on it mostly
    waits.

    Raises:
        HostFailed: A task failed, or the playbook could not run.
        HostUnreachable: Hosts were lost, and nothing else went wrong.
    """
    with session.phase(phase) as summarize:
        said: list[str] = []
        code = 0
        playbook.go.set()
        for event in playbook.happenings:
            session.tell(event)
            if isinstance(event, TaskFinished):
                meanwhile()
            elif isinstance(event, PlaybookFinished):
                code = event.code
            elif isinstance(event, Note | Output):
                said.append(event.text)
        summarize(_count(session))
        _raise_failures(session, code, said)


def _count(session: Session) -> str:
    tasks, changed = session.recorder.tasks, session.recorder.changed
    return f"{tasks} tasks, {changed} changed"


def _raise_failed(contacts: list[Contact]) -> None:
    failed: list[ProvisionerError] = [contact.error for contact in contacts if contact.error]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise HostUnreachable(
            f"{len(failed)} of {len(contacts)} hosts cannot be used",
            details="\n".join(
                "\n".join(filter(None, (error.message, error.details, error.hint))) for error in failed
            ),
        )


def _raise_failures(session: Session, code: int, said: list[str]) -> None:
    failures = session.recorder.failures
    if failures:
        first = failures[0]
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        task = f"{first.role} | {first.task}"
        if _are_lost(session, failures):
            raise HostUnreachable(
                f"{first.host} does not answer any more; it was lost during {task}{others}",
                details=first.message or None,
                hint=hints.find_lost(first.host),
            )
        raise HostFailed(f"{first.host}: {task}: {first.message}{others}", details=first.output or None)
    if code:
        raise HostFailed(
            f"ansible-playbook ended with exit code {code}", details=last_lines("\n".join(said)) or None
        )


def _are_lost(session: Session, failures: Sequence[Failure]) -> bool:
    """Tell whether every failed host was lost.

    A task on a host that goes away may fail in any way before Ansible calls the host unreachable, so the hosts
    are asked once more.
    """
    doubtful = {failure.host for failure in failures if not failure.unreachable}
    asked = [target for target in targets(session.profile) if target.name in doubtful]
    return len(connection.lost(session.run, asked, runner.base_environment())) == len(doubtful)


def _record(obtained: ObtainedRelease) -> ReleaseRecord:
    trust = obtained.trust
    return ReleaseRecord(
        application=obtained.release.name,
        version=obtained.release.own_version,
        origin=obtained.origin,
        sha256=obtained.sha256,
        gates=tuple(Gate(gate.name, gate.verdict, gate.summary) for gate in obtained.gates),
        trust=f"{trust.who}, {trust.when}: {trust.why} (accepted: {trust.accepts})" if trust else "",
    )
