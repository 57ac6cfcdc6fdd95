"""The first contact with every host: one SSH connection each, in parallel, that the whole run then shares.

It answers in a second what Ansible would answer late and at length: unreachable, refused, wrong key, no
log-in, no Python, no sudo. What it opens is OpenSSH's connection master; Ansible, testinfra and people join
it by the run's ``ssh_config``.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from provisioner.engine import declaration, host_keys
from provisioner.engine.declaration import Declaration
from provisioner.engine.processes import MARK
from provisioner.engine.workspace import Run
from provisioner.errors import HostUnreachable, ProvisionerError, Unavailable
from provisioner.paths import DOUBLE_MARKER

_CONNECT_SECONDS = 10
# A host that stopped answering is noticed after 5 x 6 seconds, also in the middle of a task.
_ALIVE_SECONDS, _ALIVE_COUNT = 5, 6
# An idle master outlives a killed controller by this much at most; a running task keeps it.
_PERSIST_SECONDS = 120

_NO_PYTHON, _NO_SUDO = 40, 41
_BARE = "bare"
_LEFT_BY_APPLY = "/etc/sovstack/declared.json"  # the role base writes it
# Where releases are, by application or by Debian package.
_PLACES = "/opt/*/current /usr/share/doc/*"
# What the user's own shell says at log-in stands before it.
_ANSWER = "sovstack finds:"
_PROBE = f"""
command -v python3 >/dev/null || exit {_NO_PYTHON}
as_root=; [ "$(id -u)" = 0 ] || as_root='sudo -n'
$as_root true || exit {_NO_SUDO}
echo '{_ANSWER}'
. /etc/os-release; printf '%s\\n' "$PRETTY_NAME"
if [ -e {_LEFT_BY_APPLY} ]; then tr -d '\\n' < {_LEFT_BY_APPLY}; echo; else echo {_BARE}; fi
memory=0
while read -r name kilobytes _; do [ "$name" != MemTotal: ] || memory=$((kilobytes / 1024)); done < /proc/meminfo
echo $memory
$as_root sh -c 'for place in {_PLACES}; do
    [ ! -e "$place/{DOUBLE_MARKER}" ] || echo "$place"
done'
"""


@dataclass(frozen=True, slots=True)
class Target:
    """How one host is reached; ``host_key`` (``type base64``) pins its key, ``key_file`` opens the door."""

    name: str
    address: str
    port: int = 22
    user: str = "root"
    host_key: str | None = None
    key_file: Path | None = None

    @property
    def label(self) -> str:
        """The host's name in known_hosts."""
        return host_keys.label(self.address, self.port)

    def __str__(self) -> str:
        """Return the host as messages name it."""
        return f"{self.name} ({self.address}{'' if self.port == 22 else f', port {self.port}'})"


@dataclass(frozen=True, slots=True)
class Contact:
    """What the first contact found: the host's system and the megabytes of memory that its kernel counts, or the error.

    ``first_key`` is a host key seen first now; ``deployed`` says that an ``apply`` reached the host before,
    ``declared`` what it recorded there; ``doubles`` names the applications and packages for which a contract double is
    installed there, whoever did that.
    """

    target: Target
    system: str = ""
    memory_megabytes: int = 0
    first_key: str | None = None
    deployed: bool = False
    declared: Declaration = field(default_factory=Declaration)
    doubles: frozenset[str] = frozenset()
    error: ProvisionerError | None = field(default=None, compare=False)


