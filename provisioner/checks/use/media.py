"""What a participant's browser receives in a meeting, and on which way, by WebRTC's own statistics (W3C webrtc-stats).

A page's connections are watched by a class that takes the place of ``RTCPeerConnection`` before the page's first
script runs. So nothing is asked of the application: neither its source nor a setting of its own.

Where only some addresses of the other end are to be used, the page is told no other ones, and its own addresses are
told to nobody: else the other end sends from whichever of its addresses it likes, and the browser takes that one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

#: So many bytes of a stream are more than its first packets.
LEAST_BYTES: Mapping[str, int] = {"audio": 2_000, "video": 20_000}

_WATCH = """((relayed, through) => {
  const Native = window.RTCPeerConnection, made = [], named = new WeakMap(), offers = new WeakMap();
  const wanted = url => relayed ? /^turns:/i.test(url) : !/^turns?:/i.test(url);
  const shape = given => ({...given, iceTransportPolicy: relayed ? 'relay' : 'all',
    iceServers: (given?.iceServers ?? [])
      .map(server => ({...server, urls: [server.urls].flat().filter(wanted)}))
      .filter(server => server.urls.length)});
  const name = (connection, given) => named.set(connection, (given?.iceServers ?? []).flatMap(server => server.urls));
  // As one writes an address (RFC 5952): Java writes IPv6 in full. A name stays what it is.
  const plain = address => {
    const url = address.includes(':') ? `http://[${address}]` : `http://${address}`;
    return URL.canParse(url) ? new URL(url).hostname.replace(/^\\[|\\]$/g, '') : address;
  };
  const led = line => /candidate:(?:\\S+ ){4}(\\S+)/.exec(line)?.[1];
  function allows(connection, line) {
    const address = led(line) && plain(led(line));
    if (!address) return true;
    offers.get(connection).add(address);
    return !through || through.includes(address);
  }
  const lines = (description, keep) => description?.sdp
    ? {type: description.type, sdp: description.sdp.split(/(?<=\\n)/).filter(keep).join('')} : description;
  const mute = description => through && description
    ? new RTCSessionDescription(lines(description, line => !led(line))) : description;
  class Watched extends Native {
    constructor(configuration, ...more) {
      super(shape(configuration), ...more);
      made.push(this); name(this, configuration); offers.set(this, new Set());
      if (through) this.addEventListener('icecandidate', event => event.candidate && event.stopImmediatePropagation());
    }
    setConfiguration(configuration) { super.setConfiguration(shape(configuration)); name(this, configuration); }
    setRemoteDescription(description, ...more) {
      return super.setRemoteDescription(lines(description, line => allows(this, line)), ...more);
    }
    addIceCandidate(candidate, ...more) {
      if (allows(this, candidate?.candidate ?? '')) return super.addIceCandidate(candidate, ...more);
      more[0]?.();  // the older way to be told
      return Promise.resolve();
    }
    get localDescription() { return mute(super.localDescription); }
    get currentLocalDescription() { return mute(super.currentLocalDescription); }
    get pendingLocalDescription() { return mute(super.pendingLocalDescription); }
  }
  window.RTCPeerConnection = window.webkitRTCPeerConnection = Watched;
  const kept = ['inbound-rtp', 'transport', 'candidate-pair', 'local-candidate', 'remote-candidate'];
  Object.defineProperty(window, 'sovstackMedia', {value: () => Promise.all(made
    .filter(connection => connection.connectionState !== 'closed')
    .map(async connection => ({
      servers: named.get(connection),
      offered: [...offers.get(connection)],
      stats: [...(await connection.getStats()).values()].filter(entry => kept.includes(entry.type)),
    })))});
})(%s, %s)"""
#: What gives a ``Reception``'s data in a page.
ASK = "window.sovstackMedia ? sovstackMedia() : []"


def watch(*, relayed: bool, through: Collection[str] = ()) -> str:
    """Return the script that watches a page's connections.

    Where several ways are open a browser takes whichever is ready first, which says nothing about the others.

    Args:
        relayed: Leaves them TURN over TLS alone, else no TURN.
        through: The only addresses of the other end that they may use; all where it is empty.
    """
    return _WATCH % (json.dumps(relayed), json.dumps([plain(address) for address in through] or None))


def plain(address: str) -> str:
    """Return an address as one writes it (RFC 5952); what is none as it is."""
    try:
        return ip_address(address).compressed
    except ValueError:
        return address


@dataclass(frozen=True, slots=True)
class Reception:
    """What one participant receives.

    Attributes:
        streams: Bytes of each stream that arrives from others, by ``audio`` and ``video``, the largest first.
        frames: Pictures that were decoded.
        ways: How often which kind of candidate carries it: ``host/udp``, ``relay/tls``.
        servers: The STUN and TURN servers that the page names.
        offered: The addresses at which the other end says that it is, also those that were kept from the page.
        through: Those of them that are in use.
    """

    streams: Mapping[str, Sequence[int]]
    frames: int
    ways: Mapping[str, int]
    servers: frozenset[str]
    offered: frozenset[str] = frozenset()
    through: frozenset[str] = frozenset()

    @classmethod
    def read(cls, connections: Sequence[Mapping[str, Any]]) -> Self:
        """Return what the page's connections say (``ASK``)."""
        streams: dict[str, list[int]] = {kind: [] for kind in LEAST_BYTES}
        frames, ways, through = 0, Counter[str](), set()
        for connection in connections:
            stats = {entry["id"]: entry for entry in connection["stats"]}
            for entry in stats.values():
                if entry["type"] == "inbound-rtp" and entry.get("kind") in streams:
                    streams[entry["kind"]].append(int(entry.get("bytesReceived", 0)))
                    frames += int(entry.get("framesDecoded", 0))
                elif entry["type"] == "transport" and entry.get("bytesReceived"):
                    ways[_way(entry, stats)] += 1
                    through.add(_other_end(entry, stats))
        offered = frozenset(address for connection in connections for address in connection["offered"])
        servers = frozenset(url for connection in connections for url in connection["servers"])
        return cls(
            {kind: sorted(sizes, reverse=True) for kind, sizes in streams.items()},
            frames,
            ways,
            servers,
            offered,
            frozenset(through),
        )

    def missing(self, others: int, ways: Sequence[str], through: Collection[str] = ()) -> list[str]:
        """Return what is missing to have received as many ``others`` on the ways that are wanted, and on these only.

        Where addresses are given, the other end has to be at one of them.
        """
        problems = []
        for kind, least in LEAST_BYTES.items():
            enough = sum(size >= least for size in self.streams[kind])
            if enough < others:
                sizes = ", ".join(map(str, self.streams[kind])) or "none"
                problems.append(
                    f"{kind} of {enough} of {others} others (bytes by stream: {sizes}; {least} are wanted)"
                )
        if not self.ways:
            problems.append(f"a connection through {' or '.join(through)}" if through else "no connection")
        problems += [f"media on {way}, not on {' or '.join(ways)}" for way in self.ways if way not in ways]
        if through:
            problems += [
                f"media through {address}, not through {' or '.join(through)}"
                for address in sorted(self.through - set(map(plain, through)))
            ]
        return problems

    def __str__(self) -> str:
        """Return bytes and ways in a line."""
        sizes = "; ".join(f"{kind} {' + '.join(map(str, found))}" for kind, found in self.streams.items())
        ends = f" to {', '.join(sorted(self.through))}" if self.through else ""
        offered = f"; offered: {', '.join(sorted(self.offered))}" if self.offered else ""
        return f"{sizes} bytes, {self.frames} pictures, on {', '.join(self.ways) or 'no way'}{ends}{offered}"


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


def _other_end(transport: Mapping[str, Any], stats: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the address of the remote candidate that a transport uses; browsers hide one that nobody told them."""
    pair = stats.get(transport.get("selectedCandidatePairId", ""), {})
    remote = stats.get(pair.get("remoteCandidateId", ""), {})
    return plain(remote.get("address") or "an address that was not offered")
