"""The Mattermost probes against a small server that speaks the same interface, with faults on demand."""

from __future__ import annotations

import json
import queue
import secrets
import select
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.protocol import State
from websockets.server import ServerProtocol

from provisioner.checks import outside
from provisioner.checks.outside import ChatTarget, WebTarget, chat
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict

from .conftest import Chain, issue

ADMIN, PASSWORD = "admin", "correct horse battery"
PROBES = [
    *(chat.check_status, chat.check_login, chat.check_message),
    *(chat.check_sign_up, chat.check_stranger, chat.check_vendor),
]


class Password:
    """What ``profile.secrets.Secret`` is to the probes."""

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> str:
        return PASSWORD


@dataclass
class Person:
    name: str
    password: str
    roles: str = "system_user"
    active: bool = True
    id: str = field(default_factory=lambda: secrets.token_hex(13))
    heard: queue.Queue[str] = field(default_factory=queue.Queue)

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "username": self.name, "roles": self.roles, "delete_at": int(not self.active)}


@dataclass
class Server:
    """The state of the server, and its faults."""

    people: list[Person] = field(
        default_factory=lambda: [Person(ADMIN, PASSWORD, "system_user system_admin")]
    )
    sessions: dict[str, Person] = field(default_factory=dict)
    teams: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    posts: dict[str, str] = field(default_factory=dict)
    mailed: list[str] = field(default_factory=list)
    health: dict[str, str] = field(
        default_factory=lambda: {"status": "OK", "database_status": "OK", "filestore_status": "OK"}
    )
    deletes_for_good: bool = False
    keeps_everything: bool = False
    is_open: bool = False
    is_down: bool = False
    believes_everybody: bool = False
    open_paths: tuple[str, ...] = ()
    upgrades: bool = True
    delivers: bool = True
    refuses_users: bool = False
    refuses_posts: bool = False
    asks_vendor: bool = False
    page: bytes = b"<!doctype html><html></html>"

    def named(self, name: str) -> Person | None:
        return next((person for person in self.people if person.name == name), None)

    def tell(self, event: str, data: dict[str, Any]) -> None:
        for person in self.people:
            person.heard.put(json.dumps({"event": event, "data": data, "seq": 1}))


