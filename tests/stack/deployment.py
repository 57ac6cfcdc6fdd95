"""One deployment on lab machines of its own, driven through the command line as an operator drives it."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from doubles.jitsi import build as jitsi_double
from doubles.mattermost import build as mattermost_double
from doubles.nextcloud import build as nextcloud_double
from stack.machine import Machine

CHECKOUT = Path(__file__).parents[2]
VERB_SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """What a verb said: exit code, report, and its own log."""

    exit_code: int
    report: dict[str, Any]
    log: str

    @property
    def changes(self) -> list[dict[str, Any]]:
        return list(self.report["changes"])

    def bad_checks(self) -> list[str]:
        """Return the checks that are neither a pass nor a warning, each with what was seen."""
        return [
            f"{check['verdict']} {check['id']}: {check['actual']}"
            for check in self.report["checks"]
            if check["verdict"] not in ("pass", "warn")
        ]


@dataclass(frozen=True)
class Deployment:
    """A lab of its own and a deployment folder of its own, both below ``root``.

    Attributes:
        root: Holds the state directory (lab records, runs) and the folder with the profile.
        lab: Name of the lab.
        profile: Whose folder in ``inventories/`` has the profile; each of its hosts is a machine.
        archives: Options that say where releases come from.
        cache: Cache directory when it is not the user's own.
        versions: Of the real releases that are deployed although they are not the default, by service.
        is_behind_nat: Whether others reach the machines at public addresses.
    """

    root: Path
    lab: str
    profile: str
    archives: tuple[str, ...]
    cache: Path | None
    versions: Mapping[str, str]
    is_behind_nat: bool = False

    @property
    def folder(self) -> Path:
        return self.root / "inventories" / self.lab

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "SOVSTACK_STATE_DIR": str(self.root / "state"),
            "SOVSTACK_CONFIG_DIR": str(self.root / "config"),
        }
        return os.environ | own | ({"SOVSTACK_CACHE_DIR": str(self.cache)} if self.cache else {})

    def start(self, verb: str, *options: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a verb in a process group of its own; its standard output and error go to ``log``."""
        releases = self.archives if verb in ("apply", "plan") else ()
        with (log or Path(os.devnull)).open("wb") as sink:
            return subprocess.Popen(
                [sys.executable, "-m", "provisioner", verb, str(self.folder), *releases, *options],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def run(self, verb: str, *options: str) -> Outcome:
        """Run a verb to its end."""
        releases = self.archives if verb in ("apply", "plan") else ()
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "provisioner", verb, str(self.folder), *releases, *options),
                *("--output", "json", "--progress", "plain"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=VERB_SECONDS,
            check=False,
        )
        report = json.loads(ended.stdout) if ended.stdout.strip() else {}
        return Outcome(ended.returncode, report, ended.stderr)

    def command(self, *arguments: str) -> str:
        """Run ``sovstack lab ...`` and return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "provisioner", "lab", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout

    @cached_property
    def machines(self) -> dict[str, Machine]:
        """The machines, by the names of their hosts in the profile."""
        labs = json.loads(self.command("list", "--output", "json"))["labs"]
        (lab,) = [lab for lab in labs if lab["name"] == self.lab]
        return {
            host: Machine(shown["number"], shown["hostname"], shown["address"], lab["ssh_config"])
            for host, shown in zip(self.template["hosts"], lab["machines"], strict=True)
        }

    @property
    def machine(self) -> Machine:
        """The only machine."""
        (machine,) = self.machines.values()
        return machine

    def host(self, command: str) -> str:
        """Run a command on the only machine as root and return its output; it must succeed."""
        return self.machine.run(command)

    def cut_power(self, machine: Machine) -> None:
        """End every process of a machine at once; its disk stays as it is."""
        self._lab("kill", machine)

    def switch_on(self, machine: Machine) -> None:
        """Start a machine after its power was cut, and wait until it answers over SSH."""
        self._lab("start", machine)

    def _lab(self, function: str, machine: Machine) -> None:
        code = "import sys; from provisioner import lab; getattr(lab, sys.argv[1])(sys.argv[2], int(sys.argv[3]))"
        arguments = [sys.executable, "-c", code, function, self.lab, str(machine.number)]
        subprocess.run(arguments, env=self.environment, timeout=120, check=True)

    def renew_machine(self) -> None:
        """Replace the machine by a bare one with the same name, address and host key."""
        subnet = str(ipaddress.ip_network(f"{self.machine.address}/24", strict=False))
        self.command("down", self.lab)
        self.command("up", self.lab, "--subnet", subnet)

    @property
    def template(self) -> dict[str, Any]:
        """The profile of ``inventories/``, as it is there."""
        text = (CHECKOUT / "inventories" / self.profile / "profile.yml").read_text()
        return dict(yaml.safe_load(text))

    def write_profile(self, *, without: tuple[str, ...] = ()) -> None:
        """Write the profile with these machines' addresses and key, ``without`` some of its services."""
        profile = self.template
        for name, machine in self.machines.items():
            host = profile["hosts"][name]
            host["address"] = machine.address
            if self.is_behind_nat:
                host["public_addresses"] = [machine.public_address]
            host["ssh"]["key_file"] = str(self.root / "state" / "lab" / "id_ed25519")
        for service, version in self.versions.items():
            profile["services"][service]["version"] = version
        for service in without:
            del profile["services"][service]
        profile["secrets"] = {"vault_password": {"file": str(self.root / "vault-password")}}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "profile.yml").write_text(yaml.safe_dump(profile, sort_keys=False))