def write_ssh_config(run: Run, targets: Sequence[Target], known_hosts: Path) -> Path:
    """Write the run's ``ssh_config`` and the host keys it accepts; return the path of the former.

    The first value for an option wins in OpenSSH, so the user's own configuration, included last, may add
    what is not said here (a jump host, say) and cannot weaken what is.
    """
    accepted = []
    for target in targets:
        keys = [target.host_key] if target.host_key else host_keys.recorded(known_hosts, target.label)
        accepted += [f"{target.label} {key}" for key in keys if key]
    run_known_hosts = run.write("known_hosts", "".join(f"{line}\n" for line in accepted))
    lines = []
    for target in targets:
        lines += [
            f"Host {target.name}",
            f"  HostName {target.address}",
            f"  User {target.user}",
            f"  Port {target.port}",
            *([f'  IdentityFile "{target.key_file}"'] if target.key_file else []),
        ]
    lines += [
        "Host *",
        "  BatchMode yes",
        f"  ConnectTimeout {_CONNECT_SECONDS}",
        "  StrictHostKeyChecking yes",
        f'  UserKnownHostsFile "{run_known_hosts}"',
        "  GlobalKnownHostsFile /dev/null",
        "  UpdateHostKeys no",
        "  CheckHostIP no",
        "  ControlMaster auto",
        f'  ControlPath "{run.scratch}/%C"',
        f"  ControlPersist {_PERSIST_SECONDS}",
        f"  ServerAliveInterval {_ALIVE_SECONDS}",
        f"  ServerAliveCountMax {_ALIVE_COUNT}",
        "Include ~/.ssh/config",
        "Include /etc/ssh/ssh_config",
    ]
    return run.write("ssh_config", "\n".join(lines) + "\n")


def connect(
    run: Run,
    targets: Sequence[Target],
    known_hosts: Path,
    environment: dict[str, str],
    *,
    record: bool = True,
) -> list[Contact]:
    """Open the connection to every host at once; record the keys of those met for the first time.

    Args:
        run: The run that will use the connections.
        targets: The hosts.
        known_hosts: The deployment's record of host keys; it grows here, and only here.
        environment: The environment of the ssh processes.
        record: Whether keys are recorded; for who has the deployment's lock, and tells people which ones.

    Returns:
        One contact per target, in order; a failed one carries its error.

    Raises:
        HostUnreachable: The record of keys cannot be read.
        Unavailable: This computer has no ssh.
    """
    config = write_ssh_config(run, targets, known_hosts)
    marked = environment | {MARK: str(run.scratch)}
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(targets)))) as pool:
        contacts = list(pool.map(lambda target: _contact(run, config, known_hosts, target, marked), targets))
    first = [(contact.target.label, contact.first_key) for contact in contacts if contact.first_key]
    if first and record:
        host_keys.record(known_hosts, first)
        write_ssh_config(run, targets, known_hosts)
    return contacts


def lost(run: Run, targets: Sequence[Target], environment: dict[str, str]) -> list[Target]:
    """Return those of the targets, all met before in this run, that do not answer any more."""
    config = run.directory / "ssh_config"
    marked = environment | {MARK: str(run.scratch)}
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(targets)))) as pool:
        answers = list(pool.map(lambda target: _answers(config, target, marked), targets))
    return [target for target, answer in zip(targets, answers, strict=True) if not answer]


def _answers(config: Path, target: Target, environment: dict[str, str]) -> bool:
    # A connection of its own: the shared one may still wait for a machine that is gone.
    command = ["ssh", "-F", str(config), "-o", "ControlPath=none", "-T", target.name, "true"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_CONNECT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _contact(
    run: Run, config: Path, known_hosts: Path, target: Target, environment: dict[str, str]
) -> Contact:
    accepted = host_keys.recorded(run.directory / "known_hosts", target.label)
    met_here = run.scratch / f"known_hosts.{target.name}"
    first_meeting: list[str] = []
    if not accepted:
        # Each host has its own file: several ssh processes would write to one at the same time.
        first_meeting = [
            *("-o", "StrictHostKeyChecking=accept-new"),
            *("-o", f'UserKnownHostsFile="{met_here}"'),
            *("-o", "HashKnownHosts=no"),
        ]
    command = ["ssh", "-F", str(config), *first_meeting, "-T", target.name, f"sh -c {shlex.quote(_PROBE)}"]
    words = run.scratch / f"ssh.{target.name}"
    # A file for its words, because the master that ssh leaves in the background would keep a pipe open.
    with words.open("w+b") as stderr:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                timeout=_CONNECT_SECONDS + _ALIVE_SECONDS * _ALIVE_COUNT,
                check=False,
            )
            code, said = done.returncode, done.stdout.decode(errors="replace").strip()
        except FileNotFoundError as error:
            raise Unavailable(
                "the program ssh is not installed here", hint="apt install openssh-client"
            ) from error
        except subprocess.TimeoutExpired:
            code, said = 255, ""
            stderr.write(b"\nConnection timed out after the log-in began")
        stderr.seek(0)
        complaint = stderr.read().decode(errors="replace").replace("\r", "").strip()
    _, answered, found = said.partition(f"{_ANSWER}\n")
    if code == 0 and answered:
        new = host_keys.recorded(met_here, target.label) if not accepted else []
        system, state, memory, *places = found.splitlines()
        return Contact(
            target,
            system,
            int(memory),
            first_key=new[0] if new else None,
            deployed=state != _BARE,
            declared=declaration.parse(state),
            doubles=frozenset(PurePosixPath(place.removesuffix("/current")).name for place in places),
        )
    return Contact(target, error=_explain(target, code, complaint, known_hosts, accepted))


