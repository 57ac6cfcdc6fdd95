"""A lab's network: one bridge, one nftables table, one subnet, and the kernel's settings that machines need.

What labs of one computer share (which subnets are taken, what those settings were before) is kept in
``/run/sovstack-lab``: it lives exactly as long as the bridges it speaks of.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioner.errors import ProvisionerError, Unavailable, UsageError
from provisioner.lab import lock, record
from provisioner.lab.command import run, succeeds
from provisioner.lab.record import Lab

_SHARED = Path("/run/sovstack-lab")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Of one user, here root of all machines. A machine's systemd and its services hold ten of the kernel's usual 128.
_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_MANY_INSTANCES = 2048
_DEFAULT_LAB = "default"


@contextmanager
def _shared_lock() -> Iterator[None]:
    with lock.hold(_SHARED / "lock", "another command is changing the networks of this computer's labs"):
        yield


def make(lab: Lab) -> None:
    """Make the lab's bridge and masquerading, or complete what is there; safe to repeat.

    Raises:
        ProvisionerError: The subnet belongs to something else on this computer, or the kernel refuses.
    """
    with _shared_lock():
        claim = _claim(lab.network)
        owner = claim.read_text() if claim.exists() else None
        if owner != str(lab.home) and (owner or lab.network in _networks_in_use(ours=lab.bridge)):
            raise ProvisionerError(
                f"the subnet {lab.subnet} of lab {lab.name} is in use: {owner or 'not by a lab'}",
                hint=f"sovstack lab down {lab.name}, then lab up {lab.name} takes a free one",
            )
        record.replace_file(claim, str(lab.home))
        _borrow(_FORWARD, 1)
        with suppress(OSError):  # where the kernel's settings are read-only, fewer machines run at once
            _borrow(_INOTIFY_INSTANCES, _MANY_INSTANCES)
        _make_bridge(lab)
        run(["nft", "-f", "-"], stdin=_ruleset(lab))


def obstacles() -> list[str]:
    """Return what on this computer drops forwarded packets beside the lab's rules, as Docker's and ufw's do.

    A packet that one chain accepts is still seen, and dropped, by the others of the same hook.
    """
    listed = json.loads(run(["nft", "--json", "list", "chains"]))["nftables"]
    chains = (entry["chain"] for entry in listed if "chain" in entry)
    return [
        f"the nftables chain {chain['family']} {chain['table']} {chain['name']} drops what it does not know"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop"
    ]


def remove(lab: Lab) -> None:
    """Remove the lab's bridge, links and rules; after the last lab put the settings back. Safe to repeat."""
    with _shared_lock():
        claim = _claim(lab.network)
        if not claim.exists() or claim.read_text() == str(lab.home):
            if succeeds(["nft", "list", "table", "ip", lab.bridge]):
                run(["nft", "delete", "table", "ip", lab.bridge])
            for link in [*_ports(lab.bridge), *(lab.link(number) for number in lab.machines)]:
                remove_link(link)
            remove_link(lab.bridge)
            claim.unlink(missing_ok=True)
        if not any(_SHARED.glob("network-*")):
            _give_back(_FORWARD)
            _give_back(_INOTIFY_INSTANCES)


def _borrow(setting: Path, least: int) -> None:
    """See to it that a setting of the kernel is not below ``least``; remember what it was.

    Raises:
        OSError: It cannot be set.
    """
    before = _before(setting)
    value = setting.read_text()
    if int(value) < least:
        if not before.exists():
            record.replace_file(before, value)
        try:
            setting.write_text(str(least))
        except OSError:
            before.unlink()
            raise


def _give_back(setting: Path) -> None:
    before = _before(setting)
    if before.exists():
        setting.write_text(before.read_text())
        before.unlink()


def _before(setting: Path) -> Path:
    """Return the file that remembers what a setting was before the first lab."""
    return _SHARED / f"{setting.name}.before"


def remove_link(name: str) -> None:
    """Delete a network link; nothing happens when it is gone, also when it goes meanwhile."""
    if _link_exists(name) and not succeeds(["ip", "link", "delete", name]) and _link_exists(name):
        raise ProvisionerError(f"the network link {name} cannot be deleted")


def allocate(name: str, subnet: str | None) -> Lab:
    """Choose a free 10.77.K.0/24 for a new lab, record the lab with it, and return the lab.

    Raises:
        UsageError: ``subnet`` is not of that shape, or is taken.
        Unavailable: No subnet is free.
    """
    with _shared_lock():
        lab = Lab(name, _choose(name, subnet))
        record.save(lab)
        record.replace_file(_claim(lab.network), str(lab.home))
        return lab


def _choose(name: str, subnet: str | None) -> int:
    taken = _networks_in_use() | {lab.network for lab in record.load_all()}
    if subnet is not None:
        wanted = _parse(subnet)
    elif name == _DEFAULT_LAB:
        wanted = 0  # the profile in inventories/lab names its addresses
    elif free := set(range(1, 256)) - taken:
        return min(free)
    else:
        raise Unavailable("all subnets 10.77.1.0/24 to 10.77.255.0/24 are in use", hint="sovstack lab list")
    if wanted in taken:
        raise UsageError(
            f"the subnet {record.subnet_of(wanted)} is in use on this computer",
            hint="see `sovstack lab list` and `ip address`; another lab name or --subnet takes another",
        )
    return wanted


def _claim(network: int) -> Path:
    return _SHARED / f"network-{network}"


def _parse(subnet: str) -> int:
    try:
        network = ipaddress.IPv4Network(subnet)
    except ValueError as error:
        raise UsageError(f"{subnet!r} is not a subnet: {error}", hint="--subnet 10.77.5.0/24") from error
    number = network.network_address.packed[2]
    if network != record.subnet_of(number):
        raise UsageError(f"a lab cannot use {subnet}", hint="its subnet is 10.77.K.0/24 with K from 0 to 255")
    return number


def _networks_in_use(ours: str | None = None) -> set[int]:
    """Return each K whose subnet a lab claims or a route of this computer, but by link ``ours``, leads to."""
    taken = {int(path.name.removeprefix("network-")) for path in _SHARED.glob("network-*")}
    for route in json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"])):
        if route["dst"] == "default" or route.get("dev") == ours:
            continue
        destination = ipaddress.IPv4Network(route["dst"], strict=False)
        # A wide route, such as a VPN's 10.0.0.0/8, yields to a lab's narrower one.
        if destination.prefixlen > 16:
            taken |= {number for number in range(256) if record.subnet_of(number).overlaps(destination)}
    return taken


def _link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _ports(bridge: str) -> list[str]:
    return [path.name for path in Path("/sys/class/net", bridge, "brif").glob("*")]


def _make_bridge(lab: Lab) -> None:
    if not _link_exists(lab.bridge):
        run(["ip", "link", "add", lab.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{lab.gateway}/{lab.subnet.prefixlen}", "dev", lab.bridge])
    run(["ip", "link", "set", lab.bridge, "up"])


def _ruleset(lab: Lab) -> str:
    """Return the lab's table; deleting it first makes loading it again replace it, in one transaction."""
    return f"""
table ip {lab.bridge}
delete table ip {lab.bridge}
table ip {lab.bridge} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {lab.subnet} ip daddr != {lab.subnet} masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname "{lab.bridge}" accept
        oifname "{lab.bridge}" ct state established,related accept
    }}
}}
"""
