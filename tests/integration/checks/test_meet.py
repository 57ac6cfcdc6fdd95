"""The probes of meetings against a small server that speaks Prosody's side of the stream, with faults on demand."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import fromstring

import pytest
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from provisioner.checks.outside import MeetingsTarget, WebTarget, meet, xmpp
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict

from .conftest import Chain, issue

HOSTNAME = "meet.zonnedael.example"
CONFIG: dict[str, Any] = {
    "hosts": {"domain": HOSTNAME, "anonymousdomain": f"guest.{HOSTNAME}"},
    "websocket": f"wss://{HOSTNAME}/xmpp-websocket",
    "disableThirdPartyRequests": True,
    "p2p": {"stunServers": [{"urls": f"stun:{HOSTNAME}:3478"}]},
}
PAGE = '<!doctype html><html><script src="libs/app.js"></script><a href="https://jitsi.org">Jitsi</a></html>'
BAD = {"one of another key": "forged", "one that expired": "expired", "one for another room": "elsewhere"}


@dataclass
class Server:
    """What the server does; by default what sovstack's Prosody does."""

    config: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CONFIG)))
    page: str = PAGE
    guests: bool = True
    lobby: bool = True
    believes: tuple[str, ...] = ("moderator",)
    leads: tuple[str, ...] = ("moderator",)
    speaks: bool = True
    focus_comes_after: int = 0
    refuses: str = ""  # with what it turns everybody away who wants to enter a room, whoever it is


def answer_page(state: Server, connection: ServerConnection, request: Request) -> Response | None:
    path = urlsplit(request.path).path
    if path == "/xmpp-websocket":
        return None
    text = {"/": state.page, "/config.js": f"var config = {json.dumps(state.config)};"}.get(path)
    return connection.respond(HTTPStatus.OK if text else HTTPStatus.NOT_FOUND, text or "nothing")


def speak(state: Server, connection: ServerConnection) -> None:
    """Be Prosody for one participant."""
    query = parse_qs(urlsplit(connection.request.path).query)  # type: ignore[union-attr]
    token = query.get("token", ["none"])[0]
    who, domain = token, ""
    for text in connection:
        stanza = fromstring(text)  # noqa: S314  the probe under test wrote it
        kind = stanza.tag.rpartition("}")[2]
        if not state.speaks:
            return
        if kind == "open":
            domain = stanza.get("to") or ""
            if domain.startswith("guest."):
                who = "guest"
            if who == "guest" and not state.guests:
                connection.send(
                    "<error xmlns='http://etherx.jabber.org/streams'><host-unknown xmlns='urn:s'/></error>"
                )
                return
            connection.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
            connection.send("<features xmlns='http://etherx.jabber.org/streams'/>")
        elif kind == "auth":
            fine = who in state.believes or who in ("guest", "elsewhere")
            connection.send("<success xmlns='s'/>" if fine else "<failure xmlns='s'><not-allowed/></failure>")
        elif kind == "iq" and stanza.get("id") == "conference" and state.focus_comes_after:
            state.focus_comes_after -= 1
            error = "<error type='wait'><service-unavailable xmlns='c'/></error>"
            connection.send(f"<iq xmlns='jabber:client' type='error' id='conference'>{error}</iq>")
        elif kind == "iq":
            connection.send(f"<iq xmlns='jabber:client' type='result' id='{stanza.get('id')}'/>")
        elif kind == "presence":
            room = str(stanza.get("to"))
            waits = who == "guest" and state.lobby
            if state.refuses or waits or (who == "elsewhere" and who not in state.believes):
                # As mod_muc_lobby_rooms answers: the lobby's own address goes along.
                condition = state.refuses or "registration-required"
                error = f"<error type='auth'><{condition} xmlns='c'/><lobbyroom>lobby</lobbyroom></error>"
                connection.send(
                    f"<presence xmlns='jabber:client' from='{room}' type='error'>{error}</presence>"
                )
                continue
            connection.send(present(room, "participant"))
            if who in state.leads:
                connection.send(present(room, "moderator"))


