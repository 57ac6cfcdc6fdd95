"""What people can use: one model per application, and the purposes that applications serve.

Every description here is also the text of the JSON Schema and of ``docs/profile.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from provisioner.profile import values
from provisioner.profile.fields import (
    AppName,
    ChannelName,
    ControllerPath,
    Days,
    DisplayName,
    EmailAddress,
    HostName,
    HostPath,
    IpNetwork,
    Label,
    MattermostSettings,
    MediaPort,
    Part,
    PersonName,
    PluginId,
    PluginVersion,
    Port,
    ReleaseVersion,
    SecretName,
    SettingName,
    Settings,
    Sha256,
    SiteName,
    TeamName,
    Text,
    UploadSize,
)


class Application(Part):
    """What every service has."""

    app: str = Field(description="The application that serves this purpose.")
    hostname: HostName = Field(description="Name under which people reach it.")
    host: Label | None = Field(None, description="Key of the host that runs it; not needed with one host.")
    version: ReleaseVersion | None = Field(
        None,
        description="Release, as `sovstack releases list` shows it; otherwise the catalogue's default.",
    )

    reasons: Mapping[Text, Text] = Field(
        default_factory=dict,
        description=(
            "Why the vendor or others may be called, by the name of the setting, app or plugin that does it. Unless "
            "`sovereignty.level` is `none`, one without a reason is an error; reports show the reasons."
        ),
    )

    @property
    def archive_edition(self) -> str | None:
        """Which of the catalogue's editions is installed; None for the only one."""
        return None

    @property
    def generated_secrets(self) -> tuple[str, ...]:
        """Names of the passwords and keys that are made for it, under ``stack_secrets``."""
        return (f"{self.app}_admin_password",)


class NextcloudService(Application):
    """Files, calendars and contacts by Nextcloud."""

    app: Literal["nextcloud"] = Field(description="The application that serves this purpose.")
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
    secret_settings: Mapping[Text, SecretName] = Field(
        default_factory=dict,
        description=(
            "Further `config.php` keys whose values are secrets: each names its value's place in `secrets.yml`, under "
            "`stack_secrets`."
        ),
    )


class Channel(Part):
    """A place for messages on one subject."""

    display_name: DisplayName = Field(description="Name that people see.")
    private: StrictBool = Field(False, description="Whether only invited people see it.")


class Team(Part):
    """People who work together, and their channels."""

    display_name: DisplayName = Field(description="Name that people see.")
    channels: Mapping[ChannelName, Channel] = Field(
        default_factory=dict,
        description="Channels besides those that every team has, by their name in addresses.",
    )


class Person(Part):
    """Somebody who chats."""

    email: EmailAddress = Field(description="Mail address; with it, too, people log in.")
    first_name: DisplayName | None = Field(None, description="First name that people see.")
    last_name: DisplayName | None = Field(None, description="Last name that people see.")
    teams: Mapping[TeamName, tuple[ChannelName, ...]] = Field(
        default_factory=dict,
        description="Teams of the profile that this person is in, each with its channels besides those of everybody.",
    )


class Plugin(Part):
    """A plugin, whose archive `ID-VERSION.tar.gz` is obtained and checked as every other release."""

    version: PluginVersion = Field(description="Version, as its `plugin.json` says it.")
    sha256: Sha256 | None = Field(
        None,
        description=(
            "SHA-256 of the archive, which lets it in; another one is refused. Without it only an archive that "
            "`sovstack releases trust` admitted is installed."
        ),
    )


