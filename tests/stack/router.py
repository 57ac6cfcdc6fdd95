"""A router that does NAT before a machine, by this computer's firewall."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from stack.machine import Machine

MEDIA_PORT = 10000


@contextmanager
def leading_to(machine: Machine) -> Iterator[None]:
    """For the length of the block, lead media for the machine's public address on to it, and let no others through.

    What the machine itself sends to its public address ends at the router: it leads nothing from inside back in.
    """
    table = f"ip sovstack_router_{machine.address.replace('.', '_')}"
    # Its answers are dropped, not what it is asked: who sends is told of that. What machines say to each other may pass
    # this computer's rules, too, but not those of its input.
    rules = f"""
        table {table} {{}}
        delete table {table}
        table {table} {{
            chain output {{
                type nat hook output priority -100;
                ip daddr {machine.public_address} udp dport {MEDIA_PORT} dnat to {machine.address}
            }}
            chain input {{
                type filter hook input priority filter;
                ct direction reply ct original ip daddr {machine.address} udp sport {MEDIA_PORT} drop
            }}
            chain forward {{
                type filter hook forward priority filter;
                ip daddr {machine.public_address} drop
            }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", *table.split()], check=True)
