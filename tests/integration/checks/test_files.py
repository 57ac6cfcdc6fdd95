"""The Nextcloud probes against a small server that speaks the same interface, with faults on demand."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from provisioner.checks.outside import Client, FilesTarget, WebTarget, files
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict

from .conftest import Chain, issue

ADMIN, PASSWORD = "admin", "correct horse battery"


class Password:
    """What ``profile.secrets.Secret`` is to the probes."""

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> str:
        return PASSWORD


@dataclass
class Cloud:
    """The state of the server, and its faults."""

    users: dict[str, str] = field(default_factory=lambda: {ADMIN: PASSWORD})
    stored: dict[str, bytes] = field(default_factory=dict)
    last_cron: str = field(default_factory=lambda: str(int(time.time()) - 60))
    status: dict[str, object] = field(
        default_factory=lambda: {
            "installed": True, "maintenance": False, "needsDbUpgrade": False, "versionstring": "34.0.1",
        }
    )  # fmt: skip
    corrupts: bool = False
    keeps_deleted: bool = False
    refuses_users: bool = False
    fails_after_creation: bool = False
    is_open: bool = False
    hashed: int = 0
    shared: dict[str, tuple[str, str]] = field(default_factory=dict)
    link_is_open: bool = False
    refuses_shares: bool = False
    keeps_users: bool = False


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _user(self) -> str | None:
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            user, _, password = (
                base64.b64decode(token).decode().partition(":") if scheme == "Basic" else ("", "", "")
            )
            if self.headers.get("Cookie", "").endswith(f"session={user}; again=1"):
                return user
            self._begun = user
            cloud.hashed += bool(user)
            return user if user and cloud.users.get(user) == password else None

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            if begun := getattr(self, "_begun", ""):
                self.send_header("Set-Cookie", f"session={begun}; path=/; secure; HttpOnly")
                self.send_header("Set-Cookie", "again=1; SameSite=Strict")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _ocs(self, data: object, status: int = 200) -> None:
            self._answer(status, json.dumps({"ocs": {"meta": {"message": "said so"}, "data": data}}).encode())

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            user = self._user()
            if path == "/status.php":
                self._answer(200, json.dumps(cloud.status).encode())
            elif path == "/login":
                self._answer(200, b'<body id="body-login">')
            elif path.startswith("/public.php/dav/files/"):
                self._public(path.split("/")[4])
            elif user is None and not (cloud.is_open and path.startswith("/remote.php")):
                self._answer(401)
            elif path.startswith("/remote.php/dav/files/"):
                self._dav(path, body)
            elif self.headers.get("OCS-APIRequest") != "true":
                self._answer(412)
            elif path == "/ocs/v2.php/cloud/user":
                self._ocs({"id": user})
            elif path == "/ocs/v2.php/apps/files_sharing/api/v1/shares":
                self._share(str(user), parse_qs(body.decode()))
            elif user != ADMIN:
                self._answer(403)
            elif path == "/ocs/v2.php/apps/provisioning_api/api/v1/config/apps/core/lastcron":
                self._ocs({"data": cloud.last_cron})
            else:
                self._users(path, body)

        def _users(self, path: str, body: bytes) -> None:
            if self.command == "GET":
                wanted = parse_qs(urlsplit(self.path).query)["search"][0]
                self._ocs({"users": [name for name in cloud.users if wanted in name]})
            elif self.command == "POST" and cloud.refuses_users:
                self._ocs([], 400)
            elif self.command == "POST":
                form = parse_qs(body.decode())
                cloud.users[form["userid"][0]] = form["password"][0]
                self._ocs({"id": form["userid"][0]}, 500 if cloud.fails_after_creation else 200)
            else:
                if not cloud.keeps_users:
                    cloud.users.pop(path.rpartition("/")[2], None)
                self._ocs([])

        def _share(self, user: str, form: dict[str, list[str]]) -> None:
            name = form["path"][0].lstrip("/")
            stored = f"/remote.php/dav/files/{user}/{name}"
            if cloud.refuses_shares:
                self._ocs([], 403)
            elif form["shareType"] == ["0"]:
                cloud.stored[f"/remote.php/dav/files/{form['shareWith'][0]}/{name}"] = cloud.stored[stored]
                self._ocs({"id": "1"})
            else:
                cloud.shared["token"] = (stored, form["password"][0])
                self._ocs({"id": "2", "token": "token"})

        def _public(self, token: str) -> None:
            stored, password = cloud.shared[token]
            wanted = "Basic " + base64.b64encode(f"anonymous:{password}".encode()).decode()
            if cloud.link_is_open or self.headers.get("Authorization") == wanted:
                self._answer(200, cloud.stored[stored])
            else:
                self._answer(401)

        def _dav(self, path: str, body: bytes) -> None:
            if self.command == "PUT":
                cloud.stored[path] = body[:-1] + b"?" if cloud.corrupts else body
                self._answer(201)
            elif self.command == "PROPFIND":
                self._answer(207)
            elif path not in cloud.stored:
                self._answer(404)
            elif self.command == "DELETE":
                if not cloud.keeps_deleted:
                    del cloud.stored[path]
                self._answer(204)
            else:
                self._answer(200, cloud.stored[path])

        do_GET = do_PUT = do_POST = do_DELETE = do_PROPFIND = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


Serve = Callable[[Cloud], FilesTarget]


@pytest.fixture
def serve(chain: Chain, target: WebTarget) -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def start(cloud: Cloud) -> FilesTarget:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain.certificate, chain.key)
        server = ThreadingHTTPServer(("127.0.0.1", target.port), _handler(cloud))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return FilesTarget(target, Client(target, ADMIN, Password()))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "probe",
    [
        files.check_status,
        files.check_login,
        files.check_round_trip,
        files.check_stranger,
        files.check_background_jobs,
    ],
)
def test_probe_passes_on_a_good_server(probe: Callable[[FilesTarget], Finding], serve: Serve) -> None:
    cloud = Cloud()
    finding = probe(serve(cloud))
    assert finding.verdict is Verdict.PASS, finding
    assert list(cloud.users) == [ADMIN], "the throw-away user is still there"
    assert cloud.stored == {}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("installed", False, "not installed"),
        ("maintenance", True, "maintenance"),
        ("needsDbUpgrade", True, "upgrade"),
    ],
)
def test_status_that_is_not_ready_fails(key: str, value: bool, said: str, serve: Serve) -> None:
    cloud = Cloud()
    cloud.status[key] = value
    finding = files.check_status(serve(cloud))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual


def test_log_in_with_another_password_fails(serve: Serve) -> None:
    finding = files.check_login(serve(Cloud(users={ADMIN: "changed by hand"})))
    assert finding.verdict is Verdict.FAIL
    assert "401" in finding.actual


def test_altered_file_fails_and_leaves_no_user(serve: Serve) -> None:
    cloud = Cloud(corrupts=True)
    finding = files.check_round_trip(serve(cloud))
    assert finding.verdict is Verdict.FAIL
    assert "not what went up" in finding.actual
    assert list(cloud.users) == [ADMIN]


def test_file_that_stays_after_deletion_fails(serve: Serve) -> None:
    finding = files.check_round_trip(serve(Cloud(keeps_deleted=True)))
    assert finding.verdict is Verdict.FAIL
    assert "GET answers 200" in finding.actual


def test_no_user_means_no_evidence(serve: Serve) -> None:
    with pytest.raises(NoEvidence, match="creating a user answers 400 said so"):
        files.check_round_trip(serve(Cloud(refuses_users=True)))


def test_user_that_exists_although_its_creation_failed_is_a_warning(serve: Serve) -> None:
    cloud = Cloud(fails_after_creation=True)
    finding = files.check_round_trip(serve(cloud))
    assert finding.verdict is Verdict.WARN
    assert "creating a user answers 500" in finding.actual
    assert list(cloud.users) == [ADMIN]


def test_leftovers_of_a_killed_run_are_removed_and_a_running_one_is_not(serve: Serve) -> None:
    now = int(time.time())
    old, young, person = (
        f"sovstack-check-{now - 7200}-aa",
        f"sovstack-check-{now - 60}-bb",
        "sovstack-check-in",
    )
    cloud = Cloud(users={ADMIN: PASSWORD, old: "x", young: "x", person: "x"})
    assert files.check_round_trip(serve(cloud)).verdict is Verdict.PASS
    assert list(cloud.users) == [ADMIN, young, person]


def test_files_without_log_in_fail(serve: Serve) -> None:
    assert files.check_stranger(serve(Cloud(is_open=True))).verdict is Verdict.FAIL


@pytest.mark.parametrize(("ago", "verdict"), [(3600, Verdict.FAIL), (600, Verdict.PASS)])
def test_age_of_background_jobs(ago: int, verdict: Verdict, serve: Serve) -> None:
    finding = files.check_background_jobs(serve(Cloud(last_cron=str(int(time.time()) - ago))))
    assert finding.verdict is verdict


def test_background_jobs_that_never_ran_fail(serve: Serve) -> None:
    finding = files.check_background_jobs(serve(Cloud(last_cron="")))
    assert finding.verdict is Verdict.FAIL
    assert "no background job" in finding.actual


def test_password_never_goes_to_an_untrusted_server(serve: Serve, chain: Chain, tmp_path: object) -> None:
    target = serve(Cloud())
    assert target.web.ca_file is not None
    other = issue(target.web.ca_file.parent / "other")
    web = WebTarget(target.web.hostname, target.web.address, other.ca, target.web.port)
    stranger = FilesTarget(web, Client(web, ADMIN, Password()))
    for probe in (files.check_status, files.check_login, files.check_round_trip):
        with pytest.raises(NoEvidence, match="certificate verify failed"):
            probe(stranger)


def test_password_is_hashed_once_per_user(serve: Serve) -> None:
    cloud = Cloud()
    target = serve(cloud)
    for probe in (files.check_login, files.check_round_trip, files.check_background_jobs):
        assert probe(target).verdict is Verdict.PASS
    assert cloud.hashed == 2


def test_target_does_not_show_its_password(target: WebTarget) -> None:
    assert PASSWORD not in repr(FilesTarget(target, Client(target, ADMIN, Password())))
