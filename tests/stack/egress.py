"""Whom a machine contacted, as its firewall recorded it, and whom its profile lets it contact."""

from __future__ import annotations

import ipaddress
import json
import re

from stack.machine import Machine

# An address that nobody has (RFC 5737): the record is tried with it.
_WITNESS = "192.0.2.77"


def strangers(machine: Machine) -> set[str]:
    """Return the addresses that the machine contacted since it started, and that are neither its resolver, time or apt
    sources nor its own public one or of the lab's own net.
    """
    machine.run(f"timeout 1 bash -c '</dev/tcp/{_WITNESS}/4444' 2>/dev/null || true")
    seen = _recorded(machine)
    assert _WITNESS in seen, f"the firewall of {machine.hostname} records nothing"
    return seen - _allowed(machine) - {_WITNESS}


def _allowed(machine: Machine) -> set[str]:
    addresses = _find(machine, r"^nameserver (\S+)", "cat /etc/resolv.conf")
    names = _find(
        machine, r"^(?:URIs:|deb) +\S*?://([^/\s]+)", "cat /etc/apt/sources.list.d/* /etc/apt/sources.list"
    )
    names |= _find(machine, r"^NTP=(\S+)", "cat /etc/systemd/timesyncd.conf.d/*")
    for name in names:
        addresses |= _find(machine, r"^(\S+) ", f"getent ahosts {name}")
    # The videobridge and the TURN server on one machine are told of each other's public address, which is the same.
    return addresses | {machine.public_address}


def _find(machine: Machine, pattern: str, command: str) -> set[str]:
    """Return what the pattern finds in a command's output; files that are not there are passed over."""
    return set(re.findall(pattern, machine.run(f"{command} 2>/dev/null || true"), re.MULTILINE))


def _recorded(machine: Machine) -> set[str]:
    """Return the addresses in the outbound table's sets, without loopback, multicast and the machine's own net."""
    own = ipaddress.ip_network(f"{machine.address}/24", strict=False)
    found = set()
    for name in ("seen4", "seen6"):
        listing = json.loads(machine.run(f"nft --json list set inet sovstack_outbound {name}"))
        for entry in listing["nftables"]:
            for element in entry.get("set", {}).get("elem", []):
                value = element["elem"]["val"] if "elem" in element else element
                address = ipaddress.ip_address(value["concat"][0])
                if not (
                    address.is_loopback or address.is_multicast or address.is_link_local or address in own
                ):
                    found.add(str(address))
    return found
