"""The profile: what one organisation wants to have deployed, as frozen types.

Every description here is also the text of the JSON Schema and of ``docs/profile.md``. A validator looks at
one value (``fields.py``); whatever needs two values is a rule (``rules.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt

from provisioner.profile import values
from provisioner.profile.fields import (
    ControllerPath,
    CountryCode,
    EmailAddress,
    HostName,
    HttpsUrl,
    IpAddress,
    IpNetwork,
    Label,
    Language,
    NameOrAddress,
    Part,
    Port,
    SshHostKey,
    Text,
    TimeZone,
    UserName,
    VariableName,
)
from provisioner.profile.platform import Platform
from provisioner.profile.portal import Portal
from provisioner.profile.problem import ValuePath
from provisioner.profile.services import Service, Services


class Organisation(Part):
    """Who the suite is for."""

    name: Text = Field(
        description="Name of the organisation, as it stands in certificates and on log-in pages."
    )
    domain: HostName = Field(
        description="The organisation's domain; the services' host names belong under it."
    )
    country: CountryCode = Field(
        description="Country of the organisation, ISO 3166-1 alpha-2; also its phone region."
    )
    contact: EmailAddress = Field(
        description="E-mail address of who runs the suite; given to a certificate authority."
    )
    users: Annotated[StrictInt, Field(ge=1, le=100_000)] = Field(
        description="How many people use the suite; sizes follow from it."
    )
    language: Language = Field("nl", description="Language of the services for people who chose none.")
    timezone: TimeZone = Field(
        "Europe/Amsterdam", description="Time zone of hosts and services, by its IANA name."
    )


class Sovereignty(Part):
    """What the organisation demands of whoever runs its hosts."""

    level: Literal["on-premise", "eu-owned", "eu-located", "none"] = Field(
        "eu-owned",
        description=(
            "`on-premise`: hosts stand with the organisation itself. `eu-owned`: the provider's owner and "
            "the host are in the European Economic Area. `eu-located`: the host is. `none`: no demands."
        ),
    )


class Ssh(Part):
    """How the controller logs in to a host."""

    user: UserName = Field(
        "root", description="Log-in name; another user than root needs sudo without a password."
    )
    port: Port = Field(22, description="Port of the SSH server.")
    host_key: SshHostKey | None = Field(
        None,
        description=(
            "The host's public key as in `/etc/ssh/ssh_host_ed25519_key.pub`. Without it the key is recorded "
            "at first contact in the deployment's `known_hosts`, and every later change is refused."
        ),
    )
    key_file: ControllerPath | None = Field(
        None,
        description="Private key on the controller; without it the SSH agent and default keys are tried.",
    )


class Host(Part):
    """A Debian machine that the organisation or its hoster owns."""

    address: IpAddress = Field(
        description="IPv4 or IPv6 address by which controller and other hosts reach it."
    )
    provider: Text = Field(
        description="Who runs the machine: `on-premise`, or a provider's name such as `hetzner`."
    )
    location: CountryCode = Field(description="Country where the machine stands, ISO 3166-1 alpha-2.")
    ssh: Ssh = Field(
        default_factory=lambda: Ssh.model_validate({}), description="How the controller logs in."
    )
    public_addresses: Annotated[tuple[IpAddress, ...], AfterValidator(values.refuse_repetition)] = Field(
        (),
        description=(
            "IPv4 and IPv6 address by which people elsewhere reach it: a router's, where NAT makes it another than "
            "`address`, and of the other family the host's own; for the media of `meet`."
        ),
    )
    debian: Literal[12, 13] | None = Field(
        None, description="Debian release, to hold application versions against it before the first contact."
    )
    memory_megabytes: Annotated[StrictInt, Field(ge=512)] | None = Field(
        None,
        description=(
            "Memory, as it is sold. Users and services are held against it before the first contact, and of a bigger "
            "host no more is used; without it the host's own is counted at first contact."
        ),
    )


class Acme(Part):
    """A certificate authority that speaks ACME (RFC 8555)."""

    directory_url: HttpsUrl = Field(description="The authority's ACME directory.")
    contact: EmailAddress | None = Field(
        None, description="Account contact; without it `organisation.contact`."
    )
    eab_key_id: Text | None = Field(
        None,
        description=(
            "Key identifier of an external account binding, where the authority wants one. Its key goes into "
            "`secrets.yml` as `tls_acme_eab_hmac_key`."
        ),
    )


class ProvidedCertificate(Part):
    """A certificate that the organisation bought or made elsewhere."""

    certificate_file: ControllerPath = Field(
        description="Certificate and its intermediates (PEM) on the controller; covers every host name."
    )
    key_file: ControllerPath = Field(description="Private key (PEM, no pass phrase) on the controller.")


class Tls(Part):
    """Where certificates come from."""

    issuer: Literal["internal", "acme", "provided"] = Field(
        "internal",
        description="`internal`: the deployment's own authority. `acme`: by ACME. `provided`: as files.",
    )
    acme: Acme | None = Field(None, description="Needed for issuer `acme`.")
    provided: ProvidedCertificate | None = Field(None, description="Needed for issuer `provided`.")
    ca_certificate_file: ControllerPath | None = Field(
        None,
        description=(
            "Certificate (PEM) of the authority behind `acme` or `provided` that Debian does not know, such as an "
            "organisation's own; the hosts and the verification trust it."
        ),
    )


class Network(Part):
    """What lies around the hosts."""

    resolvers: tuple[IpAddress, ...] = Field(
        (),
        description=(
            "DNS resolvers that the hosts use. They are held against `sovereignty.level`; no host is changed to use "
            "them."
        ),
    )
    time_servers: tuple[NameOrAddress, ...] = Field(
        (), description="NTP servers; empty leaves them as they are."
    )
    ssh_sources: tuple[IpNetwork, ...] = Field(
        (), description="Networks that may open SSH connections, such as `192.0.2.0/24`; empty means any."
    )


class Releases(Part):
    """Where the controller gets release archives."""

    mirror: HttpsUrl | None = Field(
        None, description="Own mirror of the release archives, asked before upstream."
    )


class VaultPasswordSource(Part):
    """Where the password of `secrets.yml` comes from; exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    file: ControllerPath | None = Field(
        None, description="File on the controller whose first line is the password."
    )
    command: Text | None = Field(None, description="Command that prints the password; run without a shell.")
    env: VariableName | None = Field(None, description="Environment variable that holds the password.")


