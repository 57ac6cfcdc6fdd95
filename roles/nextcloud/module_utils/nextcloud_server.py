"""What the Nextcloud modules share: the release tree, the configuration on the disk, and `occ`."""

from __future__ import annotations

import json
import os
import pathlib
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# Arguments that every module of the role takes: where this instance lives.
INSTANCE_ARGUMENTS: dict[str, Any] = {
    "config_dir": {"type": "path", "required": True},
    "current_link": {"type": "path", "required": True},
    "state_path": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
}

# Settings in config.php as JSON. Only the web user may run this: the file belongs to it, and it is code.
READ_CONFIG = """
$CONFIG = [];
include $argv[1];
echo json_encode($CONFIG ?: new stdClass, JSON_THROW_ON_ERROR);
"""


def version_of(text: str) -> tuple[int, ...]:
    """Version as numbers: `34.0.1` and `34.0.1.2` compare as Nextcloud compares them."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


class Tree:
    """One unpacked release."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """A release at `path`, which need not exist."""
        self.path = pathlib.Path(path)

    def _version_file(self) -> str:
        try:
            return (self.path / "version.php").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    @property
    def version(self) -> str:
        """Four numbers with dots, for example `34.0.1.2`; empty where there is no release."""
        match = re.search(r"\$OC_Version\s*=\s*(?:array\(|\[)([\d,\s]+)", self._version_file())
        return ".".join(str(number) for number in version_of(match[1])) if match else ""

    @property
    def name(self) -> str:
        """The version as people say it, for example `34.0.1`; empty where there is no release."""
        match = re.search(r"\$OC_VersionString\s*=\s*['\"]([^'\"]+)", self._version_file())
        return match[1] if match else ""

    @property
    def upgrades_from(self) -> list[str]:
        """`major.minor` of the versions that this release can upgrade, from $OC_VersionCanBeUpgradedFrom."""
        match = re.search(r"'nextcloud'\s*=>\s*(?:array\s*\(|\[)([^)\]]*)", self._version_file())
        return re.findall(r"'(\d+\.\d+)'\s*=>\s*true", match[1]) if match else []

    def accepts(self, version: str) -> bool:
        """Whether an instance at `version` may be upgraded to this release (lib/private/Updater.php)."""
        numbers = version_of(version)
        return ".".join(map(str, numbers[:2])) in self.upgrades_from and numbers <= version_of(self.version)


class Instance:
    """One Nextcloud: its configuration, its state as the role left it, and its commands."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the paths from the module's arguments."""
        self.module = module
        self.user: str = module.params["user"]
        self.config_dir = pathlib.Path(module.params["config_dir"])
        self.current_link = pathlib.Path(module.params["current_link"])
        self.state_path = pathlib.Path(module.params["state_path"])

    def run(self, command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Run a command as the web user. Gives status, output and errors."""
        status, output, errors = self.module.run_command(
            ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--", *command],
            environ_update={"NEXTCLOUD_CONFIG_DIR": str(self.config_dir), "HOME": "/", **(environment or {})},
            cwd="/",
        )
        return int(status), str(output), str(errors)

    @staticmethod
    def reason(output: str, errors: str) -> str:
        """The line that says why a command failed: of a PHP trace the first, else the last."""
        lines = [line.strip() for line in (output.strip() or errors).splitlines() if line.strip()]
        causes = [line for line in lines if re.match(r"[\w\\]*(?:Error|Exception)\b", line)]
        return (causes[:1] or lines[-1:] or [""])[0]

    def require(self, command: list[str]) -> str:
        """Output of a command as the web user; the module fails where the command does."""
        status, output, errors = self.run(command)
        if status != 0:
            self.module.fail_json(
                msg=f"{pathlib.Path(command[0]).name} ended with {status}: {self.reason(output, errors)}",
                log=(output + errors).splitlines()[-40:],
            )
        return output

    def run_occ(
        self, *arguments: str, tree: Tree | None = None, environment: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run an occ command of the current release, or of `tree`. Gives status, output and errors."""
        path = (tree or Tree(self.current_link)).path / "occ"
        command = ["php", "-d", "memory_limit=512M", str(path), "--no-interaction", "--no-ansi", *arguments]
        return self.run(command, environment)

    def occ(self, *arguments: str, tree: Tree | None = None) -> str:
        """Output of an occ command; the module fails where the command does."""
        status, output, errors = self.run_occ(*arguments, tree=tree)
        if status != 0:
            self.module.fail_json(
                msg=f"occ {arguments[0]} ended with {status}: {self.reason(output, errors)}",
                log=(output + errors).splitlines()[-40:],
            )
        return output

    def has_account(self, user: str) -> bool:
        """Whether there is an account of this name."""
        return self.run_occ("user:info", user)[0] == 0

    def occ_json(self, *arguments: str) -> Any:
        """Run an occ command of the current release and read what it prints as JSON."""
        output = self.occ(*arguments, "--output=json")
        # A notice of PHP or of an app may precede the answer.
        answer = re.search(r"^[\[{].*", output, flags=re.MULTILINE | re.DOTALL)
        return json.loads(answer[0] if answer else output)

    def read_config(self) -> dict[str, Any]:
        """What Nextcloud wrote to config.php, its version among it; empty where there is none yet."""
        path = self.config_dir / "config.php"
        if not path.exists():
            return {}
        answer: dict[str, Any] = json.loads(self.require(["php", "-r", READ_CONFIG, "--", str(path)]))
        return answer

    def read_state(self) -> dict[str, str]:
        """What the role recorded: `phase` (installing, upgrading, settling, ready) and `version`."""
        try:
            state: dict[str, str] = json.loads(self.state_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return state

    def write_state(self, phase: str, version: str) -> None:
        """Record a phase before it begins, so that a run that follows a killed one knows what it finds."""
        part = self.state_path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump({"phase": phase, "version": version}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.state_path)
