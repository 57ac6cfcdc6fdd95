"""A client of an XMPP server: STARTTLS, SASL SCRAM-SHA-1, resource binding, rooms. Standard library alone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

_STREAM = "http://etherx.jabber.org/streams"
_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
CLIENT = "jabber:client"
MUC = "http://jabber.org/protocol/muc"
PING = "urn:xmpp:ping"
# Seconds for any one answer of the server.
_PATIENCE = 15


class XmppError(Exception):
    """The server refused something, or went away."""


@dataclass(frozen=True)
class Account:
    """Whom a client logs in as, and where.

    Attributes:
        host: Address of the server.
        domain: Domain of the account, which the server's certificate has to name.
        security: ``required``, ``ifpossible`` or ``disabled``, as in Smack.
    """

    host: str
    port: int
    domain: str
    username: str
    password: str
    resource: str
    security: str = "required"


class Client:
    """One connection. Stanzas that nobody waits for go to ``listener``."""

    def __init__(self, account: Account, tls: ssl.SSLContext) -> None:
        """Take what `run` needs."""
        self.account = account
        self.address = ""
        self.encrypted = False
        self.listener: Callable[[ET.Element], Coroutine[Any, Any, None]] | None = None
        self._tls = tls
        self._waiting: dict[str, asyncio.Future[ET.Element]] = {}
        self._numbers = itertools.count(1)
        self._background: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Log in.

        Raises:
            XmppError: The server does not let this account in, or shows a certificate that is not trusted.
        """
        account = self.account
        try:
            self._reader, self._writer = await asyncio.wait_for(
                asyncio.open_connection(account.host, account.port), _PATIENCE
            )
            features = await self._open()
            if features.find(f"{{{_TLS}}}starttls") is not None and account.security != "disabled":
                await self._expect(f"<starttls xmlns='{_TLS}'/>", "proceed")
                await self._writer.start_tls(self._tls, server_hostname=account.domain)
                self.encrypted = True
                features = await self._open()
            elif account.security == "required":
                raise XmppError("the server offers no encryption")
            await self._authenticate(features)
            await self._open()
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise XmppError(f"{account.host}:{account.port}: {error}") from error
        self._reading = asyncio.ensure_future(self._read())
        # Its end is no surprise, also where nobody waits for it.
        self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        payload = f"<bind xmlns='{_BIND}'><resource>{escape(account.resource)}</resource></bind>"
        answer = await self.request("set", "", payload)
        self.address = answer.findtext(f"{{{_BIND}}}bind/{{{_BIND}}}jid") or ""

    async def closed(self) -> None:
        """Wait until the connection ends."""
        with contextlib.suppress(XmppError, OSError, ET.ParseError):
            await self._reading

    def send(self, stanza: str) -> None:
        """Send a stanza."""
        self._writer.write(stanza.encode())

    async def request(self, kind: str, to: str, payload: str) -> ET.Element:
        """Send an IQ and return its answer.

        Raises:
            XmppError: The answer is an error, or there is none.
        """
        number = f"double-{next(self._numbers)}"
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        target = f" to={quoteattr(to)}" if to else ""
        self.send(f"<iq type='{kind}' id='{number}'{target}>{payload}</iq>")
        try:
            answer = await asyncio.wait_for(waiting, _PATIENCE)
        except TimeoutError as error:
            raise XmppError(f"no answer from {to or 'the server'}") from error
        finally:
            del self._waiting[number]
        if answer.get("type") == "error":
            raise XmppError(f"{to}: {ET.tostring(answer, encoding='unicode')}")
        return answer

    def answer(self, request: ET.Element, payload: str = "") -> None:
        """Send the result of an IQ."""
        to, number = quoteattr(request.get("from", "")), quoteattr(request.get("id", ""))
        self.send(f"<iq type='result' to={to} id={number}>{payload}</iq>")

    def join(self, room: str, nickname: str, payload: str = "") -> None:
        """Enter a room."""
        self.renew(room, nickname, f"<x xmlns='{MUC}'/>{payload}")

    def renew(self, room: str, nickname: str, payload: str = "") -> None:
        """Renew one's presence in a room."""
        self.send(f"<presence to={quoteattr(f'{room}/{nickname}')}>{payload}</presence>")

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self.send("</stream:stream>")
            self._writer.close()

    async def _open(self) -> ET.Element:
        """Begin a stream and return what the server offers in it."""
        self._parser = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self._elements = self._children()
        self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{_STREAM}' "
            f"to={quoteattr(self.account.domain)} version='1.0'>"
        )
        return await asyncio.wait_for(anext(self._elements), _PATIENCE)

    async def _children(self) -> AsyncIterator[ET.Element]:
        """Yield what the server says, one element after the other."""
        while True:
            for event, element in self._parser.read_events():
                self._depth += 1 if event == "start" else -1
                if event == "end" and self._depth == 1:
                    if element.tag == f"{{{_STREAM}}}error":
                        raise XmppError(ET.tostring(element, encoding="unicode"))
                    yield element
                elif event == "end" and self._depth == 0:
                    raise XmppError("the server ended the stream")
            data = await self._reader.read(65536)
            if not data:
                raise XmppError("the server went away")
            self._parser.feed(data)

    async def _expect(self, text: str, name: str) -> ET.Element:
        """Send something and return the answer, which has to be of this name."""
        self.send(text)
        answer = await asyncio.wait_for(anext(self._elements), _PATIENCE)
        if answer.tag.partition("}")[2] != name:
            raise XmppError(f"the server refused: {ET.tostring(answer, encoding='unicode')}")
        return answer

    async def _authenticate(self, features: ET.Element) -> None:
        """Log in by SCRAM-SHA-1 (RFC 5802), which shows the password to nobody."""
        offered = {element.text for element in features.iter(f"{{{_SASL}}}mechanism")}
        if "SCRAM-SHA-1" not in offered:
            raise XmppError(f"the server offers no SCRAM-SHA-1, but {offered}")
        name = self.account.username.replace("=", "=3D").replace(",", "=2C")
        first = f"n={name},r={secrets.token_hex(12)}"
        text = f"<auth xmlns='{_SASL}' mechanism='SCRAM-SHA-1'>{_encode(f'n,,{first}')}</auth>"
        challenge = base64.b64decode((await self._expect(text, "challenge")).text or "").decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha1", self.account.password.encode(), base64.b64decode(fields["s"]), int(fields["i"])
        )
        final = f"c={_encode('n,,')},r={fields['r']}"
        signed = f"{first},{challenge},{final}".encode()
        key = hmac.digest(salted, b"Client Key", "sha1")
        signature = hmac.digest(hashlib.sha1(key, usedforsecurity=False).digest(), signed, "sha1")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        text = f"<response xmlns='{_SASL}'>{_encode(f'{final},p={proof}')}</response>"
        success = base64.b64decode((await self._expect(text, "success")).text or "").decode()
        expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha1"), signed, "sha1")
        if success != f"v={base64.b64encode(expected).decode()}":
            raise XmppError("the server does not know the password either")

    async def _read(self) -> None:
        async for stanza in self._elements:
            waiting = self._waiting.get(stanza.get("id", ""))
            if stanza.get("type") in {"result", "error"} and waiting is not None and not waiting.done():
                waiting.set_result(stanza)
            elif stanza.find(f"{{{PING}}}ping") is not None:
                self.answer(stanza)
            elif self.listener is not None:
                # Not awaited here: it may ask the server something, and the answer is read here.
                task = asyncio.ensure_future(self.listener(stanza))
                self._background.add(task)
                task.add_done_callback(self._background.discard)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
