"""What the values of a profile must not say together.

Each rule is a pure function of the profile; each finding names the value to mend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath

from provisioner import sizing
from provisioner.errors import UsageError
from provisioner.profile import (
    colours,
    editions,
    media,
    memory,
    people,
    platform,
    settings,
    sovereignty,
    traffic,
)
from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile, Site
from provisioner.profile.problem import Severity, ValuePath
from provisioner.profile.sovereignty import Registry
from provisioner.releases.catalogue import Catalogue
from provisioner.releases.fit import find_misfits

# How long before its end a release's end of support is said: an upgrade has to be planned and tried.
_SUPPORT_NOTICE = timedelta(days=60)
# What a public body's page has to lead to.
_DUTIES = {
    "imprint": "people must be able to see who is behind the page",
    "privacy": "the GDPR (article 13) asks for a privacy statement",
    "accessibility": "the Besluit digitale toegankelijkheid overheid asks for an accessibility statement",
}
_DOCUMENTATION_NETWORKS = tuple(
    ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def check(profile: Profile, catalogue: Catalogue, registry: Registry, today: date) -> Iterator[Finding]:
    """Return what every rule finds."""
    yield from check_services(profile)
    yield from check_placement(profile)
    yield from check_addresses(profile)
    yield from check_hostnames(profile)
    yield from check_tls(profile)
    yield from check_vault_password(profile)
    yield from check_releases(profile, catalogue)
    yield from check_support(profile, catalogue, today)
    yield from check_memory(profile)
    yield from check_apps(profile)
    yield from check_data_directories(profile)
    yield from check_portal(profile)
    yield from media.check(profile)
    yield from traffic.check(profile)
    yield from settings.check(profile)
    yield from editions.check(profile, catalogue)
    yield from people.check(profile)
    yield from sovereignty.check(profile, registry)


def check_services(profile: Profile) -> Iterator[Finding]:
    """At least one purpose is served."""
    if not profile.services.placed():
        yield Finding(
            ("services",),
            "no service is asked for",
            f"Add one, such as files: {{ app: nextcloud, hostname: cloud.{profile.organisation.domain} }}.",
            because=(("services",),),
        )


def check_placement(profile: Profile) -> Iterator[Finding]:
    """Every site names a host that exists; every host has a site."""
    used = set()
    for site in profile.sites():
        path = site.path
        if site.host is None and len(profile.hosts) > 1:
            known = ", ".join(profile.hosts)
            yield Finding(
                path,
                f"does not say which host runs it, and there are {len(profile.hosts)}",
                f"Add `host:` with one of {known}.",
                because=(("hosts",), (*path, "host")),
                at_key=True,
            )
        elif site.host is not None and site.host not in profile.hosts:
            yield Finding(
                (*path, "host"),
                f"there is no host {site.host}",
                suggest(site.host, profile.hosts) or f"Known hosts: {', '.join(profile.hosts)}.",
                because=(("hosts",),),
            )
        else:
            used.add(profile.host_of(site))
    for part, host in profile.platform.placed():
        where: ValuePath = ("platform", part)
        if host not in profile.hosts:
            yield Finding(
                (*where, "host"),
                f"there is no host {host}",
                suggest(host, profile.hosts) or f"Known hosts: {', '.join(profile.hosts)}.",
                because=(("hosts",),),
            )
            continue
        used.add(host)
        if not any(site.app in platform.CLIENTS[part] for site in profile.sites()):
            yield Finding(
                where,
                f"is not used, because no service here needs a {part}",
                f"Remove it, or add a service that does: {' or '.join(platform.CLIENTS[part])}.",
                Severity.WARNING,
                because=(("services",),),
                at_key=True,
            )
    used.update(media.media_hosts(profile))
    for name in profile.hosts:
        if used and name not in used:
            yield Finding(
                ("hosts", name),
                "no service runs on this host",
                "Remove it, or place a service on it.",
                Severity.WARNING,
                because=(("services",),),
                at_key=True,
            )


def check_addresses(profile: Profile) -> Iterator[Finding]:
    """No two hosts have one address, and none has one that belongs to no machine."""
    first: dict[str, str] = {}
    for name, host in profile.hosts.items():
        if any(ip_address(host.address) in network for network in _DOCUMENTATION_NETWORKS):
            yield Finding(
                ("hosts", name, "address"),
                f"{host.address} is an address for examples, which no machine has (RFC 5737, RFC 3849)",
                "Write the host's own address.",
                Severity.WARNING,
            )
        other = first.setdefault(host.address, name)
        if other != name:
            yield Finding(
                ("hosts", name, "address"),
                f"{host.address} is the address of host {other} already",
                because=(("hosts", other, "address"),),
            )


def check_hostnames(profile: Profile) -> Iterator[Finding]:
    """No two sites have one host name; names belong to the organisation's domain."""
    domain = profile.organisation.domain
    first: dict[str, Site] = {}
    for site in profile.sites():
        path = (*site.path, "hostname")
        other = first.setdefault(site.hostname, site)
        if other != site:
            yield Finding(
                path,
                f"{site.hostname} is the host name of service {other.name} already",
                because=((*other.path, "hostname"), ("organisation", "domain")),
            )
        if site.hostname != domain and not site.hostname.endswith(f".{domain}"):
            yield Finding(
                path,
                f"{site.hostname} is not under the organisation's domain {domain}",
                "Check both for a typing error; a name elsewhere works when its DNS is yours.",
                Severity.WARNING,
                because=(("organisation", "domain"),),
            )


