"""What a deployed machine is made of, as comparable lines: files, packages, units, firewall, database, settings.

Left out is what two undisturbed deployments do not share either: random keys and identifiers, times, caches.
"""

from __future__ import annotations

import json
import re
from typing import Any

from stack.deployment import Deployment

State = dict[str, dict[str, str]]

# Trees whose content counts, and what below them is random or a trace of when something was done.
_CONTENT = ("/etc", "/usr/local", "/opt")
_RANDOM = (
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/.pwd.lock",
    "/etc/ld.so.cache",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/*-",
    "/etc/ssh/ssh_host_*",
    "/etc/sovstack/tls/*/*.pem",
    "/etc/ssl/private/*",
    "/etc/ssl/certs/*",  # links named by hash, one of a certificate made at installation
    "/etc/nextcloud/config.php",  # its settings are compared below
    "*.pyc",
)
# Where only shape, mode and owner count.
_SHAPE = (
    "/srv",
    "/var/lib/nextcloud",
    "/var/lib/mattermost",
    "/var/log/nextcloud",
    "/var/log/nginx",
    "/etc/sovstack",
)
_SHAPE_DEPTH = 3

_LIST_FILES = r"""
import fnmatch, grp, hashlib, os, pwd, stat
CONTENT, RANDOM, SHAPE, DEPTH = {content!r}, {random!r}, {shape!r}, {depth}
def owner(info):
    return pwd.getpwuid(info.st_uid).pw_name + ":" + grp.getgrgid(info.st_gid).gr_name
def show(path, content):
    info = os.lstat(path)
    line = stat.filemode(info.st_mode) + " " + owner(info)
    if stat.S_ISLNK(info.st_mode):
        line += " -> " + os.readlink(path)
    elif content and stat.S_ISREG(info.st_mode):
        line += " " + hashlib.sha256(open(path, "rb").read()).hexdigest()
    print(path + "\t" + line)
for trees, content in ((CONTENT, True), (SHAPE, False)):
    for tree in trees:
        for folder, folders, files in os.walk(tree):
            if not content and folder.count("/") - tree.count("/") >= DEPTH:
                folders[:] = []
            for name in folders + files:
                path = os.path.join(folder, name)
                if not any(fnmatch.fnmatch(path, pattern) for pattern in RANDOM) or not content:
                    show(path, content)
"""

_PACKAGES = r"dpkg-query -W -f '${Package}\t${Version} ${db:Status-Abbrev}\n'"
_UNIT_FILES = (
    'systemctl list-unit-files --no-legend --no-pager | awk \'$2 != "transient" {print $1 "\\t" $2}\''
)
_RUNNING = (
    "systemctl list-units --no-legend --plain --no-pager --type=service,timer,socket --state=active,failed"
    " | awk '{print $1 \"\\t\" $3}'"
)
_USERS = (
    'getent passwd | awk -F: \'{print $1 "\\t" $6 " " $7}\';'
    " for user in www-data postgres; do printf '%s groups\\t' $user; id -nG $user; done"
)
_RULES = "nft --stateless list ruleset"
_SCHEMA = (
    "for database in nextcloud mattermost; do runuser -u postgres -- pg_dump --schema-only $database; done"
)
_QUERIES = {
    "roles": ("postgres", "select rolname, rolsuper, rolcanlogin, rolcreatedb from pg_roles"),
    "databases": (
        "postgres",
        "select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datacl"
        " from pg_database",
    ),
    "migrations": ("nextcloud", "select app, version from oc_migrations"),
    "groups": ("nextcloud", "select gid, uid from oc_group_user"),
    "teams": ("mattermost", "select name, displayname, type from teams"),
    "channels": ("mattermost", "select name, displayname, type from channels where type in ('O', 'P')"),
    # Which way round an account's roles are kept says only which call made it.
    "chat users": (
        "mattermost",
        "select username, (select string_agg(role, ' ' order by role)"
        " from unnest(string_to_array(roles, ' ')) role), deleteat > 0 from users",
    ),
}

