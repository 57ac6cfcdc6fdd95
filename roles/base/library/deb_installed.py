#!/usr/bin/python
"""Ansible module: a Debian package that the controller handed over is installed, and has started nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deb_installed
short_description: Install one Debian package from a file on the controller
description:
  - Compares dpkg's state first. The package is handed over only where it is missing, of another version, left half
    installed, or not the one with this digest.
  - Its dependencies come from Debian, by apt, in the same transaction.
  - Its scripts start, stop and register nothing. The commands that they would do it with are replaced, for their run,
    by one that does nothing; no file is left behind for that, so a run that is killed leaves the host as usual.
  - What the scripts want to know is answered beforehand, over the standard input of debconf.
options:
  name: {description: Name of the package., type: str, required: true}
  version: {description: Version of the package., type: str, required: true}
  path: {description: The package's file on the controller., type: path, required: true}
  sha256: {description: Digest that the file must have; compared on the host., type: str, required: true}
  selections:
    description: Answers for debconf by question, each with C(type) and C(value). Nothing shows them.
    type: dict
    default: {}
  without:
    description: Further commands that the package's scripts must not run.
    type: list
    elements: str
    default: []
author: [sovstack]
"""

EXAMPLES = r"""
- name: Install Jicofo
  deb_installed:
    name: jicofo
    version: 1.0-1183-1
    path: /srv/releases/jicofo_1.0-1183-1_all.deb
    sha256: df9b...
    selections:
      jicofo/jicofo-authpassword: {type: password, value: "{{ jicofo_password }}"}
"""

RETURN = r"""
present:
  description: Whether the package is installed now, in whatever version.
  returned: always
  type: bool
wanted:
  description: Whether the package's file is still needed; only the action plugin sees it true.
  returned: always
  type: bool
"""

import pathlib

from ansible.module_utils.basic import AnsibleModule

# With these a package's scripts start and stop services.
SERVICE_COMMANDS = ("deb-systemd-invoke", "invoke-rc.d", "service", "systemctl")
# Two builds can have one version; dpkg does not remember which of them it installed.
STAMPS = pathlib.Path("/var/lib/sovstack/packages")
UPDATES = pathlib.Path("/var/lib/dpkg/updates")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
# Those of the whole package lists stay for whoever comes next.
NO_CACHES = ('Dir::Cache::pkgcache "";', 'Dir::Cache::srcpkgcache "";')


def selection_lines(name: str, selections: dict[str, dict[str, object]]) -> str:
    """What debconf-set-selections reads.

    Raises:
        ValueError: An answer has a line end in it, and would be two.
    """
    lines = []
    for question, answer in selections.items():
        value = answer["value"]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if "\n" in text:
            raise ValueError(f"the answer to {question} has more than one line")
        lines.append(f"{name} {question} {answer['type']} {text}\n")
    return "".join(lines)


def apt_settings(path: str) -> list[str]:
    """Lines of a configuration of apt, under which packages' scripts find their commands along `path`."""
    return [f'DPkg::Path "{path}";', 'DPkg::Lock::Timeout "300";', 'DPkg::Options { "--force-confold"; };']


