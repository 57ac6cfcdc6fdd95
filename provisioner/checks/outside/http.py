"""One HTTP request to an address, asking for a service by name; redirects are not followed.

Security headers are judged on the first answer: a client that follows redirects would look at another one.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import WebTarget

SECONDS = 20
_LARGEST_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, header lines in order (names in lower case), body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return the values of a header in the order in which they were sent."""
        return [value for key, value in self.headers if key == name.lower()]

    def first(self, name: str) -> str:
        """Return a header's first value, or an empty text."""
        return next(iter(self.values(name)), "")


def fetch(
    target: WebTarget,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    trusted: bool = True,
) -> Response:
    """Send one HTTPS request.

    Args:
        target: The service.
        path: Path and query.
        method: HTTP method, WebDAV's too.
        headers: Additional headers.
        body: Bytes to send.
        trusted: Refuse a certificate that does not verify. False is for reading public headers only: the
            certificate has a check of its own, and one fault is to be reported once.

    Raises:
        NoEvidence: Nothing answers, or not with HTTP, or not with a trusted certificate.
    """
    context = trust(target)
    if not trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((target.address, target.port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=target.hostname) as secure,
        ):
            return _exchange(secure, target, method, path, headers or {}, body)
    except (OSError, http.client.HTTPException) as error:
        raise NoEvidence(f"{method} https://{target.hostname}{path} at {target.address}: {error}") from error


def fetch_plain(target: WebTarget, path: str) -> Response | None:
    """Send one request over plain HTTP; return None when the port is closed or filtered."""
    try:
        with socket.create_connection((target.address, target.http_port), SECONDS) as plain:
            return _exchange(plain, target, "GET", path, {}, None)
    except (ConnectionRefusedError, TimeoutError):
        return None
    except (OSError, http.client.HTTPException) as error:
        raise NoEvidence(f"GET http://{target.hostname}{path} at {target.address}: {error}") from error


def trust(target: WebTarget) -> ssl.SSLContext:
    """Return a context that trusts the target's CA, and only that one when it is given."""
    context = ssl.create_default_context(cafile=str(target.ca_file) if target.ca_file else None)
    # As browsers verify, on every Python: 3.13 also refuses authorities without the key identifiers of RFC 5280,
    # as many an organisation has one.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def basic(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _exchange(
    connected: socket.socket,
    target: WebTarget,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> Response:
    connection = http.client.HTTPConnection(target.hostname, timeout=SECONDS)
    connection.sock = connected
    connection.request(
        method, path, body, {"User-Agent": "sovstack-verify", "Connection": "close", **headers}
    )
    answer = connection.getresponse()
    content = answer.read(_LARGEST_BODY)
    return Response(
        answer.status, tuple((name.lower(), value) for name, value in answer.getheaders()), content
    )