def _explain(
    target: Target, code: int, complaint: str, known_hosts: Path, accepted: Sequence[str]
) -> ProvisionerError:
    """Return the error for a failed contact, from ssh's own words (OpenSSH 9.2 to 10)."""
    if code == _NO_PYTHON:
        return HostUnreachable(f"{target} has no python3", hint="install it there: apt install python3")
    if code == _NO_SUDO:
        return HostUnreachable(
            f"{target}: user {target.user} may not use sudo without a password",
            details=complaint,
            hint=f"log in as root, or add on the host: {target.user} ALL=(ALL) NOPASSWD: ALL",
        )
    if code == 0:
        return HostUnreachable(
            f"{target} does not run the commands that it is given",
            details=complaint or None,
            hint=f"give {target.user} an ordinary shell there, and remove a forced command for its key",
        )
    if "HOST IDENTIFICATION HAS CHANGED" in complaint or "Host key verification failed" in complaint:
        return _changed_key(target, complaint, known_hosts, accepted)
    for sign, message, hint in (
        (
            "Permission denied",
            "refuses the log-in of {user}",
            "is the key in `ssh.key_file` or the SSH agent, and its public half in {user}'s authorized_keys?",
        ),
        ("Connection refused", "refuses the connection", "is the SSH server running there, on port {port}?"),
        (
            "timed out",
            "does not answer",
            "is the machine on, is the address right, does a firewall drop port {port}?",
        ),
        (
            "No route to host",
            "cannot be reached",
            "is the machine on, and is it on a network this computer has a route to?",
        ),
        ("Network is unreachable", "cannot be reached", "this computer has no route to that network"),
        (
            "Could not resolve",
            "has a name that cannot be resolved",
            "use an address, or mend the name server",
        ),
        (
            "UNPROTECTED PRIVATE KEY",
            "cannot be logged in to: the private key is readable by others",
            "chmod 600 the key file",
        ),
        (
            "Bad configuration option",
            "cannot be reached: ssh refuses its configuration",
            "mend ~/.ssh/config",
        ),
    ):
        if sign in complaint:
            facts = {"user": target.user, "port": target.port}
            return HostUnreachable(
                f"{target} {message.format(**facts)}", details=complaint, hint=hint.format(**facts)
            )
    return HostUnreachable(f"{target} cannot be reached by SSH (exit code {code})", details=complaint or None)


def _changed_key(
    target: Target, complaint: str, known_hosts: Path, accepted: Sequence[str]
) -> HostUnreachable:
    source = "pinned in the profile" if target.host_key else "recorded in the deployment's known_hosts"
    shown = re.search(r"SHA256:[A-Za-z0-9+/]{43}", complaint)
    expected = ", ".join(map(host_keys.fingerprint, accepted))
    return HostUnreachable(
        f"{target} shows another SSH host key than the one {source}; nothing was sent to it",
        details=f"{source}: {expected}\nshown now: {shown.group() if shown else complaint}",
        hint=(
            "if the machine was installed anew, read its key on its console (ssh-keygen -lf "
            "/etc/ssh/ssh_host_ed25519_key.pub), compare it with the one shown, and "
            + (
                "write it to `ssh.host_key` in the profile"
                if target.host_key
                else f"remove the old one: ssh-keygen -R '{target.label}' -f {shlex.quote(str(known_hosts))}"
            )
            + "; if it was not, somebody else answers at this address"
        ),
    )
