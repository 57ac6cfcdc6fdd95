"""A client for PostgreSQL's own protocol, version 3, so that the double needs nothing but Python on its host.

The data source is read as the real server's driver does (lib/pq, 1.10): a URL or words ``key=value``; ``host`` may be
a socket folder; ``sslmode`` is ``require`` when it is left out, and means nothing on a socket.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import re
import secrets
import shlex
import socket
import ssl
import struct
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_OPTIONS = {
    "host", "port", "user", "password", "dbname", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslinline", "sslsni",
    "connect_timeout", "binary_parameters", "fallback_application_name", "application_name", "search_path", "passfile",
    "client_encoding", "datestyle", "timezone", "statement_timeout", "options", "disable_prepared_binary_result",
}  # fmt: skip
_ENCRYPTED = ("require", "verify-ca", "verify-full")
_BOOLEAN = 16
_INTEGERS = (20, 21, 23)


class DatabaseError(Exception):
    """The database said no; ``state`` is its SQLSTATE, or empty where the connection failed."""

    def __init__(self, message: str, state: str = "") -> None:
        super().__init__(message)
        self.state = state


def parse(source: str) -> dict[str, str]:
    """Read a data source into its options.

    Raises:
        DatabaseError: It is neither form, or names an option that the driver does not know.
    """
    if re.match(r"postgres(ql)?://", source):
        url = urllib.parse.urlsplit(source)
        found = {
            "host": urllib.parse.unquote(url.hostname or ""),
            "port": str(url.port or ""),
            "user": urllib.parse.unquote(url.username or ""),
            "password": urllib.parse.unquote(url.password or ""),
            "dbname": urllib.parse.unquote(url.path.lstrip("/")),
        }
        options = {name: value for name, value in found.items() if value}
        options |= dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    else:
        words = [word.partition("=") for word in shlex.split(source)]
        if not words or not all(separator for _, separator, _ in words):
            raise DatabaseError(f'missing "=" in connection string {source!r}')
        options = {name.strip(): value for name, _, value in words}
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise DatabaseError(f"unrecognized configuration parameter {sorted(unknown)[0]!r}", "42704")
    return {"host": "localhost", "port": "5432", "sslmode": "require"} | options


class Connection:
    """One session with the database."""

    def __init__(self, source: str) -> None:
        options = parse(source)
        self._options = options
        try:
            self._socket = self._connect()
        except OSError as error:
            raise DatabaseError(f"cannot reach the database at {options['host']}: {error}") from error
        self._buffer = b""
        user = options.get("user") or getpass.getuser()
        start = {"user": user, "database": options.get("dbname", user)}
        start |= {"client_encoding": "UTF8", "DateStyle": "ISO, MDY"}
        start |= {name: options[name] for name in ("application_name", "search_path") if name in options}
        text = b"".join(f"{name}\0{value}\0".encode() for name, value in start.items())
        self._send(b"", struct.pack("!i", 196608) + text + b"\0")
        self._authenticate()
        self._until_ready()

    def _connect(self) -> socket.socket:
        options = self._options
        seconds = float(options.get("connect_timeout", 10)) or None
        if options["host"].startswith("/"):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(seconds)
            plain.connect(f"{options['host']}/.s.PGSQL.{options['port']}")
        else:
            plain = socket.create_connection((options["host"], int(options["port"])), seconds)
            plain = self._encrypt(plain)
        plain.settimeout(60)
        return plain

    def _encrypt(self, plain: socket.socket) -> socket.socket:
        mode = self._options["sslmode"]
        if mode == "disable":
            return plain
        if mode not in _ENCRYPTED:
            raise DatabaseError(
                f"unsupported sslmode {mode!r}; only require (default), verify-full, verify-ca, disable"
            )
        plain.sendall(struct.pack("!ii", 8, 80877103))
        if plain.recv(1) != b"S":
            raise DatabaseError("SSL is not enabled on the server")
        context = ssl.create_default_context(cafile=self._options.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        if mode == "require" and "sslrootcert" not in self._options:
            context.verify_mode = ssl.CERT_NONE
        if "sslcert" in self._options:
            key = Path(self._options["sslkey"])
            if key.stat().st_mode & 0o027:
                raise DatabaseError("private key file has group or world access")
            context.load_cert_chain(self._options["sslcert"], key)
        return context.wrap_socket(plain, server_hostname=self._options["host"])

    def _send(self, kind: bytes, body: bytes) -> None:
        try:
            self._socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)
        except OSError as error:
            raise DatabaseError(f"the connection is lost: {error}") from error

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._take(5)
        return head[:1], self._take(struct.unpack("!i", head[1:])[0] - 4)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                more = self._socket.recv(65536)
            except OSError as error:
                raise DatabaseError(f"the connection is lost: {error}") from error
            if not more:
                raise DatabaseError("the connection is lost")
            self._buffer += more
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _authenticate(self) -> None:
        proof = _Scram(self._options.get("password", ""))
        while True:
            kind, body = self._receive()
            if kind == b"E":
                raise _error(body)
            if kind != b"R":
                raise DatabaseError(f"unexpected answer {kind!r} to a log-in")
            (method,) = struct.unpack("!i", body[:4])
            if method == 0:
                return
            if method == 3:
                self._send(b"p", self._options.get("password", "").encode() + b"\0")
            elif method == 10:
                first = proof.first()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
            elif method == 11:
                self._send(b"p", proof.final(body[4:]))
            elif method == 12:
                proof.check(body[4:])
            else:
                raise DatabaseError(f"the double does not play log-in method {method}")

    def _until_ready(self) -> list[tuple[bytes, bytes]]:
        """Read all messages up to the one that says that the server waits for more."""
        messages: list[tuple[bytes, bytes]] = []
        failure = None
        while True:
            kind, body = self._receive()
            if kind == b"Z":
                break
            if kind == b"E":
                failure = _error(body)
            messages.append((kind, body))
        if failure:
            raise failure
        return messages

    def run(self, script: str) -> None:
        """Run statements without parameters and without an answer, as one transaction unless they say otherwise."""
        self._send(b"Q", script.encode() + b"\0")
        self._until_ready()

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run a statement with parameters ``$1`` ... and return its rows by column; integers and booleans as such.

        Raises:
            DatabaseError: The statement failed, or the connection did.
        """
        self._send(b"P", b"\0" + statement.encode() + b"\0" + struct.pack("!h", 0))
        self._send(
            b"B", b"\0\0" + struct.pack("!hh", 0, len(values)) + _encode(values) + struct.pack("!h", 0)
        )
        self._send(b"D", b"P\0")
        self._send(b"E", b"\0" + struct.pack("!i", 0))
        self._send(b"S", b"")
        columns: list[tuple[str, int]] = []
        rows = []
        for kind, body in self._until_ready():
            if kind == b"T":
                columns = list(_columns(body))
            elif kind == b"D":
                rows.append(dict(zip((name for name, _ in columns), _values(body, columns), strict=True)))
        return rows

    def close(self) -> None:
        self._socket.close()


