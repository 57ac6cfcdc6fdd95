#!/usr/bin/python
"""Ansible module: the managed part of Nextcloud's configuration, one file that nothing else overrides."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_config
short_description: Write the managed configuration of Nextcloud
description:
  - Writes settings into a file of its own beside C(config.php), which Nextcloud merges over it.
  - Nextcloud copies the merged settings back into C(config.php) whenever it writes that file, and merges lists by
    position. A setting taken out here, or a list made shorter, would live on there. So settings that this file manages,
    or managed until now, are taken out of C(config.php) when they differ.
  - The difference that it reports names settings that are secret, or may have been, and never their values, old or new.
options:
  path: {description: The managed file., type: path, required: true}
  settings: {description: Settings by name., type: dict, required: true}
  expressions: {description: Settings whose value is a PHP expression., type: dict, default: {}}
  secrets:
    description: Settings that no output may show; parts of a mapping join those that are open.
    type: dict
    default: {}
    no_log: true
  config_dir: {description: Folder of config.php., type: path, required: true}
  current_link: {description: Link to the release in use., type: path, required: true}
  state_path: {description: Where the role records its state., type: path, required: true}
  user: {description: The web user., type: str, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Write the configuration
  nextcloud_config:
    path: /etc/nextcloud/90-site.config.php
    settings: {trusted_domains: [cloud.example.org], loglevel: 2}
    expressions: {apps_paths: "[['path' => OC::$SERVERROOT . '/apps', 'url' => '/apps', 'writable' => false]]"}
    config_dir: /etc/nextcloud
    current_link: /opt/nextcloud/current
    state_path: /var/lib/nextcloud/state.json
    user: www-data
"""

RETURN = r"""
released:
  description: Settings that were taken out of config.php.
  returned: always
  type: list
  elements: str
  sample: [trusted_domains]
"""

import grp
import json
import os
import pathlib
import pwd
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import INSTANCE_ARGUMENTS, Instance
from ansible.module_utils.php_literal import php_literal

HEADER = "<?php\n// Managed by sovstack: the next run undoes changes by hand. Own settings go to 95-local.config.php.\n"

# Settings of config.php itself that are named in $argv[2], as JSON.
READ_OWN = """
$CONFIG = [];
include $argv[1];
echo json_encode(array_intersect_key($CONFIG, array_flip(json_decode($argv[2]))) ?: new stdClass);
"""
# Takes the named settings out of config.php, under the lock that Nextcloud takes (lib/private/Config.php, 34.0.1).
RELEASE = """
$file = fopen($argv[1], "r+");
flock($file, LOCK_EX) || exit(1);
$CONFIG = [];
include $argv[1];
foreach (json_decode($argv[2]) as $name) unset($CONFIG[$name]);
$text = "<?php\\n\\$CONFIG = " . var_export($CONFIG, true) . ";\\n";
rewind($file);
fwrite($file, $text) === strlen($text) && ftruncate($file, strlen($text)) && fflush($file) || exit(1);
"""


def render(settings: dict[str, Any], expressions: dict[str, str]) -> str:
    """Text of the managed file, settings in the order of their names."""
    values = {name: php_literal(value, 1) for name, value in settings.items()} | expressions
    lines = [f"    {php_literal(name)} => {values[name]},\n" for name in sorted(values)]
    return f"{HEADER}$CONFIG = [\n{''.join(lines)}];\n"


def joined(settings: dict[str, Any], secrets: dict[str, Any]) -> dict[str, Any]:
    """Settings and secrets as one; where both know a mapping, its parts."""
    both = {**settings, **secrets}
    for name in settings.keys() & secrets.keys():
        if isinstance(settings[name], dict) and isinstance(secrets[name], dict):
            both[name] = joined(settings[name], secrets[name])
    return both


def names_in(text: str) -> set[str]:
    """Names of the settings in a file that `render` made."""
    return set(re.findall(r"^    '([^']+)' => ", text, flags=re.MULTILINE))