def present(room: str, role: str) -> str:
    status = "<status code='110'/>"
    return f"<presence xmlns='jabber:client' from='{room}'><x><item role='{role}'/>{status}</x></presence>"


Setting = tuple[Server, MeetingsTarget]


@pytest.fixture(scope="module")
def meet_chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return issue(tmp_path_factory.mktemp("meet"), hostname=HOSTNAME)


@pytest.fixture
def setting(meet_chain: Chain) -> Iterator[Callable[..., Setting]]:
    running: list[WebSocketServer] = []

    def start(**faults: Any) -> Setting:
        state = Server(**faults)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(meet_chain.certificate, meet_chain.key)

        def handle(connection: ServerConnection) -> None:
            with suppress(WebSocketException):
                speak(state, connection)

        server = serve(
            handle,
            "127.0.0.1",
            0,
            ssl=context,
            subprotocols=[Subprotocol("xmpp")],
            process_request=lambda connection, request: answer_page(state, connection, request),
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        port = server.socket.getsockname()[1]
        web = WebTarget(HOSTNAME, "127.0.0.1", meet_chain.ca, port=port, page="/")
        return state, make_target(web, guests=state.guests, lobby=state.lobby)

    yield start
    for server in running:
        server.shutdown()


def make_target(web: WebTarget, *, guests: bool = True, lobby: bool = True) -> MeetingsTarget:
    return MeetingsTarget(
        web,
        turn_hostname=HOSTNAME,
        guests=guests,
        lobby=lobby,
        token=lambda room, moderator: "moderator" if moderator else "guest",
        bad_tokens=lambda room: BAD,
    )


def see(probe: Callable[[MeetingsTarget], Finding], setting: Setting) -> Finding:
    return probe(setting[1])


def test_meetings_as_sovstack_deploys_them_pass(setting: Callable[..., Setting]) -> None:
    running = setting()
    for probe in (meet.check_page, meet.check_moderator, meet.check_forged, meet.check_guests):
        assert see(probe, running).verdict is Verdict.PASS, probe


def change(**settings: Any) -> dict[str, Any]:
    changed: dict[str, Any] = {**CONFIG, **settings}
    return {name: value for name, value in changed.items() if value is not None}


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"config": change(p2p={})}, "p2p.stunServers is missing"),
        (
            {"config": change(p2p={"stunServers": [{"urls": "stun:stun.elsewhere.example:3478"}]})},
            "stun.elsewhere",
        ),
        ({"config": change(analytics={"scriptURLs": ["https://a.example/x.js"]})}, "a.example is asked"),
        ({"config": change(logo="//cdn.example/logo.png")}, "cdn.example is asked"),
        ({"config": change(disableThirdPartyRequests=False)}, "disableThirdPartyRequests"),
        ({"config": change(hosts={"domain": HOSTNAME})}, "guests are not offered a way in"),
        ({"guests": False}, "guests are offered a way in"),
        ({"page": '<html><script src="https://cdn.example/app.js"></script></html>'}, "cdn.example"),
        ({"page": "Bad Gateway"}, "/ is no page"),
    ],
)
def test_a_page_that_asks_somebody_else_fails(
    setting: Callable[..., Setting], faults: Mapping[str, Any], said: str
) -> None:
    finding = see(meet.check_page, setting(**faults))
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual


def test_settings_that_are_not_ours_are_no_evidence(setting: Callable[..., Setting]) -> None:
    running = setting()
    running[0].config = []  # type: ignore[assignment]
    with pytest.raises(NoEvidence, match="not the file that sovstack writes"):
        see(meet.check_page, running)


