"""Contract double of the Jitsi Videobridge: logs in where its configuration says, and shows itself in the brewery.

It moves no media: its UDP port answers STUN's question for one's own address and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import json
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from jitsi_double import web
from jitsi_double.settings import Settings, SettingsError
from jitsi_double.xmpp import Account, Client, XmppError

VERSION = "@version@"
COLIBRI = "http://jitsi.org/protocol/colibri"
HEALTH = "http://jitsi.org/protocol/healthcheck"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# "Configuration error", upon which the vendor's unit does not try again.
MISCONFIGURED = 78
# Address of an interface (netdevice(7)).
_SIOCGIFADDR = 0x8915


class Connection:
    """One of the XMPP connections."""

    def __init__(self, name: str, values: dict[str, Any], settings: Settings) -> None:
        """Take what the configuration says.

        Raises:
            SettingsError: Something is missing that the real one needs.
        """
        for key in ("HOSTNAME", "USERNAME", "PASSWORD", "MUC_JIDS", "MUC_NICKNAME"):
            if key not in values:
                raise SettingsError(f"configuration: {key} of {name} is missing")
        host = str(values["HOSTNAME"])
        self.account = Account(
            host=host,
            port=int(values.get("PORT", 5222)),
            domain=str(values.get("DOMAIN", host)),
            username=str(values["USERNAME"]),
            password=str(values["PASSWORD"]),
            resource=str(values["MUC_NICKNAME"]),
            security=str(values.get("SECURITY_MODE", "ifpossible" if host in LOOPBACK else "required")),
        )
        if values.get("DISABLE_CERTIFICATE_VERIFICATION", False) or (
            self.account.security != "required" and host not in LOOPBACK
        ):
            raise SettingsError("the double logs in to no server that it does not know")
        self.tls = settings.tls()
        self.rooms = [room.strip().lower() for room in str(values["MUC_JIDS"]).split(",")]
        self.nickname = str(values["MUC_NICKNAME"])
        self.connected = False
        self.joined: set[str] = set()

    async def run(self, stats: dict[str, str]) -> None:
        """Stay logged in, and tell the rooms every few seconds how it is.

        As the real one, it enters its rooms once, whenever it has logged in: whom a room refuses then, stays outside
        until the connection ends.
        """
        while True:
            client = Client(self.account, self.tls)
            client.listener = partial(self.hear, client)
            try:
                await client.connect()
                self.connected = True
                print(f"logged in as {client.address}, encrypted: {client.encrypted}", flush=True)
                announcing = asyncio.ensure_future(self.announce(client, stats))
                await client.closed()
                announcing.cancel()
            except XmppError as error:
                print(f"WARNING: {error}", flush=True)
            self.connected = False
            self.joined.clear()
            await asyncio.sleep(1)

    async def announce(self, client: Client, stats: dict[str, str]) -> None:
        """Enter the rooms, and send the presence again and again."""
        text = "".join(
            f"<stat name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in stats.items()
        )
        payload = f"<stats xmlns='{COLIBRI}'>{text}</stats>"
        for room in self.rooms:
            client.join(room, self.nickname, payload)
        while True:
            await asyncio.sleep(5)
            for room in self.joined:
                client.renew(room, self.nickname, payload)

    async def hear(self, client: Client, stanza: ET.Element) -> None:
        """Take a stanza: one's own presence in a room, or Jicofo's question for one's health."""
        room, _, nickname = stanza.get("from", "").partition("/")
        if stanza.tag.endswith("}presence") and room in self.rooms and nickname == self.nickname:
            if stanza.get("type") in {"error", "unavailable"}:
                self.joined.discard(room)
                print(f"WARNING: not in {room}: {ET.tostring(stanza, encoding='unicode')}", flush=True)
            else:
                self.joined.add(room)
        elif stanza.find(f"{{{HEALTH}}}healthcheck") is not None:
            client.answer(stanza)


class Media(asyncio.DatagramProtocol):
    """The UDP port of one address; it knows STUN's binding request (RFC 8489)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        """Answer a binding request with the sender's address."""
        if len(data) < 20 or data[:2] != b"\x00\x01" or data[4:8] != b"\x21\x12\xa4\x42":
            return
        host = ipaddress.ip_address(address[0])
        mask = data[4:20][: len(host.packed)]
        hidden = bytes(a ^ b for a, b in zip(host.packed, mask, strict=True))
        value = struct.pack(">BBH", 0, 1 if host.version == 4 else 2, address[1] ^ 0x2112) + hidden
        attribute = struct.pack(">HH", 0x0020, len(value)) + value
        self.transport.sendto(struct.pack(">HH", 0x0101, len(attribute)) + data[4:20] + attribute, address)


