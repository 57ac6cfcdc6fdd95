"""Meetings as their participants meet them: pages that ask nobody else, a door that only the right people pass.

The rooms of these checks have names that nobody guesses, and are gone with their last participant.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from provisioner.checks.outside.http import fetch
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.outside.xmpp import Refused, Stream, participate
from provisioner.checks.result import Verdict

# Addresses of schemes by which a browser asks somebody, also STUN's and TURN's, which have no slashes.
_ADDRESS = re.compile(r"""(?:(?:https?|wss?):)?//[\w.-]+|\b(?:stun|turn)s?:[\w.-]+""")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)\s*=\s*["']([^"']+)""", re.IGNORECASE
)
_BOSH = (
    "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' rid='{rid}' "
    "to='{domain}' ver='1.6' wait='5' hold='1' content='text/xml; charset=utf-8'/>"
)
_LINKS = ("helpCentreURL", "legalUrls")  # what people may follow, and no page asks by itself
_MODERATOR = "moderator"
_WAITING = "registration-required"  # the lobby's answer to who is not let in yet
_NO_HOST = "host-unknown"  # Prosody's, where there is no virtual host for guests
_SOON = 3.0  # seconds in which a room makes its first participant a moderator, where it does


@dataclass(frozen=True, slots=True)
class MeetingsTarget:
    """The meetings of a deployment, and what participants may do there.

    Attributes:
        web: Where they are.
        turn_hostname: The only other name that a browser may be sent to.
        guests: Whether people without a token may take part.
        lobby: Whether they wait for a moderator.
        token: Returns a token of the deployment for a room; the second argument says whether for a moderator.
        bad_tokens: Returns, for a room, tokens that must not be accepted, by what is wrong with them.
    """

    web: WebTarget
    turn_hostname: str
    guests: bool
    lobby: bool
    token: Callable[[str, bool], str]
    bad_tokens: Callable[[str], Mapping[str, str]]


def check_page(target: MeetingsTarget) -> Finding:
    """The page and its settings are there, and name no third party."""
    own = {target.web.hostname, target.turn_hostname}
    page, settings = fetch(target.web, target.web.page), fetch(target.web, "/config.js")
    problems = [
        f"{path} answers {response.status}"
        for path, response in ((target.web.page, page), ("/config.js", settings))
        if response.status != 200
    ]
    if problems:
        return judge(problems, "")
    html = page.body.decode(errors="replace")
    if "<html" not in html.lower():
        problems.append("/ is no page")
    config = _read_settings(settings.body.decode(errors="replace"))
    asked = {name: value for name, value in config.items() if name not in _LINKS}
    # The page takes the settings into itself; what it loads besides stands in its elements.
    loaded = [address for address in _LOADED.findall(html) if urlsplit(address).netloc]
    foreign = sorted({host for host in (*map(_host, loaded), *_hosts(json.dumps(asked))) if host not in own})
    problems += [f"{host} is asked, too" for host in foreign]
    if config.get("disableThirdPartyRequests") is not True:
        problems.append("disableThirdPartyRequests is not true")
    if "stunServers" not in config.get("p2p", {}):
        problems.append("p2p.stunServers is missing, so browsers ask the vendor's")
    if ("anonymousdomain" in config.get("hosts", {})) != target.guests:
        problems.append(f"guests are {'not ' if target.guests else ''}offered a way in")
    return judge(problems, f"/ and /config.js name {' and '.join(sorted(own))} only")


def check_bosh(target: MeetingsTarget) -> Finding:
    """Prosody answers browsers that cannot keep a websocket."""
    body = _BOSH.format(rid=secrets.randbelow(2**31), domain=target.web.hostname)
    answer = fetch(
        target.web,
        "/http-bind",
        method="POST",
        headers={"Content-Type": "text/xml; charset=utf-8"},
        body=body.encode(),
    )
    began = answer.status == 200 and re.search(rb"<body[^>]*\bsid=", answer.body) is not None
    return judge(
        [] if began else [f"/http-bind answers {answer.status} and begins no session"], "a session begins"
    )


def check_moderator(target: MeetingsTarget) -> Finding:
    """Who holds a moderator's link leads the meeting."""
    room = _make_room()
    try:
        with ExitStack() as streams:
            stream, role = _enter(streams, target, room, token=target.token(room, True))
            problems = (
                [] if role == _MODERATOR or stream.await_role(_MODERATOR) else [f"lets in as {role} only"]
            )
    except Refused as refusal:
        problems = [f"a moderator's token is refused: {refusal}"]
    return judge(problems, "a moderator's token is taken, and its bearer is the room's moderator")


