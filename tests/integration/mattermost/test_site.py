"""Mattermost's site in a real nginx: who tries passwords is told to wait, and nobody has the server ask the vendor."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
EXPORTS = yaml.safe_load((ROLES / "mattermost/defaults/main/exports.yml").read_text())
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
LOGIN = "/api/v4/users/login"
#: As many as come at once, and the one that is served at the rate's pace.
LET_THROUGH = 31
FRAME = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {beside}
    server {{
        listen 127.0.0.1:{port};
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Test-Client;
        {body}
    }}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")


class Mattermost(BaseHTTPRequestHandler):
    """Knows nobody."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where the role's site answers, without TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mattermost)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    body = EXPORTS["mattermost_export_nginx_body"].replace("{{ mattermost_upload_limit }}", "1M")
    body = body.replace("127.0.0.1:8065", f"127.0.0.1:{server.server_port}")
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    beside = EXPORTS["mattermost_export_nginx_beside"]
    configuration.write_text(FRAME.format(folder=tmp_path, port=port, beside=beside, body=body))
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-c", str(configuration), "-p", str(tmp_path)])
    for _ in range(100):
        if (tmp_path / "nginx.pid").exists():
            break
        assert process.poll() is None, "nginx ended"
        threading.Event().wait(0.05)
    yield port
    process.kill()
    process.wait()
    server.shutdown()
    server.server_close()


def ask(port: int, client: str, path: str = LOGIN) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, b"{}", {"X-Test-Client": client})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def is_refused(port: int, client: str, path: str = LOGIN) -> bool:
    """Whether this client is refused now; on a slow computer the rate lets a few more through."""
    return any(ask(port, client, path)[0] == 429 for _ in range(10))


def test_guesses_are_refused_in_words_that_the_page_shows(port: int) -> None:
    statuses = [ask(port, "198.51.100.7")[0] for _ in range(LET_THROUGH)]
    assert set(statuses) == {401}
    assert is_refused(port, "198.51.100.7", "/api/v4//users/./login")
    _, body = ask(port, "198.51.100.7")
    said = json.loads(body)
    assert "Wait" in said["message"]
    assert said["id"]  # without one the page takes the log-in for done


def test_others_and_what_users_do_are_not_held_up(port: int) -> None:
    for _ in range(LET_THROUGH):
        ask(port, "198.51.100.7")
    assert is_refused(port, "198.51.100.7")
    assert ask(port, "198.51.100.8")[0] == 401
    assert ask(port, "198.51.100.7", "/api/v4/posts")[0] == 401


def test_addresses_of_one_ipv6_network_are_counted_together(port: int) -> None:
    statuses = [ask(port, f"2001:db8:7:1:{number:x}::5")[0] for number in range(LET_THROUGH)]
    assert set(statuses) == {401}
    assert is_refused(port, "2001:db8:7:1::1")
    statuses = [ask(port, f"2001:db8:0:0:{number:x}::5")[0] for number in range(LET_THROUGH)]
    assert set(statuses) == {401}
    assert is_refused(port, "2001:db8::1")
    assert ask(port, "2001:db8:7:2::1")[0] == 401


def test_mails_that_a_stranger_may_ask_for_are_counted(port: int) -> None:
    for _ in range(LET_THROUGH):
        ask(port, "198.51.100.7", "/api/v4/users/password/reset/send")
    assert is_refused(port, "198.51.100.7", "/api/v4/users/password/reset/send")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v4/latest_version", 403),
        ("/api/v4//latest_version", 403),
        ("/api/v4/%6catest_version", 403),
        ("/api/v4/upgrade_to_enterprise", 403),
        ("/api/v4/cloud/check-cws-connection", 403),
        ("/api/v4/trial-license", 403),
        ("/api/v4/trial-license/prev", 401),  # asks the database alone
        ("/api/v4/channels", 401),
    ],
)
def test_nobody_has_the_server_ask_the_vendor(port: int, path: str, status: int) -> None:
    answered, body = ask(port, "198.51.100.7", path)
    assert answered == status
    assert status == 401 or json.loads(body)["message"]
