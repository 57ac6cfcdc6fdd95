"""A machine's disk: an overlay on the base image, with the few files that make it that machine.

The upper layer is filled beside its place and renamed into it: if it is there, it is whole, and what
happened on the machine since is never written over.
"""

from __future__ import annotations

import ipaddress
import shutil
import uuid
from pathlib import Path

from provisioner.errors import Unavailable
from provisioner.lab import keys
from provisioner.lab.command import run
from provisioner.lab.record import Lab

_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def prepare(lab: Lab, number: int) -> None:
    """Make the machine's upper layer if it has none yet."""
    home = lab.machine_dir(number)
    upper = home / "upper"
    if upper.exists():
        return
    fresh = home / "upper.new"
    shutil.rmtree(fresh, ignore_errors=True)
    for name, (content, mode) in _files(lab, number).items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    for directory in (fresh, *fresh.glob("**/")):  # whatever this command's umask is
        directory.chmod(0o700 if directory.relative_to(fresh).parts[:1] == ("root",) else 0o755)
    fresh.rename(upper)


def mount(lab: Lab, number: int) -> Path:
    """Mount the machine's disk in the mount namespace of the caller and return its root directory."""
    home = lab.machine_dir(number)
    root, work = home / "root", home / "work"
    for directory in (root, work):
        directory.mkdir(exist_ok=True)
    layers = f"lowerdir={lab.machine(number).image},upperdir={home / 'upper'},workdir={work}"
    run(["mount", "-t", "overlay", lab.nspawn_name(number), "-o", layers, str(root)])
    return root


def limited_meminfo(meminfo: str, limit: int) -> str:
    """Return the text of /proc/meminfo with no amount above ``limit`` kibibytes, and without swap space."""
    lines = []
    for line in meminfo.splitlines():
        name, _, amount = line.partition(":")
        if amount.endswith(" kB") and not name.startswith("Vmalloc"):
            shown = 0 if name.startswith("Swap") else min(int(amount.split()[0]), limit)
            line = f"{name}:{shown:>{len(amount) - 3}} kB"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _files(lab: Lab, number: int) -> dict[str, tuple[str, int]]:
    """Return the machine's own files: path to content and mode."""
    hostname = lab.hostname(number)
    host_key = keys.host_key(lab, number)
    network = (
        "[Match]\nName=host0\n\n"
        f"[Network]\nAddress={lab.address(number)}/{lab.subnet.prefixlen}\nGateway={lab.gateway}\nIPv6AcceptRA=no\n"
    )
    limit = lab.machine(number).memory_megabytes
    return {
        **(_memory_files(limit) if limit else {}),
        "etc/hostname": (f"{hostname}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost\n", 0o644),
        "etc/machine-id": (f"{uuid.uuid4().hex}\n", 0o444),
        "etc/resolv.conf": (_resolver(), 0o644),
        "etc/ssh/ssh_host_ed25519_key": (host_key.read_text(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (keys.public_of(host_key).read_text(), 0o644),
        "etc/systemd/network/10-lab.network": (network, 0o644),
        "root/.ssh/authorized_keys": (keys.public_of(keys.client_key()).read_text(), 0o600),
    }


def _memory_files(limit_megabytes: int) -> dict[str, tuple[str, int]]:
    """Return files that make the machine see its limit as its memory: a unit that covers /proc/meminfo.

    The kernel shows every container the whole computer's memory, and roles size services by what they see.
    """
    shown = limited_meminfo(Path("/proc/meminfo").read_text(), limit_megabytes * 1024)
    unit = (
        "[Unit]\nDescription=Memory of this lab machine\n\n"
        "[Mount]\nWhat=/var/lib/lab-meminfo\nWhere=/proc/meminfo\nOptions=bind,ro\n"
    )
    return {
        "var/lib/lab-meminfo": (shown, 0o644),
        "etc/systemd/system/proc-meminfo.mount": (unit, 0o644),
        "etc/systemd/system/local-fs.target.d/lab.conf": ("[Unit]\nWants=proc-meminfo.mount\n", 0o644),
    }


def _resolver() -> str:
    """Return a resolv.conf with those resolvers of the controller that a machine can reach.

    Raises:
        Unavailable: All of them listen on the controller's loopback.
    """
    for path in _RESOLVERS:
        lines = path.read_text().splitlines() if path.exists() else []
        reachable = [line for line in lines if not _is_loopback(line)]
        if any(line.startswith("nameserver") for line in reachable):
            return "\n".join(reachable) + "\n"
    raise Unavailable(
        "lab machines would have no resolver: those of this computer listen on its loopback only",
        hint=f"name one in {_RESOLVERS[0]} that other machines can reach",
    )


def _is_loopback(line: str) -> bool:
    key, _, value = line.partition(" ")
    try:
        return key == "nameserver" and ipaddress.ip_address(value.strip().partition("%")[0]).is_loopback
    except ValueError:
        return False
