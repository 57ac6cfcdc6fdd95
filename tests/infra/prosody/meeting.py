"""A small client of a meeting's Prosody, over BOSH (XEP-0124, XEP-0206), run on the host by its own Python.

Standard library alone: the tests hand this text over. The key of the tokens is read on the host and never leaves it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
import time
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

BOSH = "http://jabber.org/protocol/httpbind"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
CLIENT = "{jabber:client}"
MUC_USER = "{http://jabber.org/protocol/muc#user}"
PATIENCE_SECONDS = 20.0


def encode(data: bytes) -> str:
    """Base64 as tokens have it (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims: dict[str, Any], key: str, algorithm: str = "HS256") -> str:
    """A token; with the algorithm ``none`` it has no signature."""
    header = {"alg": algorithm, "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    if algorithm == "none":
        return f"{signed}."
    return f"{signed}.{encode(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


class Meeting:
    """What Prosody's configuration says of this domain."""

    def __init__(self, domain: str) -> None:
        """Read the key and the issuer from the configuration."""
        text = Path(f"/etc/prosody/conf.avail/{domain}.cfg.lua").read_text()
        self.domain = domain
        self.secret = re.findall(r'^\s*app_secret = "(.+)"$', text, re.MULTILINE)[0]
        self.issuer = re.findall(r'^\s*app_id = "(.+)"$', text, re.MULTILINE)[0]
        self.turn_secret = re.findall(r'^external_service_secret = "(.+)"$', text, re.MULTILINE)[0]

    def claims(self, room: str, *, moderator: bool = False, seconds: int = 120) -> dict[str, Any]:
        """What a token says that is right."""
        now = int(time.time())
        user = {"id": "check", "name": "Check", "moderator": moderator}
        return {
            "iss": self.issuer, "aud": "jitsi", "sub": self.domain, "room": room,
            "nbf": now - 300, "exp": now + seconds, "context": {"user": user},
        }  # fmt: skip


class Session:
    """One browser's session."""

    def __init__(self, meeting: Meeting, host: str, room: str, token: str = "") -> None:
        """Begin a stream to the virtual host, as somebody who opened the page of the room."""
        self.meeting, self.host = meeting, host
        query = {"room": room} | ({"token": token} if token else {})
        self.path = f"/http-bind?{urlencode(query)}"
        self.number, self.sid, self.stanzas = int(time.time()), "", []  # type: int, str, list[ET.Element]
        self.welcome: ET.Element | None = None
        opening = f'to={quoteattr(host)} hold="1" wait="1" ver="1.6" xml:lang="nl" xmpp:version="1.0"'
        answer = self.post(opening)
        self.sid = answer.get("sid", "")
        self.refused = answer.get("condition", "")

    def post(self, attributes: str = "", content: str = "") -> ET.Element:
        """What Prosody answers to one request; stanzas in it are kept."""
        self.number += 1
        sid = f"sid={quoteattr(self.sid)}" if self.sid else ""
        names = f'xmlns="{BOSH}" xmlns:xmpp="urn:xmpp:xbosh"'
        body = f'<body rid="{self.number}" {sid} {attributes} {names}>{content}</body>'
        connection = http.client.HTTPConnection("127.0.0.1", 5280, timeout=PATIENCE_SECONDS)
        headers = {"Host": self.meeting.domain, "Content-Type": "text/xml; charset=utf-8"}
        connection.request("POST", self.path, body.encode(), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise ConnectionError(f"Prosody answers {answer.status}")
        element = ET.fromstring(text)  # noqa: S314  # our own server's
        self.stanzas += list(element)
        return element

    def log_in(self) -> bool:
        """Whether Prosody lets this browser in; it becomes part of the domain then."""
        if self.refused:
            return False
        self.post(content='<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>')
        if self.wait(lambda stanza: stanza.tag.startswith(SASL)).tag != f"{SASL}success":
            return False
        self.post(f'to={quoteattr(self.host)} xmpp:restart="true"')
        bound = self.ask('type="set"', '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>')
        return bound.get("type") == "result"

    def ask(self, attributes: str, content: str) -> ET.Element:
        """The answer to a question."""
        number = uuid.uuid4().hex
        self.post(content=f'<iq xmlns="jabber:client" id="{number}" {attributes}>{content}</iq>')
        return self.wait(lambda stanza: stanza.get("id") == number)

    def wait(self, wanted: Any) -> ET.Element:
        """The first stanza that is wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for stanza in self.stanzas:
                if wanted(stanza):
                    self.stanzas.remove(stanza)
                    return stanza
            if time.monotonic() > deadline:
                raise TimeoutError("Prosody does not answer")
            self.post()

    def open_room(self, room: str) -> bool:
        """Ask Jicofo for a room, as each browser does before it joins; whether it is there."""
        address = f"{room}@conference.{self.meeting.domain}"
        names = f'xmlns="http://jitsi.org/protocol/focus" room={quoteattr(address)}'
        conference = f'<conference {names} machine-uid="check"/>'
        return self.ask(f'type="set" to="focus.{self.meeting.domain}"', conference).get("type") == "result"

    def join(self, room: str) -> str:
        """Join a room; empty when that is welcome (``standing`` tells as whom), else the name of the error."""
        address = f"{room}@conference.{self.meeting.domain}/{uuid.uuid4().hex[:8]}"
        name = '<nick xmlns="http://jabber.org/protocol/nick">Check</nick>'
        self.post(
            content=f'<presence xmlns="jabber:client" to="{address}"><x xmlns="http://jabber.org/protocol/muc"/>{name}</presence>'
        )
        answer = self.wait(
            lambda stanza: stanza.tag == f"{CLIENT}presence" and self.is_about_me(stanza, address)
        )
        if answer.get("type") == "error":
            error = answer.find(f"{CLIENT}error")
            names = [
                child.tag.removeprefix(STANZAS)
                for child in (() if error is None else error)
                if child.tag.startswith(STANZAS)
            ]
            return next(iter(names), "error")
        self.welcome = answer
        return ""

    def is_about_me(self, stanza: ET.Element, address: str) -> bool:
        """Whether a presence says how I stand in the room."""
        codes = {status.get("code") for status in stanza.iter(f"{MUC_USER}status")}
        return stanza.get("from") == address if "110" in codes else stanza.get("type") == "error"

    def standing_now(self) -> str:
        """Affiliation and role in the room, as ``owner/moderator``; empty for who is not in it."""
        if self.welcome is None:
            return ""
        # Whatever was sent to us before comes with the answer.
        self.ask(f'type="get" to={quoteattr(self.host)}', '<ping xmlns="urn:xmpp:ping"/>')
        mine = [
            newer for newer in [self.welcome, *self.stanzas]
            if newer.get("from") == self.welcome.get("from") and newer.find(f"{MUC_USER}x") is not None
        ]  # fmt: skip
        item = mine[-1].find(f"{MUC_USER}x/{MUC_USER}item")
        return "" if item is None else f"{item.get('affiliation')}/{item.get('role')}"

    def end(self) -> None:
        """Leave everything."""
        self.post('type="terminate"')
