"""coturn as the role promises it: it relays for those whom Prosody vouches for, and to videobridges alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from testinfra.host import Host

from provisioner.checks import turn

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.5
# One of each kind: a root name server's, which is asked for nothing; loopback, private, carrier's, link-local with a
# cloud's metadata service, multicast, unspecified. Of IPv6 also the forms in which an IPv4 address hides.
OTHER_PEERS = [
    "198.41.0.4",
    "2001:503:ba3e::2:30",
    "127.0.0.1",
    "10.255.255.1",
    "172.31.255.1",
    "192.168.255.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "0.0.0.0",  # noqa: S104  # a peer that is refused
    "::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:10.255.255.1",
    "64:ff9b::aff:ff01",
    "2002:aff:ff01::1",
]

# Runs on the host: the secret is read there and never leaves it.
ON_HOST = """
import json, sys, threading
settings = {}
for line in open("/etc/turnserver.conf"):
    name, _, value = line.strip().partition("=")
    settings.setdefault(name, []).append(value)
secret = settings["static-auth-secret"][0]
addresses = settings.get("listening-ip", ["127.0.0.1"])
plain = (addresses[0], int(settings["listening-port"][0]))
secure = (addresses[0], int(settings["tls-listening-port"][0]))
good = time_limited_credentials(secret, 60)

def code_of(action):
    try:
        action()
    except TurnRefused as refusal:
        return refusal.code
    return 0

def connect(over, address=addresses[0]):
    if over == "udp":
        return TurnClient((address, plain[1]))
    return TurnClient((address, secure[1]), tls=ssl.create_default_context(), name=HOSTNAME)
"""
# A peer on the host itself stands where somebody else's relay would: elsewhere the firewall lets coturn not go.
LISTEN = """
import random

relay_ports = random.sample(range(int(settings["min-port"][0]), int(settings["max-port"][0]) + 1), 20)

def listen(address, ports):
    peer = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(5)
    for port in ports:
        try:
            peer.bind((address, port))
        except OSError:
            continue  # somebody else has it
        return peer
"""
RELAY = """
def own_peer(own, version):
    for candidate in [*settings.get("allowed-peer-ip", []), own]:
        if (":" in candidate) != (version == 6):
            continue
        try:
            peer = listen(candidate, relay_ports)
            with connect("udp", own) as client:
                client.allocate(*good, version=version)
                if code_of(lambda: client.permit(candidate)) == 0:
                    return peer
        except OSError:
            pass

public = {own: outside for outside, _, own in (pair.partition("/") for pair in settings.get("external-ip", []))}
answers = {}
for own in addresses:
    version = 6 if ":" in own else 4
    peer = own_peer(own, version)
    if peer is None:
        continue
    with connect(OVER, own) as client:
        relayed = client.allocate(*good, version=version)
        client.permit(peer.getsockname()[0])
        client.send(peer.getsockname()[:2], b"there")
        there, sender = peer.recvfrom(100)
        peer.sendto(b"and back", sender)
        back = client.receive()
    with connect(OVER, own) as client:
        browsers = code_of(lambda: client.allocate(*good))
    answers[own] = {
        "port": relayed[1], "sender": sender[1], "there": there.decode(), "back": back[1].decode(),
        "said": relayed[0], "outside": public.get(own, own), "browsers": browsers,
    }
print(json.dumps(answers))
"""
LOCAL = """
from contextlib import ExitStack

others = [port for port in range(20000, 30000) if port not in PEER_PORTS and port < int(settings["min-port"][0])]
kinds = ("other", random.sample(others, 20)), ("media", PEER_PORTS), ("relay", relay_ports)
answers = {}

def arrived(peer, patience):
    peer.settimeout(patience)
    try:
        return peer.recvfrom(100)[0] == b"there"
    except TimeoutError:
        return False

for own in addresses:
    if own not in settings.get("allowed-peer-ip", []):
        continue
    # The videobridge may have its port.
    peers = [(kind, peer) for kind, ports in kinds if (peer := listen(own, ports))]
    with ExitStack() as clients:
        for _, peer in peers:
            # One for each: coturn gives up the allocation of whom the firewall stops.
            client = clients.enter_context(connect("udp", own))
            client.allocate(*good, version=6 if ":" in own else 4)
            client.permit(own)
            client.send(peer.getsockname()[:2], b"there")
        # The one that was sent last shows how long it takes.
        patience = 5
        for kind, peer in reversed(peers):
            answers.setdefault(kind, []).append(arrived(peer, patience))
            patience = 0.3
print(json.dumps(answers))
"""
DENIED = """
answers = {}
for version in {6 if ":" in own else 4 for own in addresses}:
    with connect("udp") as client:
        client.allocate(*good, version=version)
        for peer in PEERS:
            if (":" in peer) == (version == 6):
                answers[peer] = code_of(lambda: client.permit(peer))
print(json.dumps(answers))
"""
CREDENTIALS = """
attempts = {
    "wrong": (good[0], "not-the-password"),
    "expired": time_limited_credentials(secret, -60),
    "foreign": time_limited_credentials("some-other-secret-of-32-letters.", 60),
}
answers = {}
for name, attempt in attempts.items():
    with connect("udp") as client:
        answers[name] = code_of(lambda: client.allocate(*attempt))
print(json.dumps(answers))
"""
CROWD = """
from contextlib import ExitStack

# As many as come to one meeting at nine, or come back to it after a restart, each with the two ways that browsers try.
credentials = time_limited_credentials(secret, 60, name="")
answers = []
with ExitStack() as clients:
    for _ in range(80):
        client = clients.enter_context(connect("udp"))
        answers.append(code_of(lambda: client.allocate(*credentials)))
