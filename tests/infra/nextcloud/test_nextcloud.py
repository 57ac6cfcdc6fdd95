"""Nextcloud as the role promises it: the wanted release, whole, closed, quiet, and at work in the background."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.5
# Two rounds may be late: one that takes long, one that a restart cut off.
OLDEST_JOBS_SECONDS = 900
# Of the lockdown: what would call somebody on its own. The values are those that Nextcloud works with.
QUIET_SETTINGS = {
    "has_internet_connection": False,
    "appstoreenabled": False,
    "updatechecker": False,
    "lookup_server": "",
    "reference_opengraph": False,
    "upgrade.disable-web": True,
}
QUIET_APPS = (
    "app_api", "federation", "firstrunwizard", "nextcloud_announcements", "support", "survey_client",
    "updatenotification", "weather_status",
)  # fmt: skip
# What a release with files missing shows beside; LogErrors tells what happened, not how the instance is set up.
OF_MISSING_FILES = {"CodeIntegrity", "JavaScriptSourceMaps", "JavaScriptModules", "Woff2Loading"}
OF_THE_PAST = {"LogErrors"}
# Debian 12 keeps its PHP 8.2 patched, whatever PHP's makers do; before Nextcloud 35 the host has to become Debian 13.
OF_DEBIAN_12 = {"PhpOutdated"}
# Asks the key-value store as Nextcloud does, with its password from where it lies, and an authority from the arguments.
ASK_CACHE = """
class OC { public static $SERVERROOT = ''; }
$CONFIG = [];
include '/etc/nextcloud/90-site.config.php';
$redis = $CONFIG['redis'];
$client = new Redis();
$context = ['cafile' => $argv[1]] + $redis['ssl_context'];
$client->connect($redis['host'], $redis['port'], 5.0, null, 0, 0.0, ['stream' => $context]);
$client->auth([$redis['user'], $redis['password']]);
echo $client->ping() ? 'answered' : '';
"""


def occ(host: Host, arguments: str) -> Any:
    """What a command of Nextcloud prints as JSON. Its exit code says nothing: setupchecks ends with 1 for a hint."""
    answer = host.run(f"nextcloud-occ --no-interaction {arguments} --output=json")
    document = re.search(r"^[\[{]", answer.stdout, re.MULTILINE)
    assert document, f"no JSON from {answer}"
    return json.loads(answer.stdout[document.start() :])


@pytest.fixture(scope="module")
def setup_checks(host: Host) -> dict[str, dict[str, Any]]:
    """Results of Nextcloud's setup checks: name of the check -> result."""
    categories = occ(host, "setupchecks").values()
    return {name.rpartition("\\")[2]: result for checks in categories for name, result in checks.items()}


@pytest.fixture(scope="module")
def configuration(host: Host, setup_checks: dict[str, Any]) -> dict[str, Any]:
    """Settings as Nextcloud sees them, `system` and `apps`; read after the setup checks, which keep results there."""
    assert setup_checks
    return occ(host, "config:list")


@pytest.fixture(scope="module")
def integrity(configuration: dict[str, Any]) -> dict[str, list[str]]:
    """What the setup checks' comparison of the code with the vendor's signature found: kind of finding -> files."""
    results = configuration["apps"]["core"].get("oc.integritycheck.checker") or {}
    kinds: dict[str, list[str]] = {}
    for findings in results.values():
        for kind, files in findings.items():
            kinds.setdefault(kind, []).extend(files)
    return kinds


@pytest.mark.check(
    id="NC-STATUS",
    title="Nextcloud is installed in the profile's version and open for use",
    grade="observed on host",
    remedy="Run apply. Maintenance mode is ended by `nextcloud-occ maintenance:mode --off`.",
)
def test_status(
    host: Host,
    configuration: dict[str, Any],
    deployment: dict[str, Any],
    record_property: Callable[[str, object], None],
) -> None:
    # What `occ status` says is made from these; it would load the whole server once more.
    code = """require "/opt/nextcloud/current/version.php"; echo implode(".", $OC_Version), " ", $OC_VersionString;"""
    build, version = host.check_output("php -n -r %s", code).split()
    record_property("actual", version)
    record_property("expected", deployment["nextcloud_version"])
    assert version == deployment["nextcloud_version"]
    system = configuration["system"]
    assert system["installed"]
    assert not system.get("maintenance")
    assert system["version"] == build, "the database is not that of the code"