def check_tls(profile: Profile) -> Iterator[Finding]:
    """The chosen issuer has what it needs; what is given is used."""
    tls = profile.tls
    remedies = {
        "acme": "Add acme: { directory_url: https://... }.",
        "provided": "Add provided: { certificate_file: ..., key_file: ... }.",
    }
    for issuer, given in (("acme", tls.acme), ("provided", tls.provided)):
        if tls.issuer == issuer and given is None:
            yield Finding(
                ("tls", "issuer"),
                f"issuer {issuer} needs tls.{issuer}",
                remedies[issuer],
                because=(("tls", issuer),),
            )
        elif tls.issuer != issuer and given is not None:
            yield Finding(
                ("tls", issuer),
                f"is not used, because tls.issuer is {tls.issuer}",
                f"Remove it, or write `issuer: {issuer}`.",
                Severity.WARNING,
                because=(("tls", "issuer"),),
                at_key=True,
            )
    if tls.issuer == "internal" and tls.ca_certificate_file:
        yield Finding(
            ("tls", "ca_certificate_file"),
            "is not used, because tls.issuer is internal: the deployment has an authority of its own",
            "Remove it.",
            Severity.WARNING,
            because=(("tls", "issuer"),),
            at_key=True,
        )


def check_vault_password(profile: Profile) -> Iterator[Finding]:
    """The vault password has exactly one source."""
    given = [name for name, value in profile.secrets.vault_password if value is not None]
    if len(given) != 1:
        said = " and ".join(given) if given else "none"
        yield Finding(
            ("secrets", "vault_password"),
            f"needs exactly one of file, command and env; here is {said}",
            "Keep one of them."
            if given
            else "Add one, such as file: ~/.config/sovstack/NAME.vault-password.",
            because=(("secrets", "vault_password"),),
        )


def check_releases(profile: Profile, catalogue: Catalogue) -> Iterator[Finding]:
    """The catalogue has the release, and its host's Debian can run it."""
    for purpose, service in profile.services.placed():
        path: ValuePath = ("services", purpose, "version" if service.version else "app")
        try:
            release = catalogue.release(service.app, service.version, service.archive_edition)
        except UsageError as error:
            yield Finding(path, error.message, (error.hint or "")[:1].upper() + (error.hint or "")[1:])
            continue
        name = profile.host_of(service)
        host = profile.hosts.get(name)
        if host is None or host.debian is None:
            continue
        for reason in find_misfits(release, debian=host.debian):
            yield Finding(
                path,
                f"does not run on host {name}: {reason}",
                "Choose another version, or a host with another Debian release.",
                because=(("hosts", name, "debian"), ("services", purpose, "host"), ("hosts",)),
            )


