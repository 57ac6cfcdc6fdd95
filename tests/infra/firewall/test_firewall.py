"""The packet filter as the kernel has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from testinfra.host import Host


def listed(host: Host, what: str) -> list[dict[str, Any]]:
    """What nft lists, as its JSON objects."""
    return [
        item
        for item in json.loads(host.check_output(f"nft -j list {what}"))["nftables"]
        if "metainfo" not in item
    ]


def rules(host: Host, chain: str) -> list[dict[str, Any]]:
    return [item["rule"] for item in listed(host, f"chain inet {chain}") if "rule" in item]


def policy(host: Host, chain: str) -> str:
    return next(item["chain"]["policy"] for item in listed(host, f"chain inet {chain}") if "chain" in item)


def ports_of(rule: dict[str, Any]) -> set[int]:
    """Destination ports that a rule matches."""
    ports: set[int] = set()
    for expression in rule["expr"]:
        match = expression.get("match", {})
        if match.get("left", {}) == {"payload": {"protocol": "tcp", "field": "dport"}}:
            right = match["right"]
            ports |= set(right["set"]) if isinstance(right, dict) else {right}
    return ports


@pytest.mark.check(
    id="FW-INBOUND",
    title="What is not allowed to come in is dropped, and nothing is forwarded",
    grade="observed on host",
    remedy="`systemctl reload nftables`, or run `sovstack apply`.",
    unit="nftables.service",
)
def test_default_is_drop(host: Host) -> None:
    assert policy(host, "sovstack_inbound input") == "drop"
    assert policy(host, "sovstack_inbound forward") == "drop"


@pytest.mark.check(
    id="FW-RULES",
    title="The loaded inbound rules are those of the file",
    grade="observed on host",
    remedy="`systemctl reload nftables`; somebody changed the rules by hand.",
    unit="nftables.service",
)
def test_loaded_rules_are_those_of_the_file(host: Host) -> None:
    accepting = [line.strip() for line in host.file("/etc/nftables.conf").content_string.splitlines()]
    named = sum(' accept comment "' in line for line in accepting)
    loaded = [rule for rule in rules(host, "sovstack_inbound input") if ports_of(rule) and "comment" in rule]
    tcp_named = [line for line in accepting if ' accept comment "' in line and "tcp dport" in line]
    assert named
    assert len(loaded) == len(tcp_named)


@pytest.mark.check(
    id="FW-SSH-SOURCES",
    title="SSH can be reached from the profile's networks only",
    grade="observed on host",
    remedy="Run `sovstack apply`.",
    unit="nftables.service",
)
def test_ssh_sources(host: Host, deployment: dict, not_applicable: Callable[[str], NoReturn]) -> None:
    if not deployment["firewall_ssh_sources"]:
        not_applicable("the profile lets SSH in from anywhere")
    for rule in rules(host, "sovstack_inbound input"):
        if deployment["firewall_ssh_port"] in ports_of(rule):
            fields = [
                item["match"]["left"]["payload"]["field"] for item in rule["expr"] if "payload" in str(item)
            ]
            assert "saddr" in fields, rule.get("comment")


@pytest.mark.check(
    id="FW-ENABLED",
    title="The rules are loaded at every start of the host",
    grade="observed on host",
    remedy="`systemctl enable --now nftables`",
    unit="nftables.service",
)
def test_service_is_enabled(host: Host) -> None:
    assert host.service("nftables").is_enabled
    assert host.service("nftables").is_running


@pytest.mark.check(
    id="FW-OUTBOUND",
    title="Every new outbound destination is recorded",
    grade="observed on host",
    remedy="Run `sovstack apply`; it loads table inet sovstack_outbound.",
    unit="nftables.service",
)
def test_outbound_destinations_are_recorded(host: Host) -> None:
    recorders = {
        expression["set"]["set"]
        for rule in rules(host, "sovstack_outbound output")
        for expression in rule["expr"]
        if "set" in expression and expression["set"]["op"] == "add"
    }
    assert recorders == {"@seen4", "@seen6"}


@pytest.mark.check(
    id="FW-RECORD",
    title="The record of destinations outlives a restart",
    grade="configured",
    remedy="Run `sovstack apply`; it writes the unit's drop-in.",
    unit="nftables.service",
)
def test_record_outlives_a_restart(host: Host) -> None:
    unit = host.check_output("systemctl show nftables --property=ExecStop --property=ExecStartPost")
    assert "seen4" in unit
    assert "/var/lib/sovstack/firewall/seen.nft" in unit