def test_a_moderator_who_is_refused_or_leads_nothing_fails(
    setting: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is refused: not-allowed" in see(meet.check_moderator, setting(believes=())).actual
    monkeypatch.setattr(xmpp.Stream, "await_role", lambda *arguments: False)
    finding = see(meet.check_moderator, setting(leads=()))
    assert (finding.verdict, finding.actual) == (Verdict.FAIL, "lets in as participant only")


def test_jicofo_may_come_back_a_little_later_and_not_never(
    setting: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert see(meet.check_moderator, setting(focus_comes_after=1)).verdict is Verdict.PASS
    monkeypatch.setattr(xmpp, "_RETURN_SECONDS", 0)
    assert "service-unavailable" in see(meet.check_moderator, setting(focus_comes_after=9)).actual


@pytest.mark.parametrize("token", ["none", *BAD.values()])
def test_a_token_that_should_be_refused_and_is_not_fails(setting: Callable[..., Setting], token: str) -> None:
    finding = see(meet.check_forged, setting(believes=("moderator", token)))
    assert finding.verdict is Verdict.FAIL
    assert "is accepted" in finding.actual


def test_refusing_everybody_proves_nothing_about_forged_tokens(setting: Callable[..., Setting]) -> None:
    with pytest.raises(NoEvidence, match="even a moderator's token is refused"):
        see(meet.check_forged, setting(believes=()))


@pytest.mark.parametrize(
    ("really", "wanted", "verdict", "said"),
    [
        ({"guests": False}, {"guests": False}, Verdict.PASS, "not let in (host-unknown)"),
        ({"guests": True}, {"guests": False}, Verdict.FAIL, "instead of host-unknown: registration-required"),
        ({}, {}, Verdict.PASS, "waits for a moderator (registration-required"),
        ({"guests": False}, {}, Verdict.FAIL, "instead of registration-required: host-unknown"),
        ({"refuses": "not-allowed"}, {}, Verdict.FAIL, "instead of registration-required: not-allowed"),
        ({"refuses": "service-unavailable"}, {}, Verdict.FAIL, "service-unavailable"),
        ({"refuses": "not-allowed"}, {"guests": False}, Verdict.FAIL, "instead of host-unknown: not-allowed"),
        ({"refuses": "not-allowed"}, {"lobby": False}, Verdict.FAIL, "a guest is not let in: not-allowed"),
        ({"lobby": False}, {"guests": False}, Verdict.FAIL, "says that none are"),
        ({"lobby": False}, {"lobby": False}, Verdict.PASS, "let in as participant"),
        ({"lobby": False}, {"lobby": True}, Verdict.FAIL, "without a moderator"),
        ({"guests": False}, {"lobby": False}, Verdict.FAIL, "a guest is not let in: host-unknown"),
        (
            {"lobby": False, "leads": ("guest",)},
            {"lobby": False},
            Verdict.FAIL,
            "becomes the room's moderator",
        ),
    ],
)
def test_guests_come_in_as_the_profile_has_it(
    setting: Callable[..., Setting],
    monkeypatch: pytest.MonkeyPatch,
    really: Mapping[str, Any],
    wanted: Mapping[str, Any],
    verdict: Verdict,
    said: str,
) -> None:
    monkeypatch.setattr(meet, "_SOON", 0.2)
    finding = meet.check_guests(make_target(setting(**really)[1].web, **wanted))
    assert (finding.verdict, said in finding.actual) == (verdict, True), finding.actual


def test_a_server_that_hangs_up_or_is_not_there_is_no_evidence(
    setting: Callable[..., Setting], target: WebTarget
) -> None:
    with pytest.raises(NoEvidence, match="the websocket"):
        see(meet.check_moderator, setting(speaks=False))
    with pytest.raises(NoEvidence):
        meet.check_guests(make_target(target))


class Bosh(BaseHTTPRequestHandler):
    """Answers POST with the body that the test chose."""

    body = b""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"<body sid='1' xmlns='http://jabber.org/protocol/httpbind'/>", Verdict.PASS),
        (b"<body type='terminate' condition='host-unknown'/>", Verdict.FAIL),
        (b"<html>hello</html>", Verdict.FAIL),
    ],
)
def test_a_session_without_a_websocket(meet_chain: Chain, body: bytes, verdict: Verdict) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(meet_chain.certificate, meet_chain.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Bosh,), {"body": body})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        web = WebTarget(HOSTNAME, "127.0.0.1", meet_chain.ca, port=server.server_port)
        assert meet.check_bosh(make_target(web)).verdict is verdict
        server.shutdown()