class Handler(BaseHTTPRequestHandler):
    """Mattermost's API as far as the probes use it; what it does not know answers 404."""

    protocol_version = "HTTP/1.1"
    server_state: Server

    def serve(self) -> None:
        state = self.server_state
        length = int(self.headers.get("Content-Length") or 0)
        self.body: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        token = self.headers.get("Authorization", self.headers.get("Cookie", ""))
        self.who = state.sessions.get(token.removeprefix("Bearer ").removeprefix("MMAUTHTOKEN="))
        path = urlsplit(self.path)
        permanent = path.query == "permanent=true"
        if state.is_down:
            self.answer(502, b"<html>Bad Gateway</html>")
            return
        if state.believes_everybody and "Authorization" in self.headers:
            self.who = self.who or state.people[0]
        match self.command, *path.path.removeprefix("/api/v4").strip("/").split("/"):
            case ("GET", "login") | ("GET", _, "channels", "town-square"):
                self.answer(200, state.page)
            case "GET", "system", "ping":
                status = 200 if set(state.health.values()) == {"OK"} else 500
                self.answer(status, state.health, {"X-Version-Id": "11.7.9.11.7.9.abc.false"})
            case "POST", "users", "login":
                self.log_in(state)
            case "POST", "users":
                self.make_user(state)
            case "GET", *_ if path.path.removeprefix("/api/v4") in chat._VENDOR and not state.asks_vendor:
                self.refuse(403, "This deployment does not ask the vendor.")
            case "GET", *_ if path.path.removeprefix("/api/v4") in state.open_paths:
                self.answer(200, [])
            case _ if self.who is None or not self.who.active:
                self.refuse(401, "Invalid or expired session, please login again.")
            case "GET", "websocket":
                self.websocket(state, self.who)
            case "POST", "users", "logout":
                state.sessions = {key: who for key, who in state.sessions.items() if who is not self.who}
                self.answer(200, {"status": "OK"})
            case "POST", "posts":
                self.post(state)
            case "DELETE", "posts", post:
                del state.posts[post]
                self.answer(200, {})
            case _ if "system_admin" not in self.who.roles:
                self.refuse(403, "You do not have the appropriate permissions.")
            case "GET", "users", "me":
                self.answer(200, self.who.as_json())
            case "GET", "users", "username", name:
                found = state.named(name)
                self.answer(200, found.as_json()) if found else self.refuse(404, "no such user")
            case "GET", "users", user:
                known = next((person for person in state.people if person.id == user), None)
                self.answer(200, known.as_json()) if known else self.refuse(404, "no such user")
            case "POST", "users", "search":
                self.answer(200, [p.as_json() for p in state.people if self.body["term"] in p.name])
            case "POST", "teams", "search":
                self.answer(200, [t for t in state.teams.values() if self.body["term"] in t["name"]])
            case "PUT", "users", user, what:
                [person] = [person for person in state.people if person.id == user]
                if what == "active":
                    person.active = self.body["active"]
                else:
                    person.password = self.body["new_password"]
                    state.mailed.append(person.name)
                self.answer(200, {})
            case "DELETE", "users", user:
                [person] = [person for person in state.people if person.id == user]
                if self.may_delete(state, permanent):
                    person.active = False
                    if permanent:
                        state.people.remove(person)
            case "GET", "teams", "name", name:
                found_team = next((team for team in state.teams.values() if team["name"] == name), None)
                self.answer(200, found_team) if found_team else self.refuse(404, "no such team")
            case "POST", "teams":
                team = {**self.body, "id": secrets.token_hex(13), "delete_at": 0}
                state.teams[team["id"]] = team
                self.answer(201, team)
            case "POST", "teams", team_id, "restore":
                state.teams[team_id]["delete_at"] = 0
                self.answer(200, state.teams[team_id])
            case "POST", "teams", _, "members":
                state.members.append(self.body["user_id"])
                self.answer(201, {})
            case "GET", "teams", _, "channels", "name", "town-square":
                self.answer(200, {"id": "town-square-id"})
            case "DELETE", "teams", team_id:
                if self.may_delete(state, permanent):
                    state.teams[team_id]["delete_at"] = 1
                    if permanent:
                        del state.teams[team_id]
            case _:
                self.refuse(404, "no such place")

    do_GET = do_POST = do_PUT = do_DELETE = serve  # noqa: N815

    def may_delete(self, state: Server, permanent: bool) -> bool:
        if state.keeps_everything or (permanent and not state.deletes_for_good):
            self.refuse(401, "Permanent deletion is not enabled.")
            return False
        self.answer(200, {"status": "OK"})
        return True

    def log_in(self, state: Server) -> None:
        person = state.named(self.body["login_id"])
        if person is None or person.password != self.body["password"] or not person.active:
            self.refuse(401, "Enter a valid email or username and/or password.")
            return
        token = secrets.token_hex(13)
        state.sessions[token] = person
        self.answer(
            200, person.as_json(), {"Token": token, "Set-Cookie": f"MMAUTHTOKEN={token}; Path=/; Secure"}
        )

    def make_user(self, state: Server) -> None:
        is_admin = self.who is not None and "system_admin" in self.who.roles
        if not (is_admin or state.is_open):
            self.refuse(403, "This server does not allow open signups.")
        elif state.refuses_users:
            self.refuse(400, "Unable to create user: the limit is reached.")
        else:
            person = Person(self.body["username"], self.body["password"])
            state.people.append(person)
            self.answer(201, person.as_json())

    def post(self, state: Server) -> None:
        assert self.who
        if state.refuses_posts or self.who.id not in state.members:
            self.refuse(403, "You do not have the appropriate permissions.")
            return
        post = {"id": secrets.token_hex(13), "message": self.body["message"]}
        state.posts[post["id"]] = post["message"]
        state.tell("posted", {"post": json.dumps({"id": "x", "message": "somebody joined the team."})})
        state.tell("typing", {"user_id": "x"})
        if state.delivers:
            state.tell("posted", {"post": json.dumps(post)})
        self.answer(201, post)

    def websocket(self, state: Server, who: Person) -> None:
        if not state.upgrades:
            self.refuse(400, "URL Blocked because of CORS.")
            return
        self.close_connection = True
        protocol = ServerProtocol()
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        protocol.receive_data("\r\n".join(lines).encode())
        [request] = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        protocol.send_text(json.dumps({"event": "hello", "data": {"server_version": "11.7.9"}}).encode())
        self.flush(protocol)
        while protocol.state is State.OPEN:
            with suppress(queue.Empty):
                protocol.send_text(who.heard.get(timeout=0.02).encode())
            if select.select([self.connection], [], [], 0)[0]:
                protocol.receive_data(self.connection.recv(65536))
            self.flush(protocol)

    def flush(self, protocol: ServerProtocol) -> None:
        for data in protocol.data_to_send():
            self.wfile.write(data)

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, message: str) -> None:
        self.answer(status, {"id": "api.refused", "message": message, "status_code": status})

    def log_message(self, *_: object) -> None:
        pass