def check_forged(target: MeetingsTarget) -> Finding:
    """Nobody comes in with a token that the deployment did not make for this room and this time."""
    room = _make_room()
    tokens = {"no token": "", **target.bad_tokens(room)}
    accepted = []
    with ExitStack() as streams:
        # With a moderator in the room it is the token alone that keeps the others out.
        try:
            _enter(streams, target, room, token=target.token(room, True))
        except Refused as refusal:
            raise NoEvidence(f"even a moderator's token is refused: {refusal}") from None
        for what, token in tokens.items():
            try:
                _enter(streams, target, room, token=token)
            except Refused:
                continue
            accepted.append(f"{what} is accepted")
    return judge(accepted, f"refused: {', '.join(tokens)}")


def check_guests(target: MeetingsTarget) -> Finding:
    """Guests come in as the profile has it: not at all, once a moderator is there, or at once; never as moderators."""
    room = _make_room()
    with ExitStack() as streams:
        try:
            stream, role = _enter(streams, target, room, guest=True)
        except Refused as refusal:
            return _judge_refusal(target, str(refusal))
        if not target.guests:
            return Finding(Verdict.FAIL, "a guest is let in, and the profile says that none are")
        if target.lobby:
            return Finding(Verdict.FAIL, "a guest is let into a room without a moderator")
        if role == _MODERATOR or stream.await_role(_MODERATOR, _SOON):
            return Finding(Verdict.FAIL, "a guest becomes the room's moderator")
        return Finding(Verdict.PASS, f"a guest is let in as {role}")


def _judge_refusal(target: MeetingsTarget, said: str) -> Finding:
    """Judge why a guest is not let in: whatever is broken refuses, too."""
    if target.guests and not target.lobby:
        return Finding(Verdict.FAIL, f"a guest is not let in: {said}")
    wanted, meaning = (_WAITING, "waits for a moderator") if target.guests else (_NO_HOST, "is not let in")
    if wanted not in said.split():
        return Finding(Verdict.FAIL, f"a guest is refused with something instead of {wanted}: {said}")
    return Finding(Verdict.PASS, f"a guest {meaning} ({said})")


def _enter(
    streams: ExitStack, target: MeetingsTarget, room: str, *, token: str = "", guest: bool = False
) -> tuple[Stream, str]:
    """Enter a room for the length of ``streams``; return the stream and the role."""
    stream = streams.enter_context(participate(target.web, room, token=token, guest=guest))
    stream.log_in()
    return stream, stream.join(room)


def _make_room() -> str:
    return f"sovstack-check-{secrets.token_hex(8)}"


def _hosts(text: str) -> Iterator[str]:
    for found in _ADDRESS.findall(text):
        yield _host(found)


def _host(address: str) -> str:
    if "//" in address:
        return urlsplit(address).hostname or ""
    return address.partition(":")[2]


def _read_settings(text: str) -> dict[str, Any]:
    """Return what ``config.js`` assigns.

    Raises:
        NoEvidence: It is not the file that sovstack writes, whose value is JSON.
    """
    found = re.search(r"\bvar config = (\{.*\});", text, re.DOTALL)
    try:
        config = json.loads(found[1]) if found else None
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise NoEvidence("/config.js is not the file that sovstack writes")
    return config


MEET_PROMISES: tuple[Promise[MeetingsTarget], ...] = (
    Promise(
        "MEET-THIRDPARTY",
        "Meetings ask nobody else",
        "/ and /config.js answer 200 and name no host but the deployment's own",
        "Take what names another host out of services.meet.settings; apply again.",
        check_page,
    ),
    Promise(
        "MEET-BOSH",
        "Browsers without a websocket reach meetings",
        "POST /http-bind answers 200 and begins a session",
        "Look at `journalctl -u prosody` on the host, and at nginx's site; apply again.",
        check_bosh,
    ),
    Promise(
        "MEET-MODERATOR",
        "Who holds a moderator's link leads the meeting",
        "A token of the deployment is accepted on the websocket, and its bearer becomes the room's moderator",
        "See that the host's clock is right, and read `journalctl -u prosody -u jicofo`; apply again.",
        check_moderator,
    ),
    Promise(
        "MEET-FORGED",
        "Nobody leads a meeting with a forged link",
        "No token, a forged one, an expired one and one for another room are refused",
        "Apply again; if the key may be known to others, take jitsi_app_secret out of secrets.yml first.",
        check_forged,
    ),
    Promise(
        "MEET-GUESTS",
        "Guests come in as the profile has it, and lead no meeting",
        "Without guests: host-unknown; with a lobby: registration-required; else let in, not as a moderator",
        "Look at services.meet.guests and services.meet.lobby; apply again.",
        check_guests,
    ),
)