def check_support(profile: Profile, catalogue: Catalogue, today: date) -> Iterator[Finding]:
    """The vendor still mends the release (``end_of_life`` in the catalogue, with its source)."""
    for purpose, service in profile.services.placed():
        try:
            release = catalogue.release(service.app, service.version, service.archive_edition)
        except UsageError:
            continue  # check_releases says so
        ends = release.end_of_life
        if ends is None or today + _SUPPORT_NOTICE < ends:
            continue
        newer = [
            other.version
            for other in catalogue.releases(service.app)
            if other.edition == release.edition and (other.end_of_life is None or other.end_of_life > ends)
        ]
        yield Finding(
            ("services", purpose, "version" if service.version else "app"),
            f"{release.product} {release.version} {'has had' if ends < today else 'gets'} no security updates "
            f"after {ends}",
            f"Choose a newer one: {', '.join(newer)}."
            if newer
            else "The catalogue has no newer one: see whether a newer sovstack has.",
            Severity.WARNING,
        )


def check_memory(profile: Profile) -> Iterator[Finding]:
    """The memory that is declared is enough for what the host carries and for the users."""
    for name, budget in memory.budgets(profile).items():
        if not budget.fits:
            yield Finding(
                ("hosts", name, "memory_megabytes"),
                f"{profile.hosts[name].memory_megabytes} MB is too little for {profile.organisation.users} users; "
                f"{budget.enough} MB would do: {sizing.explain(budget)}",
                "Give the host more memory, or place services on other hosts.",
                because=(("organisation", "users"), ("services",), ("hosts",)),
            )


def check_apps(profile: Profile) -> Iterator[Finding]:
    """No app of Nextcloud is both switched on and off."""
    service = profile.services.files
    for index, app in enumerate(service.apps_disabled if service else ()):
        if service and app in service.apps_enabled:
            yield Finding(
                ("services", "files", "apps_disabled", index),
                f"{app} is in apps_enabled too",
                "Keep one of the two.",
            )


def check_data_directories(profile: Profile) -> Iterator[Finding]:
    """Files and chat keep their data apart, because each gives its directory an owner of its own."""
    files, chat = profile.services.files, profile.services.chat
    if not (files and chat) or profile.host_of(files) != profile.host_of(chat):
        return
    one, other = PurePosixPath(chat.data_directory), PurePosixPath(files.data_directory)
    if one.is_relative_to(other) or other.is_relative_to(one):
        relation = "is" if one == other else "lies in" if one.is_relative_to(other) else "holds"
        yield Finding(
            ("services", "chat", "data_directory"),
            f"{one} {relation} the data directory of files{'' if one == other else f', {other}'}",
            "Give each a folder of its own, such as /srv/mattermost/data and /srv/nextcloud/data.",
            because=(
                ("services", "files", "data_directory"),
                *(("services", purpose, "host") for purpose in ("files", "chat")),
                ("hosts",),
            ),
        )


def check_portal(profile: Profile) -> Iterator[Finding]:
    """The portal's page can be read, and leads to what an organisation has to show."""
    if profile.portal is None:
        return
    accent, background = profile.portal.colours.accent, profile.portal.colours.background
    path: ValuePath = ("portal", "colours")
    if complaint := _complain(colours.TEXT, background):
        yield Finding(
            (*path, "background"),
            f"text in {complaint}",
            "Choose a lighter one; for people who prefer a dark page there is one already.",
        )
    elif complaint := _complain(accent, background):
        yield Finding(
            (*path, "accent"),
            complaint,
            "Choose a darker one.",
            because=((*path, "background"),),
        )
    for name, what in _DUTIES.items():
        if getattr(profile.portal.links, name) is None:
            yield Finding(
                ("portal", "links"),
                f"{name} is missing: {what}",
                f"Add {name}: https://... under portal.links.",
                Severity.WARNING,
                because=(("portal", "links", name),),
                at_key=True,
            )
    if (logo := profile.portal.logo_file) and not logo.lower().endswith((".svg", ".png")):
        yield Finding(("portal", "logo_file"), f"{logo} is neither .svg nor .png")


def _complain(colour: str, background: str) -> str:
    """Return what is wrong with a colour on a background, if anything."""
    least, ratio = colours.LEAST_CONTRAST, colours.contrast(colour, background)
    shown = math.floor(ratio * 100) / 100  # never more than it is: 4.499 is not 4.5
    told = f"{colour} on {background} has a contrast of {shown:.2f}, and WCAG 2.2 (1.4.3) asks for {least}"
    return told if ratio < least else ""
