"""Prosody as the role promises it: tokens open its doors, guests wait, and nobody moderates by coming first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.5

TOKENS = """
meeting = Meeting(DOMAIN)
good = meeting.claims("check")
tokens = {
    "good": sign(good, meeting.secret),
    "forged": sign(good, "another-key-of-thirty-two-letters"),
    "altered": sign(good, meeting.secret).replace(".", ".A", 1),
    "unsigned": sign(good, "", "none"),
    "expired": sign(meeting.claims("check", seconds=-60), meeting.secret),
    "not yet valid": sign(good | {"nbf": good["nbf"] + 3600}, meeting.secret),
    "of another issuer": sign(good | {"iss": "somebody"}, meeting.secret),
    "for another audience": sign(good | {"aud": "somebody"}, meeting.secret),
    "none": "",
}
answers = {}
for name, token in tokens.items():
    session = Session(meeting, DOMAIN, "check", token)
    answers[name] = session.log_in()
    session.end() if not session.refused else None
print(json.dumps(answers))
"""
GUESTS = """
meeting = Meeting(DOMAIN)
session = Session(meeting, f"guest.{DOMAIN}", "check")
print(json.dumps(session.log_in()))
"""
# A guest asks for the room, as everybody who opens its page does; then the people come one after the other.
ROOM = """
meeting, room = Meeting(DOMAIN), f"check-{uuid.uuid4().hex[:12]}"
answers = {}

def come(name, token="", host=DOMAIN):
    session = Session(meeting, host, room, token)
    assert session.log_in(), name
    answers.setdefault("the room", session.open_room(room))
    answers[name] = session.join(room)
    people[name] = session

people = {}
guest = f"guest.{DOMAIN}" if GUESTS else None
participant = sign(meeting.claims(room), meeting.secret)
if guest:
    come("guest before", host=guest)
come("participant before", participant)
come("moderator", sign(meeting.claims(room, moderator=True), meeting.secret))
come("with a token of another room", sign(meeting.claims("another", moderator=True), meeting.secret))
come("participant", participant)
if guest:
    come("guest", host=guest)
# Who moderates is told a moment after the welcome.
deadline = time.monotonic() + 3
time.sleep(0.4)
while people["moderator"].standing_now() != "owner/moderator" and time.monotonic() < deadline:
    time.sleep(0.1)
for name, person in people.items():
    answers[name] = answers[name] or person.standing_now()
    person.end()
print(json.dumps(answers))
"""
SERVICES = """
meeting = Meeting(DOMAIN)
session = Session(meeting, DOMAIN, "check", sign(meeting.claims("check"), meeting.secret))
assert session.log_in()
answer = session.ask(f'type="get" to="{DOMAIN}"', '<services xmlns="urn:xmpp:extdisco:2"/>')
services = []
for service in answer.iter("{urn:xmpp:extdisco:2}service"):
    about = dict(service.attrib)
    if "username" in about:
        right = base64.b64encode(hmac.digest(meeting.turn_secret.encode(), about["username"].encode(), "sha1")).decode()
        about["right"] = about.pop("password") == right
        about["hours"] = round((int(about.pop("username").split(":")[0]) - time.time()) / 3600)
    names = ("type", "host", "port", "transport", "right", "hours")
    services.append({name: about[name] for name in names if name in about})
session.end()
print(json.dumps(services))
"""


@pytest.fixture(scope="module")
def ask(run_python: Callable[..., Any], deployment: dict[str, Any]) -> Callable[..., Any]:
    """What a script says that talks to Prosody on the host itself; keywords become its constants."""
    library, domain = (Path(__file__).parent / "meeting.py").read_text(), deployment["prosody_domain"]
    return lambda script, **constants: run_python(script, library, DOMAIN=domain, **constants)


@pytest.mark.check(
    id="XMPP-UNIT",
    title="Prosody runs, starts with the host and is shut in",
    grade="observed on host",
    remedy="Run apply: it writes the unit's limits and starts it.",
    unit="prosody.service",
)
def test_unit_is_shut_in(
    host: Host, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    service = host.service("prosody.service")
    assert service.is_running
    assert service.is_enabled
    record_property("actual", exposure("prosody.service"))
    assert exposure("prosody.service") <= HIGHEST_EXPOSURE


@pytest.mark.check(
    id="XMPP-TOKEN",
    title="Prosody lets in whoever has a token of the deployment, and refuses every other token",
    grade="observed on host",
    remedy="Run apply: it writes the key; `journalctl -u prosody` says why a token was refused.",
    unit="prosody.service",
)
def test_tokens(ask: Callable[..., Any]) -> None:
    answers = ask(TOKENS)
    assert answers == {name: name == "good" for name in answers}


@pytest.mark.check(
    id="XMPP-GUESTS",
    title="People without a token come in as guests where the profile wants guests, and nowhere else",
    grade="observed on host",
    remedy="Run apply.",
    unit="prosody.service",
)
def test_guests(ask: Callable[..., Any], deployment: dict[str, Any]) -> None:
    assert ask(GUESTS) is deployment["prosody_guests"]


@pytest.mark.check(
    id="XMPP-MODERATION",
    title="A moderator's token alone makes a moderator, and the others wait for one",
    grade="observed on host",
    remedy="Run apply: it writes our module token_moderation and restarts Prosody; Jicofo has to be there too.",
    unit="prosody.service",
)
def test_moderation(
    ask: Callable[..., Any], deployment: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    guests, lobby = deployment["prosody_guests"], deployment["prosody_lobby"]
    answers = ask(ROOM, GUESTS=guests)
    record_property("actual", ", ".join(f"{name}: {answer}" for name, answer in answers.items()))
    before = "registration-required" if lobby else "none/participant"
    assert answers == {
        "the room": True,
        "participant before": before,
        "moderator": "owner/moderator",
        "with a token of another room": "not-allowed",
        "participant": "none/participant",
    } | ({"guest before": before, "guest": "none/participant"} if guests else {})


@pytest.mark.check(
    id="XMPP-TURN",
    title="Prosody names the deployment's own STUN and TURN server, with credentials that end",
    grade="observed on host",
    remedy="Run apply.",
)
def test_names_the_turn_server(ask: Callable[..., Any], deployment: dict[str, Any]) -> None:
    name = deployment.get("prosody_turn_hostname", deployment["prosody_domain"])
    plain, secure = str(deployment["prosody_turn_port"]), str(deployment["prosody_turn_tls_port"])
    right = {"right": True, "hours": 24}
    assert sorted(ask(SERVICES), key=lambda service: service["type"]) == [
        {"type": "stun", "host": name, "port": plain, "transport": "udp"},
        {"type": "turn", "host": name, "port": plain, "transport": "udp", **right},
        {"type": "turns", "host": name, "port": secure, "transport": "tcp", **right},
    ]


@pytest.mark.check(
    id="XMPP-FILES",
    title="Nobody else reads Prosody's keys, and it cannot change its own configuration",
    grade="observed on host",
    remedy="Run apply.",
)
def test_secrets_are_its_own(host: Host, deployment: dict[str, Any]) -> None:
    files = [
        "/etc/prosody/prosody.cfg.lua",
        f"/etc/prosody/conf.avail/{deployment['prosody_domain']}.cfg.lua",
        deployment["prosody_certificate_key_path"],
    ]
    for path in files:
        entry = host.file(path)
        assert (entry.user, entry.group, entry.mode & 0o7777) == ("root", "prosody", 0o640), path
    assert host.file("/var/lib/prosody").mode & 0o007 == 0
    assert host.check_output("find /usr/local/lib/prosody ! -user root -o -perm /022 -type f") == ""