class MattermostService(Application):
    """Chat by Mattermost."""

    app: Literal["mattermost"] = Field(description="The application that serves this purpose.")
    edition: Literal["team", "entry", "professional", "enterprise", "enterprise-advanced"] = Field(
        "team",
        description=(
            "What is used of it. `team`: free, at most 250 users, no single sign-on. `entry`: the vendor's other "
            "archive without a licence; shows the last 10,000 messages only. The others need a licence."
        ),
    )
    license_file: ControllerPath | None = Field(
        None, description="The vendor's licence file on the controller, for the editions that need one."
    )
    site_name: SiteName | None = Field(
        None,
        description="Name on the log-in page, at most 30 bytes; otherwise the organisation's, where it fits.",
    )
    data_directory: HostPath = Field(
        "/srv/mattermost/data", description="Where files that people send are kept on the host."
    )
    upload_limit: UploadSize = Field("100M", description="Biggest file that can be sent, in M or G.")
    teams: Mapping[TeamName, Team] = Field(
        default_factory=dict, description="Teams that are there from the start, by their name in addresses."
    )
    users: Mapping[PersonName, Person] = Field(
        default_factory=dict,
        description=(
            "People who have an account from the start, by their log-in name. Each one's first password is made, and "
            "kept in `secrets.yml` as `mattermost_user_NAME`."
        ),
    )
    plugins: Mapping[PluginId, Plugin] = Field(
        default_factory=dict,
        description="Plugins that are installed and switched on, by their id; no others are.",
    )
    settings: MattermostSettings = Field(
        default_factory=dict,
        description=(
            "Further settings with their values, for what has no option of its own here, as `Section.Name` of "
            "Mattermost's documentation."
        ),
    )
    secret_settings: Mapping[SettingName, SecretName] = Field(
        default_factory=dict,
        description=(
            "Further settings whose values are secrets: each names its value's place in `secrets.yml`, under "
            "`stack_secrets`."
        ),
    )

    @property
    def archive_edition(self) -> str:
        """The vendor has two archives; all editions but ``team`` are the other one, told apart by the licence."""
        return "team" if self.edition == "team" else "enterprise"

    @property
    def generated_secrets(self) -> tuple[str, ...]:
        """The administrator's password, and everybody's first one."""
        return (*super().generated_secrets, *map(self.password_of, self.users))

    @staticmethod
    def password_of(user: str) -> str:
        """Name of the secret that is somebody's first password."""
        return f"mattermost_user_{user}"


class Turn(Part):
    """The server that relays media for people whose network lets no UDP out."""

    host: Label | None = Field(None, description="Key of the host that runs it; otherwise the service's.")
    hostname: HostName | None = Field(
        None, description="Name under which people reach it; needed with a host of its own."
    )
    tls_port: Port = Field(
        5349,
        description="Port for TURN over TLS. 443 passes the strictest firewalls; it takes a host without sites.",
    )


class JitsiService(Application):
    """Meetings by Jitsi Meet."""

    app: Literal["jitsi"] = Field(description="The application that serves this purpose.")
    videobridges: Annotated[tuple[Label, ...], AfterValidator(values.refuse_repetition)] = Field(
        (), description="Keys of the hosts that pass on sound and video; empty means the service's own."
    )
    media_port: MediaPort = Field(10000, description="UDP port of every videobridge.")
    turn: Turn = Field(
        default_factory=lambda: Turn.model_validate({}),
        description="The relay for people whose network lets no UDP out.",
    )
    guests: StrictBool = Field(
        True, description="Whether people without a link of `sovstack meet link` may take part."
    )
    lobby: StrictBool = Field(True, description="Whether all but moderators wait until a moderator is there.")
    settings: Settings = Field(
        default_factory=dict,
        description="Further keys of Jitsi's `config.js` with their values. Every browser reads them.",
    )

    @property
    def generated_secrets(self) -> tuple[str, ...]:
        """The key of links, the accounts of Jitsi's own parts, and the key of credentials for TURN."""
        return "jitsi_app_secret", "jicofo_password", "jitsi_videobridge_password", "coturn_secret"

    @property
    def secret_settings(self) -> Mapping[str, str]:
        """None: whoever opens the page reads its settings."""
        return {}


Service: TypeAlias = NextcloudService | MattermostService | JitsiService


class Services(Part):
    """What people can use, by purpose."""

    files: NextcloudService | None = Field(None, description="Files, calendars and contacts.")
    chat: MattermostService | None = Field(None, description="Chat, in teams and channels.")
    meet: JitsiService | None = Field(None, description="Meetings with sound and video.")

    def placed(self) -> tuple[tuple[str, Service], ...]:
        """Return purpose and service for each purpose that the profile serves."""
        return tuple((purpose, service) for purpose, service in self if service is not None)
