"""nginx as it runs. What it says to the world is checked from outside."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from testinfra.host import Host

SECURITY_HEADERS = (
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Permitted-Cross-Domain-Policies",
    "X-Robots-Tag",
    "Referrer-Policy",
)
SNIPPET = "/etc/nginx/snippets/security-headers.conf"

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 3.0


def configuration(host: Host) -> dict[str, str]:
    """Text of every file that nginx reads, by path."""
    parts = re.split(
        r"^# configuration file (.+):$", host.check_output("nginx -T 2>/dev/null"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def workers(host: Host) -> list[str]:
    """Process ids of all but the master."""
    master = host.check_output("systemctl show nginx --property=MainPID --value")
    processes = host.check_output("cat /sys/fs/cgroup/system.slice/nginx.service/cgroup.procs").split()
    return [process for process in processes if process != master]


def started(host: Host, process: str) -> float:
    """When a process began, in seconds since the epoch (proc(5): starttime in ticks since boot)."""
    ticks = host.file(f"/proc/{process}/stat").content_string.rpartition(")")[2].split()[19]
    boot = re.search(r"^btime (\d+)$", host.file("/proc/stat").content_string, re.MULTILINE)
    assert boot
    return int(boot[1]) + int(ticks) / int(host.check_output("getconf CLK_TCK"))


@pytest.mark.check(
    id="NGINX-RUNS",
    title="nginx runs and starts with the host",
    grade="observed on host",
    remedy="`systemctl enable --now nginx`; `journalctl -u nginx` says why it stopped.",
    unit="nginx.service",
)
def test_service_runs(host: Host) -> None:
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled


@pytest.mark.check(
    id="NGINX-CONFIG",
    title="nginx runs with the configuration that lies on the disk",
    grade="observed on host",
    remedy="`nginx -t` says what is wrong; `systemctl reload nginx`.",
    unit="nginx.service",
)
def test_configuration_is_in_force(host: Host) -> None:
    assert host.run("nginx -t").rc == 0
    # A reload ends the workers that have the old configuration: those that run are younger than the file. Boot
    # time is known to a second.
    written = host.file("/etc/nginx/nginx.conf").mtime.timestamp()
    assert all(started(host, process) >= written - 2 for process in workers(host))


@pytest.mark.check(
    id="NGINX-WORKERS",
    title="nginx's workers have no privileges",
    grade="observed on host",
    remedy="Run `sovstack apply`; it writes /etc/nginx/nginx.conf.",
    unit="nginx.service",
)
def test_workers_are_unprivileged(host: Host) -> None:
    running = workers(host)
    assert running
    assert {host.check_output(f"stat -c %U /proc/{process}") for process in running} == {"www-data"}


@pytest.mark.check(
    id="NGINX-UNKNOWN-NAME",
    title="A client that asks for an unknown name gets no certificate",
    grade="observed on host",
    remedy="Run `sovstack apply`; the default server of /etc/nginx/nginx.conf refuses the handshake.",
    unit="nginx.service",
)
def test_unknown_name_gets_no_certificate(host: Host) -> None:
    answer = host.run("openssl s_client -connect 127.0.0.1:443 -servername unknown.invalid </dev/null")
    assert "BEGIN CERTIFICATE" not in answer.stdout
    assert "unrecognized name" in answer.stderr


@pytest.mark.check(
    id="NGINX-HEADERS-SOURCE",
    title="Security headers have one source",
    grade="configured",
    remedy=f"Remove the add_header lines outside {SNIPPET} and include that file instead.",
)
def test_security_headers_have_one_source(host: Host) -> None:
    files = configuration(host)
    for header in SECURITY_HEADERS:
        places = [
            path
            for path, text in files.items()
            if re.search(rf"add_header\s+{header}\b", text, re.IGNORECASE)
        ]
        assert set(places) == {SNIPPET}, f"{header}: {places}"


@pytest.mark.check(
    id="NGINX-HEADERS-KEPT",
    title="No location loses the security headers",
    grade="configured",
    remedy=f"A location with an add_header of its own has to include {SNIPPET} too.",
)
def test_no_location_drops_the_security_headers(host: Host) -> None:
    text = configuration(host)["/etc/nginx/nginx.conf"]
    # Blocks without a block inside: a location that adds a header.
    for block in re.findall(r"location[^{}]*\{([^{}]*)\}", text):
        if "add_header" in block:
            assert SNIPPET in block, block


@pytest.mark.check(
    id="NGINX-LOGS",
    title="The access log holds no query strings and no referrers, where tokens would be",
    grade="configured",
    remedy="Run `sovstack apply`; no site may have a log format of its own.",
)
def test_logs_hold_no_tokens(host: Host) -> None:
    text = "\n".join(configuration(host).values())
    formats = re.findall(r"^\s*log_format\s+(\w+)\s+([^;]*);", text, re.MULTILINE)
    assert [name for name, _ in formats] == ["private"]
    for variable in (
        "$request ",
        '$request"',
        "$request_uri",
        "$args",
        "$query_string",
        "$http_",
        "$arg_",
        "$cookie_",
    ):
        assert variable not in formats[0][1], variable
    logs = re.findall(r"^\s*access_log\s+([^;]+);", text, re.MULTILINE)
    assert all(log == "off" or log.split()[1:2] == ["private"] for log in logs)


@pytest.mark.check(
    id="NGINX-SANDBOX",
    title="nginx is shut in: systemd counts an exposure of 3.0 at most",
    grade="observed on host",
    remedy="`systemd-analyze security nginx` shows what is open; remove drop-ins that undo sovstack.conf.",
    unit="nginx.service",
)
def test_service_is_shut_in(
    exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    record_property("actual", f"exposure {exposure('nginx.service')}")
    assert exposure("nginx.service") <= HIGHEST_EXPOSURE
