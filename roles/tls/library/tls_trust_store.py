#!/usr/bin/python
"""Keep the deployment's own certificate authorities, and no others of ours, in the host's trust store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: tls_trust_store
short_description: Keep the deployment's own certificate authorities in the host's trust store
description:
  - Compares the trust store itself, so a run that was killed half-way is completed by the next one.
options:
  certificates:
    description: PEM certificates by name. An earlier one of this module that is not named is removed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Trust the internal authority
  tls_trust_store:
    certificates:
      internal: "{{ tls_ca_certificate }}"
"""

_PREFIX = "sovstack-"
_SOURCES = Path("/usr/local/share/ca-certificates")
ATTRIBUTES = "0:0 0644\n"
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def read(path: Path) -> str:
    """The file's text; empty when there is none."""
    return path.read_text() if path.exists() else ""


def write(path: Path, content: str) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(0o755, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as stream:
        stream.write(content)
    Path(temporary).chmod(0o644)
    Path(temporary).rename(path)


def describe(path: Path) -> str:
    """Owner and mode, for a diff."""
    status = path.stat()
    return f"{status.st_uid}:{status.st_gid} {status.st_mode & 0o7777:04o}\n"


def is_bundle_current(certificates: Iterable[str]) -> bool:
    """Whether the bundle holds the certificates and was made after the last one came or went."""
    bundle = read(_BUNDLE)
    if not all(pem in bundle for pem in certificates):
        return False
    return not _SOURCES.exists() or _BUNDLE.stat().st_mtime >= _SOURCES.stat().st_mtime


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"certificates": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    wanted = {
        _SOURCES / f"{_PREFIX}{name}.crt": pem.strip() + "\n"
        for name, pem in module.params["certificates"].items()
    }
    found = {path: read(path) for path in _SOURCES.glob(f"{_PREFIX}*.crt")}
    unguarded = {path: attributes for path in found if (attributes := describe(path)) != ATTRIBUTES}
    is_current = found == wanted and not unguarded and is_bundle_current(wanted.values())
    if not is_current and not module.check_mode:
        for path in found.keys() - wanted.keys():
            path.unlink()
        for path, pem in wanted.items():
            write(path, pem)
        module.run_command(["/usr/sbin/update-ca-certificates"], check_rc=True)
    differing = sorted(
        path
        for path in found.keys() | wanted.keys()
        if found.get(path) != wanted.get(path) or path in unguarded
    )
    diff = [
        {
            "before_header": str(path),
            "after_header": str(path),
            "before": unguarded.get(path, "") + found.get(path, ""),
            "after": (ATTRIBUTES if path in unguarded and path in wanted else "") + wanted.get(path, ""),
        }
        for path in differing
    ]
    if not is_current and not diff:
        bundle = str(_BUNDLE)
        diff = [{"before_header": bundle, "after_header": bundle, "before": "old\n", "after": "made anew\n"}]
    module.exit_json(changed=not is_current, diff=diff)


if __name__ == "__main__":
    main()
