"""Everything that the roles manage on a machine, each thing edited by hand once.

What is managed is read from the machine, so that a role that comes later is held to it without a change here: files
that say who manages them, whatever lies in the stack's own folders, and the units and their drop-ins that the roles
declare.
"""

from __future__ import annotations

import re
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
{{
grep --recursive --files-with-matches --exclude-dir=releases 'Ansible managed' /etc /usr/local /opt /var/lib/postgresql
find {" ".join(_OWN_FOLDERS)} -type f
ls {_AUTHORITY}
}} 2>/dev/null | sort --unique
"""
_BACKUP = "/root/managed.tar"
# Settings that live in databases, accounts and the kernel: how each is changed, and what a difference says of it.
SETTINGS = {
    "runuser -u postgres -- psql -qc 'alter role nextcloud createdb'": "NOCREATEDB",
    # The grant lets Nextcloud in all the same; what cannot be asked is not compared in a plan.
    "runuser -u postgres -- psql -qc 'alter database nextcloud owner to postgres'"
    " -c 'grant all on database nextcloud to nextcloud'": "owner: nextcloud",
    """runuser -u postgres -- psql -qc "alter system set work_mem = '1MB'" """: "postgresql.auto.conf",
    "nextcloud-occ --quiet app:disable admin_audit": "admin_audit",
    "mattermost-mmctl team rename stadhuis --display-name Elsewhere >/dev/null": "Elsewhere",
    "usermod --shell /bin/bash mattermost": "/usr/sbin/nologin",
    "gpasswd --delete www-data valkey >/dev/null": "name: www-data",
    "echo 1 > /proc/sys/net/ipv4/conf/all/accept_redirects": "net.ipv4.conf.all.accept_redirects",
    "nft add rule inet sovstack_inbound input tcp dport 4444 accept": "4444",
}
# A drop-in of somebody else in a unit of the stack.
_FOREIGN = "zz-drift.conf"


def managed_files(deployment: Deployment) -> list[str]:
    """Return the paths of all files that the roles write on the machine."""
    return [path for path in deployment.host(_LIST).splitlines() if path not in _NOT_OURS]


def back_up(files: list[str]) -> str:
    """Return a command that keeps a copy of the files, with owner, mode and time."""
    return f"tar --create --absolute-names --file={_BACKUP} {' '.join(files)}"


def restore() -> str:
    """Return a command that brings back what `back_up` kept."""
    return f"tar --extract --absolute-names --preserve-permissions --file={_BACKUP} && rm {_BACKUP}"


def append_blank_line(files: list[str]) -> str:
    """Return a command that changes every file without a meaning to any program that reads it."""
    return "\n".join(f"echo >> '{path}'" for path in files)


def give_away(files: list[str]) -> str:
    """Return a command that makes every file another user's."""
    return f"chown nobody {' '.join(files)}"


def open_wide(files: list[str]) -> str:
    """Return a command that lets everybody write every file."""
    return f"chmod a+w {' '.join(files)}"


def add_drop_ins(units: list[str]) -> tuple[str, list[str]]:
    """Return a command that adds a drop-in to every unit, and their paths."""
    paths = [f"/etc/systemd/system/{unit}.d/{_FOREIGN}" for unit in units]
    text = "[Unit]\\nDocumentation=man:drift(7)\\n"
    lines = [f"mkdir -p '{path.rpartition('/')[0]}' && printf '{text}' > '{path}'" for path in paths]
    return "\n".join([*lines, "systemctl daemon-reload"]), paths


def hide_units_of_packages(units: list[str]) -> str:
    """Return a command that puts a whole unit before each of a package, as `systemctl edit --full`, and lists them."""
    return f"""
for unit in {" ".join(units)}; do
    name=$(echo "$unit" | sed 's/@.*\\./@./')
    if [ -e "/usr/lib/systemd/system/$name" ] && [ ! -e "/etc/systemd/system/$name" ]; then
        cp "/usr/lib/systemd/system/$name" "/etc/systemd/system/$name" && echo "/etc/systemd/system/$name"
    fi
done
systemctl daemon-reload"""


def unnamed(things: list[str], changes: list[dict[str, Any]]) -> list[str]:
    """Return the things that no change's difference names as a whole word."""
    diffs = "\n".join(change["diff"] for change in changes)
    return [thing for thing in things if not re.search(rf"{re.escape(thing)}(?![\w.-])", diffs)]
