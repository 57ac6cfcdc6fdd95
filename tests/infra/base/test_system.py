"""Updates, time, names, journal and kernel of a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest
from testinfra.host import Host


def parameter(host: Host, name: str) -> int:
    """A kernel parameter; read from the file because a minimal host has no sysctl command."""
    return int(host.file("/proc/sys/" + name.replace(".", "/")).content_string)


def is_container(host: Host) -> bool:
    return host.run("systemd-detect-virt --container --quiet").rc == 0


@pytest.mark.check(
    id="HOST-PATCH",
    title="Security updates are installed every day",
    grade="observed on host",
    remedy="Set base_unattended_upgrades_enabled, run `sovstack apply`, and see `systemctl list-timers apt-daily*`.",
)
def test_security_updates_are_installed(host: Host) -> None:
    lines = host.check_output("apt-config dump").splitlines()
    assert 'APT::Periodic::Update-Package-Lists "1";' in lines
    assert 'APT::Periodic::Unattended-Upgrade "1";' in lines
    origins = [line for line in lines if line.startswith("Unattended-Upgrade::Origins-Pattern::")]
    assert origins
    assert all("label=Debian-Security" in line for line in origins)
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        assert host.service(timer).is_running, timer
        assert host.service(timer).is_enabled, timer


@pytest.mark.check(
    id="HOST-TIME",
    title="The clock is synchronised",
    grade="observed on host",
    remedy="See `timedatectl timesync-status`; name servers that the host can reach in network.time_servers.",
    unit="systemd-timesyncd.service",
)
def test_clock_is_synchronised(host: Host, not_applicable: Callable[[str], NoReturn]) -> None:
    if is_container(host):
        not_applicable("a container has the clock of the computer it runs on")
    assert host.service("systemd-timesyncd").is_running
    assert host.file("/run/systemd/timesync/synchronized").exists


@pytest.mark.check(
    id="HOST-TIME-SERVERS",
    title="Time comes from the profile's servers only",
    grade="configured",
    remedy="Remove other files from /etc/systemd/timesyncd.conf.d and run `sovstack apply`.",
)
def test_time_servers_are_the_given_ones(
    host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]
) -> None:
    servers = deployment["base_time_servers"]
    if not servers:
        not_applicable("the profile names no time servers")
    lines = host.check_output("systemd-analyze cat-config systemd/timesyncd.conf").splitlines()
    assert [line for line in lines if line.startswith("NTP=")][-1] == "NTP=" + " ".join(servers)
    assert [line for line in lines if line.startswith("FallbackNTP=")][-1] == "FallbackNTP="


@pytest.mark.check(
    id="HOST-TIMEZONE",
    title="The host has the organisation's time zone",
    grade="observed on host",
    remedy="Run `sovstack apply`.",
)
def test_time_zone(host: Host, deployment: dict) -> None:
    assert host.file("/etc/localtime").linked_to == f"/usr/share/zoneinfo/{deployment['base_timezone']}"


@pytest.mark.check(
    id="HOST-NAMES",
    title="The host finds the deployment's services by name",
    grade="observed on host",
    remedy="Run `sovstack apply`; it writes the names to /etc/hosts.",
)
def test_services_are_found_by_name(
    host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]
) -> None:
    entries = deployment["base_hosts_entries"]
    if not entries:
        not_applicable("no names were given")
    for entry in entries:
        for name in entry["names"]:
            addresses = {line.split()[0] for line in host.check_output("getent ahosts %s", name).splitlines()}
            assert entry["address"] in addresses, name


@pytest.mark.check(
    id="HOST-JOURNAL",
    title="The journal outlives a restart and has a limit",
    grade="observed on host",
    remedy="Run `sovstack apply`; `journalctl --disk-usage` shows what is used.",
    unit="systemd-journald.service",
)
def test_journal_is_kept_and_limited(host: Host, deployment: dict) -> None:
    lines = host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines()
    assert f"SystemMaxUse={deployment['base_journal_max_megabytes']}M" in lines
    assert host.run("ls /var/log/journal/*/system.journal").rc == 0


@pytest.mark.check(
    id="HOST-SYSCTL",
    title="The network stack takes no redirects and no source routes",
    grade="observed on host",
    remedy="`systemctl restart systemd-sysctl` sets what /etc/sysctl.d/60-sovstack.conf says.",
)
def test_network_parameters(host: Host) -> None:
    for name in ("accept_redirects", "send_redirects", "accept_source_route"):
        assert parameter(host, f"net.ipv4.conf.all.{name}") == 0, name
    assert parameter(host, "net.ipv4.tcp_syncookies") == 1


@pytest.mark.check(
    id="HOST-KERNEL",
    title="The kernel's addresses and messages are root's only",
    grade="observed on host",
    remedy="`systemctl restart systemd-sysctl` sets what /etc/sysctl.d/60-sovstack.conf says.",
)
def test_kernel_parameters(host: Host, not_applicable: Callable[[str], NoReturn]) -> None:
    if is_container(host):
        not_applicable("a container has the kernel of the computer it runs on")
    assert parameter(host, "kernel.kptr_restrict") >= 1
    assert parameter(host, "kernel.dmesg_restrict") == 1


@pytest.mark.check(
    id="HOST-FAILED-UNITS",
    title="No systemd unit has failed",
    grade="observed on host",
    remedy="`systemctl --failed` names them, `journalctl -u UNIT` says why.",
)
def test_no_unit_has_failed(host: Host) -> None:
    failed = host.check_output("systemctl list-units --failed --plain --no-legend").splitlines()
    assert [line.split()[0] for line in failed] == []
