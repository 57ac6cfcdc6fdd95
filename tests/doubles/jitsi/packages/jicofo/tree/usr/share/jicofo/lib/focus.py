"""Contract double of Jicofo: logs in, counts the videobridges in the brewery, and starts conferences on demand.

It moves no media. It is healthy, as the real one, when a videobridge is there and the server answers.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from jitsi_double import web
from jitsi_double.settings import Settings, SettingsError
from jitsi_double.xmpp import CLIENT, MUC, PING, Account, Client, XmppError

VERSION = "@version@"
FOCUS = "http://jitsi.org/protocol/focus"
COLIBRI = "http://jitsi.org/protocol/colibri"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Focus:
    """The state of one Jicofo."""

    def __init__(self, settings: Settings) -> None:
        """Take what the configuration says.

        Raises:
            SettingsError: Something is missing that the real one needs.
        """
        client = "jicofo.xmpp.client"
        self.settings = settings
        self.brewery = str(settings.need("jicofo.bridge.brewery-jid")).lower()
        self.domain = str(settings.need(f"{client}.xmpp-domain"))
        self.conferences = str(settings.get(f"{client}.conference-muc-jid", f"conference.{self.domain}"))
        self.auto_owner = bool(settings.get("jicofo.conference.enable-auto-owner", True))
        self.account = Account(
            host=str(settings.get(f"{client}.hostname", "localhost")),
            port=int(settings.get(f"{client}.port", 5222)),
            domain=str(settings.need(f"{client}.domain")),
            username=str(settings.get(f"{client}.username", "focus")),
            password=str(settings.need(f"{client}.password")),
            resource=str(settings.get(f"{client}.resource", "focus")),
            security="ifpossible" if settings.get(f"{client}.use-tls", True) else "disabled",
        )
        if settings.get(f"{client}.disable-certificate-verification", False) or (
            self.account.security == "disabled" and self.account.host not in LOOPBACK
        ):
            raise SettingsError("the double logs in to no server that it does not know")
        self.tls = settings.tls()
        self.client: Client | None = None
        self.bridges: dict[str, bool] = {}
        self.rooms: dict[str, set[str]] = {}
        self.problem = "Not connected."

    async def run(self) -> None:
        """Stay logged in.

        As the real one, it does not find back into the brewery: its library first wants to leave the room, which a
        server that was restarted does not answer.
        """
        first = True
        while True:
            client = Client(self.account, self.tls)
            client.listener = self.hear
            try:
                await client.connect()
                self.client = client
                print(f"logged in as {client.address}, encrypted: {client.encrypted}", flush=True)
                client.send("<presence/>")
                if first:
                    client.join(self.brewery, "focus")
                first = False
                watch = asyncio.ensure_future(self.watch(client))
                await client.closed()
                watch.cancel()
            except XmppError as error:
                print(f"WARNING: {error}", flush=True)
                self.problem = str(error)
            self.client = None
            self.bridges.clear()
            self.rooms.clear()
            await asyncio.sleep(1)

    async def watch(self, client: Client) -> None:
        """Ask the server again and again whether it is there."""
        while True:
            try:
                await client.request("get", self.domain, f"<ping xmlns='{PING}'/>")
                self.problem = ""
            except XmppError as error:
                self.problem = f"XMPP ping failed: {error}"
            await asyncio.sleep(5)

    async def hear(self, stanza: ET.Element) -> None:
        """Take a stanza."""
        sender = stanza.get("from", "")
        room, _, nickname = sender.partition("/")
        if stanza.tag == f"{{{CLIENT}}}presence":
            if stanza.get("type") == "subscribe" and self.client is not None:
                # The real one's library lets nobody in whom the roster does not have already.
                self.client.send(f"<presence type='unsubscribed' to={quoteattr(sender)}/>")
            elif room == self.brewery and nickname != "focus":
                self.see_bridge(stanza, nickname)
            elif room in self.rooms:
                await self.see_participant(stanza, room, nickname)
        elif (conference := stanza.find(f"{{{FOCUS}}}conference")) is not None:
            self.start(stanza, conference.get("room", "").lower())

    def see_bridge(self, presence: ET.Element, nickname: str) -> None:
        """Count a videobridge, or count it no longer."""
        stats = {stat.get("name"): stat.get("value") for stat in presence.iter(f"{{{COLIBRI}}}stat")}
        if presence.get("type") == "unavailable":
            self.bridges.pop(nickname, None)
        elif stats:
            self.bridges[nickname] = stats.get("healthy", "true") == "true"

    async def see_participant(self, presence: ET.Element, room: str, nickname: str) -> None:
        """Make the first participant the owner where the configuration wants that, and leave an empty room."""
        assert self.client is not None
        if nickname == "focus":
            return
        occupants = self.rooms[room]
        if presence.get("type") == "unavailable":
            occupants.discard(nickname)
            if not occupants:
                self.rooms.pop(room)
                self.client.send(f"<presence type='unavailable' to={quoteattr(f'{room}/focus')}/>")
            return
        occupants.add(nickname)
        item = presence.find(f"{{{MUC}#user}}x/{{{MUC}#user}}item")
        address = item.get("jid") if item is not None else None
        if self.auto_owner and len(occupants) == 1 and address and item is not None:
            owner = f"<item affiliation='owner' jid={quoteattr(address.split('/')[0])}/>"
            await self.client.request("set", room, f"<query xmlns='{MUC}#admin'>{owner}</query>")

    def start(self, request: ET.Element, room: str) -> None:
        """Start a conference: open its room."""
        assert self.client is not None
        if room.partition("@")[2] != self.conferences:
            self.client.send(
                f"<iq type='error' to={quoteattr(request.get('from', ''))} id={quoteattr(request.get('id', ''))}>"
                "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
            return
        if room not in self.rooms:
            self.rooms[room] = set()
            self.client.join(room, "focus")
        self.client.answer(
            request,
            f"<conference xmlns='{FOCUS}' room={quoteattr(room)} ready='true' "
            f"focusjid={quoteattr(self.client.address.split('/')[0])}/>",
        )

    def health(self) -> tuple[int, str, str]:
        """Answer whether it is healthy."""
        if self.problem:
            return 500, "text/plain", self.problem
        if not any(self.bridges.values()):
            total = len(self.bridges)
            return 500, "text/plain", f"No operational bridges available (total bridge count: {total})"
        return 200, "text/plain", "OK"

    def numbers(self) -> dict[str, float]:
        """Return what it counts."""
        return {
            "bridge_selector_bridge_count": float(len(self.bridges)),
            "bridge_selector_bridge_count_operational": float(sum(self.bridges.values())),
            "conferences": float(len(self.rooms)),
        }

    def pages(self) -> web.Pages:
        """Return the web pages that the configuration has it serve."""
        version = json.dumps({"name": "Jicofo", "version": VERSION, "os": "Linux"})
        found: web.Pages = {
            "/about/version": lambda: (200, "application/json", version),
            "/metrics": lambda: web.metrics("jitsi_jicofo", self.numbers()),
        }
        if self.settings.get("jicofo.health.enabled", False):
            found["/about/health"] = self.health
        return found


async def run(settings: Settings) -> None:
    """Run until told to stop."""
    focus = Focus(settings)
    host, port = settings.get("jicofo.rest.host", "127.0.0.1"), settings.get("jicofo.rest.port", 8888)
    if settings.get("jicofo.rest.enabled", True):
        await web.serve(str(host), int(port), focus.pages())
    task = asyncio.ensure_future(focus.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await asyncio.gather(task, return_exceptions=True)
    if focus.client is not None:
        focus.client.close()


def main() -> None:
    """Be Jicofo. Ends with Java's exit status of a program that was told to stop."""
    try:
        asyncio.run(run(Settings("jicofo", sys.argv[1:])))
    except SettingsError as error:
        sys.exit(f"SEVERE: {error}")
    sys.exit(143)


if __name__ == "__main__":
    main()
