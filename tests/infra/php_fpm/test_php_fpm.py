"""PHP-FPM as the role promises it: our pools only, sized to the host, with a read-only file system around them."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable

import pytest
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 3.0


@pytest.fixture(scope="module")
def version(host: Host) -> str:
    """Debian's version of PHP, for example 8.4."""
    return host.check_output("php -r %s", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;")


@pytest.fixture(scope="module")
def pools(host: Host, version: str) -> configparser.ConfigParser:
    """The file of pools: sections are pools, `global` aside."""
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(host.file(f"/etc/php/{version}/fpm/sovstack.conf").content_string)
    return parser


@pytest.mark.check(
    id="PHP-UNIT",
    title="PHP-FPM runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply; if it stays, read `journalctl -u php*-fpm`.",
)
def test_unit_runs_shut_in(
    host: Host, version: str, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    service = host.service(f"php{version}-fpm")
    assert service.is_running
    assert service.is_enabled
    record_property("actual", f"exposure {exposure(f'php{version}-fpm.service')}")
    assert exposure(f"php{version}-fpm.service") <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="PHP-READONLY",
    title="The file system is read-only to PHP but for its applications' folders",
    grade="observed on host",
    remedy="Run apply: it writes the unit's drop-in and restarts PHP-FPM.",
)
def test_system_is_read_only_to_php(host: Host, version: str) -> None:
    main = host.check_output("systemctl show --property=MainPID --value %s", f"php{version}-fpm.service")
    mounts = [line.split() for line in host.file(f"/proc/{main}/mountinfo").content_string.splitlines()]
    options = {fields[4]: fields[5].split(",") for fields in mounts}
    assert "ro" in options["/"]
    listed = host.check_output(
        "systemctl show --property=ReadWritePaths --value %s", f"php{version}-fpm.service"
    )
    writable = {
        path
        for path, flags in options.items()
        if "rw" in flags and not path.startswith(("/proc", "/dev", "/sys"))
    }
    strange = {
        path for path in writable if not path.startswith((*listed.split(), "/tmp", "/var/tmp", "/run"))
    }
    assert not strange


@pytest.mark.check(
    id="PHP-POOLS",
    title="Only the applications' pools are there, and only the web server reaches them",
    grade="observed on host",
    remedy="Run apply: it writes the file of pools and restarts PHP-FPM.",
)
def test_pools_are_ours(host: Host, pools: configparser.ConfigParser) -> None:
    expected = {pools[name]["listen"] for name in pools.sections() if name != "global"}
    running = set(
        host.check_output("ss --no-header --listening --unix | awk '$5 ~ \"^/run/php/\" {print $5}'").split()
    )
    assert running == expected
    for path in expected:
        socket = host.file(path)
        assert socket.mode & 0o007 == 0


@pytest.mark.check(
    id="PHP-SIZE",
    title="All PHP workers together fit the host's memory",
    grade="configured",
    remedy="Set php_fpm_memory_megabytes, or leave it to its default, and run apply.",
)
def test_workers_fit_memory(
    host: Host, pools: configparser.ConfigParser, record_property: Callable[[str, object], None]
) -> None:
    workers = sum(int(pools[name]["pm.max_children"]) for name in pools.sections() if name != "global")
    memory = int(host.check_output("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    record_property("actual", f"{workers} workers on {memory} MB")
    assert workers >= 1
    assert workers * 100 <= max(memory * 0.7, 500)


@pytest.mark.check(
    id="PHP-CONFIG",
    title="PHP accepts its configuration and keeps compiled code",
    grade="observed on host",
    remedy="Run apply; `php-fpm8.4 --test` names the line that is wrong.",
)
def test_configuration_is_accepted(host: Host, version: str) -> None:
    test = host.run(f"php-fpm{version} --test --fpm-config /etc/php/{version}/fpm/sovstack.conf")
    assert test.rc == 0, test.stderr
    settings = host.check_output(f"php-fpm{version} -i")
    for name, value in {
        "opcache.enable": "On",
        "opcache.interned_strings_buffer": "32",
        "expose_php": "Off",
    }.items():
        assert re.search(rf"^{re.escape(name)} => {value} =>", settings, re.MULTILINE), name