@contextmanager
def deploying(
    lab: str,
    archive: str = "auto",
    *,
    profile: str = "lab",
    directory: Path | None = None,
    is_behind_nat: bool = False,
) -> Iterator[Deployment]:
    """Give bare machines and a profile for them; take the machines down after the block.

    Args:
        lab: Name for the lab.
        archive: ``double`` is the contract double; ``real`` is what the user's release cache or upstream has;
            ``auto`` is the real one when the cache has it.
        profile: Whose folder in ``inventories/`` has the profile.
        directory: Where state and profile go; default: a temporary directory.
        is_behind_nat: Whether the profile gives public addresses; who leads them to the machines is the caller's.
    """
    with tempfile.TemporaryDirectory(prefix="sovstack-", dir=directory) as name:
        root = Path(name)
        options: tuple[str, ...] = ()
        cache = None
        if archive != "real":
            (root / "doubles").mkdir()
            nextcloud_double.build(root / "doubles")
            mattermost_double.build(root / "doubles")
            jitsi_double.build(root / "doubles")
            options = ("--releases-from", str(root / "doubles"), "--allow-doubles")
        if archive == "double":
            cache = root / "cache"
            cache.mkdir()
            base = os.environ.get("SOVSTACK_CACHE_DIR") or f"{Path.home()}/.cache/sovstack"
            (cache / "lab").symlink_to(Path(base) / "lab")  # base images take a minute; they are the same
        versions = {} if archive == "double" else _cached_versions()
        deployment = Deployment(root, lab, profile, options, cache, versions, is_behind_nat)
        try:
            deployment.command("up", lab, f"--machines={len(deployment.template['hosts'])}")
            deployment.write_profile()
            yield deployment
        finally:
            deployment.command("down", lab)


def _cached_versions() -> dict[str, str]:
    """Return, for services whose default release is not in the user's cache, the latest that is."""
    listed = subprocess.run(
        [sys.executable, "-m", "provisioner", "releases", "list", "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {}
    for service, application in (("files", "nextcloud"), ("chat", "mattermost"), ("meet", "jitsi")):
        whole: dict[str, bool] = {}  # one version may be several packages
        default = ""
        rows = [row for row in json.loads(listed)["releases"] if row["application"] == application]
        for release in rows:
            if release["edition"] == rows[0]["edition"]:  # the first is what a profile gets that names none
                version = release["version"]
                whole[version] = whole.get(version, True) and bool(release["cached"])
                default = version if release["default"] else default
        cached = [version for version, is_whole in whole.items() if is_whole]
        if cached and default not in cached:
            found[service] = max(cached, key=lambda version: [int(part) for part in version.split(".")])
    return found


def end_group(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and everything it started, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(timeout=60)