Serve = Callable[[Server], ChatTarget]


@pytest.fixture
def serve(chain: Chain, target: WebTarget, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr(chat, "_SECONDS", 1)
    servers: list[ThreadingHTTPServer] = []

    def start(state: Server) -> ChatTarget:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain.certificate, chain.key)
        handler = type("BoundHandler", (Handler,), {"server_state": state})
        server = ThreadingHTTPServer(("127.0.0.1", target.port), handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return ChatTarget(target, ADMIN, Password())

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def usable(state: Server) -> list[str]:
    """Return the users who can log in and the teams that are not archived, but for the administrator."""
    people = [person.name for person in state.people if person.active and person.name != ADMIN]
    return people + [team["name"] for team in state.teams.values() if not team["delete_at"]]


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("deletes_for_good", [False, True])
def test_probe_passes_on_a_good_server_and_leaves_nothing_in_use(
    probe: Callable[[ChatTarget], Finding], deletes_for_good: bool, serve: Serve
) -> None:
    state = Server(deletes_for_good=deletes_for_good)
    finding = probe(serve(state))
    assert finding.verdict is Verdict.PASS, finding
    assert usable(state) == []
    assert state.sessions == {}
    assert state.posts == {}
    if deletes_for_good:
        assert [person.name for person in state.people] == [ADMIN]


def test_a_second_run_uses_the_users_of_the_first(serve: Serve) -> None:
    state = Server()
    target = serve(state)
    for _ in range(3):
        assert chat.check_message(target).verdict is Verdict.PASS
    assert [person.name for person in state.people] == [ADMIN, chat.WRITER, chat.READER]
    assert len(state.teams) == 1
    assert state.mailed == []
    assert state.people[1].password == state.people[2].password != PASSWORD


def test_what_a_killed_run_left_is_switched_off_by_the_next_one(serve: Serve) -> None:
    state = Server()
    state.people += [Person(chat.WRITER, "forgotten"), Person("sovstack-checker", "a person's")]
    state.teams["t"] = {"id": "t", "name": chat.TEAM, "delete_at": 0}
    assert chat.check_message(serve(state)).verdict is Verdict.PASS
    assert usable(state) == ["sovstack-checker"]
    assert state.mailed == [chat.WRITER], "only the one whose password was another one is told of a new one"


@pytest.mark.parametrize("name", ["status", "database_status", "filestore_status"])
def test_a_part_that_is_not_well_fails(name: str, serve: Serve) -> None:
    state = Server()
    state.health[name] = "UNHEALTHY"
    finding = chat.check_status(serve(state))
    assert finding.verdict is Verdict.FAIL
    assert f"{name} is UNHEALTHY" in finding.actual
    assert "500" in finding.actual


def test_status_names_the_version(serve: Serve) -> None:
    assert "version 11.7.9," in chat.check_status(serve(Server())).actual


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Server(people=[Person(ADMIN, "changed by hand")]), "logging in as admin answers 401 (Enter a valid"),
        (Server(people=[Person(ADMIN, PASSWORD)]), "admin is no administrator"),
        (Server(page=b"upstream is gone"), "/login answers 200"),
    ],
)
def test_a_log_in_that_does_not_work_fails(state: Server, said: str, serve: Serve) -> None:
    finding = chat.check_login(serve(state))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Server(delivers=False), "no event 'posted' within 1 seconds"),
        (Server(upgrades=False), "the websocket: server rejected WebSocket connection: HTTP 400"),
        (Server(refuses_posts=True), "posting a message answers 403 (You do not"),
    ],
)
def test_a_message_that_does_not_arrive_fails_and_leaves_nothing_in_use(
    state: Server, said: str, serve: Serve
) -> None:
    finding = chat.check_message(serve(state))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual
    assert usable(state) == []
    assert state.sessions == {}


