"""Websockets (RFC 6455), and what the server tells those who listen on one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .contract import VERSION, new_id
from .people import Session

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LONGEST_MESSAGE = 8 * 1024  # bytes, as the real server reads
_SECONDS_OF_SILENCE = 100  # the real one pings every 60 s and waits for 100
_PING_SECONDS = 60
_EVERYONE: dict[str, str | None] = {
    "omit_users": None, "user_id": "", "channel_id": "", "team_id": "", "connection_id": "", "omit_connection_id": "",
}  # fmt: skip
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """Return the answer to a client's ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()  # noqa: S324  the protocol's choice


class Closed(Exception):
    """The other side has gone, or said what it must not."""


class Listener:
    """One client on a websocket."""

    def __init__(self, stream: io.BufferedIOBase, connection: socket.socket, session: Session | None) -> None:
        self.session = session
        self.identifier = new_id()
        self._stream, self._connection = stream, connection
        self._lock = threading.Lock()
        self._sequence = 0

    def send_event(self, event: str, data: Mapping[str, Any], broadcast: Mapping[str, str]) -> None:
        """Tell the client that something has happened; events are counted for each client."""
        with self._lock:
            message = {
                "event": event,
                "data": data,
                "broadcast": _EVERYONE | dict(broadcast),
                "seq": self._sequence,
            }
            self._sequence += 1
            self._send(_TEXT, json.dumps(message).encode())

    def answer(self, number: int, **content: object) -> None:
        with self._lock:
            self._send(_TEXT, json.dumps({**content, "seq_reply": number}).encode())

    def greet(self) -> None:
        """Say hello, which the real server does as soon as it knows who listens."""
        assert self.session
        data = {"server_version": f"{VERSION}.{VERSION}.double.false", "connection_id": self.identifier}
        self.send_event("hello", data, {"user_id": self.session.user_id})

    def read(self) -> str:
        """Return the next message.

        Raises:
            Closed: There will be none.
        """
        message = b""
        while True:
            final, kind, data = self._read_frame()
            if kind == _CLOSE:
                with self._lock:
                    self._send(_CLOSE, data[:2])
                raise Closed
            if kind == _PING:
                with self._lock:
                    self._send(_PONG, data)
            elif kind != _PONG:
                message += data
                if len(message) > _LONGEST_MESSAGE:
                    raise Closed
                if final:
                    return message.decode()

    def _read_frame(self) -> tuple[bool, int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self._take(size))
        if not second & 0x80 or length > _LONGEST_MESSAGE:
            raise Closed  # a client must mask what it sends
        mask = self._take(4)
        data = bytes(byte ^ mask[position % 4] for position, byte in enumerate(self._take(length)))
        return bool(first & 0x80), first & 0x0F, data

    def _take(self, count: int) -> bytes:
        pinged = False
        while True:
            try:
                data = self._stream.read(count)
            except TimeoutError:
                if pinged:
                    raise Closed from None
                pinged = True
                with self._lock:
                    self._send(_PING, b"")
                continue
            except OSError as error:
                raise Closed from error
            if len(data) < count:
                raise Closed
            return data

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        head = bytes([0x80 | kind])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack("!H", size)
        else:
            head += bytes([127]) + struct.pack("!Q", size)
        try:
            self._connection.sendall(head + data)
        except OSError as error:
            raise Closed from error

    def close(self) -> None:
        """End the connection, so that whoever reads from it stops."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class Hub:
    """Everybody who listens."""

    def __init__(self, session_of: Callable[[str], Session | None]) -> None:
        self._session_of = session_of
        self._listeners: dict[str, Listener] = {}
        self._lock = threading.Lock()

    def serve(self, listener: Listener) -> None:
        """Listen to one client until it leaves; it may say who it is after it has come."""
        try:
            if listener.session:
                self._admit(listener)
            while True:
                self._handle(listener, listener.read())
        except Closed:
            return
        finally:
            with self._lock:
                self._listeners.pop(listener.identifier, None)
            listener.close()

    def _admit(self, listener: Listener) -> None:
        with self._lock:
            self._listeners[listener.identifier] = listener
        listener.greet()

    def _handle(self, listener: Listener, text: str) -> None:
        try:
            request = json.loads(text)
            number, action = int(request.get("seq", 0)), str(request.get("action", ""))
        except (ValueError, AttributeError, TypeError) as error:
            raise Closed from error
        if not action or number <= 0:
            name = "bad_seq" if action else "no_action"
            failure = {"id": f"api.web_socket_router.{name}.app_error", "message": "", "status_code": 400}
            listener.answer(number, status="FAIL", error=failure)
        elif action == "authentication_challenge":
            if listener.session:
                return
            listener.session = self._session_of(str((request.get("data") or {}).get("token", "")))
            if listener.session is None:
                raise Closed
            self._admit(listener)
            listener.answer(number, status="OK")
        elif listener.session is None:
            failure = {
                "id": "api.web_socket_router.not_authenticated.app_error",
                "message": "",
                "status_code": 401,
            }
            listener.answer(number, status="FAIL", error=failure)
        elif action in ("ping", "user_typing", "user_update_active_status", "presence"):
            data = (
                {"text": "pong", "version": VERSION, "server_time": 0, "node_id": ""}
                if action == "ping"
                else {}
            )
            listener.answer(number, status="OK", data=data)
        else:
            failure = {"id": "api.web_socket_router.bad_action.app_error", "message": "", "status_code": 500}
            listener.answer(number, status="FAIL", error=failure)

    def publish(self, users: frozenset[str], event: str, data: Mapping[str, Any], channel_id: str) -> None:
        """Tell those of ``users`` who listen what has happened in a channel."""
        with self._lock:
            found = [listener for listener in self._listeners.values() if listener.session]
        for listener in found:
            if listener.session and listener.session.user_id in users:
                try:
                    listener.send_event(event, data, {"channel_id": channel_id})
                except Closed:
                    listener.close()

    def drop(self, user_id: str) -> None:
        """End the websockets of somebody whose sessions have ended."""
        with self._lock:
            found = [
                one for one in self._listeners.values() if one.session and one.session.user_id == user_id
            ]
        for listener in found:
            listener.close()