@pytest.mark.check(
    id="NC-SETUPCHECKS",
    title="Nextcloud's own setup checks find neither an error nor a warning",
    grade="observed on host",
    remedy="Run `nextcloud-occ setupchecks`; the role's README says which findings stay and why.",
)
def test_setup_checks(
    host: Host,
    setup_checks: dict[str, dict[str, Any]],
    integrity: dict[str, list[str]],
    record_property: Callable[[str, object], None],
) -> None:
    tolerated = OF_THE_PAST | (OF_MISSING_FILES if set(integrity) == {"FILE_MISSING"} else set())
    tolerated |= OF_DEBIAN_12 if host.system_info.release.startswith("12") else set()
    found = {
        name: result["description"]
        for name, result in setup_checks.items()
        if result["severity"] in {"warning", "error"}
    }
    record_property("actual", f"{len(setup_checks)} checks, {', '.join(sorted(found)) or 'nothing found'}")
    assert len(setup_checks) > 20
    assert {name: text for name, text in found.items() if name not in tolerated} == {}


@pytest.mark.check(
    id="NC-INTEGRITY",
    title="No file of the release was altered or added",
    grade="observed on host",
    remedy="Run `nextcloud-occ integrity:check-core`; remove the release folder and run apply to unpack it again.",
)
def test_code_is_the_vendors(
    integrity: dict[str, list[str]], record_property: Callable[[str, object], None]
) -> None:
    missing = len(integrity.get("FILE_MISSING", []))
    record_property(
        "actual",
        f"{missing} files absent, as accepted with the release" if missing else "all files as signed",
    )
    assert set(integrity) <= {"FILE_MISSING"}


