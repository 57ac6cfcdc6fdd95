"""The TURN client against a server that answers as it is told; the real coturn is met in molecule."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from provisioner.checks import turn


class Mismatching:
    """Answers each request with 437: it remembers somebody else at that port."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.ports: list[int] = []
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                message, client = self.socket.recvfrom(2048)
            except OSError:
                return
            self.ports.append(client[1])
            code = b"\0\0" + bytes(divmod(turn.ALLOCATION_MISMATCH, 100))
            body = struct.pack("!HH", turn.ERROR_CODE, len(code)) + code
            header = struct.pack("!HHI", turn.ALLOCATE | turn.ERROR_CLASS, len(body), turn.MAGIC_COOKIE)
            self.socket.sendto(header + message[8:20] + body, client)


@pytest.fixture
def mismatching() -> Iterator[Mismatching]:
    server = Mismatching()
    yield server
    server.socket.close()


def test_a_port_that_the_server_remembers_for_another_is_left(mismatching: Mismatching) -> None:
    address = mismatching.socket.getsockname()
    with turn.TurnClient(address, timeout=2) as client, pytest.raises(turn.TurnRefused) as refusal:
        client.allocate("name", "password")
    assert refusal.value.code == turn.ALLOCATION_MISMATCH
    assert len(set(mismatching.ports)) == len(mismatching.ports) == turn.ALLOCATION_ATTEMPTS
