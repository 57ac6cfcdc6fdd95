#!/usr/bin/python
"""Ansible module: a release of an application, unpacked whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release_unpacked
short_description: Unpack a release archive into a folder of its own
description:
  - Unpacks an archive beside its destination, asks the program in it who it is, and renames the folder into place, so
    that a release folder is always complete and holds what it is named after.
  - Removes what a killed run left, and the archive once it is not needed any more.
options:
  archive: {description: Archive on the host (tar with gzip or bzip2 or zstandard or xz)., type: path, required: true}
  sha256: {description: Digest that the archive must have., type: str, required: true}
  dest: {description: Folder of the release., type: path, required: true}
  probe:
    description: Command inside the release that says what it is.
    type: list
    elements: str
    required: true
  expect:
    description: Lines that the command must print.
    type: list
    elements: str
    required: true
author: [sovstack]
"""

EXAMPLES = r"""
- name: Unpack the release
  release_unpacked:
    archive: /opt/mattermost/release.archive
    sha256: df9b...
    dest: /opt/mattermost/releases/11.7.9-df9b6a42c1e7
    probe: [bin/mattermost, version]
    expect: ["Version: 11.7.9"]
"""

RETURN = r""" # """

import os
import pathlib
import shutil

from ansible.module_utils.basic import AnsibleModule


def missing_lines(expected: list[str], output: str) -> list[str]:
    """The expected lines that are not in the output, whatever blanks stand around them."""
    printed = {line.strip() for line in output.splitlines()}
    return [line for line in expected if line not in printed]


def unpack(module: AnsibleModule, archive: pathlib.Path, part: pathlib.Path) -> None:
    """Unpack into `part` and check what came out; nothing is left of it where that fails."""
    part.mkdir(parents=True)
    status, _, errors = module.run_command(
        ["tar", "--extract", f"--file={archive}", f"--directory={part}", "--strip-components=1",
         "--no-same-owner", "--no-same-permissions"],
        umask=0o022,
    )  # fmt: skip
    problem = f"could not be unpacked: {errors.strip()}" if status != 0 else ""
    if not problem:
        program, *arguments = module.params["probe"]
        status, output, errors = module.run_command([str(part / program), *arguments], cwd=str(part))
        if status != 0:
            problem = f"holds a {program} that ended with {status}: {errors.strip()}"
        elif missing := missing_lines(module.params["expect"], output):
            problem = f"is not what was asked for: {program} does not say {'; '.join(missing)}"
    if problem:
        shutil.rmtree(part)
        module.fail_json(msg=f"{archive} {problem}")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "probe": {"type": "list", "elements": "str", "required": True},
            "expect": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    archive, dest = pathlib.Path(module.params["archive"]), pathlib.Path(module.params["dest"])
    parts = list(dest.parent.glob(".unpack-*"))
    present = dest.is_dir()
    changed = not present or bool(parts) or archive.exists()
    if changed and not module.check_mode:
        for leftover in parts:
            shutil.rmtree(leftover)
        if not present:
            if module.sha256(str(archive)) != module.params["sha256"]:
                module.fail_json(msg=f"{archive} is not the archive that was checked: its SHA-256 differs")
            part = dest.parent / f".unpack-{dest.name}"
            unpack(module, archive, part)
            os.sync()  # the name must not outlive the content when the power fails
            part.rename(dest)
        archive.unlink(missing_ok=True)
    module.exit_json(changed=changed, diff={"before": "", "after": "" if present else f"{dest}\n"})


if __name__ == "__main__":
    main()