@pytest.mark.check(
    id="NC-JOBS",
    title="Background jobs ran within the last fifteen minutes",
    grade="observed on host",
    remedy="Read `journalctl -u nextcloud-cron`; start them by `systemctl start nextcloud-cron`.",
    unit="nextcloud-cron.service",
)
def test_background_jobs_run(
    host: Host, configuration: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    timer = host.service("nextcloud-cron.timer")
    assert timer.is_running
    assert timer.is_enabled
    core = configuration["apps"]["core"]
    assert core["backgroundjobs_mode"] == "cron"
    last, deadline = str(core.get("lastcron", "")), time.monotonic() + 25
    while not last and time.monotonic() < deadline:  # the first run may be under way
        time.sleep(1)
        last = host.run("nextcloud-occ config:app:get core lastcron").stdout.strip()
    age = int(host.check_output("date +%s")) - int(last or 0)
    record_property("actual", f"{age} s ago" if last else "never")
    assert age < OLDEST_JOBS_SECONDS


@pytest.mark.check(
    id="NC-UNIT",
    title="The background jobs are shut in",
    grade="observed on host",
    remedy="Run apply: it writes the unit.",
)
def test_jobs_are_shut_in(
    exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    record_property("actual", f"exposure {exposure('nextcloud-cron.service')}")
    assert exposure("nextcloud-cron.service") <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="NC-QUIET",
    title="Everything in Nextcloud that calls somebody on its own is off",
    grade="observed on host",
    remedy="Run apply. What is to be on belongs into the profile's settings or apps_enabled, and why under reasons.",
)
def test_lockdown(configuration: dict[str, Any], deployment: dict[str, Any]) -> None:
    system, apps = configuration["system"], configuration["apps"]
    wanted = QUIET_SETTINGS | {
        key: deployment["nextcloud_settings"][key]
        for key in QUIET_SETTINGS
        if key in deployment["nextcloud_settings"]
    }
    assert {key: system.get(key) for key in wanted} == wanted
    quiet = set(QUIET_APPS) - set(deployment["nextcloud_apps_enabled"])
    assert [app for app in quiet if apps.get(app, {}).get("enabled", "no") != "no"] == []
    assert apps["password_policy"]["enforceHaveIBeenPwned"] in {"0", 0}


@pytest.mark.check(
    id="NC-CONFIG",
    title="Nextcloud works with the profile's settings",
    grade="observed on host",
    remedy="Run apply. A file /etc/nextcloud/9*.config.php that sorts behind the managed one wins over it.",
)
def test_settings_are_in_force(configuration: dict[str, Any], deployment: dict[str, Any]) -> None:
    system = configuration["system"]
    assert system["trusted_domains"] == [deployment["nextcloud_hostname"]]
    assert system["overwrite.cli.url"] == f"https://{deployment['nextcloud_hostname']}"
    assert system["default_phone_region"] == deployment["nextcloud_default_phone_region"]
    assert system["memcache.locking"] == r"\OC\Memcache\Redis"
    own = {
        key: value
        for key, value in deployment["nextcloud_settings"].items()
        if not isinstance(value, (dict, list))
    }
    assert {key: system.get(key) for key in own if system.get(key) != "***REMOVED SENSITIVE VALUE***"} == {
        key: value for key, value in own.items() if system.get(key) != "***REMOVED SENSITIVE VALUE***"
    }


@pytest.mark.check(
    id="NC-AUDIT",
    title="Who did what is written to an audit log",
    grade="observed on host",
    remedy="Run apply: it enables admin_audit and names the log.",
)
def test_audit_log_is_kept(host: Host, configuration: dict[str, Any]) -> None:
    assert configuration["apps"]["admin_audit"]["enabled"] == "yes"
    log = host.file("/var/log/nextcloud/audit.log")
    assert log.size > 0
    assert log.mode & 0o007 == 0
    assert host.run("logrotate --debug /etc/logrotate.d/nextcloud").rc == 0


@pytest.mark.check(
    id="NC-FILES",
    title="Nextcloud's code and managed settings cannot be changed from its web pages, and nobody else reads its data",
    grade="observed on host",
    remedy="Run apply; code that was altered is unpacked again when its release folder is removed.",
)
def test_ownership(host: Host, deployment: dict[str, Any]) -> None:
    assert (
        host.check_output("find /opt/nextcloud ! -type l '(' ! -user root -o -perm /022 ')' -print -quit")
        == ""
    )
    managed = host.file("/etc/nextcloud/90-site.config.php")
    assert (managed.user, managed.group, managed.mode & 0o777) == ("root", "www-data", 0o640)
    folder = host.file("/etc/nextcloud")
    assert (folder.user, folder.mode & 0o7777) == ("root", 0o1770)
    assert host.file("/etc/nextcloud/config.php").mode & 0o007 == 0
    data = host.file(deployment["nextcloud_data_dir"])
    assert (data.user, data.mode & 0o007) == ("www-data", 0)


@pytest.mark.check(
    id="NC-INSTALLER",
    title="Nobody can install Nextcloud anew from the web page",
    grade="configured",
    remedy="Remove CAN_INSTALL from /etc/nextcloud and from the release's config folder.",
)
def test_web_installer_is_shut(host: Host) -> None:
    assert not host.file("/etc/nextcloud/CAN_INSTALL").exists
    assert not host.file("/opt/nextcloud/current/config/CAN_INSTALL").exists


@pytest.mark.check(
    id="NC-DATABASE-TLS",
    title="Nextcloud reaches a database on another host over TLS with the authority's certificate, never without",
    grade="observed on host",
    remedy="Run apply: it writes the environment of web pages, commands and background jobs.",
)
def test_remote_database_is_encrypted(
    host: Host, deployment: dict[str, Any], not_applicable: Callable[[str], NoReturn]
) -> None:
    if not deployment["nextcloud_database_sources"]:
        not_applicable("the database is on the same host")
    environment = host.check_output("systemctl show nextcloud-cron.service --property=Environment --value")
    name, user = deployment["nextcloud_database_name"], deployment["nextcloud_database_user"]
    psql = (
        f"cd / && setpriv --reuid=www-data --regid=www-data --clear-groups env HOME=/ {environment} %s psql --no-psqlrc"
        f" --no-password --tuples-only --no-align --host={deployment['nextcloud_database_host']} --username={user}"
        f" --dbname={name} --command=%s"
    )
    session = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
    assert host.check_output(psql, "PGAPPNAME=check", session) == "t|TLSv1.3"
    for refused in ("PGSSLMODE=disable", "PGSSLROOTCERT=/etc/hostname", "PGPASSFILE=/dev/null"):
        assert host.run(psql, refused, session).rc != 0, refused
    password = host.file("/etc/nextcloud/pgpass")
    assert (password.user, password.mode) == ("www-data", 0o600)


@pytest.mark.check(
    id="NC-CACHE-TLS",
    title="Nextcloud reaches a key-value store on another host over TLS, and nobody else reads the password",
    grade="observed on host",
    remedy="Run apply: it writes the managed configuration and the pool of web pages.",
)
def test_remote_cache_is_encrypted(
    host: Host, deployment: dict[str, Any], not_applicable: Callable[[str], NoReturn]
) -> None:
    if not deployment["nextcloud_redis_host"]:
        not_applicable("the key-value store is on the same host")
    managed = host.file("/etc/nextcloud/90-site.config.php").content_string
    assert f"'tls://{deployment['nextcloud_redis_host']}'" in managed
    secrets = host.check_output("ls /etc/php/*/fpm/sovstack-secrets.conf")
    assert (host.file(secrets).user, host.file(secrets).mode) == ("root", 0o600)
    assert "session.save_path" not in host.check_output("cat /etc/php/*/fpm/sovstack.conf")
    # PHP ends with 255, which is what ssh says when it cannot reach the host.
    client = "cd / && setpriv --reuid=www-data --regid=www-data --clear-groups php -r %s -- %s || exit 1"
    authority = deployment["nextcloud_platform_ca_path"]
    assert host.check_output(client, ASK_CACHE, authority).endswith("answered")
    refused = host.run(client, ASK_CACHE, "/etc/ssl/certs/ISRG_Root_X1.pem")
    assert "answered" not in refused.stdout
