"""SSH keys of the labs, and the files that let ssh and Ansible use them.

One client key for all labs of this user. A machine's host key outlives the machine, so that whoever recorded
it at first contact is not alarmed by a machine that was made anew.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from provisioner.lab import lock, record
from provisioner.lab.command import run
from provisioner.lab.record import Lab, lab_home


def client_key() -> Path:
    """Return the private key that opens every lab machine; made at first use."""
    return _ensure(lab_home() / "id_ed25519", "sovstack lab")


def host_key(lab: Lab, number: int) -> Path:
    """Return the machine's host key; made at first use."""
    return _ensure(lab.host_key(number), lab.hostname(number))


def public_of(private: Path) -> Path:
    """Return where the public half of a key lies."""
    return private.with_name(f"{private.name}.pub")


def host_public_key(lab: Lab, number: int) -> str:
    """Return the machine's public host key as ``ssh-ed25519 AAAA...``, without a comment."""
    return " ".join(public_of(host_key(lab, number)).read_text().split()[:2])


def write_client_files(lab: Lab) -> Path:
    """Write the lab's ``known_hosts`` and ``ssh_config``; return the latter, for ``ssh -F``."""
    known_hosts, config = lab.home / "known_hosts", lab.ssh_config
    hosts = [(number, lab.hostname(number), lab.address(number)) for number in lab.machines]
    lines = [f"{name},{address} {host_public_key(lab, number)}\n" for number, name, address in hosts]
    record.replace_file(known_hosts, "".join(lines))
    names = "".join(f"Host {name} {address}\n    HostName {address}\n" for _, name, address in hosts)
    common = (
        "Host *\n    User root\n    IdentitiesOnly yes\n    StrictHostKeyChecking yes\n"
        f'    IdentityFile "{client_key()}"\n    UserKnownHostsFile "{known_hosts}"\n'
    )
    record.replace_file(config, names + common)
    return config


def _ensure(private: Path, comment: str) -> Path:
    if not private.exists():
        with lock.hold(lab_home() / ".keys.lock", "another command is making the lab's SSH keys"):
            if not private.exists():
                _generate(private, comment)
    return private


def _generate(private: Path, comment: str) -> None:
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=private.parent, prefix=".new-") as workshop:
        made = Path(workshop) / private.name
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(made)])
        shutil.move(public_of(made), public_of(private))
        made.rename(private)  # last: where the private key is, the public one is too
