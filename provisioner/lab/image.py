"""The base image of a Debian release: made once by mmdebstrap, cached, shared read-only by all machines.

An image is a directory named after its recipe's hash, so another mirror, CA or package list makes another
image and a half-made one is never taken for whole: it is built beside its place and renamed into it.
The build runs in namespaces of its own and dies with the command that wanted it, mounts included.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.lab import apt, lock, record
from provisioner.lab.command import run
from provisioner.lab.record import RELEASES
from provisioner.paths import cache_dir

_RECIPE_VERSION = 1
_BUILD_WAIT_SECONDS = 900.0
_LOCAL_CAS = Path("/usr/local/share/ca-certificates")
# What a hoster's minimal Debian has beyond the essential packages. The rest is the roles' business.
_PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
)
# $1 is the image's root. Host keys and machine id would make every machine the same machine.
_FINISH = (
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf',
    ': > "$1"/etc/machine-id',
    'touch --date=@0 "$1"/var/lib/apt/lists',  # no lists are no fresh lists
    'chroot "$1" update-ca-certificates',
    'chroot "$1" systemctl enable systemd-networkd.service',
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what is in an image."""

    release: int
    sources: str
    apt_settings: str
    files: tuple[tuple[str, str], ...]
    packages: tuple[str, ...] = _PACKAGES
    finish: tuple[str, ...] = _FINISH
    version: int = _RECIPE_VERSION

    @property
    def name(self) -> str:
        """The image's directory: release and hash of the recipe."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"debian-{self.release}-{digest[:12]}"


def recipe_for(release: int) -> Recipe:
    """Return the recipe of a Debian release on this controller: its mirrors, its CAs, its way to fetch."""
    codename = RELEASES[release]
    sources = apt.adapt(_controller_sources(), codename) or apt.default_sources(codename)
    files = [*map(Path, apt.keyrings(sources)), *sorted(_LOCAL_CAS.glob("**/*.crt"))]
    return Recipe(
        release=release,
        sources=apt.render(sources),
        apt_settings=apt.settings(run(["apt-config", "dump"])),
        files=tuple((str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files),
    )


def ensure(release: int, progress: Callable[[str], None]) -> Path:
    """Return the root directory of the release's base image, made now if it is not in the cache.

    Raises:
        ProvisionerError: mmdebstrap failed; ``details`` is the end of its log.
        Busy: Another process has been building the image for a quarter of an hour.
    """
    recipe = recipe_for(release)
    images = cache_dir() / "lab"
    image = images / recipe.name
    if not image.exists():
        busy = f"another command is making the base image of Debian {release}"
        with lock.hold(images / f".debian-{release}.lock", busy, _BUILD_WAIT_SECONDS):
            if not image.exists():
                progress(f"making the base image of Debian {release}, once: about a minute")
                _build(recipe, image)
                _prune(image)
    return image


def _controller_sources() -> Iterable[apt.Source]:
    etc = Path("/etc/apt")
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            yield from apt.parse_one_line(path.read_text())
        elif path.suffix == ".sources":
            yield from apt.parse_deb822(path.read_text())


def _build(recipe: Recipe, image: Path) -> None:
    for stale in image.parent.glob(f".debian-{recipe.release}-*.building"):
        shutil.rmtree(stale)  # its builder is dead: we hold the lock
    workshop = image.parent / f".{image.name}.building"
    root = workshop / "root"
    root.mkdir(parents=True)
    sources = workshop / "debian.sources"
    sources.write_text(recipe.sources)
    log = image.with_suffix(".log")
    with log.open("w") as output:
        done = subprocess.run(
            _contained(_mmdebstrap(recipe, root, sources)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        last_lines = log.read_text(errors="replace").splitlines()[-15:]
        raise ProvisionerError(
            f"mmdebstrap could not make the base image of Debian {recipe.release}",
            details="\n".join(last_lines),
            hint=f"the whole log is {log}; the package sources are this computer's own, from /etc/apt",
        )
    os.sync()  # the name promises a whole image, also after a power cut
    root.rename(image)
    shutil.rmtree(workshop)


def _prune(current: Path) -> None:
    """Remove images that ``current`` replaced: a day old, of no recorded lab, under no running machine."""
    release = current.name.rpartition("-")[0]
    recorded = {machine.image for lab in record.load_all() for machine in lab.machines.values()}
    for image in current.parent.glob(f"{release}-*"):
        if image.is_dir() and image != current and str(image) not in recorded:
            a_day_old = time.time() - image.stat().st_mtime > 24 * 3600
            if a_day_old and not _is_mounted(image):
                shutil.rmtree(image)
                image.with_suffix(".log").unlink(missing_ok=True)


def _is_mounted(image: Path) -> bool:
    """Tell whether a machine of any user lives on the image; each mounts it in a namespace of its own."""
    for mounts in Path("/proc").glob("[0-9]*/mounts"):
        try:
            if f"lowerdir={image}," in mounts.read_text():
                return True
        except OSError:
            continue  # the process ended
    return False


def _contained(command: list[str]) -> list[str]:
    """Return ``command`` in mount and process namespaces that end with it, and with us when we are killed."""
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"),
        *command,
    ]


def _mmdebstrap(recipe: Recipe, root: Path, sources: Path) -> list[str]:
    copies = [f'install -D -m 0644 {shlex.quote(name)} "$1"{shlex.quote(name)}' for name, _ in recipe.files]
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        *(f"--aptopt={line}" for line in recipe.apt_settings.splitlines()),
        *(f"--customize-hook={step}" for step in (*copies, *recipe.finish)),
        RELEASES[recipe.release],
        str(root),
        str(sources),
    ]
