"""SSH host keys of a deployment: pinned in the profile or recorded at first contact, never silently replaced.

The record is ``known_hosts`` in the deployment's folder, in OpenSSH's own format and with plain names, so
that people can read it, review it and keep it under version control.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from provisioner.errors import HostUnreachable
from provisioner.paths import write_private


def label(address: str, port: int) -> str:
    """Return how known_hosts names a host: the address, in brackets with the port where that is not 22."""
    return address if port == 22 else f"[{address}]:{port}"


def recorded(known_hosts: Path, name: str) -> list[str]:
    """Return the keys (``type base64``) that a known_hosts file holds for a name.

    Raises:
        HostUnreachable: The file exists and cannot be read; without it a changed key would pass as new.
    """
    try:
        lines = known_hosts.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise HostUnreachable(
            f"cannot read the recorded SSH host keys in {known_hosts}",
            details=str(error),
            hint="mend or remove the file; without it the hosts' keys are recorded anew at the next contact",
        ) from error
    keys = []
    for line in lines:
        fields = line.split()
        if len(fields) >= 3 and not line.lstrip().startswith("#") and name in fields[0].split(","):
            keys.append(f"{fields[1]} {fields[2]}")
    return keys


def record(known_hosts: Path, entries: Iterable[tuple[str, str]]) -> None:
    """Add (name, ``type base64``) pairs to a known_hosts file that does not hold them yet."""
    new = [f"{name} {key}" for name, key in entries if key not in recorded(known_hosts, name)]
    if new:
        old = known_hosts.read_text(encoding="utf-8") if known_hosts.exists() else ""
        if old and not old.endswith("\n"):
            old += "\n"
        write_private(known_hosts, old + "\n".join(new) + "\n")


def fingerprint(key: str) -> str:
    """Return ``ED25519 SHA256:...`` of a key given as ``type base64``, as ssh-keygen prints it."""
    kind, _, rest = key.partition(" ")
    blob = rest.split()[0] if rest else ""
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except ValueError:
        return f"{kind} (unreadable key)"
    name = kind.removeprefix("ssh-").removeprefix("ecdsa-sha2-").upper()
    return f"{name} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
