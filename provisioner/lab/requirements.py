"""What this computer needs to run lab machines, and everything that it lacks, said at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from provisioner import paths
from provisioner.errors import Unavailable
from provisioner.lab import cgroup

# Program -> the package that has it in Debian and Ubuntu.
_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mount": "mount",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "unshare": "util-linux",
    "apt-config": "apt",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
# The upper layer of an overlay needs trusted extended attributes and typed directory entries (the kernel's
# Documentation/filesystems/overlayfs.rst); a container's own disk is mostly an overlay itself.
_NO_UPPER_LAYER = ("overlay", "aufs", "nfs", "cifs", "smb", "9p", "vfat", "exfat", "fuse")


def check_root() -> None:
    """Return when the command runs as root; else raise `Unavailable`."""
    if os.geteuid() != 0:
        raise Unavailable("only root may change lab machines", hint="run the command again with sudo")


def check() -> None:
    """Return when this computer can run lab machines.

    Raises:
        Unavailable: It cannot; ``details`` lists every reason, ``hint`` the packages to install.
    """
    packages = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    reasons = [f"{program} is not installed" for program in _PROGRAMS if shutil.which(program) is None]
    if not _KEYRING.exists():
        packages.add("debian-archive-keyring")
        reasons.append(f"{_KEYRING}, the keys of Debian's archive, is not installed")
    reasons += _missing_rights()
    if not reasons:
        return
    hints = []
    if packages:
        hints.append(f"apt-get install {' '.join(sorted(packages))}")
    if os.geteuid() != 0:
        hints.append("run the lab's commands as root (sudo)")
    raise Unavailable(
        "this computer cannot run lab machines",
        details="\n".join(reasons),
        hint="; ".join(hints) or "use a virtual or real machine instead of a restricted container",
    )


def _missing_rights() -> list[str]:
    reasons = []
    if os.geteuid() != 0:
        reasons.append("only root may make network bridges, mounts and machines")
    elif _in_user_namespace():
        reasons.append("root of a user namespace (a rootless container) is not root of this computer")
    else:
        held = _effective_capabilities()
        reasons += [
            f"root lacks the capability {name} here (a restricted container?)"
            for name, bit in (("CAP_SYS_ADMIN", _CAP_SYS_ADMIN), ("CAP_NET_ADMIN", _CAP_NET_ADMIN))
            if not held >> bit & 1
        ]
    if "overlay" not in Path("/proc/filesystems").read_text() and not _module_exists("overlay"):
        reasons.append("the kernel has no overlay file system")
    disks = paths.state_dir() / "lab"
    if (kind := _filesystem(disks)).startswith(_NO_UPPER_LAYER):
        reasons.append(f"{disks} is on a file system ({kind}) that cannot hold disks: set SOVSTACK_STATE_DIR")
    root = cgroup.hierarchy()
    if root is None:
        reasons.append("no cgroup version 2 hierarchy is mounted")
    elif os.geteuid() == 0 and not os.access(root, os.W_OK):
        reasons.append(f"the control groups in {root} are read-only")
    return reasons


def _in_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


def _filesystem(path: Path) -> str:
    """Return the type of the file system that a path is on, or will be; empty when the kernel does not say."""
    device = next(parent for parent in (path, *path.parents) if parent.exists()).stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mounted, _, filesystem = line.partition(" - ")
        if mounted.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            return filesystem.split()[0]
    return ""


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _module_exists(name: str) -> bool:
    return any(Path("/lib/modules", os.uname().release).glob(f"kernel/fs/**/{name}.ko*"))
