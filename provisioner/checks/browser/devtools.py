"""The Chrome DevTools Protocol over a pair of pipes: calls and their answers, and what the browser tells by itself.

Pipes, not a port: no other user of this computer can steer the browser, and it ends by itself when nobody holds the
other end any more. Messages are JSON, each ended by a zero byte.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import IO, Any

from provisioner.checks.outside.promise import NoEvidence

SECONDS = 30.0

#: Is told the method and the parameters of an event.
Listener = Callable[[str, Mapping[str, Any]], None]


class BrowserFailed(NoEvidence):
    """The browser did not start, went away, did not answer, or refused a command; the text says which."""


class Connection:
    """One browser; every tab, frame and worker has a session on it, and the browser itself the one named ``""``."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        """Speak on ``commands``, listen on ``answers``; both unbuffered."""
        self._commands = commands
        self._answers = answers
        self._numbers = itertools.count(1)
        self._received = bytearray()
        self._messages: deque[dict[str, Any]] = deque()
        self._listeners: dict[str, Listener] = {}

    def listen(self, session: str, listener: Listener) -> None:
        """Tell ``listener`` the events of a session from now on."""
        self._listeners[session] = listener

    def send(self, session: str, method: str, **parameters: object) -> int:
        """Send a command without waiting for its answer; return its number."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            self._commands.write(json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise BrowserFailed(f"the browser is gone: {error.strerror}") from error
        return number

    def call(self, session: str, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            BrowserFailed: It is refused, or not answered in time.
        """
        number = self.send(session, method, **parameters)
        end = time.monotonic() + SECONDS
        while True:
            message = self._receive(end)
            if message is None:
                raise BrowserFailed(f"{method} is not answered within {SECONDS:.0f} seconds")
            if message.get("id") == number:
                break
            self._tell(message)
        if "error" in message:
            raise BrowserFailed(f"{method}: {message['error'].get('message', 'refused')}")
        result: dict[str, Any] = message["result"]
        return result

    def attend(self, seconds: float) -> None:
        """Tell the listeners what happens in the next so many seconds."""
        end = time.monotonic() + seconds
        while (message := self._receive(end)) is not None:
            self._tell(message)

    def _tell(self, message: Mapping[str, Any]) -> None:
        listener = self._listeners.get(message.get("sessionId", ""))
        if listener and "method" in message:
            listener(message["method"], message.get("params", {}))

    def _receive(self, end: float) -> dict[str, Any] | None:
        """Return the next message, None when there is none until ``end``.

        Raises:
            BrowserFailed: The browser closed its end.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while not self._messages:
                if not selector.select(max(0.0, end - time.monotonic())):
                    return None
                data = os.read(self._answers.fileno(), 1 << 20)
                if not data:
                    raise BrowserFailed("the browser went away")
                *whole, rest = (self._received + data).split(b"\0")
                self._received = rest
                self._messages.extend(map(json.loads, whole))
        return self._messages.popleft()
