"""What the probes are pointed at: plain data, so that no probe knows a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Secret(Protocol):
    """A value that does not show itself; ``profile.secrets.Secret`` is one."""

    def reveal(self) -> str:
        """Return the value."""


@dataclass(frozen=True, slots=True)
class WebTarget:
    """A web service, reached by address, asked for by name (a lab's names are in no DNS).

    Attributes:
        hostname: The name in SNI, in the ``Host`` header and in the certificate.
        address: IP address (or name) to connect to.
        ca_file: PEM file of the CA that the certificate must come from; None is the system's trust store.
        port: Port of HTTPS.
        http_port: Port of plain HTTP, which only redirects.
        page: Path of a page of the application itself, for its own content security policy.
    """

    hostname: str
    address: str
    ca_file: Path | None = None
    port: int = 443
    http_port: int = 80
    page: str = "/login"


@dataclass(frozen=True, slots=True)
class HostTarget:
    """A host of ours and the TCP ports that are meant to be open on it.

    Attributes:
        name: Inventory name; the target of the check.
        address: IP address to connect to.
        open_ports: Exactly the TCP ports that may answer, SSH included.
        listeners: Gives the ports that the host listens on; each is tried from outside.
        full_scan: Try all 65535 ports instead of the well-known ones. Minutes against a firewall
            that drops.
    """

    name: str
    address: str
    open_ports: frozenset[int]
    listeners: Callable[[], Iterable[int]] | None = None
    full_scan: bool = False