class Package:
    """The package as dpkg sees it."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read its state."""
        self.module = module
        self.name = module.params["name"]
        query = ["dpkg-query", "--show", "--showformat", r"${db:Status-Status} ${Version}", self.name]
        status, output, _ = module.run_command(query)
        self.state, _, self.version = output.partition(" ") if status == 0 else ("not-installed", "", "")

    @property
    def stamp(self) -> pathlib.Path:
        """File that says which build was installed."""
        return STAMPS / self.name

    @property
    def stamp_text(self) -> str:
        """What the stamp has to say."""
        return f"{self.module.params['version']} {self.module.params['sha256']}\n"

    @property
    def current(self) -> bool:
        """Whether there is nothing to do."""
        return (
            self.state == "installed"
            and self.version == self.module.params["version"]
            and self.stamp.exists()
            and self.stamp.read_text(encoding="utf-8") == self.stamp_text
        )

    def run(self, command: list[str], data: str | None = None) -> str:
        """Run a command; the module fails with what it said where it does."""
        status, output, errors = self.module.run_command(command, data=data, environ_update=ENVIRONMENT)
        if status != 0:
            self.fail(command[0], status, output, errors)
        return str(output)

    def fail(self, program: str, status: int, output: str, errors: str) -> None:
        """End with what a program said."""
        self.module.fail_json(
            msg=f"{program} ended with {status}: {errors.strip()}", log=output.splitlines()[-20:]
        )

    def check(self, deb: pathlib.Path) -> None:
        """Fail unless the file is the package that was checked."""
        if self.module.sha256(str(deb)) != self.module.params["sha256"]:
            self.module.fail_json(
                msg=f"{self.name}: the file is not the one that was checked: its SHA-256 differs"
            )
        fields = self.run(["dpkg-deb", "--show", "--showformat", r"${Package} ${Version}", str(deb)])
        if fields != f"{self.name} {self.module.params['version']}":
            self.module.fail_json(
                msg=f"the file holds {fields}, not {self.name} {self.module.params['version']}"
            )

    def install(self, deb: pathlib.Path) -> None:
        """Install the file."""
        folder = pathlib.Path(self.module.tmpdir)
        idle = folder / "idle"
        idle.mkdir()
        for command in (*SERVICE_COMMANDS, *self.module.params["without"]):
            (idle / command).symlink_to("/bin/true")
        settings = apt_settings(f"{idle}:{PATH}")
        if self.module.params["selections"]:
            lines = selection_lines(self.name, self.module.params["selections"])
            self.run(["debconf-set-selections"], data=lines)
        if self.state not in {"installed", "not-installed", "config-files"} or any(UPDATES.glob("[0-9]*")):
            # Somebody was cut off; apt refuses to go on before this. What is still broken then, apt mends.
            path = f"PATH={idle}:{PATH}"
            self.module.run_command(["env", path, "dpkg", "--configure", "--pending", "--force-confold"])
        again = ["--reinstall"] if self.version == self.module.params["version"] else []
        command = [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "--allow-downgrades",
            *again,
            str(deb),
        ]
        # What it depends on is there already, nearly always, and apt is a second faster with nothing to read.
        (folder / "lists").mkdir()
        alone = [*settings, f'Dir::State::Lists "{folder / "lists"}";', *NO_CACHES]
        status, _, _ = self.apt([*command, "--simulate"], alone)
        status, output, errors = self.apt(command, alone if status == 0 else settings)
        if status != 0:
            self.fail("apt-get", status, output, errors)
        STAMPS.mkdir(parents=True, exist_ok=True)
        self.stamp.write_text(self.stamp_text, encoding="utf-8")

    def apt(self, command: list[str], settings: list[str]) -> tuple[int, str, str]:
        """Run a command of apt with these settings, which its helpers get too. Gives status, output and errors."""
        configuration = pathlib.Path(self.module.tmpdir) / "apt.conf"
        configuration.write_text("".join(f"{line}\n" for line in settings), encoding="utf-8")
        environment = {**ENVIRONMENT, "APT_CONFIG": str(configuration)}
        status, output, errors = self.module.run_command(command, environ_update=environment)
        return int(status), str(output), str(errors)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "selections": {"type": "dict", "default": {}, "no_log": True},
            "without": {"type": "list", "elements": "str", "default": []},
            # Where the action plugin put the package's file; it calls without one first.
            "deb": {"type": "path"},
        },
        supports_check_mode=True,
    )
    package = Package(module)
    changed = not package.current
    if changed and not module.check_mode and module.params["deb"]:
        deb = pathlib.Path(module.params["deb"])
        package.check(deb)
        package.install(deb)
    before = f"{package.version} {package.state}\n" if package.version else ""
    after = f"{module.params['version']} installed\n" if changed else before
    diff = {"before": before, "after": after, "before_header": package.name, "after_header": package.name}
    wanted = changed and not module.check_mode and not module.params["deb"]
    present = package.state == "installed" or (changed and not module.check_mode)
    module.exit_json(changed=changed, present=present, wanted=wanted, diff=diff)


if __name__ == "__main__":
    main()
