"""The verbs that touch hosts, each as the list of its steps."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner import inventory
from provisioner.checks.result import Verdict
from provisioner.deployment.session import Observer, Session
from provisioner.engine import connection, runner
from provisioner.engine.events import Note, Output, PlaybookFinished
from provisioner.engine.host_keys import fingerprint
from provisioner.engine.password_pipe import serve_password
from provisioner.errors import HostFailed, HostUnreachable, VerificationFailed
from provisioner.inventory import ReleaseRef
from provisioner.profile import read_profile
from provisioner.profile import secrets as profile_secrets
from provisioner.profile.secrets import SecretStore, VaultPassword
from provisioner.releases import Cache, Catalogue, ObtainedRelease, Sources, obtain
from provisioner.reporting.report import Gate, ReleaseRecord, RunReport, last_lines


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller may choose; the profile says everything else."""

    allow_doubles: bool = False
    releases_from: Path | None = None
    transport: str | None = None


def apply(path: Path, observe: Observer, options: Options) -> RunReport:
    """Make the hosts what the profile says, verify them, and return the report.

    Raises:
        ProfileError: The profile cannot be used; nothing was begun.
        Busy: Another run holds the deployment's lock.
        Unavailable: This computer lacks something.
    """
    with Session(read_profile(path), "apply", observe) as session:
        secrets = _ensure_secrets(session)
        releases = _obtain_releases(session, options)
        _connect(session)
        _write_inventory(session, releases)
        _play(session, "site", "converge", options, secrets)
        _verify(session)
    return session.report


def plan(path: Path, observe: Observer, options: Options) -> RunReport:
    """Predict what ``apply`` would change, changing nothing, and return the report. Raises as ``apply``."""
    with Session(read_profile(path), "plan", observe) as session:
        secrets = _ensure_secrets(session)
        releases = _obtain_releases(session, options)
        _connect(session)
        _write_inventory(session, releases)
        _play(session, "site", "predict", options, secrets, check=True)
    return session.report


def verify(path: Path, observe: Observer, options: Options) -> RunReport:
    """Test the deployment as it is and return the report. Raises as ``apply``."""
    raise NotImplementedError


def destroy(path: Path, observe: Observer, options: Options) -> RunReport:
    """Remove from the hosts what ``apply`` put there, data included. Raises as ``apply``."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Vault:
    file: Path
    password: profile_secrets.Secret
    values: Mapping[str, profile_secrets.Secret]


def _ensure_secrets(session: Session) -> _Vault:
    with session.phase("secrets") as summarize:
        store = SecretStore(
            session.folder / profile_secrets.FILE_NAME, VaultPassword(session.profile.secrets.vault_password)
        )
        values = store.ensure(session.profile)
        password = store.password.resolve()
        session.hide([password.reveal(), *(secret.reveal() for secret in values.values())])
        summarize(f"{len(values)} in {store.file.name}")
        return _Vault(store.file, password, values)


def _obtain_releases(session: Session, options: Options) -> Mapping[str, ReleaseRef]:
    catalogue = Catalogue.load()
    sources = Sources(
        directory=options.releases_from,
        mirror=session.profile.releases.mirror,
        allow_doubles=options.allow_doubles,
    )
    found: dict[str, ReleaseRef] = {}
    with session.phase("releases") as summarize:
        for _, service in session.profile.services.placed():
            release = catalogue.release(service.app, service.version)
            obtained = obtain(release, Cache(), sources, session.progress)
            found[service.app] = ReleaseRef(release.version, str(obtained.path), obtained.sha256)
            session.tell(_record(obtained))
        summarize(", ".join(f"{app} {release.version}" for app, release in found.items()))
    return found


def _record(obtained: ObtainedRelease) -> ReleaseRecord:
    trust = obtained.trust
    return ReleaseRecord(
        application=obtained.release.application,
        version=obtained.release.version,
        origin=obtained.origin,
        sha256=obtained.sha256,
        gates=tuple(Gate(gate.name, gate.verdict, gate.summary) for gate in obtained.gates),
        trust=f"{trust.who}, {trust.when}: {trust.why} (accepted: {trust.accepts})" if trust else "",
    )


def _targets(session: Session) -> list[connection.Target]:
    return [
        connection.Target(
            name,
            host.address,
            host.ssh.port,
            host.ssh.user,
            " ".join(host.ssh.host_key.split()[:2]) if host.ssh.host_key else None,
            Path(host.ssh.key_file) if host.ssh.key_file else None,
        )
        for name, host in session.profile.hosts.items()
    ]


def _connect(session: Session) -> None:
    with session.phase("connect") as summarize:
        contacts = connection.connect(
            session.run, _targets(session), session.folder / "known_hosts", runner.base_environment()
        )
        for contact in contacts:
            if contact.recorded:
                session.note(
                    f"{contact.target}: SSH host key recorded at first contact: "
                    f"{fingerprint(contact.recorded)}"
                )
        failed = [contact.error for contact in contacts if contact.error]
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise HostUnreachable(
                f"{len(failed)} of {len(contacts)} hosts cannot be used",
                details="\n".join(
                    "\n".join(filter(None, (error.message, error.details, error.hint))) for error in failed
                ),
            )
        summarize(", ".join(f"{contact.target.name}: {contact.system}" for contact in contacts))


def _write_inventory(session: Session, releases: Mapping[str, ReleaseRef]) -> None:
    built = inventory.build(session.profile, releases, deployment=session.workspace.name)
    for name, content in built.files().items():
        session.run.write(f"inventory/{name}", inventory.dump(content))


def _play(
    session: Session, playbook: str, phase: str, options: Options, vault: _Vault, *, check: bool = False
) -> None:
    """Run a playbook on all hosts.

    Raises:
        HostFailed: A task failed, or the playbook could not run.
        HostUnreachable: A host was lost.
    """
    with session.phase(phase) as summarize:
        before = len(session.recorder.failures)
        code = 0
        words: list[str] = []
        with serve_password(session.run.scratch / "vault", vault.password.reveal()) as pipe:
            request = runner.RunRequest(
                content=session.content,
                playbook=playbook,
                inventory=session.run.directory / "inventory",
                scratch=session.run.scratch,
                ssh_config=session.run.directory / "ssh_config",
                transport=runner.choose_transport(options.transport),
                variable_files=(vault.file,),
                password_pipe=pipe,
                check=check,
                diff=True,
            )
            with contextlib.closing(runner.run(request)) as happenings:
                for event in happenings:
                    session.tell(event)
                    if isinstance(event, PlaybookFinished):
                        code = event.code
                    elif isinstance(event, Note | Output):
                        words.append(event.text)
        failures = session.recorder.failures[before:]
        summarize(f"{session.recorder.changed} changed")
        if failures:
            first = failures[0]
            kind = HostUnreachable if all(failure.unreachable for failure in failures) else HostFailed
            raise kind(f"{first.host}: {first.role} | {first.task}: {first.message}", details=first.output)
        if code:
            raise HostFailed(
                f"ansible-playbook ended with exit code {code}", details=last_lines("\n".join(words))
            )


def _verify(session: Session) -> None:
    with session.phase("verify") as summarize:
        failed = [check for check in session.recorder.checks if check.verdict is Verdict.FAIL]
        summarize(f"{len(session.recorder.checks)} checks")
        if failed:
            raise VerificationFailed(f"{len(failed)} checks failed")
