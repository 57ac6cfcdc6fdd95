"""Who controls a provider, from dated data (``sovereignty.yml``), held against the level that is demanded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Host, Profile
from provisioner.profile.problem import Severity, ValuePath

_DATA = Path(__file__).with_suffix(".yml")
ON_PREMISE = "on-premise"
_LEVEL: ValuePath = ("sovereignty", "level")
_EEA_ONLY = "Choose a host in the European Economic Area, or a lower sovereignty.level."


class Control(StrEnum):
    """Under whose law whoever controls a provider stands."""

    SELF = "self"
    EEA = "eea"
    US = "us"
    OTHER = "other"
    MIXED = "mixed"


@dataclass(frozen=True)
class Provider:
    """What is known about one provider."""

    name: str
    control: Control
    owner: str
    note: str


@dataclass(frozen=True)
class Vendor:
    """Who makes an application, the country of its seat (ISO 3166-1 alpha-2), and what follows from that."""

    name: str
    country: str
    note: str


@dataclass(frozen=True)
class Registry:
    """What is known about providers and public services on one date.

    Attributes:
        checked_on: The date of the statements, ISO 8601.
        eea: ISO 3166-1 codes of the European Economic Area.
        providers: By folded name and alias.
        vendors: Who makes the applications, by the catalogue's name.
        us_resolvers: Operator by address.
        us_time_domains: Domains of time servers.
        us_acme_domains: Authority by the domain of its ACME directory.
    """

    checked_on: str
    eea: frozenset[str]
    providers: Mapping[str, Provider]
    vendors: Mapping[str, Vendor]
    us_resolvers: Mapping[str, str]
    us_time_domains: tuple[str, ...]
    us_acme_domains: Mapping[str, str]

    @classmethod
    def load(cls) -> Registry:
        """Return the registry that ships with this package; it is read at the first call only."""
        return _load()

    def provider(self, name: str) -> Provider | None:
        """Return what is known under a name, or under its first words: ``aws frankfurt`` is ``aws``."""
        words = [word for word in re.split(r"[^a-z0-9&]+", name.casefold()) if word]
        folded = ("".join(words[:count]) for count in range(len(words), 0, -1))
        return next((self.providers[key] for key in folded if key in self.providers), None)


@lru_cache(maxsize=1)
def _load() -> Registry:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data: dict[str, Any] = yaml.load(_DATA.read_bytes(), Loader=loader)  # noqa: S506  both are safe loaders
    providers: dict[str, Provider] = {}
    for name, entry in data["providers"].items():
        provider = Provider(name, Control(entry["control"]), entry["owner"], entry.get("note", ""))
        for alias in (name, *entry.get("aliases", ())):
            providers[re.sub(r"[^a-z0-9&]+", "", str(alias).casefold())] = provider
    return Registry(
        checked_on=str(data["checked_on"]),
        eea=frozenset(data["eea"]),
        providers=providers,
        vendors={name: Vendor(name, **entry) for name, entry in data["vendors"].items()},
        us_resolvers={
            address: name for name, addresses in data["us_resolvers"].items() for address in addresses
        },
        us_time_domains=tuple(data["us_time_domains"]),
        us_acme_domains=data["us_acme_domains"],
    )


def check(profile: Profile, registry: Registry) -> Iterator[Finding]:
    """Hold hosts and public services against ``sovereignty.level``."""
    level = profile.sovereignty.level
    if level == "none":
        return
    for name, host in profile.hosts.items():
        if level == ON_PREMISE:
            yield from _check_on_premise(name, host, registry)
        elif host.location not in registry.eea:
            yield Finding(
                ("hosts", name, "location"),
                f"{host.location} is outside the European Economic Area, and sovereignty.level is {level}",
                _EEA_ONLY,
                because=(_LEVEL,),
            )
        if level == "eu-owned":
            yield from _check_owner(name, host, registry)
    yield from _check_public_services(profile, registry)


def _check_on_premise(name: str, host: Host, registry: Registry) -> Iterator[Finding]:
    provider = registry.provider(host.provider)
    if provider is None or provider.control is not Control.SELF:
        yield Finding(
            ("hosts", name, "provider"),
            f"sovereignty.level is on-premise, and {host.provider} is not the organisation itself",
            "Write `provider: on-premise` if the organisation runs this machine, or choose another level.",
            because=(_LEVEL,),
        )


def _check_owner(name: str, host: Host, registry: Registry) -> Iterator[Finding]:
    provider = registry.provider(host.provider)
    path: ValuePath = ("hosts", name, "provider")
    as_of = f"as of {registry.checked_on}"
    if provider is None:
        known = sorted({entry.name for entry in registry.providers.values()})
        yield Finding(
            path,
            f"who owns {host.provider} is not known, and sovereignty.level is eu-owned",
            suggest(host.provider.casefold(), known) or "Unknown is not European: find out who owns it.",
            Severity.WARNING,
            because=(_LEVEL,),
        )
    elif provider.control is Control.US:
        yield Finding(
            path,
            f"{host.provider} is owned from the United States ({provider.owner}; {as_of}), "
            "and sovereignty.level is eu-owned: the CLOUD Act reaches its data wherever the machine stands",
            "Choose a provider with a European owner, or a lower sovereignty.level.",
            because=(_LEVEL,),
        )
    elif provider.control is Control.OTHER:
        yield Finding(
            path,
            f"{host.provider} is owned outside the European Economic Area ({provider.owner}; {as_of}), "
            "and sovereignty.level is eu-owned",
            "Choose a provider with a European owner, or a lower sovereignty.level.",
            because=(_LEVEL,),
        )
    elif provider.control is Control.MIXED:
        yield Finding(
            path,
            f"{host.provider} ({provider.owner}; {as_of}) is not plainly European-owned: {provider.note}",
            "Judge whether that is what the organisation means by eu-owned.",
            Severity.WARNING,
            because=(_LEVEL,),
        )


def _check_public_services(profile: Profile, registry: Registry) -> Iterator[Finding]:
    level = profile.sovereignty.level
    severity = Severity.WARNING if level == "eu-located" else Severity.ERROR
    for index, address in enumerate(profile.network.resolvers):
        if operator := registry.us_resolvers.get(address):
            yield Finding(
                ("network", "resolvers", index),
                f"{address} is run from the United States ({operator}), and sovereignty.level is {level}: "
                "it would see every name that the hosts look up",
                "Use the resolver of your provider or of the organisation.",
                severity,
                because=(_LEVEL,),
            )
    for index, server in enumerate(profile.network.time_servers):
        if any(_is_under(server, domain) for domain in registry.us_time_domains):
            yield Finding(
                ("network", "time_servers", index),
                f"{server} is run from the United States, and sovereignty.level is {level}",
                "Use the time servers of your provider or a national institute, such as ntp.time.nl.",
                severity,
                because=(_LEVEL,),
            )
    acme = profile.tls.acme
    if profile.tls.issuer == "acme" and acme:
        hostname = acme.directory_url.split("/")[2].rpartition("@")[2].partition(":")[0].lower()
        for domain, authority in registry.us_acme_domains.items():
            if _is_under(hostname, domain):
                yield Finding(
                    ("tls", "acme", "directory_url"),
                    f"the certificate authority is in the United States ({authority}), "
                    f"and sovereignty.level is {level}: it decides whether browsers trust your names",
                    "A European authority that speaks ACME is, for example, HARICA (GR) or Actalis (IT).",
                    Severity.WARNING,
                    because=(_LEVEL, ("tls", "issuer")),
                )


def _is_under(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
