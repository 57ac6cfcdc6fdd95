"""Which TCP ports of our own hosts answer. Never pointed at anything but a host of the profile."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Iterable

from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.outside.target import HostTarget
from provisioner.checks.result import Verdict

_ANSWER_SECONDS = 1.0
_PATIENT_SECONDS = 4.0
# Below the usual limit of 1024 open files, with room for the other probes.
_AT_ONCE = 400
_LAST_PORT = 65535
# Refused, or rejected by a firewall on the way.
_CLOSED = (
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT),
    *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES),
)

# What services of ours, of Debian and of attackers' lists listen on.
WELL_KNOWN_PORTS = frozenset(
    {
        *range(20, 27),
        37,
        53,
        69,
        79,
        80,
        81,
        88,
        110,
        111,
        113,
        119,
        123,
        135,
        139,
        143,
        161,
        179,
        199,
        389,
        443,
    }
    | {
        444,
        445,
        465,
        500,
        512,
        513,
        514,
        515,
        543,
        548,
        554,
        587,
        631,
        636,
        646,
        853,
        873,
        990,
        993,
        995,
        1080,
    }
    | {
        1194,
        1433,
        1521,
        1723,
        1883,
        2049,
        2121,
        2222,
        2375,
        2376,
        2379,
        2380,
        3000,
        3128,
        3306,
        3389,
        3478,
        4443,
    }
    | {
        4444,
        5000,
        5044,
        5060,
        5222,
        5269,
        5280,
        5281,
        5347,
        5349,
        5432,
        5433,
        5601,
        5672,
        5900,
        5984,
        5985,
        6000,
    }
    | {
        6379,
        6380,
        6443,
        7867,
        8000,
        8006,
        8008,
        8065,
        8067,
        8080,
        8081,
        8086,
        8088,
        8181,
        8443,
        8500,
        8883,
        8888,
    }
    | {9000, 9001, 9090, 9091, 9093, 9100, 9113, 9117, 9121, 9187, 9200, 9253, 9300, 9418, 9443, 9980, 10000}
    | {10050, 10250, 11211, 15672, 27017, 50000}
)


def check_open_ports(target: HostTarget) -> Finding:
    """Exactly the profile's ports answer. What the host listens on is tried too, whatever its number."""
    listening = frozenset(target.listeners()) if target.listeners else frozenset()
    tried = frozenset(range(1, _LAST_PORT + 1)) if target.full_scan else WELL_KNOWN_PORTS | listening
    tried |= target.open_ports
    answering = _scan(target.address, tried, _ANSWER_SECONDS)
    # A lost packet is no closed port: what should answer is asked again, with patience.
    late = target.open_ports - answering
    answering |= _scan(target.address, late, _PATIENT_SECONDS)
    if target.open_ports and not answering:
        raise NoEvidence(f"{target.address} answers on no port at all")
    surplus, missing = answering - target.open_ports, target.open_ports - answering
    problems = []
    if surplus:
        problems.append(f"open but not in the profile: {_enumerate(surplus)}")
    if missing:
        problems.append(f"in the profile but closed: {_enumerate(missing)}")
    shielded = _enumerate(listening - answering) or "none"
    fine = (
        f"open: {_enumerate(answering)}; {len(tried)} ports tried; listening behind the firewall: {shielded}"
    )
    return Finding(Verdict.FAIL, "; ".join(problems), fine) if problems else Finding(Verdict.PASS, fine)


def _scan(address: str, ports: Iterable[int], seconds: float) -> frozenset[int]:
    """Return the ports that accept a connection within ``seconds``; refused and silent ones are left out.

    Raises:
        OSError: This computer cannot try: no route, no more sockets, no such address.
    """
    family, _, _, _, where = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0]
    waiting = sorted(ports, reverse=True)
    trying: dict[socket.socket, tuple[int, float]] = {}
    answering = set()
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or trying:
                while waiting and len(trying) < _AT_ONCE:
                    port = waiting.pop()
                    attempt = socket.socket(family, socket.SOCK_STREAM)
                    trying[attempt] = (port, time.monotonic() + seconds)
                    attempt.setblocking(False)
                    _raise_if_ours(attempt.connect_ex((where[0], port, *where[2:])))
                    selector.register(attempt, selectors.EVENT_WRITE)
                first_deadline = next(iter(trying.values()))[1]
                ready = {key.fd for key, _ in selector.select(max(0.0, first_deadline - time.monotonic()))}
                now = time.monotonic()
                ended = [one for one, (_, late) in trying.items() if one.fileno() in ready or late <= now]
                for attempt in ended:
                    port, _ = trying.pop(attempt)
                    selector.unregister(attempt)
                    if _is_connected(attempt):
                        answering.add(port)
                    attempt.close()
        finally:
            for attempt in trying:
                attempt.close()
    return frozenset(answering)


def _is_connected(attempt: socket.socket) -> bool:
    _raise_if_ours(attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    try:
        attempt.getpeername()
    except OSError:
        return False
    return True


def _raise_if_ours(number: int) -> None:
    """Raise for an error that says something about this computer instead of about the port."""
    if number not in (0, errno.EINPROGRESS, *_CLOSED):
        raise OSError(number, os.strerror(number))


def _enumerate(ports: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ports)))


PORT_PROMISES: tuple[Promise[HostTarget], ...] = (
    Promise(
        "NET-PORTS",
        "Exactly the profile's TCP ports are open",
        "Every port of the profile answers from outside, and no other",
        "Apply again; a port that stays open belongs to a service or rule that is not sovstack's.",
        check_open_ports,
    ),
)