class Secrets(Part):
    """How the deployment's generated secrets are kept."""

    vault_password: VaultPasswordSource = Field(description="Where the password of `secrets.yml` comes from.")


class Site(NamedTuple):
    """What people reach under a host name of its own: a service, or the portal.

    Attributes:
        name: The service's purpose, or ``portal``.
        app: The application that serves it; the portal's is ``portal``.
        path: Where it stands in the profile.
        hostname: Its host name.
        host: Key of the host that it is placed on; None where the profile does not say.
    """

    name: str
    app: str
    path: ValuePath
    hostname: str
    host: str | None


class Profile(Part):
    """One deployment."""

    version: Annotated[Literal[1], BeforeValidator(values.refuse_bool)] = Field(
        description="Version of this format; always 1."
    )
    organisation: Organisation = Field(description="Who the suite is for.")
    sovereignty: Sovereignty = Field(
        default_factory=lambda: Sovereignty.model_validate({}),
        description="What is demanded of the hosts' providers.",
    )
    hosts: Mapping[Label, Host] = Field(
        min_length=1, description="The machines, by a short name of your choice."
    )
    services: Services = Field(description="What people can use, by purpose; at least one.")
    portal: Portal | None = Field(
        None, description="The page that leads people to the services; without it there is none."
    )
    platform: Platform = Field(
        default_factory=lambda: Platform.model_validate({}),
        description="Where the platform runs that applications stand on: their own host, or one named here.",
    )
    tls: Tls = Field(
        default_factory=lambda: Tls.model_validate({}), description="Where certificates come from."
    )
    network: Network = Field(
        default_factory=lambda: Network.model_validate({}), description="What lies around the hosts."
    )
    releases: Releases = Field(
        default_factory=lambda: Releases.model_validate({}), description="Where release archives come from."
    )
    secrets: Secrets = Field(description="How generated secrets are kept.")

    def host_of(self, placed: Service | Site) -> str:
        """Return the key of the host that runs a service or site: the named one, or the only one."""
        return placed.host or next(iter(self.hosts))

    def sites(self) -> Iterator[Site]:
        """Return everything that has a host name."""
        for purpose, service in self.services.placed():
            yield Site(purpose, service.app, ("services", purpose), service.hostname, service.host)
        if self.portal:
            hostname = self.portal.hostname or self.organisation.domain
            yield Site("portal", "portal", ("portal",), hostname, self.portal.host)

    def turn_hostname(self) -> str | None:
        """Return the TURN server's own name; None where it runs on the service's host, and has the service's."""
        meet = self.services.meet
        if meet is None or meet.turn.host in (None, self.host_of(meet)):
            return None
        return meet.turn.hostname

    def hostnames(self) -> tuple[str, ...]:
        """Return the host names under which people reach the sites, and the TURN server where it has its own."""
        turn = self.turn_hostname()
        return (*(site.hostname for site in self.sites()), *((turn,) if turn else ()))
