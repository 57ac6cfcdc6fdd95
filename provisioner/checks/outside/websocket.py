"""A websocket to an address, asking for a service by name, as ``http`` does for requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from websockets.exceptions import InvalidMessage
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from provisioner.checks.outside.http import SECONDS, trust
from provisioner.checks.outside.target import WebTarget


@contextmanager
def open_websocket(
    web: WebTarget,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
) -> Iterator[ClientConnection]:
    """Open a websocket for the length of the block.

    Raises:
        WebSocketException: The service does not open it, or breaks its rules.
        OSError: Nothing answers, or not in time, or not with a trusted certificate.
    """
    opening = partial(_open, web, path, headers, [Subprotocol(name) for name in subprotocols] or None)
    try:
        connection = opening()
    except (InvalidMessage, TimeoutError):
        # One opening in some 300 gets no answer on Python 3.11: the library reads and writes TLS in two threads.
        connection = opening()
    with connection:
        yield connection


def _open(
    web: WebTarget, path: str, headers: Mapping[str, str] | None, subprotocols: Sequence[Subprotocol] | None
) -> ClientConnection:
    plain = socket.create_connection((web.address, web.port), SECONDS)
    try:
        return connect(
            f"wss://{web.hostname}{path}",
            sock=plain,
            ssl=trust(web),
            server_hostname=web.hostname,
            additional_headers=headers,
            subprotocols=subprotocols,
            open_timeout=SECONDS,
            close_timeout=1,  # what was to be heard was heard
        )
    except BaseException:
        plain.close()
        raise
