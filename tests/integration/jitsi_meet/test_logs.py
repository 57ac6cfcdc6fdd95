"""The site of meetings in a real nginx: whatever fails, no log holds the token that was in the address."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import jinja2
import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
BODY = yaml.safe_load((ROLES / "jitsi_meet/defaults/main/exports.yml").read_text())[
    "jitsi_meet_export_nginx_body"
]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.canary.canary"
FRAME = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        {body}
    }}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Site:
    """The role's site without TLS, with a port of the test's in the place of Prosody's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.prosody_port = folder, free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, connections: int = 64) -> None:
        (self.folder / "headers.conf").touch()
        (self.folder / "index.html").write_text('<html><!--#include virtual="/absent.html" --></html>')
        environment = jinja2.Environment()  # noqa: S701  a configuration
        environment.filters["to_json"] = str
        body = (
            environment.from_string(BODY)
            .render(
                __jitsi_meet_root_dir=self.folder,
                __jitsi_meet_config_path=self.folder / "config.js",
                __jitsi_meet_content_policy=["default-src 'self'"],
                __jitsi_meet_interface_config={},
                jitsi_meet_language="nl",
            )
            .replace("127.0.0.1:5280", f"127.0.0.1:{self.prosody_port}")
            .replace("/etc/nginx/snippets/security-headers.conf", str(self.folder / "headers.conf"))
            .replace("/var/log/nginx", str(self.folder))
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            FRAME.format(folder=self.folder, port=self.port, body=body, connections=connections)
        )
        assert NGINX is not None
        self.process = subprocess.Popen([NGINX, "-c", str(configuration), "-p", str(self.folder)])
        for _ in range(100):
            if (self.folder / "nginx.pid").exists():
                return
            assert self.process.poll() is None, "nginx ended"
            threading.Event().wait(0.05)

    def ask(self, path: str, *, length: int = 0) -> int:
        """Return the status that a browser gets for an address with the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest("GET", f"{path}{'&' if '?' in path else '?'}room=r&token={TOKEN}&jwt={TOKEN}")
        connection.putheader("Referer", f"https://meet.zonnedael.example/r?jwt={TOKEN}")
        if length:
            connection.putheader("Content-Length", str(length))
        connection.endheaders()
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "error.log").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    if site.process:
        site.process.kill()
        site.process.wait()


@pytest.fixture
def prosody(site: Site) -> Iterator[Callable[[bytes], None]]:
    """Listen in Prosody's place, answer each connection with some bytes, and hang up."""
    servers: list[socket.socket] = []

    def listen(answer: bytes) -> None:
        server = socket.create_server(("127.0.0.1", site.prosody_port))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()

    yield listen
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


WAYS = ("/xmpp-websocket", "/http-bind")


@pytest.mark.parametrize("way", WAYS)
def test_prosody_that_is_down_tells_the_log_nothing(site: Site, way: str) -> None:
    site.start()
    assert site.ask(way) == 502
    assert "canary" not in site.log()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]
)
def test_prosody_that_breaks_off_tells_it_nothing(
    site: Site, prosody: Callable[[bytes], None], way: str, answer: bytes
) -> None:
    prosody(answer)
    site.start()
    with suppress(http.client.HTTPException):
        site.ask(way)
    assert "canary" not in site.log()


@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_too_long_tells_it_nothing(site: Site, way: str) -> None:
    site.start()
    assert site.ask(way, length=2**30) == 413
    assert "canary" not in site.log()


def test_files_that_are_missing_tell_it_nothing(site: Site) -> None:
    site.start()
    (site.folder / "static").mkdir()
    for path, status in (("/room", 200), ("/libs/absent.js", 404), ("/static/", 403), ("/config.js", 404)):
        assert site.ask(path) == status, path
    assert "canary" not in site.log()


def test_a_server_without_free_connections_tells_it_nothing(site: Site) -> None:
    # Three: the listening socket, the worker's channel and the browser, which leaves none for Prosody.
    site.start(connections=3)
    assert site.ask("/http-bind") in (500, 502)
    assert "canary" not in site.log()