def is_open(path: list[str], settings: dict[str, Any], secrets: dict[str, Any]) -> bool:
    """Whether the setting of this name, in mappings of these names, is one of those that are not secret."""
    name, *rest = path
    if name not in settings:
        return False
    value, secret = settings[name], secrets.get(name, {})
    if not isinstance(value, dict):
        return name not in secrets
    return isinstance(secret, dict) and (not rest or is_open(rest, value, secret))


def hidden(text: str, other: str, state: str, settings: dict[str, Any], secrets: dict[str, Any]) -> str:
    """The managed file, line by line: without the values of secrets, and of what is set no longer, which may be one.

    Where `other` has not got such a line, it says its `state`.
    """
    known = set(other.splitlines())
    path: list[str] = []
    shown = []
    for line in text.splitlines():
        named = re.match(r"( *)'((?:[^'\\]|\\.)*)' => ", line)
        if named:
            depth = max(len(named[1]) // 4 - 1, 0)
            path = [*path[:depth], re.sub(r"\\(.)", r"\1", named[2])]
        if path and not is_open(path, settings, secrets) and line.strip() not in ("],", "];"):
            line = f"{named[0] if named else ''}(hidden{'' if line in known else f', {state}'})"
        shown.append(f"{line}\n")
    return "".join(shown)


def survives(managed: Any, own: Any) -> bool:
    """Whether `managed` comes out unchanged when it is merged over `own` as array_replace_recursive does."""
    if not isinstance(managed, (dict, list)) or not isinstance(own, (dict, list)):
        return True
    first, second = (dict(enumerate(value)) if isinstance(value, list) else value for value in (managed, own))
    keys = {str(key): value for key, value in first.items()}
    return all(str(key) in keys and survives(keys[str(key)], value) for key, value in second.items())


def write(path: pathlib.Path, text: str, user: str) -> None:
    """Replace the file in one step; the web user may read it and nobody else."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chown(part, 0, grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_gid)
    pathlib.Path(part).chmod(0o640)
    pathlib.Path(part).replace(path)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "settings": {"type": "dict", "required": True},
            "expressions": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            **INSTANCE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    instance = Instance(module)
    path = pathlib.Path(module.params["path"])
    secrets: dict[str, Any] = module.params["secrets"]
    settings = joined(module.params["settings"], secrets)
    after = render(settings, module.params["expressions"])
    before = path.read_text(encoding="utf-8") if path.exists() else ""

    main_file = instance.config_dir / "config.php"
    own: dict[str, Any] = {}
    if main_file.exists():
        names = sorted(names_in(before) | names_in(after))
        own = json.loads(instance.require(["php", "-r", READ_OWN, "--", str(main_file), json.dumps(names)]))
    gone = names_in(before) - names_in(after)
    released = sorted(
        name for name, value in own.items() if name in gone or not survives(settings.get(name), value)
    )

    stat = path.stat() if path.exists() else None
    group = pwd.getpwnam(instance.user).pw_gid
    unguarded = stat is not None and (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) != (0, group, 0o640)
    changed = before != after or bool(released) or unguarded
    shown = (
        f"{stat.st_uid}:{stat.st_gid} {stat.st_mode & 0o7777:04o}\n" if stat is not None and unguarded else ""
    )
    wish = f"0:{group} 0640\n" if shown else ""
    opened = module.params["settings"] | module.params["expressions"]
    if changed and not module.check_mode:
        # First out of config.php, then the new file: when this is cut off between the two, the next run sees it.
        if released:
            instance.require(["php", "-r", RELEASE, "--", str(main_file), json.dumps(released)])
        write(path, after, instance.user)
    module.exit_json(
        changed=changed,
        released=released,
        diff={
            "before_header": str(path),
            "after_header": str(path),
            "before": shown + hidden(before, after, "as it was", opened, secrets),
            "after": wish + hidden(after, before, "as wanted", opened, secrets),
        },
    )


if __name__ == "__main__":
    main()