def interface_addresses() -> Iterator[str]:
    """Yield the host's addresses the way Java finds them: without netlink, which the sandbox does not allow."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for link in Path("/sys/class/net").iterdir():
            with contextlib.suppress(OSError):  # an interface without an IPv4 address
                answer = fcntl.ioctl(control.fileno(), _SIOCGIFADDR, struct.pack("256s", link.name.encode()))
                yield socket.inet_ntoa(answer[20:24])
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        yield str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0])))


def addresses(settings: Settings) -> list[str]:
    """Return those of the host's addresses on which the real one would listen."""
    allowed = settings.get("ice4j.harvest.allowed-addresses", [])
    found = []
    for text in interface_addresses():
        address = ipaddress.ip_address(text)
        usable = not address.is_loopback and not address.is_link_local
        if address.version == 6 and not settings.get("ice4j.harvest.use-ipv6", True):
            usable = False
        if usable and (not allowed or text in allowed):
            found.append(text)
    return found


def problem(settings: Settings, local: list[str]) -> str:
    """Return why it is not healthy; empty where it is. As the real one, it does not ask whether it is logged in."""
    mapped = [entry["public-address"] for entry in settings.get("ice4j.harvest.mapping.static-mappings", [])]
    ours = [ipaddress.ip_address(address) for address in [*local, *mapped]]
    sites = [
        ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fec0::/10")
    ]
    valid = [a for a in ours if not any(a.version == site.version and a in site for site in sites)]
    if settings.get("videobridge.health.require-valid-address", True) and not valid:
        return "No valid IP addresses available for harvesting."
    return "" if local else "Failed to bind single-port"


async def run(settings: Settings) -> None:
    """Run until told to stop."""
    if settings.get("ice4j.harvest.mapping.aws.enabled", True):
        raise SettingsError("the double asks no cloud for its address: ice4j.harvest.mapping.aws.enabled")
    if settings.get("ice4j.harvest.mapping.stun.addresses", []):
        raise SettingsError("the double asks nobody for its address: ice4j.harvest.mapping.stun.addresses")
    groups = settings.groups("videobridge.apis.xmpp-client.configs")
    connections = [Connection(name, values, settings) for name, values in groups.items()]
    local = addresses(settings)
    loop = asyncio.get_running_loop()
    for address in local:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        port = int(settings.get("videobridge.ice.udp.port", 10000))
        await loop.create_datagram_endpoint(Media, (address, port), family=family)
    unhealthy = problem(settings, local)
    stats = {
        "healthy": str(not unhealthy).lower(),
        "version": VERSION,
        "stress_level": "0.0",
        "drain": "false",
    }

    def health() -> tuple[int, str, str]:
        return (
            (500, "application/json", json.dumps({"error": unhealthy}))
            if unhealthy
            else (200, "text/plain", "OK")
        )

    version = json.dumps({"name": "JVB", "version": VERSION, "os": "Linux"})
    pages: web.Pages = {
        "/about/health": health,
        "/about/version": lambda: (200, "application/json", version),
        "/metrics": lambda: web.metrics(
            "jitsi_jvb",
            {
                "healthy": float(not unhealthy),
                "muc_clients_configured": float(len(connections)),
                "muc_clients_connected": float(sum(connection.connected for connection in connections)),
                "mucs_configured": float(sum(len(connection.rooms) for connection in connections)),
                "mucs_joined": float(sum(len(connection.joined) for connection in connections)),
            },
        ),
    }
    host = str(settings.get("videobridge.http-servers.private.host", "127.0.0.1"))
    await web.serve(host, int(settings.get("videobridge.http-servers.private.port", 8080)), pages)
    tasks = asyncio.gather(*(connection.run(stats) for connection in connections), return_exceptions=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    tasks.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await tasks


def main() -> None:
    """Be the videobridge. Ends with Java's exit status of a program that was told to stop."""
    try:
        asyncio.run(run(Settings("jitsi-videobridge2", sys.argv[1:])))
    except SettingsError as error:
        print(f"SEVERE: {error}", file=sys.stderr)
        sys.exit(MISCONFIGURED)
    sys.exit(143)


if __name__ == "__main__":
    main()
