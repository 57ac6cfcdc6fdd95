"""A participant's way into a meeting: XMPP on a websocket (RFC 7395), as Jitsi Meet's page speaks it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.outside.websocket import open_websocket

PATH = "/xmpp-websocket"
_SECONDS = 15
_RETURN_SECONDS = 45  # the page itself goes on asking, too
_CLIENT = "jabber:client"
_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_MUC = "http://jabber.org/protocol/muc"
_FOCUS = "http://jitsi.org/protocol/focus"
_SELF = "110"  # the status of one's own presence (XEP-0045, 15.6.2)


class Refused(Exception):
    """The server does not let a participant in; the text names its condition."""


class Stream:
    """One participant's stream, open and not logged in yet."""

    def __init__(self, connection: ClientConnection, hostname: str, domain: str) -> None:
        """Use an open websocket; ``domain`` is the virtual host to speak to, ``hostname`` that of the meetings."""
        self._connection = connection
        self._hostname = hostname
        self._domain = domain

    def log_in(self) -> None:
        """Log in as whom the token in the address names, or as nobody where the host takes guests.

        Raises:
            Refused: The server does not let this participant in.
            NoEvidence: It says something else, or nothing.
        """
        self._restart()
        self._send(Element(f"{{{_SASL}}}auth", mechanism="ANONYMOUS"))
        answer = self._wait(lambda stanza: _name(stanza) in ("success", "failure"))
        if _name(answer) == "failure":
            raise Refused(_condition(answer))
        self._restart()
        bind = Element(f"{{{_CLIENT}}}iq", type="set", id="bind")
        SubElement(bind, f"{{{_BIND}}}bind")
        self._request(bind)

    def join(self, room: str) -> str:
        """Enter a room as the page does, and return one's role there, such as ``moderator``.

        Raises:
            Refused: The server does not let this participant in.
            NoEvidence: It says something else, or nothing.
        """
        address = f"{room}@conference.{self._hostname}"
        ask = Element(f"{{{_CLIENT}}}iq", type="set", id="conference", to=f"focus.{self._hostname}")
        SubElement(ask, f"{{{_FOCUS}}}conference", {"room": address, "machine-uid": secrets.token_hex(16)})
        self._ask_focus(ask)
        presence = Element(f"{{{_CLIENT}}}presence", to=f"{address}/{secrets.token_hex(4)}")
        SubElement(presence, f"{{{_MUC}}}x")
        self._send(presence)
        answer = self._wait(lambda stanza: _is_own_presence(stanza, address))
        if answer.get("type") == "error":
            raise Refused(_condition(answer))
        return _role(answer)

    def _ask_focus(self, ask: Element) -> None:
        """Have Jicofo make the room, as nobody else may; after a restart of Prosody it takes a while to come back."""
        end = time.monotonic() + _RETURN_SECONDS
        while True:
            try:
                self._request(ask)
            except Refused as refusal:
                if "service-unavailable" not in str(refusal) or time.monotonic() > end:
                    raise
                time.sleep(1)
            else:
                return

    def await_role(self, role: str, seconds: float = _SECONDS) -> bool:
        """Say whether the server gives this participant a role within some seconds."""
        try:
            self._wait(
                lambda stanza: (
                    _name(stanza) == "presence" and _SELF in _statuses(stanza) and _role(stanza) == role
                ),
                seconds,
            )
        except NoEvidence:
            return False
        return True

    def _restart(self) -> None:
        self._send(Element(f"{{{_FRAMING}}}open", to=self._domain, version="1.0"))
        features = self._wait(lambda stanza: _name(stanza) in ("features", "error", "close"))
        if _name(features) != "features":
            raise Refused(_condition(features))

    def _request(self, request: Element) -> Element:
        self._send(request)
        answer = self._wait(lambda stanza: _name(stanza) == "iq" and stanza.get("id") == request.get("id"))
        if answer.get("type") != "result":
            raise Refused(_condition(answer))
        return answer

    def _send(self, stanza: Element) -> None:
        self._connection.send(tostring(stanza, encoding="unicode"))

    def _wait(self, meant: Callable[[Element], bool], seconds: float = _SECONDS) -> Element:
        end = time.monotonic() + seconds
        while True:
            try:
                text = self._connection.recv(timeout=max(0.0, end - time.monotonic()))
                stanza = fromstring(text)  # noqa: S314  our own server's, and websockets bounds its size
            except TimeoutError:
                raise NoEvidence(f"{self._domain} says nothing of it for {seconds:.0f} seconds") from None
            except ParseError as error:
                raise NoEvidence(f"{self._domain} does not speak XMPP: {error}") from None
            if meant(stanza):
                return stanza
            if _name(stanza) in ("error", "close"):
                raise Refused(_condition(stanza))


@contextmanager
def participate(web: WebTarget, room: str, *, token: str = "", guest: bool = False) -> Iterator[Stream]:
    """Open a participant's stream for the length of the block.

    Args:
        web: The meetings.
        room: Which one.
        token: Who it is; empty for none.
        guest: Whether to speak to the virtual host for guests.

    Raises:
        NoEvidence: The websocket is not opened, or breaks.
    """
    query = {"room": room, **({"token": token} if token else {})}
    domain = f"guest.{web.hostname}" if guest else web.hostname
    try:
        with open_websocket(web, f"{PATH}?{urlencode(query)}", subprotocols=("xmpp",)) as connection:
            yield Stream(connection, web.hostname, domain)
    except (WebSocketException, OSError) as error:
        raise NoEvidence(f"the websocket {PATH}: {str(error) or type(error).__name__}") from error


def _name(stanza: Element) -> str:
    return stanza.tag.rpartition("}")[2]


def _condition(stanza: Element) -> str:
    """Return the names of an error's conditions, and its text."""
    error = next((part for part in stanza.iter() if _name(part) == "error" and len(part)), stanza)
    words = [part.text if _name(part) == "text" and part.text else _name(part) for part in error]
    return " ".join(words) or _name(stanza)


def _is_own_presence(stanza: Element, room: str) -> bool:
    if _name(stanza) != "presence" or not (stanza.get("from") or "").startswith(room):
        return False
    return stanza.get("type") == "error" or _SELF in _statuses(stanza)


def _statuses(stanza: Element) -> set[str | None]:
    return {part.get("code") for part in stanza.iter() if _name(part) == "status"}


def _role(stanza: Element) -> str:
    return next((part.get("role") or "" for part in stanza.iter() if _name(part) == "item"), "")
