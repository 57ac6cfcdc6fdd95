"""A websocket to an address, asking for a service by name, as ``http`` does for requests."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

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
    context = trust(web)
    # The library reads in one thread and writes in another. With TLS 1.3 a session ticket may arrive just then, and
    # what is written is lost: six openings of 1,500 on Python 3.11, none with TLS 1.2, which has no such messages.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((web.address, web.port), SECONDS) as plain,
        connect(
            f"wss://{web.hostname}{path}",
            sock=plain,
            ssl=context,
            server_hostname=web.hostname,
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            open_timeout=SECONDS,
            close_timeout=1,  # what was to be heard was heard
        ) as connection,
    ):
        yield connection
