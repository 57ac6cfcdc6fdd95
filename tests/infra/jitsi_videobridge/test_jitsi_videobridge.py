"""The videobridge as the role promises it: shut in, at its meeting point with Jicofo, reachable, asking nobody."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

ADDRESS = "http://127.0.0.1:8080"
CONFIG = "/etc/jitsi/videobridge/jvb.conf"
TRUSTSTORE = "/etc/jitsi/videobridge/truststore.jks"
UNIT = "jitsi-videobridge2.service"
# systemd-analyze's exposure in tenths, 0 (shut in) to 100.
HIGHEST_EXPOSURE = 15


@pytest.mark.check(
    id="JVB-HEALTH",
    title="The videobridge is healthy",
    grade="observed on host",
    remedy="`journalctl -u jitsi-videobridge2` says what hinders it.",
    unit=UNIT,
)
def test_is_healthy(
    fetch: Callable[..., Any], java_deadline: float, record_property: Callable[[str, object], None]
) -> None:
    while (page := fetch(f"{ADDRESS}/about/health"))[0] != 200 and time.monotonic() < java_deadline:
        time.sleep(1)
    record_property("actual", f"{page[0]} {page[2]}".strip())
    assert page[0] == 200, page[2]


@pytest.mark.check(
    id="JVB-JOINED",
    title="The videobridge is where Jicofo looks for it",
    grade="observed on host",
    remedy="`journalctl -u jitsi-videobridge2` says why Prosody does not let it in. It asks once for each connection: "
    "`systemctl restart jitsi-videobridge2` makes it ask again.",
    unit=UNIT,
)
def test_has_joined(
    fetch: Callable[..., Any], java_deadline: float, record_property: Callable[[str, object], None]
) -> None:
    # Its health does not say it, and the numbers are fresh every few seconds.
    while True:
        # Who asks has to say which kind of numbers it takes.
        numbers = fetch(f"{ADDRESS}/metrics", Accept="text/plain")[2]
        found = re.search(r"^jitsi_jvb_mucs_joined ([\d.]+)$", numbers, re.MULTILINE)
        joined = found[1] if found else "none"
        if joined == "1.0" or time.monotonic() > java_deadline:
            break
        time.sleep(1)
    record_property("actual", joined)
    assert joined == "1.0"


@pytest.mark.check(
    id="JVB-PACKAGE",
    title="The videobridge is the package that apply handed over",
    grade="observed on host",
    remedy="Run apply: it installs the package.",
)
def test_package(host: Host, record_property: Callable[[str, object], None]) -> None:
    query = "dpkg-query --show --showformat '${db:Status-Status} ${Version}' jitsi-videobridge2"
    installed = host.check_output(query)
    record_property("actual", installed)
    # What the last run handed over: version and digest.
    handed_over = host.file("/var/lib/sovstack/packages/jitsi-videobridge2").content_string
    assert installed == f"installed {handed_over.split()[0]}"


@pytest.mark.check(
    id="JVB-UNIT",
    title="The videobridge runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply: it writes and starts the unit.",
    unit=UNIT,
)
def test_unit_is_shut_in(host: Host, record_property: Callable[[str, object], None]) -> None:
    service = host.service(UNIT)
    assert service.is_running
    assert service.is_enabled
    analysis = host.run(f"systemd-analyze security --no-pager --threshold={HIGHEST_EXPOSURE} {UNIT}")
    record_property("actual", analysis.stdout.splitlines()[-1].strip())
    assert analysis.rc == 0


@pytest.mark.check(
    id="JVB-MEDIA",
    title="The videobridge waits for sound and pictures where others reach it",
    grade="observed on host",
    remedy="Run apply; `ss -lnup` says who else has the port.",
    unit=UNIT,
)
def test_listens_for_media(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    port = deployment["jitsi_videobridge_port"]
    listing = host.check_output(f"ss --listening --udp --numeric --no-header 'sport = :{port}'")
    sockets = {line.split()[3] for line in listing.splitlines()}
    record_property("actual", ", ".join(sorted(sockets)))
    # On which of the host's addresses, HOST-SOCKETS knows.
    assert sockets
    assert not any("127.0.0.1" in socket or "[::1]" in socket for socket in sockets)


@pytest.mark.check(
    id="JVB-ADDRESSES",
    title="The videobridge asks neither a cloud nor a STUN server for its address: the profile says it",
    grade="configured",
    remedy="Run apply: it writes the settings.",
)
def test_addresses_come_from_the_profile(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    mapping = json.loads(host.check_output(f"hocon --json -f {CONFIG} get ice4j.harvest.mapping"))
    assert mapping["aws"] == {"enabled": False}
    assert mapping["stun"] == {"addresses": []}
    local = deployment["jitsi_videobridge_local_address"]
    wanted = [
        (local, address)
        for address in deployment["jitsi_videobridge_public_addresses"]
        if address != local and (":" in address) == (":" in local)
    ]
    present = [(entry["local-address"], entry["public-address"]) for entry in mapping["static-mappings"]]
    record_property("actual", ", ".join(" as ".join(pair) for pair in present) or "none")
    assert present == wanted


@pytest.mark.check(
    id="JVB-TRUST",
    title="The videobridge trusts the deployment's authority and no other, and talks to Prosody encrypted",
    grade="observed on host",
    remedy="Run apply: it writes the trust store and the settings.",
)
def test_trust(
    host: Host, deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    prosody, domain = (
        deployment["jitsi_videobridge_xmpp_host"],
        f"auth.{deployment['jitsi_videobridge_domain']}",
    )
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
    environment = host.check_output(f"systemctl show {UNIT} --property=Environment")
    assert f"-Djavax.net.ssl.trustStore={TRUSTSTORE}" in environment
    # Only asked for, never read: the password is in the file.
    assert host.run(f"grep --line-regexp '    SECURITY_MODE = \"required\"' {CONFIG}").rc == 0
    assert host.run(f"grep DISABLE_CERTIFICATE_VERIFICATION {CONFIG}").rc == 1


@pytest.mark.check(
    id="JVB-FILES",
    title="Nobody but the videobridge reads its password",
    grade="observed on host",
    remedy="Run apply: it sets owner and mode.",
)
def test_password_is_for_the_videobridge_alone(host: Host) -> None:
    entry = host.file(CONFIG)
    assert (entry.user, entry.mode & 0o7777) == ("jvb", 0o400)
