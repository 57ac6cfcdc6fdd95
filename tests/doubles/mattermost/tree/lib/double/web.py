"""HTTP: requests from the network and from the local socket, and the page that stands for the web client."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import traceback
import urllib.parse
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, ClassVar

from . import routes  # noqa: F401  its functions register themselves
from .api import Answer, Api, Request
from .contract import ROOT, VERSION, ApiError, invalid, new_id
from .people import Session
from .postgres import DatabaseError
from .websocket import Listener, accept_key

_IDLE_SECONDS = 60


class Handler(http.server.BaseHTTPRequestHandler):
    """One client's requests."""

    api: ClassVar[Api]
    local: ClassVar[bool]
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def handle_any(self) -> None:
        """Answer one request, whatever its method."""
        url = urllib.parse.urlsplit(self.path)
        body = self._read_body()
        if not url.path.startswith("/api/"):
            self._send_page(url.path)
            return
        try:
            answer = self._answer(url, body)
        except ApiError as error:
            answer = Answer(error.as_json(new_id()), error.status)
        except DatabaseError as error:
            failure = ApiError(
                "app.double.database.app_error", 500, "The database does not answer.", str(error)
            )
            answer = Answer(failure.as_json(new_id()), 500)
        except (LookupError, TypeError, ValueError) as error:
            # The double's own fault; its log says where.
            traceback.print_exception(error)
            answer = Answer(ApiError("app.double.fault.app_error", 500, repr(error)).as_json(new_id()), 500)
        if answer is not None:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815  names that http.server looks for

    def _read_body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        most = int(self.api.configuration["ServiceSettings.MaximumPayloadSizeBytes"])
        return self.rfile.read(min(length, most))

    def _answer(self, url: urllib.parse.SplitResult, body: bytes) -> Answer | None:
        path = urllib.parse.unquote(url.path).rstrip("/") or "/"
        session = self._find_session()
        if path == "/api/v4/websocket" and not self.local:
            self._serve_websocket(session)
            return None
        try:
            content = json.loads(body) if body.strip() else None
        except ValueError as error:
            raise invalid("JSON") from error
        request = Request(self.command, path, dict(urllib.parse.parse_qsl(url.query)), content, session)
        return self.api.answer(request, local=self.local)

    def _find_session(self) -> Session | None:
        """Return who asks, by a token in the header or, with proof that it is no other site's doing, in a cookie."""
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() in ("bearer", "token") and token:
            return self.api.people.session(token.strip())
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        if "MMAUTHTOKEN" not in cookies:
            return None
        session = self.api.people.session(cookies["MMAUTHTOKEN"].value)
        proved = session is not None and self.headers.get("X-CSRF-Token") == session.csrf
        return session if proved or self.command in ("GET", "HEAD") else None

    def _serve_websocket(self, session: Session | None) -> None:
        key = self.headers.get("Sec-WebSocket-Key", "")
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin", "")
        if self.headers.get("Upgrade", "").lower() != "websocket" or not key:
            raise ApiError("api.web_socket.connect.upgrade.app_error", 400, "The connection is no websocket.")
        allowed = self.api.configuration["ServiceSettings.AllowCorsFrom"]
        if (
            origin
            and allowed != "*"
            and urllib.parse.urlsplit(origin).netloc != host
            and origin not in allowed.split()
        ):
            raise ApiError("api.web_socket.connect.upgrade.app_error", 400, "The origin is not this site.")
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(key))
        self.end_headers()
        self.close_connection = True
        self.api.hub.serve(Listener(self.rfile, self.connection, session))

    def _send(self, answer: Answer) -> None:
        headers = [("Content-Type", "application/json"), ("X-Request-Id", new_id())]
        headers += [
            ("X-Version-Id", f"{VERSION}.{VERSION}.double.false"),
            ("Vary", "Accept-Encoding"),
            ("Permissions-Policy", ""),
        ]
        headers += [("Expires", "0")] if self.command == "GET" else []
        if answer.session:
            headers += [("Token", answer.session.token), *self._cookies(answer.session)]
        self._write(
            answer.status, headers, json.dumps(answer.content, separators=(",", ":")).encode() + b"\n"
        )

    def _cookies(self, session: Session) -> list[tuple[str, str]]:
        if self.headers.get("X-Requested-With") != "XMLHttpRequest":
            return []
        secure = "; Secure" if self.headers.get("X-Forwarded-Proto") == "https" else ""
        seconds = self.api.configuration["ServiceSettings.SessionLengthWebInHours"] * 3600
        common = f"; Path=/; Max-Age={seconds}{secure}"
        return [
            ("Set-Cookie", f"MMAUTHTOKEN={session.token}{common}; HttpOnly"),
            ("Set-Cookie", f"MMUSERID={session.user_id}{common}"),
            ("Set-Cookie", f"MMCSRF={session.csrf}{common}"),
        ]

    def _send_page(self, path: str) -> None:
        """Send a file of the web client, or the one page that shows everything else, as the real server does."""
        file = (ROOT / "client" / path.removeprefix("/static/")).resolve()
        if path.startswith("/static/") and not (file.is_file() and file.is_relative_to(ROOT / "client")):
            self._write(404, [("Content-Type", "text/plain; charset=utf-8")], b"404 page not found\n")
            return
        if not path.startswith("/static/"):
            file = ROOT / "client" / "root.html"
        kind = "text/html; charset=utf-8" if file.suffix == ".html" else "text/javascript"
        policy = "frame-ancestors 'self'; script-src 'self'"
        headers = [
            ("Content-Type", kind),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("Content-Security-Policy", policy),
        ]
        self._write(
            200, [*headers, ("Cache-Control", "no-cache, max-age=31556926, public")], file.read_bytes()
        )

    def _write(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        common = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        for name, value in common.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the real server does not log requests either."""


class NetworkServer(http.server.ThreadingHTTPServer):
    """The server on its network address."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[Handler]) -> None:
        if ":" in host or not host:
            self.address_family = socket.AF_INET6
        super().__init__((host or "::", port), handler)


class LocalServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The server on its local socket, where whoever may open it may do everything."""

    daemon_threads = True

    def __init__(self, path: Path, handler: type[Handler]) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), handler)
        path.chmod(0o600)

    def get_request(self) -> tuple[Any, Any]:
        connection, _ = super().get_request()
        return connection, ("local", 0)


def make_handler(api: Api, *, local: bool) -> type[Handler]:
    """Return a handler for one of the two ways in."""
    return type("BoundHandler", (Handler,), {"api": api, "local": local})
