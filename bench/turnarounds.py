"""SSH round trips, counted on the wire, so that every transport is measured by the same yardstick."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType

_ETH_P_ALL = 0x0003  # a socket for IPv4 alone would see what arrives, and not what is sent
_TCP, _SSH_PORT = 6, 22
_HEADERS = 128  # bytes of a packet that are looked at; IPv4 and TCP headers fit
_BUFFER_BYTES = 32 * 1024 * 1024
_SO_RCVBUFFORCE = 33


class Turnarounds:
    """Counts, while the ``with`` block runs, how often a host answered the controller over SSH.

    One round trip: on one TCP connection to port 22, payload from the controller followed by payload from
    the host. A command and its output are one; so is a burst of packets and the answer to it. In the transfer
    of a large file, each growth of the window that the host grants is one too. Needs root.
    """

    def __init__(self, bridge: str) -> None:
        """Prepare to watch the lab's ``bridge``."""
        self.count = 0
        self._bridge = bridge
        self._waiting: set[tuple[bytes, int]] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Turnarounds:
        """Begin to count."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.bind((self._bridge, _ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End counting."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _watch(self) -> None:
        while not self._ended.is_set():
            try:
                packet = self._socket.recv(_HEADERS)
            except TimeoutError:
                continue
            self._look_at(packet)

    def _look_at(self, packet: bytes) -> None:
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != _TCP:
            return
        length = struct.unpack("!H", packet[2:4])[0]
        header = (packet[0] & 0x0F) * 4
        source_port, target_port = struct.unpack("!HH", packet[header : header + 4])
        if length and length <= header + (packet[header + 12] >> 4) * 4:
            return  # no payload: a bare acknowledgement
        if target_port == _SSH_PORT:
            self._waiting.add((packet[16:20], source_port))
        elif source_port == _SSH_PORT and (packet[12:16], target_port) in self._waiting:
            self._waiting.discard((packet[12:16], target_port))
            self.count += 1
