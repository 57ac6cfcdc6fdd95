"""What carries a meeting's media, from outside: the TURN server, and the videobridges' port.

Nothing is relayed to anybody: the checks ask for permissions, which the server gives or refuses by its own rules.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

from provisioner.checks.outside.http import trust
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import Secret, WebTarget
from provisioner.checks.result import Verdict
from provisioner.checks.turn import TurnClient, TurnRefused, time_limited_credentials

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_SECONDS = 60  # how long the credentials of a check hold
_MEDIA_SECONDS = 2.0
_START_SECONDS = 60.0  # in which a videobridge opens its port: Java takes its time on a busy host
# Of somebody on the internet (a root name server), of this computer, of networks that a host may stand in, and of
# clouds: nobody may be led there.
_OTHERS = {
    4: ("198.41.0.4", "127.0.0.1", "10.255.255.254", "172.31.255.254", "192.168.255.254", "169.254.169.254"),
    6: ("2001:503:ba3e::2:30", "::1", "fdff:ffff:ffff::fe", "fe80::fe"),
}


@dataclass(frozen=True, slots=True)
class RelayTarget:
    """A TURN server.

    Attributes:
        web: Its name, address and authority; ``port`` is that of TURN over TLS.
        port: TURN without TLS, over UDP.
        secret: The key from which credentials are made.
        peers: The videobridges' addresses, to which it has to relay.
    """

    web: WebTarget
    port: int
    secret: Secret
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MediaTarget:
    """A videobridge: name of its host, its address and the UDP port of media."""

    name: str
    address: str
    port: int


def check_udp(target: RelayTarget) -> Finding:
    """The server relays over UDP for who has credentials, and only to where it should."""
    return _check(target, partial(TurnClient, (target.web.address, target.port)))


def check_tls(target: RelayTarget) -> Finding:
    """The same over TLS, for networks that let nothing else out."""
    where = (target.web.address, target.web.port)
    return _check(target, partial(TurnClient, where, tls=trust(target.web), name=target.web.hostname))


def check_media(target: MediaTarget) -> Finding:
    """Nothing says that nobody is there. A videobridge answers only who takes part in one of its meetings."""
    further = "whether media pass is seen by `sovstack verify --level use`"
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with TurnClient((target.address, target.port), timeout=_MEDIA_SECONDS) as client:
                client.reflexive_address()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                return Finding(Verdict.FAIL, f"UDP port {target.port} of {target.address} is closed")
            time.sleep(1)
        except TimeoutError:
            return Finding(Verdict.PASS, f"UDP port {target.port} is not refused; {further}")
        else:
            return Finding(Verdict.PASS, f"UDP port {target.port} answers STUN; {further}")


def _check(target: RelayTarget, connect: Callable[[], TurnClient]) -> Finding:
    version = ip_address(target.web.address).version
    peers = [peer for peer in target.peers if ip_address(peer).version == version]
    denied = [address for address in _OTHERS[version] if address not in peers]
    try:
        problems = [*_refused_credentials(target, connect), *_peers(target, connect, peers, denied)]
    except ssl.SSLCertVerificationError as error:
        problems = [f"its certificate is not trusted: {error.verify_message}"]
    except TimeoutError:
        raise NoEvidence(f"{target.web.address} does not answer TURN in time") from None
    refused = f"wrong and expired credentials and {len(denied)} addresses of others"
    return judge(problems, f"relays to {', '.join(peers)}; refuses {refused}")


def _refused_credentials(target: RelayTarget, connect: Callable[[], TurnClient]) -> list[str]:
    key = target.secret.reveal()
    wrong = {
        "credentials of another key": time_limited_credentials(f"{key}-", _SECONDS),
        "expired credentials": time_limited_credentials(key, -_SECONDS),
    }
    accepted = []
    for what, (username, password) in wrong.items():
        with connect() as client:
            try:
                client.allocate(username, password)
            except TurnRefused as refusal:
                if refusal.code == _UNAUTHORIZED:
                    continue
                accepted.append(f"{what}: {refusal}")
            else:
                accepted.append(f"{what} are accepted")
    return accepted


def _peers(
    target: RelayTarget, connect: Callable[[], TurnClient], peers: list[str], denied: list[str]
) -> list[str]:
    problems = []
    credentials = time_limited_credentials(target.secret.reveal(), _SECONDS)
    with connect() as client:
        try:
            client.allocate(*credentials, version=ip_address(target.web.address).version)
        except TurnRefused as refusal:
            return [f"good credentials are refused: {refusal}"]
        for peer in peers:
            try:
                client.permit(peer)
            except TurnRefused as refusal:
                problems.append(f"does not relay to the videobridge {peer}: {refusal}")
        for peer in denied:
            try:
                client.permit(peer)
            except TurnRefused as refusal:
                if refusal.code != _FORBIDDEN:
                    problems.append(f"{peer}: {refusal}")
            else:
                problems.append(f"would relay to {peer}")
    return problems


_REMEDY = "Look at `journalctl -u coturn` on its host and at the firewall before it; apply again."
RELAY_PROMISES: tuple[Promise[RelayTarget], ...] = (
    Promise(
        "MEET-TURN",
        "TURN over UDP relays to videobridges, for participants only",
        "An allocation with time-limited credentials; 401 for wrong ones, 403 for addresses of others",
        _REMEDY,
        check_udp,
    ),
    Promise(
        "MEET-TURNS",
        "TURN over TLS relays to videobridges, for participants only",
        "The same, with a certificate that is trusted",
        _REMEDY,
        check_tls,
    ),
)
MEDIA_PROMISES: tuple[Promise[MediaTarget], ...] = (
    Promise(
        "MEET-MEDIA",
        "The videobridge's port is not refused",
        "A datagram to the UDP port of media is answered, or at least not called unwanted",
        "Look at `systemctl status jitsi-videobridge2` on the host; apply again.",
        check_media,
    ),
)