print(json.dumps(sorted(set(answers))))
"""
OLD_TLS = """
import time

# coturn does not say that it refuses a version; it lets the client wait.
answers, patience = {}, 5.0
for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.1", ssl.TLSVersion.TLSv1_1)):
    began = time.monotonic()
    context = ssl.create_default_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        TurnClient(secure, tls=context, name=HOSTNAME, timeout=patience).reflexive_address()
        answers[name] = True
        patience = max(0.5, 20 * (time.monotonic() - began))
    except OSError:
        answers[name] = False
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def ask(run_python: Callable[..., Any], deployment: dict[str, Any]) -> Callable[..., Any]:
    """What a script says that talks to coturn on the host itself; keywords become its constants."""
    library, name = Path(turn.__file__).read_text(), deployment["coturn_hostname"]
    return lambda script, **constants: run_python(ON_HOST + script, library, HOSTNAME=name, **constants)


@pytest.mark.check(
    id="TURN-UNIT",
    title="coturn runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply: it writes the unit's limits and starts it.",
    unit="coturn.service",
)
def test_unit_is_shut_in(
    host: Host, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    service = host.service("coturn.service")
    assert service.is_running
    assert service.is_enabled
    record_property("actual", exposure("coturn.service"))
    assert exposure("coturn.service") <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="TURN-RELAY",
    title="coturn relays there and back for somebody with credentials, from the address that others see",
    grade="observed on host",
    remedy="Run apply; `journalctl -u coturn` says what hinders it.",
    unit="coturn.service",
)
@pytest.mark.parametrize("over", ["udp", "tls"])
def test_relays(
    ask: Callable[..., Any],
    deployment: dict[str, Any],
    over: str,
    record_property: Callable[[str, object], None],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    answers = ask(LISTEN + RELAY, OVER=over)
    if not answers:
        not_applicable(
            "this host has no address that coturn relays to; the outside checks use one of another host"
        )
    record_property(
        "actual", ", ".join(f"from {answer['said']} port {answer['port']}" for answer in answers.values())
    )
    for answer in answers.values():
        assert (answer["there"], answer["back"]) == ("there", "and back")
        assert answer["sender"] == answer["port"] >= 1024
        # Browsers do not say of which family the address has to be.
        assert answer["browsers"] == 0
        if deployment["coturn_addresses"]:
            assert answer["said"] == answer["outside"]


@pytest.mark.check(
    id="TURN-DENIED",
    title="coturn relays to videobridges and to nobody else, on the internet or in a private network",
    grade="observed on host",
    remedy="Run apply: it writes whom coturn relays to.",
)
def test_relays_to_nobody_else(ask: Callable[..., Any], deployment: dict[str, Any]) -> None:
    others = [peer for peer in OTHER_PEERS if peer not in deployment["coturn_allowed_peers"]]
    answers = ask(DENIED, PEERS=others)
    assert answers
    assert set(answers.values()) == {403}, answers


@pytest.mark.check(
    id="TURN-LOCAL",
    title="On its own host coturn reaches the videobridge and relays, and no other service",
    grade="observed on host",
    remedy="Run apply: it writes the firewall's rules; `nft list chain inet sovstack_inbound local` shows them.",
    unit="nftables.service",
)
def test_reaches_no_other_port_of_its_own_host(
    host: Host,
    ask: Callable[..., Any],
    deployment: dict[str, Any],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if host.run("grep --quiet sovstack_inbound /etc/nftables.conf").failed:
        not_applicable("the role firewall is not applied here")
    answers = ask(LISTEN + LOCAL, PEER_PORTS=deployment["coturn_peer_ports"])
    if not answers:
        not_applicable("coturn relays to no address of this host")
    assert {kind: set(reached) for kind, reached in answers.items()} == {
        kind: {kind != "other"} for kind in answers
    }
    assert {"relay", "other"} <= answers.keys()


@pytest.mark.check(
    id="TURN-CREDENTIALS",
    title="Without credentials of its own, unexpired, coturn relays for nobody",
    grade="observed on host",
    remedy="Run apply: it writes the secret that Prosody makes credentials from.",
)
def test_credentials_are_needed(ask: Callable[..., Any]) -> None:
    assert ask(CREDENTIALS) == {"wrong": 401, "expired": 401, "foreign": 401}


@pytest.mark.check(
    id="TURN-CROWD",
    title="coturn relays for everybody who got credentials in the same second",
    grade="observed on host",
    remedy="Run apply: it writes coturn's limits. 486 means that one of them is reached.",
    unit="coturn.service",
)
def test_relays_for_a_crowd(ask: Callable[..., Any]) -> None:
    assert ask(CROWD) == [0]


@pytest.mark.check(
    id="TURN-TLS",
    title="coturn speaks TLS 1.2 and nothing older, with a certificate that the host trusts",
    grade="observed on host",
    remedy="Run apply: it writes the settings and restarts coturn when its certificate is new.",
)
def test_tls_versions(ask: Callable[..., Any]) -> None:
    assert ask(OLD_TLS) == {"1.1": False, "1.2": True}


@pytest.mark.check(
    id="TURN-FILES",
    title="Nobody else reads coturn's secret and key",
    grade="observed on host",
    remedy="Run apply.",
)
def test_secrets_are_its_own(host: Host, deployment: dict[str, Any]) -> None:
    for path in ("/etc/turnserver.conf", deployment["coturn_certificate_key_path"]):
        entry = host.file(path)
        assert (entry.user, entry.group, entry.mode & 0o7777) == ("root", "turnserver", 0o640), path
