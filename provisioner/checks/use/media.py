"""What a participant's browser receives in a meeting, and on which way, by WebRTC's own statistics (W3C webrtc-stats).

A page's connections are watched by a class that takes the place of ``RTCPeerConnection`` before the page's first
script runs. So nothing is asked of the application: neither its source nor a setting of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

#: So many bytes of a stream are more than its first packets.
LEAST_BYTES: Mapping[str, int] = {"audio": 2_000, "video": 20_000}

_WATCH = """(relayed => {
  const Native = window.RTCPeerConnection, made = [], named = new WeakMap();
  const wanted = url => relayed ? /^turns:/i.test(url) : !/^turns?:/i.test(url);
  const shape = given => ({...given, iceTransportPolicy: relayed ? 'relay' : 'all',
    iceServers: (given?.iceServers ?? [])
      .map(server => ({...server, urls: [server.urls].flat().filter(wanted)}))
      .filter(server => server.urls.length)});
  const name = (connection, given) => named.set(connection, (given?.iceServers ?? []).flatMap(server => server.urls));
  class Watched extends Native {
    constructor(configuration, ...more) {
      super(shape(configuration), ...more); made.push(this); name(this, configuration);
    }
    setConfiguration(configuration) { super.setConfiguration(shape(configuration)); name(this, configuration); }
  }
  window.RTCPeerConnection = window.webkitRTCPeerConnection = Watched;
  const kept = ['inbound-rtp', 'transport', 'candidate-pair', 'local-candidate'];
  Object.defineProperty(window, 'sovstackMedia', {value: () => Promise.all(made
    .filter(connection => connection.connectionState !== 'closed')
    .map(async connection => ({
      servers: named.get(connection),
      stats: [...(await connection.getStats()).values()].filter(entry => kept.includes(entry.type)),
    })))});
})(%s)"""
#: What gives a ``Reception``'s data in a page.
ASK = "window.sovstackMedia ? sovstackMedia() : []"


def watch(*, relayed: bool) -> str:
    """Return the script that watches a page's connections; ``relayed`` leaves them TURN over TLS alone, else no TURN.

    Where both ways are open a browser takes whichever is ready first, which says nothing about the other.
    """
    return _WATCH % json.dumps(relayed)


@dataclass(frozen=True, slots=True)
class Reception:
    """What one participant receives.

    Attributes:
        streams: Bytes of each stream that arrives from others, by ``audio`` and ``video``, the largest first.
        frames: Pictures that were decoded.
        ways: How often which kind of candidate carries it: ``host/udp``, ``relay/tls``.
        servers: The STUN and TURN servers that the page names.
    """

    streams: Mapping[str, Sequence[int]]
    frames: int
    ways: Mapping[str, int]
    servers: frozenset[str]

    @classmethod
    def read(cls, connections: Sequence[Mapping[str, Any]]) -> Self:
        """Return what the page's connections say (``ASK``)."""
        streams: dict[str, list[int]] = {kind: [] for kind in LEAST_BYTES}
        frames, ways = 0, Counter[str]()
        for connection in connections:
            stats = {entry["id"]: entry for entry in connection["stats"]}
            for entry in stats.values():
                if entry["type"] == "inbound-rtp" and entry.get("kind") in streams:
                    streams[entry["kind"]].append(int(entry.get("bytesReceived", 0)))
                    frames += int(entry.get("framesDecoded", 0))
                elif entry["type"] == "transport" and entry.get("bytesReceived"):
                    ways[_way(entry, stats)] += 1
        servers = frozenset(url for connection in connections for url in connection["servers"])
        return cls(
            {kind: sorted(sizes, reverse=True) for kind, sizes in streams.items()}, frames, ways, servers
        )

    def missing(self, others: int, ways: Sequence[str]) -> list[str]:
        """Return what is missing to have received as many ``others`` on the ways that are wanted, and on these only."""
        problems = []
        for kind, least in LEAST_BYTES.items():
            enough = sum(size >= least for size in self.streams[kind])
            if enough < others:
                sizes = ", ".join(map(str, self.streams[kind])) or "none"
                problems.append(
                    f"{kind} of {enough} of {others} others (bytes by stream: {sizes}; {least} are wanted)"
                )
        if not self.ways:
            problems.append("no connection")
        problems += [f"media on {way}, not on {' or '.join(ways)}" for way in self.ways if way not in ways]
        return problems

    def __str__(self) -> str:
        """Return bytes and ways in a line."""
        sizes = "; ".join(f"{kind} {' + '.join(map(str, found))}" for kind, found in self.streams.items())
        return f"{sizes} bytes, {self.frames} pictures, on {', '.join(self.ways) or 'no way'}"


def _way(transport: Mapping[str, Any], stats: Mapping[str, Mapping[str, Any]]) -> str:
    """Return kind and protocol of the local candidate that a transport uses.

    ``relayProtocol`` is how the browser speaks to the TURN server; the candidate's own ``protocol`` is how the server
    speaks to the other end. A candidate that has the one is relayed, whatever its kind: where the other end sees the
    server at an address behind NAT, the relayed candidate becomes a peer-reflexive one.
    """
    pair = stats.get(transport.get("selectedCandidatePairId", ""), {})
    local = stats.get(pair.get("localCandidateId", ""), {})
    if "relayProtocol" in local or local.get("candidateType") == "relay":
        return f"relay/{local.get('relayProtocol', 'unknown')}"
    return f"{local.get('candidateType', 'unknown')}/{local.get('protocol', 'unknown')}"