def test_no_user_means_no_evidence(serve: Serve) -> None:
    with pytest.raises(NoEvidence, match=r"POST /api/v4/users answers 400 \(Unable to create user"):
        chat.check_message(serve(Server(refuses_users=True)))


def test_another_administrator_means_no_evidence_of_messages(serve: Serve) -> None:
    with pytest.raises(NoEvidence, match="logging in as admin answers 401"):
        chat.check_message(serve(Server(people=[Person(ADMIN, "changed by hand")])))


def test_users_that_cannot_be_switched_off_are_a_warning(serve: Serve) -> None:
    finding = chat.check_message(serve(Server(keeps_everything=True)))
    assert finding.verdict is Verdict.WARN
    assert (
        f"could not be switched off afterwards: {chat.WRITER}, {chat.READER}, {chat.TEAM}" in finding.actual
    )


def test_open_sign_up_fails_and_the_account_is_switched_off(serve: Serve) -> None:
    state = Server(is_open=True)
    finding = chat.check_sign_up(serve(state))
    assert finding.verdict is Verdict.FAIL
    assert "was made and switched off" in finding.actual
    assert usable(state) == []


def test_sign_up_that_is_refused_for_another_reason_is_no_evidence(serve: Serve) -> None:
    with pytest.raises(NoEvidence, match="signing up answers 400"):
        chat.check_sign_up(serve(Server(is_open=True, refuses_users=True)))


def test_an_api_that_tells_strangers_something_fails(serve: Serve) -> None:
    finding = chat.check_stranger(serve(Server(open_paths=("/teams",))))
    assert finding.verdict is Verdict.FAIL
    assert finding.actual == "GET /teams answers 200"


def test_a_session_that_the_server_did_not_begin_is_tried(serve: Serve) -> None:
    finding = chat.check_stranger(serve(Server(believes_everybody=True)))
    assert finding.verdict is Verdict.FAIL
    assert finding.actual == "a forged session answers 200"


def test_a_server_that_is_down_behind_its_proxy_is_no_evidence_of_what_strangers_may(serve: Serve) -> None:
    target = serve(Server(is_down=True))
    assert chat.check_status(target).verdict is Verdict.FAIL
    assert chat.check_login(target).verdict is Verdict.FAIL
    for probe in (chat.check_message, chat.check_sign_up, chat.check_stranger):
        with pytest.raises(NoEvidence, match="answers 502"):
            probe(target)


def test_password_never_goes_to_an_untrusted_server(serve: Serve) -> None:
    target = serve(Server())
    assert target.web.ca_file is not None
    other = issue(target.web.ca_file.parent / "other")
    web = WebTarget(target.web.hostname, target.web.address, other.ca, target.web.port)
    for probe in PROBES:
        with pytest.raises(NoEvidence, match="certificate verify failed"):
            probe(ChatTarget(web, ADMIN, Password()))


def test_nothing_that_answers_means_no_evidence(target: WebTarget) -> None:
    checks = list(outside.run(chat=[ChatTarget(target, ADMIN, Password())]))
    assert [check.id for check in checks] == [promise.id for promise in chat.CHAT_PROMISES]
    assert {check.verdict for check in checks} == {Verdict.NOT_ASSESSED}


def test_target_does_not_show_its_password(target: WebTarget) -> None:
    assert PASSWORD not in repr(ChatTarget(target, ADMIN, Password()))


def test_a_server_that_can_be_had_to_ask_the_vendor_fails(serve: Serve) -> None:
    finding = chat.check_vendor(serve(Server(asks_vendor=True)))
    assert finding.verdict is Verdict.FAIL
    assert "GET /latest_version answers 401" in finding.actual
