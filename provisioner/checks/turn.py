"""A small TURN client (RFC 8489, RFC 8656), enough to see what a TURN server does and what it refuses.

It uses the standard library alone and imports nothing of this package: tests/infra hand its text to a host's own
Python, and the outside checks use it from here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import struct
import time

MAGIC_COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION = 0x0001, 0x0003, 0x0004, 0x0008
SEND_INDICATION, DATA_INDICATION = 0x0016, 0x0017
SUCCESS_CLASS, ERROR_CLASS = 0x0100, 0x0110
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, REALM, NONCE = 0x0006, 0x0008, 0x0009, 0x0014, 0x0015
LIFETIME, XOR_PEER_ADDRESS, DATA, XOR_RELAYED_ADDRESS, REQUESTED_ADDRESS_FAMILY = (
    0x000D,
    0x0012,
    0x0013,
    0x0016,
    0x0017,
)
REQUESTED_TRANSPORT, XOR_MAPPED_ADDRESS = 0x0019, 0x0020
# Addresses that are hidden from routers which would translate them.
HIDDEN = (XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS, XOR_MAPPED_ADDRESS)
FAMILIES = {4: 1, 6: 2}  # by the version of IP
UNAUTHORIZED, ALLOCATION_MISMATCH = 401, 437
ALLOCATION_ATTEMPTS = 3
UDP_PROTOCOL_NUMBER = 17
_HEADER_BYTES = 20

Address = tuple[str, int]


class TurnRefused(Exception):
    """The server answered with an error.

    Attributes:
        code: Its number, as 401 (credentials) or 403 (a peer that is denied).
    """

    def __init__(self, code: int, reason: str) -> None:
        """Keep the number; the text is the server's own."""
        super().__init__(f"{code} {reason}".strip())
        self.code = code


def time_limited_credentials(secret: str, seconds: int, name: str = "check") -> tuple[str, str]:
    """Return user name and password as a TURN server with a shared secret takes them (use-auth-secret).

    Args:
        secret: The server's secret.
        seconds: How long they hold, from now; a negative number makes expired ones.
        name: Who it is, for the server's log; empty for nobody in particular, as Prosody makes them.
    """
    username = f"{int(time.time()) + seconds}:{name}".removesuffix(":")
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(digest).decode()


