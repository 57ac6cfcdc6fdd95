"""The host against what its roles declare of it: sockets and units, none too many and none too few."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pytest
from testinfra.host import Host

DECLARATION = "/etc/sovstack/declared.json"
# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 4.0
# unit, protocol, local address, port
Socket = tuple[str, str, str, int]


@pytest.fixture(scope="module")
def declared(host: Host) -> dict[str, Any]:
    """What the roles of this host declared when they were applied."""
    return json.loads(host.file(DECLARATION).content_string)


@pytest.fixture(scope="module")
def units(declared: dict[str, Any]) -> list[str]:
    return declared["units"]


def listening(host: Host) -> set[Socket]:
    """Every listening TCP and every unconnected UDP socket; ``*`` stands for all addresses of a family."""
    found = set()
    for line in host.check_output("ss --no-header --listening --tcp --udp --numeric --cgroup").splitlines():
        protocol, _, _, _, local, *rest = line.split()
        address, _, port = local.rpartition(":")
        bare = address.strip("[]").partition("%")[0].removeprefix("::ffff:")
        group = next((part.removeprefix("cgroup:") for part in rest if part.startswith("cgroup:")), "")
        unit = group.rpartition("/")[2] or "kernel"
        found.add((unit, protocol, "*" if bare in ("0.0.0.0", "::", "*") else bare, int(port)))  # noqa: S104
    return found


def is_of(unit: str, named: str) -> bool:
    """Whether a unit is the one that is named, or an instance of it."""
    return unit == named or (named.endswith("@.service") and unit.startswith(named.removesuffix(".service")))


def covers(entry: dict[str, Any], socket: Socket) -> bool:
    """Whether a declaration speaks of a socket."""
    unit, protocol, address, port = socket
    return (
        is_of(unit, entry["unit"])
        and protocol == entry["protocol"]
        and address in entry["addresses"]
        and any(int(low) <= port <= int(high or low) for low, _, high in _ranges(entry["ports"]))
    )


def demanded(entry: dict[str, Any]) -> Iterable[Socket]:
    """The sockets that a declaration asks for."""
    if not entry.get("optional"):
        for address in entry["addresses"]:
            for low, _, high in _ranges(entry["ports"]):
                if not high:
                    yield entry["unit"], entry["protocol"], address, int(low)


def _ranges(ports: list[Any]) -> list[tuple[str, str, str]]:
    return [str(port).partition("-") for port in ports]


def runs(host: Host, unit: str) -> bool:
    return host.run("systemctl is-active --quiet %s", unit).rc == 0


def show(sockets: Iterable[Socket]) -> str:
    return ", ".join(
        f"{unit} {protocol} {address}:{port}" for unit, protocol, address, port in sorted(sockets)
    )


@pytest.mark.check(
    id="HOST-SOCKETS",
    title="What listens on the host, loopback too, is what its roles declare, and all of it",
    grade="observed on host",
    remedy="Stop and remove a foreign program; `ss -ltunp` names it. For a missing one, see its unit's journal, or run "
    "`sovstack apply`.",
)
def test_sockets_are_the_declared_ones(
    host: Host,
    declared: dict[str, Any],
    record_property: Callable[[str, object], None],
    java_deadline: float,
) -> None:
    entries = declared["sockets"]
    expected = {socket for entry in entries for socket in demanded(entry)}
    found = listening(host)
    foreign = {socket for socket in found if not any(covers(entry, socket) for entry in entries)}
    missing = expected - found
    if foreign or missing:
        # A question to a name server holds a UDP socket for a moment; a service that restarts, none.
        time.sleep(1)
        again = listening(host)
        foreign &= again
        missing -= again
    # A program in Java listens some time after its unit is active; one that does not run will never.
    while any(runs(host, unit) for unit, *_ in missing) and time.monotonic() < java_deadline:
        time.sleep(2)
        missing -= listening(host)
    record_property("actual", show(found))
    problems = [
        f"{kind}: {show(sockets)}"
        for kind, sockets in (("foreign", foreign), ("missing", missing))
        if sockets
    ]
    assert not problems, "; ".join(problems)


@pytest.mark.check(
    id="HOST-UNITS",
    title="Every unit of the stack on this host is active, starts with the host, and is started again whatever ends it",
    grade="observed on host",
    remedy="Run `sovstack apply`; it enables, starts and sets them up. `journalctl -u UNIT` says why one is down.",
)
def test_units_are_active(
    host: Host,
    units: list[str],
    record_property: Callable[[str, object], None],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if not units:
        not_applicable("no role declares a unit")
    shown = host.check_output(
        "systemctl show --property=Id,ActiveState,UnitFileState,Type,Restart,StartLimitIntervalUSec "
        + " ".join(units)
    ).split("\n\n")
    states, given_up = {}, []
    for block in shown:
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        states[properties["Id"]] = (properties["ActiveState"], properties["UnitFileState"])
        # Timers, and what loads something and ends, have nothing that could be killed.
        lasting = properties["Id"].endswith(".service") and properties["Type"] != "oneshot"
        if lasting and (properties["Restart"], properties["StartLimitIntervalUSec"]) != ("always", "0"):
            given_up.append(properties["Id"])
    record_property(
        "actual", ", ".join(f"{unit} {' '.join(state)}" for unit, state in sorted(states.items()))
    )
    assert set(states) == set(units)
    wrong = {
        unit: state
        for unit, state in states.items()
        if state[0] not in ("active", "reloading") or state[1] in ("", "disabled", "masked", "masked-runtime")
    }
    assert not wrong
    assert not given_up, f"systemd would give up {', '.join(given_up)}"


@pytest.mark.check(
    id="HOST-RETIRED",
    title="What this host carried before and the profile no longer names neither runs nor starts with the host",
    grade="observed on host",
    remedy="Run `sovstack apply`; it stops them. What they were is in `retired` in /etc/sovstack/declared.json.",
)
def test_retired_units_are_down(
    host: Host,
    declared: dict[str, Any],
    record_property: Callable[[str, object], None],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    retired = declared.get("retired", {}).get("units", [])
    if not retired:
        not_applicable("nothing was carried before that is not carried now")
    active = host.run(f"systemctl is-active {' '.join(retired)}").stdout.split()
    starting = host.run(f"systemctl is-enabled {' '.join(retired)}").stdout.split()
    states = dict(zip(retired, zip(active, starting, strict=True), strict=True))
    record_property("actual", ", ".join(f"{unit} {' '.join(state)}" for unit, state in states.items()))
    assert {
        unit: state
        for unit, state in states.items()
        if state[0] not in ("inactive", "failed") or state[1].startswith("enabled")
    } == {}


@pytest.mark.check(
    id="HOST-EXPOSURE",
    title="Every service of the stack on this host is shut in",
    grade="observed on host",
    remedy="`systemd-analyze security UNIT` shows what is open; remove drop-ins that undo ours, and run apply.",
)
def test_units_are_shut_in(
    host: Host,
    units: list[str],
    exposures_of: Callable[[Iterable[str]], dict[str, float]],
    record_property: Callable[[str, object], None],
    not_applicable: Callable[[str], NoReturn],
) -> None:
    if not units:
        not_applicable("no role declares a unit")
    services = set()
    shown = host.check_output(f"systemctl show --property=Id,Triggers {' '.join(units)}").split("\n\n")
    for block in shown:
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        # What a timer starts is what can do harm.
        services |= set(properties.get("Triggers", "").split() or [properties["Id"]])
    values = exposures_of(sorted(services))
    record_property("actual", ", ".join(f"{service} {value}" for service, value in values.items()))
    record_property("expected", f"{HIGHEST_EXPOSURE} at most")
    assert {service: value for service, value in values.items() if value > HIGHEST_EXPOSURE} == {}
    assert all(re.fullmatch(r"[\w.@:\\-]+\.service", service) for service in values)