# Settings that say when or where something happened.
_VOLATILE_SETTING = re.compile(
    r"lastcron|lastjob|installedat|lastupdatedat|last[_A-Z]|_last|maintenance_update|cachebuster|[Tt]imestamp"
    r"|scss|mtime|oc\.integritycheck|random|[Uu]uid|secret|public_key|private_key|identityproof"
)
# systemd starts these by itself when it sees fit.
_VOLATILE_UNIT = re.compile(
    r"^(user@|user-runtime-dir@|session-|apt-daily|dpkg-db-backup|systemd-(tmpfiles-clean|hostnamed|timedated|localed)"
    r"|nextcloud-cron\.service|logrotate\.service|man-db|fstrim|e2scrub|phpsessionclean\.service|ldconfig"
    r"|systemd-(firstboot|machine-id|journal-catalog|update-done|sysusers|networkd-persistent))"
)


def read_state(deployment: Deployment) -> State:
    """Return what there is, per kind: name to description."""
    files = _LIST_FILES.format(content=_CONTENT, random=_RANDOM, shape=_SHAPE, depth=_SHAPE_DEPTH)
    state = {
        "files": _table(deployment.host(f"python3 - <<'EOF'\n{files}\nEOF")),
        "packages": _table(deployment.host(_PACKAGES)),
        "units": _table(deployment.host(_UNIT_FILES)),
        "running": _without(_table(deployment.host(_RUNNING)), _VOLATILE_UNIT),
        "users": _table(deployment.host(_USERS)),
        "firewall": _lines(deployment.host(_RULES)),
        "schema": _lines(_without_markers(deployment.host(_SCHEMA))),
        "settings": _settings(deployment),
    }
    for kind, (database, query) in _QUERIES.items():
        # Whether a table is there is the schema's affair: the double has not all of them.
        rows = deployment.host(f'runuser -u postgres -- psql -Atc "{query}" {database} 2>/dev/null || true')
        state[kind] = _lines(rows)
    identifier = json.loads(deployment.host("nextcloud-occ config:list --private"))["system"]["instanceid"]
    for kind, lines in state.items():
        state[kind] = {name.replace(identifier, "INSTANCE"): text for name, text in lines.items()}
    return state


def compare(expected: State, actual: State) -> list[str]:
    """Return every difference as a line; none when the two machines are the same."""
    found = []
    for kind, wanted in expected.items():
        for name in sorted({*wanted, *actual[kind]}):
            before, after = wanted.get(name, "absent"), actual[kind].get(name, "absent")
            if before != after:
                found.append(f"{kind}: {name}: {after}, not {before}")
    return found


def _settings(deployment: Deployment) -> dict[str, str]:
    listed: dict[str, Any] = json.loads(deployment.host("nextcloud-occ config:list"))
    flat = {f"system {name}": json.dumps(value) for name, value in listed["system"].items()}
    for app, values in listed["apps"].items():
        flat |= {f"{app} {name}": json.dumps(value) for name, value in values.items()}
    return _without(flat, _VOLATILE_SETTING)


def _without(table: dict[str, str], volatile: re.Pattern[str]) -> dict[str, str]:
    return {name: text for name, text in table.items() if not volatile.search(name)}


def _table(text: str) -> dict[str, str]:
    return dict(line.partition("\t")[::2] for line in text.splitlines())


def _lines(text: str) -> dict[str, str]:
    """Return lines as names that say how often each is there; their order is no difference."""
    counted: dict[str, int] = {}
    for line in text.splitlines():
        counted[line.strip()] = counted.get(line.strip(), 0) + 1
    return {line: f"{count} times" for line, count in counted.items() if line}


def _without_markers(dump: str) -> str:
    """Drop comments, and the random key that newer pg_dump versions put around a dump."""
    return "\n".join(
        line for line in dump.splitlines() if not line.startswith(("--", "\\restrict", "\\unrestrict"))
    )
