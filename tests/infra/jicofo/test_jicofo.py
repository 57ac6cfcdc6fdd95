"""Jicofo as the role promises it: shut in, logged in at a Prosody that it knows, with a videobridge at hand."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

ADDRESS = "http://127.0.0.1:8888"
CONFIG = "/etc/jitsi/jicofo/jicofo.conf"
TRUSTSTORE = "/etc/jitsi/jicofo/truststore.jks"
# systemd-analyze's exposure in tenths, 0 (shut in) to 100.
HIGHEST_EXPOSURE = 15


def bridges(fetch: Callable[..., Any]) -> tuple[float, float]:
    """How many videobridges Jicofo knows, and how many of them it would send people to."""
    count = "jitsi_jicofo_bridge_selector_bridge_count"
    numbers = dict(re.findall(rf"^({count}\w*) ([\d.]+)$", fetch(f"{ADDRESS}/metrics")[2], re.MULTILINE))
    return float(numbers.get(count, 0)), float(numbers.get(f"{count}_operational", 0))


@pytest.mark.check(
    id="JICOFO-HEALTH",
    title="Jicofo is healthy: logged in at Prosody, with a videobridge at hand",
    grade="observed on host",
    remedy="`journalctl -u jicofo` says what hinders it; without a videobridge see `journalctl -u jitsi-videobridge2`.",
    unit="jicofo.service",
)
def test_is_healthy(
    fetch: Callable[..., Any], java_deadline: float, record_property: Callable[[str, object], None]
) -> None:
    while (page := fetch(f"{ADDRESS}/about/health"))[0] != 200 and time.monotonic() < java_deadline:
        time.sleep(1)
    record_property("actual", f"{page[0]} {page[2]}".strip())
    assert page[0] == 200, page[2]


@pytest.mark.check(
    id="JICOFO-BRIDGES",
    title="Jicofo knows every videobridge of the deployment, and each can take people",
    grade="observed on host",
    remedy="JVB-JOINED says which is missing, and `journalctl -u jitsi-videobridge2` on its host what hinders it.",
    unit="jicofo.service",
)
def test_bridges_are_operational(
    host: Host,
    deployment: dict[str, Any],
    fetch: Callable[..., Any],
    java_deadline: float,
    record_property: Callable[[str, object], None],
) -> None:
    # Prosody lets in those of other hosts by their addresses.
    here = host.package("jitsi-videobridge2").is_installed
    expected = len(deployment["prosody_client_sources"]) + here
    # Just after a start a videobridge is not there yet, and not healthy before it was asked.
    while True:
        total, operational = bridges(fetch)
        if total == operational == expected or time.monotonic() > java_deadline:
            break
        time.sleep(0.5)
    record_property("actual", f"{operational:.0f} of {total:.0f}; {expected} expected")
    assert (total, operational) == (expected, expected)


@pytest.mark.check(
    id="JICOFO-PACKAGE",
    title="Jicofo is the package that apply handed over",
    grade="observed on host",
    remedy="Run apply: it installs the package.",
)
def test_package(host: Host, record_property: Callable[[str, object], None]) -> None:
    installed = host.check_output("dpkg-query --show --showformat '${db:Status-Status} ${Version}' jicofo")
    record_property("actual", installed)
    # What the last run handed over: version and digest.
    handed_over = host.file("/var/lib/sovstack/packages/jicofo").content_string
    assert installed == f"installed {handed_over.split()[0]}"


@pytest.mark.check(
    id="JICOFO-UNIT",
    title="Jicofo runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply: it writes and starts the unit.",
    unit="jicofo.service",
)
def test_unit_is_shut_in(host: Host, record_property: Callable[[str, object], None]) -> None:
    service = host.service("jicofo.service")
    assert service.is_running
    assert service.is_enabled
    analysis = host.run(f"systemd-analyze security --no-pager --threshold={HIGHEST_EXPOSURE} jicofo.service")
    record_property("actual", analysis.stdout.splitlines()[-1].strip())
    assert analysis.rc == 0


@pytest.mark.check(
    id="JICOFO-TRUST",
    title="Jicofo trusts the deployment's authority and no other, and verifies Prosody's certificate",
    grade="observed on host",
    remedy="Run apply: it writes the trust store and the settings.",
)
def test_trust(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    prosody, domain = deployment["jicofo_xmpp_host"], f"auth.{deployment['jicofo_domain']}"
    # One JVM, which compiles little, for both: how many it trusts, and whether Prosody's certificate is a good
    # one with these alone.
    script = (
        "trusted=$(keytool -J-XX:TieredStopAtLevel=1 -list -rfc -storepass changeit "
        f"-keystore {TRUSTSTORE} 2>/dev/null)\n"
        "grep --count 'BEGIN CERTIFICATE' <<<\"$trusted\"\n"
        f"timeout 20 openssl s_client -connect {prosody}:5222 -starttls xmpp -xmpphost {domain} "
        f"-verify_hostname {domain} -verify_return_error -no-CApath -no-CAstore "
        '-CAfile <(echo "$trusted") </dev/null 2>&1'
    )
    count, _, handshake = host.run(f"bash -c {shlex.quote(script)}").stdout.partition("\n")
    record_property("actual", f"authorities: {count}")
    assert count == "1"
    assert "Verify return code: 0 (ok)" in handshake
    assert f"-Djavax.net.ssl.trustStore={TRUSTSTORE}" in host.check_output(
        "systemctl show jicofo --property=Environment"
    )
    # Only asked for, never read: the password is in the file.
    assert host.run(f"grep --extended-regexp 'disable-certificate-verification|use-tls' {CONFIG}").rc == 1


@pytest.mark.check(
    id="JICOFO-MODERATORS",
    title="Nobody becomes a moderator by being the first to come",
    grade="configured",
    remedy="Run apply: it writes the settings.",
)
def test_nobody_is_owner_by_coming_first(host: Host) -> None:
    assert host.run(f"grep --line-regexp '  conference.enable-auto-owner = false' {CONFIG}").rc == 0


@pytest.mark.check(
    id="JICOFO-FILES",
    title="Nobody but Jicofo reads its password",
    grade="observed on host",
    remedy="Run apply: it sets owner and mode.",
)
def test_password_is_for_jicofo_alone(host: Host) -> None:
    entry = host.file(CONFIG)
    assert (entry.user, entry.mode & 0o7777) == ("jicofo", 0o400)
