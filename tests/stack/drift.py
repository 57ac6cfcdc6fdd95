"""Everything that the roles manage on a machine, each thing edited by hand once.

What is managed is read from the machine, so that a role that comes later is held to it without a change here: files
that say who manages them, whatever lies in the stack's own folders, and the units and their drop-ins that the roles
declare.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from stack.deployment import Deployment

# Folders that hold nothing but what the roles write, and what in them is not theirs to keep.
_OWN_FOLDERS = (
    "/etc/sovstack",
    "/etc/nextcloud",
    "/etc/mattermost",
    "/etc/portal",
    "/etc/jitsi/meet",
    "/srv/portal",
    "/usr/local/sbin",
)
_NOT_OURS = (
    "/etc/nextcloud/config.php",  # Nextcloud's own memory; what the roles decide is in 90-site.config.php
    "/srv/portal/.well-known/security.txt",  # written anew by its timer from /etc/portal/security.txt
)
_AUTHORITY = "/usr/local/share/ca-certificates/sovstack-internal.crt"

_LIST = f"""
{{ grep --recursive --files-with-matches --exclude-dir=releases 'Ansible managed' /etc /usr/local /opt /usr/share/jitsi-meet
   find {" ".join(_OWN_FOLDERS)} -type f
   ls {_AUTHORITY}
}} 2>/dev/null | sort --unique
"""


def managed_files(deployment: Deployment) -> list[str]:
    """Return the paths of all files that the roles write on the machine."""
    return [path for path in deployment.host(_LIST).splitlines() if path not in _NOT_OURS]


def declared_units(deployment: Deployment) -> list[str]:
    """Return the units that the roles declare."""
    declaration: dict[str, Any] = json.loads(deployment.host("cat /etc/sovstack/declared.json"))
    return list(declaration["units"])


def append_blank_line(files: list[str]) -> str:
    """Return a command that changes every file without a meaning to any program that reads it."""
    return "\n".join(f"echo >> {path}" for path in files)


def unnamed(things: list[str], changes: list[dict[str, Any]]) -> list[str]:
    """Return the things that no change's difference names."""
    diffs = "\n".join(change["diff"] for change in changes)
    return [thing for thing in things if not re.search(rf"{re.escape(thing)}(?![\w.-])", diffs)]


def named_files(changes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the paths that differences begin with."""
    for change in changes:
        yield from re.findall(r"^--- (?:before: )?(/\S+)", change["diff"], re.MULTILINE)
