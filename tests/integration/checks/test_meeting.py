"""What is counted in a meeting, in a real Chromium, over real WebRTC on loopback, and through a real coturn."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from provisioner.checks.browser import Browser, find
from provisioner.checks.outside import WebTarget
from provisioner.checks.result import Verdict
from provisioner.checks.use import meeting
from provisioner.checks.use.album import Album
from provisioner.checks.use.media import ASK, Reception, watch
from provisioner.checks.use.meeting import DIRECT, hold
from provisioner.checks.use.pages import judge_requests
from provisioner.checks.use.target import Participant

from .conftest import HOSTNAME, Chain, browsing, free_port, serving, wait_for

# Seconds after which a meeting that must not succeed is given up, the first that suffice; computers differ.
PATIENCE = (12, 40, 180)
PAGE = Path(__file__).with_name("meeting.html")

Invite = Callable[..., list[Participant]]

pytestmark = [
    pytest.mark.skipif(not find(), reason="not assessed: there is no Chromium on this computer"),
    pytest.mark.slow,
]


class Meeting(BaseHTTPRequestHandler):
    """Serves the page, and passes on what participants say to each other."""

    said: ClassVar[defaultdict[int, list[Any]]] = defaultdict(list)
    lock = threading.Lock()

    def do_GET(self) -> None:
        if self.path.startswith("/hear/"):
            with self.lock:
                heard = self.said.pop(int(self.path.rpartition("/")[2]), [])
            self._answer(json.dumps(heard).encode(), "application/json")
        elif self.path == "/opened":  # what was said to nobody is that the room is open
            self._answer(json.dumps(0 in self.said).encode(), "application/json")
        elif self.path.startswith("/meeting"):
            self._answer(PAGE.read_bytes(), "text/html; charset=utf-8")
        else:
            self._answer(b"", "text/plain")

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            self.said[message["to"]].append(message)
        self._answer(b"", "text/plain")

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def web(chain: Chain) -> Iterator[WebTarget]:
    with serving(chain, Meeting) as target:
        yield target


@pytest.fixture
def browser(web: WebTarget) -> Iterator[Browser]:
    with browsing(web) as browser:
        yield browser


@pytest.fixture
def invite(web: WebTarget) -> Invite:
    """Return a function that gives participants; ``silent`` says what the last one does not send."""

    def participants(
        silent: str = "", servers: object = (), lobby: bool = False, waits: bool | None = None
    ) -> list[Participant]:
        Meeting.said.clear()
        root = f"https://{HOSTNAME}:{web.port}/meeting?of=3&servers={quote(json.dumps(servers))}"
        root += "&lobby=1&me=" if lobby else "&me="
        waits = lobby if waits is None else waits
        return [
            Participant("the first", "One", f"{root}1"),
            Participant("the second", "Two", f"{root}2", waits),
            Participant("the third", "Three", f"{root}3&silent={silent}", waits),
        ]

    return participants


@contextmanager
def relay(chain: Chain, folder: Path) -> Iterator[int]:
    """Run coturn on loopback with the deployment's certificate, and give the port of TURN over TLS."""
    plain, secure = free_port(), free_port()
    options = {
        "listening-ip": "127.0.0.1", "relay-ip": "127.0.0.1", "listening-port": plain, "tls-listening-port": secure,
        "cert": chain.certificate, "pkey": chain.key, "realm": HOSTNAME, "user": "guest:secret",
        "pidfile": folder / "pid", "userdb": folder / "users", "log-file": "stdout",
    }  # fmt: skip
    switches = ("lt-cred-mech", "no-cli", "allow-loopback-peers", "simple-log")
    configuration = folder / "turnserver.conf"
    lines = [*(f"{name}={value}" for name, value in options.items()), *switches]
    configuration.write_text("\n".join(lines) + "\n")
    with (folder / "turn.log").open("wb") as log:
        process = subprocess.Popen(
            ["turnserver", "-c", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_for(secure, process)
        yield secure
    finally:
        process.terminate()
        process.wait(10)


def test_three_participants_receive_each_other_by_udp(
    browser: Browser, invite: Invite, tmp_path: Path
) -> None:
    finding = hold(browser, Album(tmp_path), invite(), seconds=PATIENCE[-1]).judge()
    assert finding.verdict is Verdict.PASS, finding
    assert "on host/udp" in finding.actual
    assert finding.screenshots == ("screenshots/meet-udp.jpg",)
    assert (tmp_path / finding.screenshots[0]).read_bytes().startswith(b"\xff\xd8"), "a JPEG"
    assert judge_requests(browser, [HOSTNAME]).verdict is Verdict.PASS


def test_guests_wait_until_the_moderator_comes(browser: Browser, invite: Invite, tmp_path: Path) -> None:
    finding = hold(browser, Album(tmp_path), invite(lobby=True), seconds=PATIENCE[-1]).judge()
    assert finding.verdict is Verdict.PASS, finding
    assert finding.actual.endswith("; the second and the third waited in the lobby until the moderator came")


def test_guests_who_are_let_in_without_the_moderator_fail(
    browser: Browser, invite: Invite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "_LOBBY_SECONDS", 5)
    finding = hold(browser, Album(tmp_path), invite(waits=True), seconds=PATIENCE[-1]).judge()
    assert finding.verdict is Verdict.FAIL
    assert "the second did not wait in the lobby; the third did not wait in the lobby" in finding.actual


def test_a_picture_that_does_not_arrive_fails(browser: Browser, invite: Invite, tmp_path: Path) -> None:
    for seconds in PATIENCE:
        finding = hold(browser, Album(tmp_path), invite(silent="video"), seconds=seconds).judge()
        assert finding.verdict is Verdict.FAIL
        if finding.actual.count("lacks video of 1 of 2 others") == 2 and "the third" not in finding.actual:
            return
    pytest.fail(f"the two who miss a picture are not named, or others are: {finding}")


@pytest.mark.skipif(not shutil.which("turnserver"), reason="not assessed: coturn is not installed here")
def test_a_meeting_that_is_forced_through_the_relay_is_seen_to_be_on_it(
    browser: Browser, invite: Invite, chain: Chain, tmp_path: Path
) -> None:
    with relay(chain, tmp_path) as port:
        servers = [
            # What is not TURN over TLS must not be used, however good it is.
            {"urls": [f"stun:{HOSTNAME}:{port}", f"turns:{HOSTNAME}:{port}?transport=tcp"], "username": "guest",
             "credential": "secret"},
        ]  # fmt: skip
        finding = hold(
            browser, Album(tmp_path), invite(servers=servers), relayed=True, seconds=PATIENCE[-1]
        ).judge()
    assert finding.verdict is Verdict.PASS, (finding, (tmp_path / "turn.log").read_text()[-2000:])
    assert finding.actual.startswith(
        "the first, the second and the third each received all others on relay/tls in "
    )


def test_without_the_relay_nothing_arrives_and_a_foreign_one_is_named(
    browser: Browser, invite: Invite, tmp_path: Path
) -> None:
    servers = [{"urls": "turns:turn.vendor.example:443", "username": "guest", "credential": "secret"}]
    for seconds in PATIENCE:
        finding = hold(
            browser, Album(tmp_path), invite(servers=servers), relayed=True, seconds=seconds
        ).judge()
        assert finding.verdict is Verdict.FAIL
        assert finding.actual.count("no connection") == 3
        judged = judge_requests(browser, [HOSTNAME])
        if judged.verdict is Verdict.FAIL:
            break
    assert judged.actual == "a page asks turns:turn.vendor.example:443 for calls"


# A videobridge, by the browser's own class: it says where it is, at once or bit by bit, and waits to be called.
CALL = """(async (trickled, written) => {
  await navigator.mediaDevices.getUserMedia({audio: true});  // which lets a page know all addresses
  const bridge = new (Object.getPrototypeOf(RTCPeerConnection))(), person = new RTCPeerConnection();
  const gathered = connection => new Promise(resolve => {
    const look = () => connection.iceGatheringState === 'complete' && resolve();
    connection.onicegatheringstatechange = look;
    look();
  });
  const lines = (sdp, keep) => sdp.split(/(?<=\\n)/).filter(keep).join('');
  const told = [];
  person.onicecandidate = event => event.candidate && told.push(event.candidate.candidate);
  bridge.createDataChannel('media');
  await bridge.setLocalDescription();
  await gathered(bridge);
  let sdp = bridge.localDescription.sdp;
  for (const [address, long] of Object.entries(written)) sdp = sdp.replaceAll(` ${address} `, ` ${long} `);
  const leads = line => line.startsWith('a=candidate:');
  await person.setRemoteDescription({type: 'offer', sdp: trickled ? lines(sdp, line => !leads(line)) : sdp});
  if (trickled) {
    for (const line of sdp.split('\\r\\n').filter(leads)) {
      await person.addIceCandidate({candidate: line.slice(2), sdpMLineIndex: 0});
    }
  }
  await person.setLocalDescription();
  await gathered(person);
  await bridge.setRemoteDescription(person.localDescription);
  window.call = [bridge, person];  // else it is thrown away
  return [...told, ...person.localDescription.sdp.split('\\r\\n').filter(leads)];
})(%s, %s)"""


def call(
    browser: Browser, web: WebTarget, through: tuple[str, ...], *, trickled: bool, written: dict[str, str]
) -> tuple[Reception, list[str]]:
    """Return what a person has of the videobridge, and which addresses that one was told."""
    with browser.tab() as tab:
        tab.inject(watch(relayed=False, through=through))
        tab.open(f"https://{HOSTNAME}:{web.port}/call")
        told = tab.evaluate(CALL % (json.dumps(trickled), json.dumps(written)))
        for _ in range(50):
            reception = Reception.read(tab.evaluate(ASK))
            if reception.ways or through == (NOWHERE,):
                break
            tab.attend(0.2)
        if through == (NOWHERE,):
            tab.attend(3)
        return Reception.read(tab.evaluate(ASK)), told


NOWHERE = "203.0.113.77"


@pytest.mark.parametrize("trickled", [False, True], ids=["described", "trickled"])
def test_only_the_addresses_that_are_wanted_are_used(
    browser: Browser, web: WebTarget, trickled: bool
) -> None:
    everywhere, told = call(browser, web, (), trickled=trickled, written={})
    assert everywhere.ways
    assert everywhere.through <= everywhere.offered
    assert told
    long = {address: ip_address(address).exploded for address in everywhere.offered}
    for address in {ip_address(address).version: address for address in everywhere.offered}.values():
        reception, told = call(browser, web, (address,), trickled=trickled, written=long)
        assert reception.offered == everywhere.offered
        assert reception.through == {address}
        assert not reception.missing(0, DIRECT, (address,))
        assert told == [], "the videobridge would send from whichever of its addresses it likes"
    reception, _ = call(browser, web, (NOWHERE,), trickled=trickled, written={})
    assert reception.offered == everywhere.offered
    assert reception.missing(0, DIRECT, (NOWHERE,)) == [f"a connection through {NOWHERE}"]
