"""What applications stand on, and where it runs: on their own host, or on one that the profile names.

Every description here is also the text of the JSON Schema and of ``docs/profile.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from provisioner.profile.fields import Label, Part

if TYPE_CHECKING:
    from provisioner.profile.model import Profile

#: The applications that use a part of the platform, by the part's key in the profile.
CLIENTS: Mapping[str, tuple[str, ...]] = {"database": ("nextcloud", "mattermost"), "cache": ("nextcloud",)}


class Placed(Part):
    """A part of the platform on a host of its own."""

    host: Label = Field(description="Key of the host that runs it for all applications that use it.")


class Platform(Part):
    """Where the platform runs that applications stand on; what is not named runs on each one's own host."""

    database: Placed | None = Field(None, description="PostgreSQL.")
    cache: Placed | None = Field(
        None, description="The key-value store: Valkey, or Redis on Debian 12. `files` uses it."
    )

    def placed(self) -> tuple[tuple[str, str], ...]:
        """Return key and host for each part that has a host of its own."""
        return tuple((part, placed.host) for part, placed in self if placed is not None)


class Link(NamedTuple):
    """Traffic between two hosts: an application that uses a part of the platform elsewhere.

    Attributes:
        part: ``database`` or ``cache``.
        app: The application.
        client: Key of the application's host.
        server: Key of the part's host.
    """

    part: str
    app: str
    client: str
    server: str

    @property
    def secret(self) -> str:
        """Name of the password that the application shows, in ``stack_secrets``."""
        return f"{self.app}_{self.part}_password"


def links(profile: Profile) -> tuple[Link, ...]:
    """Return the traffic between hosts; on one host, applications use sockets and need no password."""
    return tuple(
        Link(part, site.app, profile.host_of(site), server)
        for part, server in profile.platform.placed()
        for site in profile.sites()
        if site.app in CLIENTS[part] and profile.host_of(site) != server
    )


def internal_hostname(profile: Profile, host: str) -> str:
    """Return the name under which other hosts find a host, which its certificate for them has.

    It is under the organisation's domain, because the deployment's authority may sign for no other.
    """
    return f"{host}.internal.{profile.organisation.domain}"


def internal_hostnames(profile: Profile) -> Mapping[str, str]:
    """Return the internal names of the hosts that serve others, by host."""
    return {link.server: internal_hostname(profile, link.server) for link in links(profile)}


def internal_names(profile: Profile) -> tuple[str, ...]:
    """Return all names that the deployment's own authority signs for whoever signs for the sites."""
    meet = profile.services.meet
    return (*internal_hostnames(profile).values(), *((f"auth.{meet.hostname}",) if meet else ()))


def has_authority(profile: Profile) -> bool:
    """Whether the deployment has an authority of its own: for its sites, or for what its own parts say to each other.

    Those of meetings do that over TLS on one host, too.
    """
    return profile.tls.issuer == "internal" or bool(links(profile)) or profile.services.meet is not None
