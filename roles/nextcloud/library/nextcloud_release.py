#!/usr/bin/python
"""Ansible module: a release of Nextcloud, unpacked whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nextcloud_release
short_description: Unpack a release of Nextcloud
description:
  - Unpacks an archive beside its destination and renames it into place, so that a release folder is always complete.
  - Removes what a killed run left, and the archive once it is not needed any more.
options:
  archive: {description: Archive on the host (tar with bzip2 or gzip or zstandard or xz)., type: path, required: true}
  sha256: {description: Digest that the archive must have., type: str, required: true}
  version: {description: Version that the archive must hold., type: str, required: true}
  dest: {description: Folder of the release., type: path, required: true}
  apps_dir: {description: Folder of further apps, linked as C(custom_apps)., type: path, required: true}
author: [sovstack]
"""

EXAMPLES = r"""
- name: Unpack the release
  nextcloud_release:
    archive: /var/cache/nextcloud/nextcloud-34.0.1.archive
    sha256: 0f0b...
    version: 34.0.1
    dest: /opt/nextcloud/releases/34.0.1-0f0bd15c7a3e
    apps_dir: /opt/nextcloud/apps
"""

RETURN = r"""
version:
  description: Full version of the unpacked release.
  returned: when it was unpacked
  type: str
  sample: 34.0.1.2
"""

import os
import pathlib
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nextcloud_server import Tree

# First bytes of a file -> programs that decompress it, the one that uses all processors first.
DECOMPRESSORS = {
    b"BZh": ("lbzip2", "bzip2"),
    b"\x1f\x8b": ("pigz", "gzip"),
    b"\x28\xb5\x2f\xfd": ("zstd",),
    b"\xfd7zXZ": ("xz",),
}


def decompressor(module: AnsibleModule, archive: pathlib.Path) -> str:
    """Program for `archive`, known by its first bytes: the name of a cached file says nothing."""
    with archive.open("rb") as file:
        head = file.read(8)
    for magic, programs in DECOMPRESSORS.items():
        if head.startswith(magic):
            found = next((path for path in map(shutil.which, programs) if path), None)
            if found is None:
                module.fail_json(msg=f"none of {', '.join(programs)} is installed to unpack {archive}")
            return str(found)
    return str(module.fail_json(msg=f"{archive} is not a compressed tar archive"))


def unpack(module: AnsibleModule, archive: pathlib.Path, part: pathlib.Path) -> Tree:
    """Unpack into `part` and check what came out."""
    part.mkdir(parents=True)
    command = [
        "tar",
        "--extract",
        f"--file={archive}",
        f"--use-compress-program={decompressor(module, archive)}",
    ]
    command += [f"--directory={part}", "--strip-components=1", "--no-same-owner", "--no-same-permissions"]
    status, _, errors = module.run_command(command, umask=0o022)
    if status != 0:
        shutil.rmtree(part)
        module.fail_json(msg=f"{archive} could not be unpacked: {errors.strip().splitlines()[-1]}")
    tree = Tree(part)
    if tree.name != module.params["version"]:
        shutil.rmtree(part)
        module.fail_json(
            msg=f"{archive} holds version {tree.name or 'nothing'}, not {module.params['version']}"
        )
    status, output, _ = module.run_command(["php", "-f", str(part / "lib/versioncheck.php")])
    if status != 0:
        shutil.rmtree(part)
        module.fail_json(msg=f"Nextcloud {tree.name} does not run on this PHP: {output.strip()}")
    # Nobody installs through the web page or against the release's own, unused configuration folder.
    (part / "config/CAN_INSTALL").unlink(missing_ok=True)
    return tree


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "apps_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    archive = pathlib.Path(module.params["archive"])
    dest = pathlib.Path(module.params["dest"])
    parts = list(dest.parent.glob(".unpack-*"))
    present = Tree(dest).name == module.params["version"]
    changed = not present or bool(parts) or archive.exists()
    if not changed or module.check_mode:
        module.exit_json(changed=changed, diff={"before": "", "after": "" if present else f"{dest}\n"})

    for leftover in parts:
        shutil.rmtree(leftover)
    if not present:
        if module.sha256(str(archive)) != module.params["sha256"]:
            module.fail_json(msg=f"{archive} is not the archive that was checked: its SHA-256 differs")
        part = dest.parent / f".unpack-{module.params['version']}"
        unpack(module, archive, part)
        (part / "custom_apps").symlink_to(module.params["apps_dir"])
        os.sync()  # the name must not outlive the content when the power fails
        part.rename(dest)
    archive.unlink(missing_ok=True)
    module.exit_json(changed=True, version=Tree(dest).version, diff={"before": "", "after": f"{dest}\n"})


if __name__ == "__main__":
    main()
