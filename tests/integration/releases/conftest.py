"""A file server on the loopback that misbehaves on request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioner.releases import downloading

BLOCK = 128 * 1024  # bytes sent before ``pace`` holds an answer


@dataclass
class FileServer:
    """Serves a folder.

    Attributes:
        cut_after: Bytes after which the connection of the next answers ends, one number per answer.
        ranges: Whether it can send a part of a file.
        tags: Whether it names the content with an ETag.
        failures: Status codes that the next answers give instead of a file.
        pace: Set it to hold every answer after its first block until the event is set.
        requests: Path and Range header of every request.
    """

    root: Path
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    tags: bool = True
    failures: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    pace: threading.Event | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append((request.path, request.headers.get("Range")))
        request.close_connection = True
        path = self.root / request.path.lstrip("/")
        if self.failures:
            request.send_error(self.failures.pop(0))
        elif request.path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[request.path])
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif path.is_file():
            self.send(request, path.read_bytes())
        else:
            request.send_error(404)

    def send(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        asked = request.headers.get("Range", "")
        start = int(asked[len("bytes=") : -1]) if asked and self.ranges else 0
        if request.headers.get("If-Range", tag) != tag:
            start = 0
        if start and start >= len(content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        if self.tags:
            request.send_header("ETag", tag)
        request.end_headers()
        body = content[start:]
        if self.cut_after:
            body = body[: self.cut_after.pop(0)]
        try:
            request.wfile.write(body[:BLOCK])
            request.wfile.flush()
            if self.pace is not None:
                self.pace.wait(60)
            request.wfile.write(body[BLOCK:])
        except (BrokenPipeError, ConnectionResetError):
            pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serve ``tmp_path/served``; retries do not wait."""
    monkeypatch.setattr(downloading, "_PAUSE", 0.0)
    root = tmp_path / "served"
    root.mkdir()
    files = FileServer(root)
    http = ThreadingHTTPServer(("127.0.0.1", 0), files.handler())
    files.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield files
    if files.pace is not None:
        files.pace.set()
    http.shutdown()
    http.server_close()
