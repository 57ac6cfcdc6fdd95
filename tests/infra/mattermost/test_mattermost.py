"""Mattermost as the role promises it: the wanted release, shut in, quiet, and administered over its own socket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from secrets import randbelow
from typing import Any, NoReturn

import pytest
import yaml
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.5
SOCKET = "/run/mattermost/local.socket"
PING = "http://127.0.0.1:8065/api/v4/system/ping?get_server_status=true"
# The role's own list of what would call somebody, and who may bring code.
_VARIABLES = Path(__file__).parents[3] / "roles/mattermost/vars/main.yml"
QUIET_SETTINGS = yaml.safe_load(_VARIABLES.read_text())["__mattermost_quiet_settings"] | {
    "PluginSettings.EnableUploads": False
}

# An address that nobody has (RFC 5737).
OTHER = "192.0.2.77"
# Runs on the host, as one of the server's processes, with `group` and `addresses`; what is refused leaves no host.
_SEND = """
import errno, json, pathlib, socket

mounts = map(str.split, pathlib.Path("/proc/mounts").read_text().splitlines())
root = next(mount[1] for mount in mounts if mount[2] == "cgroup2")
pathlib.Path(f"{root}{group}/cgroup.procs").write_text("0")

def send(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.socket(family, socket.SOCK_DGRAM).sendto(b"", (address, 9))
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""

print(json.dumps([send(address) for address in addresses]))
"""


# Runs on the host, with `hostname`, `source`, `path` and `most`: how many of these requests nginx lets through at once.
_ASK_UNTIL_REFUSED = """
import http.client, json, socket, ssl

context = ssl._create_unverified_context()  # the certificate has checks of its own
plain = socket.create_connection(("127.0.0.1", 443), 20, (source, 0))
connection = http.client.HTTPConnection(hostname, timeout=20)
connection.sock = context.wrap_socket(plain, server_hostname=hostname)
statuses = []
while len(statuses) < most and 429 not in statuses:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    statuses.append(answer.status)
print(json.dumps(statuses))
"""


def mmctl(host: Host, arguments: str) -> Any:
    """What a command of Mattermost prints as JSON."""
    return json.loads(host.check_output(f"mattermost-mmctl --json {arguments}"))


@pytest.fixture(scope="module")
def settings(host: Host) -> dict[str, Any]:
    """Settings that the server works with, by section and name as `ServiceSettings.SiteURL`."""
    return {
        f"{section}.{name}": value
        for section, values in mmctl(host, "config show").items()
        if isinstance(values, dict)
        for name, value in values.items()
    }


def while_connected(fetch: Callable[..., Any], ask: Callable[[], str]) -> str:
    """Return what is seen of connections to the database, of which the server closes those that are a minute old."""
    for _ in range(3):
        if seen := ask():
            return seen
        fetch(PING)  # looks into the database
    return ask()


@pytest.mark.check(
    id="MM-STATUS",
    title="Mattermost is healthy and in the profile's version",
    grade="observed on host",
    remedy="Run apply; `journalctl -u mattermost` says what hinders the server.",
    unit="mattermost.service",
)
def test_status(
    fetch: Callable[..., Any], deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    status, headers, text = fetch(PING)
    assert status == 200, text
    version, health = headers["x-version-id"], json.loads(text)
    record_property("actual", version)
    record_property("expected", deployment["mattermost_version"])
    assert version.startswith(f"{deployment['mattermost_version']}.")
    states = {name: health[name] for name in ("status", "database_status", "filestore_status")}
    assert set(states.values()) == {"OK"}, states


@pytest.mark.check(
    id="MM-UNIT",
    title="Mattermost runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply: it writes and starts the unit.",
    unit="mattermost.service",
)
def test_unit_is_shut_in(
    host: Host, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    service = host.service("mattermost.service")
    assert service.is_running
    assert service.is_enabled
    record_property("actual", f"exposure {exposure('mattermost.service')}")
    assert exposure("mattermost.service") <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="MM-LISTEN",
    title="Mattermost listens on the loopback address alone; people reach it through nginx",
    grade="observed on host",
    remedy="Run apply. A setting ServiceSettings.ListenAddress of the profile's own would open it.",
)
def test_listens_on_loopback_only(host: Host, record_property: Callable[[str, object], None]) -> None:
    lines = host.check_output("ss --listening --tcp --udp --numeric --processes --no-header").splitlines()
    sockets = {line.split()[4] for line in lines if '"mattermost"' in line}
    record_property("actual", ", ".join(sorted(sockets)))
    assert sockets == {"127.0.0.1:8065"}


@pytest.mark.check(
    id="MM-QUIET",
    title="Everything in Mattermost that calls somebody on its own is off, and its pages lead to none of the vendor's",
    grade="observed on host",
    remedy="Run apply. What is to be on belongs into the profile's settings, and why under reasons.",
)
def test_lockdown(settings: dict[str, Any], deployment: dict[str, Any]) -> None:
    own = {**deployment["mattermost_settings"], **deployment["mattermost_secret_settings"]}
    wanted = {name: value for name, value in QUIET_SETTINGS.items() if name not in own}
    assert {name: settings.get(name) for name in wanted} == wanted
    links = {name: value for name, value in settings.items() if re.search(r"\.\w+Link$", name)}
    assert {"SupportSettings.HelpLink", "NativeAppSettings.AppDownloadLink"} <= links.keys()
    assert not {
        name: value for name, value in links.items() if "mattermost.com" in str(value) and name not in own
    }


@pytest.mark.check(
    id="MM-EGRESS",
    title="Mattermost reaches its own host and its database, and nobody else",
    grade="observed on host",
    remedy="Run apply: it writes the unit. Its firewall needs a kernel with BPF for control groups.",
    unit="mattermost.service",
)
def test_reaches_nobody_else(
    host: Host,
    deployment: dict[str, Any],
    run_python: Callable[..., Any],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if deployment["mattermost_calls_out"]:
        not_applicable("the profile has settings or plugins that need others")
    told = host.check_output("systemctl show --property IPAddressDeny --value mattermost.service")
    assert set(told.split()) == {"0.0.0.0/0", "::/0"}
    group = host.check_output("systemctl show --property ControlGroup --value mattermost.service")
    failed = run_python(_SEND, group=group, addresses=[OTHER, "127.0.0.1", *deployment["mattermost_peers"]])
    if failed[0] != "EPERM" and host.run("systemd-detect-virt --container").succeeded:
        not_applicable(
            "this host is a container that may not load BPF programs, which the unit's firewall is made of"
        )
    assert failed[0] == "EPERM", f"a process of the unit sent to {OTHER}: {failed[0] or 'it left'}"
    assert "EPERM" not in failed[1:], failed


@pytest.mark.check(
    id="MM-PLUGINS",
    title="The profile's plugins run in their versions, and no others",
    grade="observed on host",
    remedy="Run apply; `journalctl -u mattermost` says why a plugin does not start.",
)
def test_plugins(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    (listing,) = mmctl(host, "plugin list")
    running = {plugin["id"]: plugin["version"] for plugin in listing["active"]}
    record_property("actual", ", ".join(f"{name} {running[name]}" for name in sorted(running)) or "none")
    assert running == {plugin["id"]: plugin["version"] for plugin in deployment["mattermost_plugins"]}


@pytest.mark.check(
    id="MM-PLUGIN-FILES",
    title="Archives of the profile's plugins and what the server unpacked of them are all the plugins on the host",
    grade="observed on host",
    remedy="Run apply: it brings the archives that were checked, and takes away everything else.",
)
def test_plugin_files(host: Host, deployment: dict[str, Any]) -> None:
    wanted = deployment["mattermost_plugins"]
    folder = f"{deployment['mattermost_data_dir']}/plugins"
    listed = "find . -type f -exec sha256sum {} + ; find . -mindepth 1 ! -type f -printf '- %p\\n'"
    lines = host.check_output(f"cd {folder} && {listed}").splitlines()
    found = dict(reversed(line.split(maxsplit=1)) for line in lines)
    digests = {f"./{plugin['id']}.tar.gz": plugin["sha256"] for plugin in wanted}
    assert found.keys() == digests.keys()
    # It is not known where another controller let the archive in, and a template where molecule asks.
    known = {path: digest for path, digest in digests.items() if re.fullmatch("[0-9a-f]{64}", digest)}
    assert {path: found[path] for path in known} == known
    for place in ("plugins", "client-plugins"):
        unpacked = host.check_output(f"ls --almost-all /var/lib/mattermost/{place}").split()
        assert set(unpacked) <= {plugin["id"] for plugin in wanted}, place


@pytest.mark.check(
    id="MM-CONFIG",
    title="Mattermost works with the profile's settings",
    grade="observed on host",
    remedy="Run apply: it writes the settings into the server's environment, which wins over its database.",
)
def test_settings_are_in_force(settings: dict[str, Any], deployment: dict[str, Any]) -> None:
    wanted = {
        "ServiceSettings.SiteURL": f"https://{deployment['mattermost_hostname']}",
        "ServiceSettings.TrustedProxyIPHeader": ["X-Real-IP"],
        "TeamSettings.SiteName": deployment["mattermost_site_name"],
        "TeamSettings.EnableOpenServer": False,
        "ServiceSettings.MaximumLoginAttempts": 100,
        "FileSettings.Directory": f"{deployment['mattermost_data_dir']}/",  # Mattermost ends it so
        "LocalizationSettings.DefaultServerLocale": deployment["mattermost_default_language"],
        "LocalizationSettings.DefaultClientLocale": deployment["mattermost_default_language"],
    } | deployment["mattermost_settings"]
    assert {name: settings.get(name) for name in wanted} == wanted


@pytest.mark.check(
    id="MM-DATABASE",
    title="Mattermost's database belongs to its own role, which needs no password",
    grade="observed on host",
    remedy="Run apply: it makes the role and the database.",
)
def test_database_is_its_own(
    query: Callable[..., str],
    fetch: Callable[..., tuple[int, dict[str, str], str]],
    deployment: dict[str, Any],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if deployment["mattermost_database_sources"]:
        not_applicable("the database is on another host")
    user, database = deployment["mattermost_database_user"], deployment["mattermost_database_name"]
    owners = (
        "select pg_get_userbyid(datdba) from pg_database where datname = current_database() "
        "union select tableowner from pg_tables where schemaname = 'public'"
    )
    assert query(owners, database) == user
    clients = (
        "select distinct usename || ' over ' || coalesce(host(client_addr), 'the socket') from pg_stat_activity "
        "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    assert while_connected(fetch, lambda: query(clients, database)) == f"{user} over the socket"
    with_password = query("select rolname from pg_authid where rolpassword is not null")
    assert user not in with_password.splitlines()


@pytest.mark.check(
    id="MM-DATABASE-TLS",
    title="Mattermost reaches a database on another host over TLS with a certificate of the authority, and keeps the "
    "password to itself",
    grade="configured",
    remedy="Run apply: it writes the settings into the server's environment.",
)
def test_remote_database_is_encrypted(
    host: Host,
    fetch: Callable[..., tuple[int, dict[str, str], str]],
    deployment: dict[str, Any],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if not deployment["mattermost_database_sources"]:
        not_applicable("the database is on the same host")
    secrets = host.file("/etc/mattermost/secrets.env").content_string
    sources = [line for line in secrets.splitlines() if "postgres://" in line]
    assert len(sources) == 2
    for source in sources:
        assert "?sslmode=verify-full&sslrootcert=" in source
    assert "postgres://" not in host.file("/etc/mattermost/mattermost.env").content_string
    connections = "ss --no-header --tcp --numeric state established dport = :5432"
    assert while_connected(fetch, lambda: host.check_output(connections))


@pytest.mark.check(
    id="MM-FILES",
    title="Mattermost cannot change its code and managed settings, and nobody else reads its secrets and data",
    grade="observed on host",
    remedy="Run apply; code that was altered is unpacked again when its release folder is removed.",
)
def test_ownership(host: Host, deployment: dict[str, Any]) -> None:
    assert (
        host.check_output("find /opt/mattermost ! -type l '(' ! -user root -o -perm /022 ')' -print -quit")
        == ""
    )
    for path, mode in {
        "/etc/mattermost": 0o755,
        "/etc/mattermost/mattermost.env": 0o644,
        "/etc/mattermost/secrets.env": 0o600,
    }.items():
        entry = host.file(path)
        assert (entry.user, entry.group, entry.mode & 0o7777) == ("root", "root", mode), path
    for path in (deployment["mattermost_data_dir"], "/var/lib/mattermost"):
        entry = host.file(path)
        assert (entry.user, entry.mode & 0o007) == ("mattermost", 0), path


@pytest.mark.check(
    id="MM-ADMIN",
    title="Only root administers Mattermost without a password",
    grade="observed on host",
    remedy="Run apply: it restarts the server, which makes its socket anew.",
)
def test_local_socket_is_for_root_alone(host: Host) -> None:
    folder, socket = host.file("/run/mattermost"), host.file(SOCKET)
    assert (folder.user, folder.mode & 0o777) == ("mattermost", 0o700)
    assert (socket.user, socket.mode & 0o777) == ("mattermost", 0o600)
    stranger = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    assert host.run(f"{stranger} test -e {SOCKET}").failed
    assert mmctl(host, "version")


@pytest.mark.check(
    id="MM-GUESSES",
    title="Who tries passwords one after the other is soon told to wait",
    grade="observed on host",
    remedy="Run apply: it writes nginx's site.",
    unit="nginx.service",
)
def test_log_ins_are_limited(
    deployment: dict[str, Any], run_python: Callable[..., Any], record_property: Callable[[str, object], None]
) -> None:
    # As an address with which nobody else is counted. It only asks for the place: no account is tried, none is locked.
    source = f"127.{1 + randbelow(254)}.{randbelow(256)}.{1 + randbelow(254)}"
    statuses = run_python(
        _ASK_UNTIL_REFUSED,
        hostname=deployment["mattermost_hostname"],
        source=source,
        path="/api/v4/users/login",
        most=60,
    )
    record_property("actual", f"429 at the {len(statuses)}th")
    assert statuses[0] < 429, statuses[0]
    assert statuses[-1] == 429, f"{len(statuses)} requests at once are let through"


@pytest.mark.check(
    id="MM-USERS",
    title="The profile's people have their accounts, in their teams",
    grade="observed on host",
    remedy="Run apply: it makes what is missing. Whom somebody closed the account of, take out of the profile.",
)
def test_users_are_there(
    host: Host,
    deployment: dict[str, Any],
    record_property: Callable[[str, object], None],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    wanted = deployment["mattermost_users"]
    if not wanted:
        not_applicable("the profile names nobody")
    present = {user["username"]: user for user in mmctl(host, "user list --all")}
    missing = [
        user["name"] for user in wanted if present.get(user["name"], {"delete_at": 1}).get("delete_at")
    ]
    record_property("actual", f"{len(wanted) - len(missing)} of {len(wanted)}")
    assert not missing
    for team in sorted({team["name"] for user in wanted for team in user["teams"]}):
        members = {user["username"] for user in mmctl(host, f"user list --all --team {team}")}
        assert {user["name"] for user in wanted if team in [at["name"] for at in user["teams"]]} <= members, (
            team
        )


@pytest.mark.check(
    id="MM-TEAMS",
    title="The profile's teams and channels are there",
    grade="observed on host",
    remedy="Run apply: it makes what is missing.",
)
def test_teams_are_there(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    present = {team["name"]: team["display_name"] for team in mmctl(host, "team list") or []}
    record_property("actual", ", ".join(sorted(present)) or "none")
    for team in deployment["mattermost_teams"]:
        assert present.get(team["name"]) == team["display_name"]
        channels = {channel["name"]: channel for channel in mmctl(host, f"channel list {team['name']}")}
        for channel in team.get("channels", []):
            assert channels[channel["name"]]["display_name"] == channel["display_name"]
            assert not channel.get("private") or channels[channel["name"]]["type"] == "P"