class TurnClient:
    """One connection to a TURN server, with one allocation at most."""

    def __init__(
        self, server: Address, *, tls: ssl.SSLContext | None = None, name: str = "", timeout: float = 5.0
    ) -> None:
        """Connect, over UDP or, with ``tls``, over TLS on TCP.

        Args:
            server: Address and port.
            tls: How the server's certificate is judged.
            name: Name that the certificate has to have; the address when empty.
            timeout: Seconds to wait for one answer.

        Raises:
            OSError: No connection; ``ssl.SSLError`` where TLS does not come about.
        """
        self._key = b""
        self._login: tuple[tuple[int, bytes], ...] = ()
        self._stream = tls is not None
        self._server, self._tls, self._name, self._timeout = server, tls, name or server[0], timeout
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        if self._tls is not None:
            plain = socket.create_connection(self._server, timeout=self._timeout)
            return self._tls.wrap_socket(plain, server_hostname=self._name)
        family = socket.getaddrinfo(*self._server, type=socket.SOCK_DGRAM)[0][0]
        connected = socket.socket(family, socket.SOCK_DGRAM)
        connected.settimeout(self._timeout)
        connected.connect(self._server)
        return connected

    def __enter__(self) -> TurnClient:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the allocation back, and close."""
        try:
            if self._login:
                self._request(REFRESH, [(LIFETIME, struct.pack("!I", 0))])
        except (OSError, TurnRefused):
            pass  # it ends by itself
        finally:
            self._socket.close()

    def reflexive_address(self) -> Address:
        """Return the address under which the server sees this client (STUN, without credentials)."""
        return _unpack_address(self._request(BINDING, [])[XOR_MAPPED_ADDRESS])

    def allocate(self, username: str, password: str, *, version: int | None = None) -> Address:
        """Return the address that the server relays from.

        Where the server still remembers somebody else at this port, it is asked from another one (RFC 8656, 7.4).

        Args:
            username: Who it is.
            password: That one's.
            version: Of IP, 4 or 6; without it the server chooses, as it does for browsers.

        Raises:
            TurnRefused: The credentials are not right, or no more is given.
            OSError: No answer in time.
        """
        wish = [(REQUESTED_TRANSPORT, bytes([UDP_PROTOCOL_NUMBER, 0, 0, 0]))]
        if version is not None:
            wish.append((REQUESTED_ADDRESS_FAMILY, bytes([FAMILIES[version], 0, 0, 0])))
        for _ in range(ALLOCATION_ATTEMPTS - 1):
            try:
                return self._allocate(username, password, wish)
            except TurnRefused as refusal:
                if refusal.code != ALLOCATION_MISMATCH:
                    raise
            with self._socket:  # closed when the next one has its port
                self._socket = self._connect()
        return self._allocate(username, password, wish)

    def _allocate(self, username: str, password: str, wish: list[tuple[int, bytes]]) -> Address:
        try:
            self._request(ALLOCATE, wish)
        except TurnRefused as refusal:
            if refusal.code != UNAUTHORIZED:
                raise
        else:
            raise TurnRefused(0, "the server relays for anybody, without credentials")
        self._login = ((USERNAME, username.encode()), (REALM, self._realm), (NONCE, self._nonce))
        self._key = hashlib.md5(  # the long-term key of RFC 8489, 9.2.2
            b":".join((username.encode(), self._realm, password.encode())), usedforsecurity=False
        ).digest()
        try:
            return _unpack_address(self._request(ALLOCATE, wish)[XOR_RELAYED_ADDRESS])
        except TurnRefused:
            self._login = ()
            raise

    def permit(self, peer: str) -> None:
        """Ask the server to relay to and from an address.

        Raises:
            TurnRefused: It does not; 403 where it never would.
            OSError: No answer in time.
        """
        self._request(CREATE_PERMISSION, [(XOR_PEER_ADDRESS, _pack_address((peer, 0)))])

    def send(self, peer: Address, data: bytes) -> None:
        """Send through the relay. Nobody says whether it arrives."""
        attributes = [(XOR_PEER_ADDRESS, _pack_address(peer)), (DATA, data)]
        self._socket.sendall(_pack(SEND_INDICATION, os.urandom(12), attributes))

    def receive(self) -> tuple[Address, bytes]:
        """Return who sent what through the relay.

        Raises:
            OSError: Nothing came in time.
        """
        while True:
            kind, _, attributes = self._read()
            if kind == DATA_INDICATION:
                return _unpack_address(attributes[XOR_PEER_ADDRESS]), attributes[DATA]

    def _request(self, method: int, attributes: list[tuple[int, bytes]]) -> dict[int, bytes]:
        transaction = os.urandom(12)
        self._socket.sendall(
            _pack(method, transaction, [*attributes, *self._login], self._key if self._login else b"")
        )
        while True:
            kind, answered, answer = self._read()
            if answered == transaction:
                break
        if kind == method | ERROR_CLASS:
            self._realm, self._nonce = answer.get(REALM, b""), answer.get(NONCE, b"")
            code = answer.get(ERROR_CODE, bytes(4))
            raise TurnRefused(code[2] * 100 + code[3], code[4:].decode(errors="replace"))
        return answer

    def _read(self) -> tuple[int, bytes, dict[int, bytes]]:
        """Return kind, transaction and attributes of the next message."""
        if self._stream:
            header = self._read_exactly(_HEADER_BYTES)
            message = header + self._read_exactly(int.from_bytes(header[2:4], "big"))
        else:
            message = self._socket.recv(65535)
        kind, length = struct.unpack("!HH", message[:4])
        attributes: dict[int, bytes] = {}
        offset = _HEADER_BYTES
        while offset < _HEADER_BYTES + length:
            name, size = struct.unpack("!HH", message[offset : offset + 4])
            value = message[offset + 4 : offset + 4 + size]
            attributes[name] = _hide(value, message) if name in HIDDEN else value
            offset += 4 + size + -size % 4
        return kind, message[8:_HEADER_BYTES], attributes

    def _read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the server closed the connection")
            data += part
        return data


def _pack(kind: int, transaction: bytes, attributes: list[tuple[int, bytes]], key: bytes = b"") -> bytes:
    """Return a message; with a key it ends with its integrity, whose length counts before it is made."""

    def header(length: int) -> bytes:
        return struct.pack("!HHI", kind, length, MAGIC_COOKIE) + transaction

    body = b""
    for name, value in attributes:
        content = _hide(value, header(0)) if name in HIDDEN else value
        body += struct.pack("!HH", name, len(content)) + content + bytes(-len(content) % 4)
    if key:
        digest = hmac.digest(key, header(len(body) + 24) + body, "sha1")
        body += struct.pack("!HH", MESSAGE_INTEGRITY, len(digest)) + digest
    return header(len(body)) + body


def _hide(value: bytes, message: bytes) -> bytes:
    """Return an address hidden by its message's cookie and transaction, as STUN does; twice, and it is plain again."""
    mask = message[4:_HEADER_BYTES]
    return value[:2] + bytes(one ^ other for one, other in zip(value[2:], mask[:2] + mask, strict=False))


def _pack_address(address: Address) -> bytes:
    """Return an address and a port as they are before they are hidden."""
    host = ipaddress.ip_address(address[0])
    return struct.pack("!BBH", 0, FAMILIES[host.version], address[1]) + host.packed


def _unpack_address(value: bytes) -> Address:
    """Return the address and port that `_pack_address` packs."""
    return str(ipaddress.ip_address(value[4:])), int.from_bytes(value[2:4], "big")