def _encode(values: Sequence[object]) -> bytes:
    parts = []
    for value in values:
        if value is None:
            parts.append(struct.pack("!i", -1))
            continue
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        parts.append(struct.pack("!i", len(text.encode())) + text.encode())
    return b"".join(parts)


def _columns(body: bytes) -> Iterator[tuple[str, int]]:
    (count,) = struct.unpack("!h", body[:2])
    position = 2
    for _ in range(count):
        end = body.index(b"\0", position)
        (kind,) = struct.unpack("!i", body[end + 7 : end + 11])
        yield body[position:end].decode(), kind
        position = end + 19


def _values(body: bytes, columns: Sequence[tuple[str, int]]) -> Iterator[object]:
    position = 2
    for _, kind in columns:
        (length,) = struct.unpack("!i", body[position : position + 4])
        position += 4
        if length < 0:
            yield None
            continue
        text = body[position : position + length].decode()
        position += length
        yield int(text) if kind in _INTEGERS else text == "t" if kind == _BOOLEAN else text


def _error(body: bytes) -> DatabaseError:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return DatabaseError(fields.get(b"M", "unknown error"), fields.get(b"C", ""))


class _Scram:
    """A log-in by SCRAM-SHA-256 (RFC 7677), without channel binding."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._first = f"n=,r={secrets.token_urlsafe(18)}"
        self._signature = b""

    def first(self) -> bytes:
        return b"n,," + self._first.encode()

    def final(self, challenge: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._password, base64.b64decode(fields["s"]), int(fields["i"])
        )
        answer = f"c=biws,r={fields['r']}"
        transcript = f"{self._first},{challenge.decode()},{answer}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), transcript, "sha256")
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), transcript, "sha256")
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        return f"{answer},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer: bytes) -> None:
        if not hmac.compare_digest(answer.removeprefix(b"v="), base64.b64encode(self._signature)):
            raise DatabaseError("the server does not know the password it asks for")
