"""The contract double of Nextcloud: it knows what the real one knows, refuses the rest, and answers alike.

The answers that are compared here were seen from the real 34.0.1 on Debian 13 with PostgreSQL 17.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from doubles.database import find_server, running
from doubles.nextcloud.build import HERE, MAJORS, build

from provisioner.releases.catalogue import Catalogue

INTERFACE = json.loads((HERE / "interface.json").read_text())
PASSWORD = "Vrij-lang-wachtwoord-9471"
PEOPLE = "Alle-mensen-9472-worden"


def test_the_archive_is_the_same_whoever_builds_it(tmp_path: Path) -> None:
    first = build(tmp_path / "1").read_bytes()
    assert first == build(tmp_path / "2").read_bytes()
    with tarfile.open(build(tmp_path / "1")) as archive:
        names = archive.getnames()
    assert names[0] == "nextcloud"
    assert {"nextcloud/SOVSTACK-CONTRACT-DOUBLE", "nextcloud/version.php", "nextcloud/occ"} <= set(names)


def test_it_stands_for_the_majors_of_the_catalogue_with_the_same_ranges() -> None:
    for release in Catalogue.load().releases("nextcloud"):
        php_from, php_below, previous = MAJORS[release.major]
        php = release.needs["php"]
        assert (php.start, php.below) == (php_from, php_below)
        assert release.upgrades_from == {previous}


def test_it_plays_only_commands_that_the_real_one_has() -> None:
    played = set()
    for path in (HERE / "tree/lib/double").glob("*Commands.php"):
        played |= set(
            re.findall(
                r"^ +'([a-z-]+(?::[a-z-]+)*)' => (?:\$with|self::|static fn|SetupChecks)",
                path.read_text(),
                re.M,
            )
        )
    assert len(played) > 35
    assert played <= set(INTERFACE["occ"])


@dataclass
class Instance:
    """A double that is unpacked, with a database of its own."""

    tree: Path
    config: Path
    data: Path
    sockets: Path

    def occ(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command, expect its exit code, and return what it printed, complaints last."""
        result = subprocess.run(
            [
                "php",
                "-d",
                "memory_limit=512M",
                str(self.tree / "occ"),
                "--no-interaction",
                "--no-ansi",
                *arguments,
            ],
            env={**os.environ, "NEXTCLOUD_CONFIG_DIR": str(self.config), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def install(self, *more: str, code: int = 0) -> str:
        for name in ("config.php", "CAN_INSTALL"):
            (self.config / name).touch()
        return self.occ(
            "maintenance:install", "--database=pgsql", "--database-name=postgres", "--database-user=postgres",
            f"--database-host={self.sockets}", "--database-pass=", "--disable-admin-user",
            f"--data-dir={self.data}", *more, code=code,
        )  # fmt: skip


@pytest.fixture(scope="module")
def programs() -> Path:
    server = find_server()
    modules = (
        subprocess.run(["php", "-m"], capture_output=True, text=True, check=False).stdout
        if shutil.which("php")
        else ""
    )
    absent = {"pdo_pgsql", "curl", "mbstring", "SimpleXML", "posix"} - set(modules.split())
    if server is None or absent:
        pytest.skip("needs apt install php-cli php-pgsql php-xml php-curl php-mbstring postgresql")
    return server


@pytest.fixture
def instance(programs: Path, tmp_path: Path) -> Iterator[Instance]:
    with running(programs) as sockets:
        yield unpack(tmp_path, sockets, "34.0.1")


def unpack(folder: Path, sockets: Path, version: str) -> Instance:
    with tarfile.open(build(folder / "archives", version)) as archive:
        archive.extractall(folder / version, filter="data")
    (folder / "config").mkdir(exist_ok=True)
    return Instance(folder / version / "nextcloud", folder / "config", folder / "data", sockets)


def test_before_the_installation(instance: Instance) -> None:
    few = "Nextcloud is not installed - only a limited number of commands are available"
    assert few in instance.occ("status", "--output=json")
    answer = instance.occ("user:list", code=1)
    assert few in answer
    assert 'There are no commands defined in the "user" namespace.' in answer
    assert few not in instance.install("--bad=1", code=1)


def test_installed_as_the_real_one_is(instance: Instance) -> None:
    assert instance.install() == "Nextcloud was successfully installed\n"
    assert not (instance.config / "CAN_INSTALL").exists()
    assert json.loads(instance.occ("status", "--output=json")) == {
        "installed": True, "version": "34.0.1.2", "versionstring": "34.0.1", "edition": "", "maintenance": False,
        "needsDbUpgrade": False, "productname": "Nextcloud", "extendedSupport": False,
    }  # fmt: skip
    assert 'Command "maintenance:install" is not defined.' in instance.occ("maintenance:install", code=1)
    apps = json.loads(instance.occ("app:list", "--output=json"))
    assert set(apps["enabled"]) == {*INTERFACE["default_enabled_apps"], *INTERFACE["always_enabled_apps"]}
    assert set(apps["disabled"]) == set(INTERFACE["other_shipped_apps"])


def test_an_occupied_database_stops_an_installation(instance: Instance) -> None:
    instance.install()
    (instance.config / "config.php").unlink()
    assert "already exists" in instance.install(code=1)


def test_what_the_real_one_does_not_have_is_refused(instance: Instance) -> None:
    instance.install()
    for arguments, why in {
        ("nosuch:command",): 'There are no commands defined in the "nosuch" namespace.',
        ("user:lst",): 'Command "user:lst" is not defined.',
        ("status", "--nosuch"): 'The "--nosuch" option does not exist.',
        ("status", "extra"): 'No arguments expected for "status" command, got "extra".',
        ("user:add",): 'Not enough arguments (missing: "uid").',
        ("config:app:set", "files"): 'Not enough arguments (missing: "name").',
        ("maintenance:mode", "--on=1"): 'The "--on" option does not accept a value.',
        ("config:app:set", "files", "x", "--value"): 'The "--value" option requires a value.',
        ("config:system:set", "nosuch", "--value=1"): "knows no system setting 'nosuch'",
        ("config:app:set", "nosuch", "x", "--value=1"): "there is no app 'nosuch'",
        ("log:manage",): "a command of Nextcloud that this double does not play",
    }.items():
        assert why in instance.occ(*arguments, code=1), arguments


def test_a_managed_file_goes_before_the_main_one_and_unknown_settings_stop_everything(
    instance: Instance,
) -> None:
    instance.install()
    managed = instance.config / "90-site.config.php"
    managed.write_text("<?php\n$CONFIG = ['loglevel' => 2, 'trusted_domains' => [1 => 'cloud.example']];\n")
    assert json.loads(instance.occ("config:system:get", "trusted_domains", "--output=json")) == [
        "localhost",
        "cloud.example",
    ]
    # A write puts the merged result into config.php: the setting outlives the file it came from.
    instance.occ("config:system:set", "default_language", "--value=nl")
    managed.unlink()
    assert instance.occ("config:system:get", "loglevel") == "2\n"
    managed.write_text("<?php\n$CONFIG = ['loglevl' => 2];\n")
    assert "knows no system setting 'loglevl'" in instance.occ("status", code=1)


def test_accounts(instance: Instance) -> None:
    instance.install()
    add = ("user:add", "--password-from-env")
    assert "NC_PASS/OC_PASS is empty" in instance.occ(*add, "admin", code=1)
    assert "at least 10 characters" in instance.occ(*add, "admin", code=1, OC_PASS="short")
    assert instance.occ(*add, "admin", OC_PASS=PASSWORD) == 'The account "admin" was created successfully\n'
    assert "already exists" in instance.occ(*add, "admin", code=1, OC_PASS=PASSWORD)
    assert instance.occ("user:info", "nobody", code=1) == "user not found\n"
    assert instance.occ("group:adduser", "admin", "admin") == "user admin added\n"
    assert instance.occ("group:adduser", "nosuch", "admin", code=1) == "group not found\n"
    made = instance.occ(*add, "--display-name=Jan", "--group=g1", "jan", OC_PASS=PASSWORD)
    assert made.splitlines()[1:] == [
        'Display name set to "Jan"',
        'Created group "g1"',
        'Account "jan" added to group "g1"',
    ]
    assert json.loads(instance.occ("group:list", "--output=json")) == {"admin": ["admin"], "g1": ["jan"]}
    assert instance.occ("user:delete", "jan") == "The specified user was deleted\n"
    assert instance.occ("user:delete", "jan") == "User does not exist\n"


def test_apps_and_their_settings(instance: Instance) -> None:
    instance.install()
    assert instance.occ("app:disable", "weather_status", "nosuch").splitlines() == [
        "weather_status 34.0.1 disabled",
        "No such app enabled: nosuch",
    ]
    assert instance.occ("app:disable", "files", code=2) == "files can't be disabled.\n"
    assert instance.occ("app:enable", "admin_audit").startswith("admin_audit ")
    assert instance.occ("app:enable", "admin_audit") == "admin_audit already enabled\n"
    instance.occ("app:enable", "nosuch", code=1)
    setting = ("config:app:set", "password_policy", "enforceHaveIBeenPwned", "--value=0")
    assert "is now set to '0'" in instance.occ(*setting)
    assert instance.occ(*setting) == "Config value were not updated\n"
    listed = json.loads(instance.occ("config:list", "--private", "--output=json"))
    assert listed["apps"]["password_policy"]["enforceHaveIBeenPwned"] == "0"
    assert listed["apps"]["weather_status"]["enabled"] == "no"
    assert "***REMOVED SENSITIVE VALUE***" in instance.occ("config:list", "system")


def test_upkeep(instance: Instance) -> None:
    instance.install()
    for command in ("columns", "indices", "primary-keys"):
        instance.occ(f"db:add-missing-{command}")
    instance.occ("maintenance:repair", "--include-expensive")
    assert instance.occ("background:cron") == "Set mode for background jobs to 'cron'\n"
    environment = {**os.environ, "NEXTCLOUD_CONFIG_DIR": str(instance.config)}
    subprocess.run(["php", "-f", instance.tree / "cron.php"], env=environment, check=True)
    jobs = json.loads(instance.occ("background-job:list", "--output=json"))
    assert all(job["last_run"] > "2020" for job in jobs)
    checks = json.loads(instance.occ("setupchecks", "--output=json", code=1))
    assert checks["system"]["OCA\\Settings\\SetupChecks\\CronInfo"]["severity"] == "success"
    assert checks["network"]["OCA\\Settings\\SetupChecks\\WebdavEndpoint"]["severity"] == "error"


def test_one_patch_up_but_no_major_is_skipped(instance: Instance, tmp_path: Path) -> None:
    instance.install()
    newer = unpack(tmp_path, instance.sockets, "34.0.2")
    waiting = newer.occ("status", "--output=json")
    assert '"needsDbUpgrade":true' in waiting
    assert "require upgrade - only a limited number of commands" in waiting
    assert "Update successful" in newer.occ("upgrade")
    assert json.loads(newer.occ("status", "--output=json"))["version"] == "34.0.2.2"
    # Back again is refused, and leaves the maintenance mode on, as the real one does.
    assert "downgrades are unsupported" in instance.occ("upgrade", code=5)
    assert json.loads(newer.occ("status", "--output=json"))["maintenance"] is True


@pytest.fixture
def site(instance: Instance) -> Iterator[str]:
    """Serve the double by PHP's own web server; nginx's part is tried by molecule."""
    instance.install()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (instance.config / "90-site.config.php").write_text(
        "<?php\n$CONFIG = ['trusted_domains' => ['127.0.0.1']];\n"
    )
    instance.occ("user:add", "--password-from-env", "admin", OC_PASS=PASSWORD)
    instance.occ("group:adduser", "admin", "admin")
    server = subprocess.Popen(
        ["php", "-S", f"127.0.0.1:{port}", "-t", str(instance.tree)],
        env={**os.environ, "NEXTCLOUD_CONFIG_DIR": str(instance.config)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        try:
            ask(url, "/status.php")
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield url
    server.kill()
    server.wait()


def ask(
    url: str, path: str, method: str = "GET", user: str = "", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    request = urllib.request.Request(url + path, method=method, data=body)  # noqa: S310  our own server
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    if user:
        word = PASSWORD if user == "admin" else PEOPLE
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  our own server
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_users_file_over_webdav(site: str) -> None:
    form = f"userid=jan&password={PEOPLE}".encode()
    api = {"OCS_APIRequest": "true"}
    users = "/ocs/v2.php/cloud/users"
    assert ask(site, users, "POST", body=form, **api)[0] == 401
    assert ask(site, users, "POST", "admin", form)[0] == 412
    assert ask(site, users, "POST", "admin", form, **api)[0] == 200
    assert json.loads(ask(site, "/ocs/v2.php/cloud/user", user="jan", **api)[1])["ocs"]["data"]["id"] == "jan"
    assert ask(site, users, "GET", "jan", **api)[0] == 403
    path = "/remote.php/dav/files/jan/folder/caf%C3%A9%20%231.bin"
    assert ask(site, path, "PUT", "jan", b"content")[0] == 404
    assert ask(site, "/remote.php/dav/files/jan/folder", "MKCOL", "jan")[0] == 201
    assert ask(site, path, "PUT", "jan", b"content")[0] == 201
    assert ask(site, path, "PUT", "jan", b"content 2")[0] == 204
    assert ask(site, path, "GET", "jan") == (200, b"content 2")
    assert ask(site, path, "GET")[0] == 401
    assert ask(site, path, "GET", "admin")[0] == 404
    status, listing = ask(site, "/remote.php/dav/files/jan/folder", "PROPFIND", "jan")
    assert status == 207
    assert b"caf%C3%A9%20%231.bin" in listing
    assert ask(site, "/remote.php/dav/files/jan/../admin", "GET", "jan")[0] in (403, 404)
    assert ask(site, path, "DELETE", "jan")[0] == 204
    assert ask(site, path, "GET", "jan")[0] == 404
    assert ask(site, f"{users}/jan", "DELETE", "admin", **api)[0] == 200


def test_pages_say_what_they_are_and_strange_hosts_get_none(site: str, instance: Instance) -> None:
    status, page = ask(site, "/index.php/login")
    assert status == 200
    assert b"contract double" in page
    assert ask(site, "/index.php/login", Host="evil.example")[0] == 400
    instance.occ("maintenance:mode", "--on")
    assert ask(site, "/index.php/login")[0] == 503
    assert json.loads(ask(site, "/status.php")[1])["maintenance"] is True
