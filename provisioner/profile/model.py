"""The profile: what one organisation wants to have deployed, as frozen types.

Every description here is also the text of the JSON Schema and of ``docs/profile.md``. A validator looks at
one value; whatever needs two values is a rule (``rules.py``). Paths on the controller become absolute here:
``~`` is the home directory, anything else is relative to the profile's folder.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    ValidationInfo,
    model_validator,
)

from provisioner.profile import values


def _controller_path(text: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", ".")
    # In os.path, because the result stays text and nothing here touches a file.
    path = os.path.join(folder, os.path.expanduser(values.check_text(text)))  # noqa: PTH111, PTH118
    return values.check_text(os.path.abspath(path))  # noqa: PTH100


def _format(name: str) -> Any:  # noqa: ANN401  pydantic's own declaration
    """Return a JSON Schema format, for editors; the validator beside it decides."""
    return Field(json_schema_extra={"format": name})


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(values.check_text)]
HostName = Annotated[str, _format("hostname"), AfterValidator(values.check_host_name)]
Label = Annotated[str, _format("label"), AfterValidator(values.check_label)]
IpAddress = Annotated[str, _format("address"), AfterValidator(values.check_ip_address)]
IpNetwork = Annotated[str, _format("network"), AfterValidator(values.check_ip_network)]
NameOrAddress = Annotated[str, _format("host name or address"), AfterValidator(values.check_name_or_address)]
CountryCode = Annotated[str, _format("country code"), AfterValidator(values.check_country)]
EmailAddress = Annotated[str, _format("email"), AfterValidator(values.check_email_address)]
HttpsUrl = Annotated[str, _format("uri"), AfterValidator(values.check_https_url)]
TimeZone = Annotated[str, _format("time zone"), AfterValidator(values.check_time_zone)]
Language = Annotated[str, _format("language code"), AfterValidator(values.check_language)]
UserName = Annotated[str, _format("user name"), AfterValidator(values.check_user_name)]
SshHostKey = Annotated[str, _format("SSH public key"), AfterValidator(values.check_ssh_public_key)]
VariableName = Annotated[str, _format("variable name"), AfterValidator(values.check_variable_name)]
ReleaseVersion = Annotated[str, _format("release number"), AfterValidator(values.check_release_version)]
HostPath = Annotated[str, _format("path on the host"), AfterValidator(values.check_host_path)]
ControllerPath = Annotated[
    str, Field(max_length=1024), _format("path on the controller"), AfterValidator(_controller_path)
]
AppName = Annotated[str, _format("app name"), AfterValidator(values.check_app_name)]
SecretName = Annotated[str, _format("secret name"), AfterValidator(values.check_secret_name)]
UploadSize = Annotated[str, _format("size"), AfterValidator(values.check_size)]
Days = Annotated[StrictInt, Field(ge=1, le=3650)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Settings = Annotated[Mapping[str, Any], AfterValidator(values.check_settings)]


class _Part(BaseModel):
    # A number becomes text where text is wanted (the name 112): the document reader keeps it exact.
    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: object) -> object:
        # A key with nothing behind it, or with everything under it commented out, is a key that is not given.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


class Organisation(_Part):
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


class Sovereignty(_Part):
    """What the organisation demands of whoever runs its hosts."""

    level: Literal["on-premise", "eu-owned", "eu-located", "none"] = Field(
        "eu-owned",
        description=(
            "`on-premise`: hosts stand with the organisation itself. `eu-owned`: the provider's owner and "
            "the host are in the European Economic Area. `eu-located`: the host is. `none`: no demands."
        ),
    )


class Ssh(_Part):
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


class Host(_Part):
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
    debian: Literal[12, 13] | None = Field(
        None, description="Debian release, to hold application versions against it before the first contact."
    )
    memory_megabytes: Annotated[StrictInt, Field(ge=512)] | None = Field(
        None, description="Memory, to hold the number of users against it before the first contact."
    )


class NextcloudService(_Part):
    """Files, calendars and contacts by Nextcloud."""

    app: Literal["nextcloud"] = Field(description="The application that serves this purpose.")
    hostname: HostName = Field(description="Name under which people reach it.")
    host: Label | None = Field(None, description="Key of the host that runs it; not needed with one host.")
    version: ReleaseVersion | None = Field(
        None,
        description="Release, as `sovstack releases list` shows it; otherwise the catalogue's default.",
    )
    data_directory: HostPath = Field(
        "/srv/nextcloud/data", description="Where people's files are kept on the host."
    )
    maintenance_window_start: Annotated[StrictInt, Field(ge=0, le=23)] = Field(
        1, description="Hour (UTC) from which heavy background jobs may run, for four hours."
    )
    trashbin_days: Days = Field(30, description="How many days deleted files are kept in the trash bin.")
    activity_days: Days = Field(365, description="How many days people's activities are kept.")
    log_days: Days = Field(190, description="How many days logs are kept, the audit log included.")
    upload_limit: UploadSize = Field("16G", description="Biggest upload in one request, in M or G.")
    trusted_proxies: tuple[IpNetwork, ...] = Field((), description="Proxies in front of the web server.")
    apps_enabled: tuple[AppName, ...] = Field(
        (), description="Apps of the release that are switched on besides."
    )
    apps_disabled: tuple[AppName, ...] = Field(
        (), description="Apps of the release that are switched off besides."
    )
    settings: Settings = Field(
        default_factory=dict,
        description="Further `config.php` keys with their values, for what has no option of its own here.",
    )

    secret_settings: Mapping[str, SecretName] = Field(
        default_factory=dict,
        description=(
            "Further `config.php` keys whose values are secrets: each names its value's place in `secrets.yml`, under "
            "`stack_secrets`."
        ),
    )


class Services(_Part):
    """What people can use, by purpose."""

    files: NextcloudService | None = Field(None, description="Files, calendars and contacts.")

    def placed(self) -> tuple[tuple[str, NextcloudService], ...]:
        """Return purpose and service for each purpose that the profile serves."""
        return tuple((purpose, service) for purpose, service in self if service is not None)


class Acme(_Part):
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


class ProvidedCertificate(_Part):
    """A certificate that the organisation bought or made elsewhere."""

    certificate_file: ControllerPath = Field(
        description="Certificate and its intermediates (PEM) on the controller; covers every host name."
    )
    key_file: ControllerPath = Field(description="Private key (PEM, no pass phrase) on the controller.")


class Tls(_Part):
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


class Network(_Part):
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


class Releases(_Part):
    """Where the controller gets release archives."""

    mirror: HttpsUrl | None = Field(
        None, description="Own mirror of the release archives, asked before upstream."
    )


class VaultPasswordSource(_Part):
    """Where the password of `secrets.yml` comes from; exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    file: ControllerPath | None = Field(
        None, description="File on the controller whose first line is the password."
    )
    command: Text | None = Field(None, description="Command that prints the password; run without a shell.")
    env: VariableName | None = Field(None, description="Environment variable that holds the password.")


class Secrets(_Part):
    """How the deployment's generated secrets are kept."""

    vault_password: VaultPasswordSource = Field(description="Where the password of `secrets.yml` comes from.")


class Profile(_Part):
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

    def host_of(self, service: NextcloudService) -> str:
        """Return the key of the host that runs a service: the named one, or the only one."""
        return service.host or next(iter(self.hosts))

    def hostnames(self) -> tuple[str, ...]:
        """Return the host names under which people reach the services."""
        return tuple(service.hostname for _, service in self.services.placed())
