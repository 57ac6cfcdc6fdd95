"""An application's own settings in a profile: they contradict neither the deployment nor the sovereignty level."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from provisioner.profile import browser_settings, media, switches
from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import Severity, ValuePath, dotted
from provisioner.profile.services import JitsiService, MattermostService, NextcloudService, Service


@dataclass(frozen=True)
class _Known:
    """What is known about an application's settings.

    Attributes:
        name: The application, for messages.
        managed: Those that follow from the profile, the host or the secrets.
        calling: Switched on, these let the application call its vendor or others by itself.
        calling_apps: The same of its apps.
        quiet: Mattermost's switches that let it call with any value but this.
    """

    name: str
    managed: frozenset[str]
    calling: frozenset[str]
    calling_apps: frozenset[str] = frozenset()
    quiet: Mapping[str, bool] = field(default_factory=dict)

    def calls(self, key: str, value: object) -> bool:
        """Tell whether the application calls somebody by itself with this value."""
        if key in self.quiet:
            return switches.mattermost(value) is not self.quiet[key]
        return key in self.calling and bool(value)


_NEXTCLOUD_MANAGED = """
apps_paths config_is_read_only datadirectory dbhost dbname dbpassword dbport dbtableprefix dbtype dbuser installed
instanceid maintenance_window_start memcache.distributed memcache.local memcache.locking overwrite.cli.url
overwriteprotocol passwordsalt redis secret serverid trusted_domains trusted_proxies version
"""
# Observed with 34.0.1, each of them by itself.
_NEXTCLOUD_CALLING = "appstoreenabled has_internet_connection lookup_server reference_opengraph updatechecker"
_NEXTCLOUD_CALLING_APPS = """
app_api nextcloud_announcements support survey_client updatenotification weather_status
"""
_MATTERMOST_MANAGED = """
FileSettings.Directory FileSettings.DriverName FileSettings.MaxFileSize LocalizationSettings.DefaultClientLocale
LocalizationSettings.DefaultServerLocale PluginSettings.ClientDirectory PluginSettings.Directory
PluginSettings.PluginStates ServiceSettings.EnableLocalMode ServiceSettings.LicenseFileLocation
ServiceSettings.ListenAddress ServiceSettings.LocalModeSocketLocation ServiceSettings.SiteURL SqlSettings.DataSource
SqlSettings.DriverName TeamSettings.EnableOpenServer TeamSettings.SiteName
"""
# Read in the server's source: security_update_check.go, server.go (Sentry), product_notices.go, push_notification.go,
# oembed/, and the defaults in server/public/model/config.go.
_MATTERMOST_OFF = """
AnnouncementSettings.AdminNoticesEnabled AnnouncementSettings.UserNoticesEnabled EmailSettings.SendPushNotifications
ImageProxySettings.Enable LogSettings.EnableDiagnostics LogSettings.EnableSentry
PluginSettings.AutomaticPrepackagedPlugins PluginSettings.EnableMarketplace PluginSettings.EnableRemoteMarketplace
ServiceSettings.EnableCommands ServiceSettings.EnableGifPicker ServiceSettings.EnableLinkPreviews
ServiceSettings.EnableOutgoingWebhooks ServiceSettings.EnableSecurityFixAlert
"""
#: What keeps Mattermost quiet: the role sets just this.
MATTERMOST_QUIET = {**dict.fromkeys(_MATTERMOST_OFF.split(), False), "CloudSettings.Disable": True}
# Off by themselves.
_MATTERMOST_CALLING = "GoogleSettings.Enable Office365Settings.Enable"
# With these it needs a server of the organisation's own, or is reached by one.
_MATTERMOST_MEETING = """
ClusterSettings.Enable ElasticsearchSettings.EnableIndexing ElasticsearchSettings.EnableSearching
EmailSettings.SendEmailNotifications EmailSettings.SMTPServer FileSettings.DedicatedExportStore GitLabSettings.Enable
LdapSettings.Enable LdapSettings.EnableSync LogSettings.AdvancedLoggingJSON MessageExportSettings.EnableExport
MetricsSettings.Enable OpenIdSettings.Enable SamlSettings.Enable SqlSettings.DataSourceReplicas
SqlSettings.DataSourceSearchReplicas
"""
# What sovstack's own config.js says: where the parts are, who may come in, and that nobody else is asked.
_JITSI_MANAGED = "anonymousdomain bosh focusUserJid hosts serviceUrl tokenAuthUrl websocket"
_KNOWN = {
    "nextcloud": _Known(
        "Nextcloud",
        frozenset(_NEXTCLOUD_MANAGED.split()),
        frozenset(_NEXTCLOUD_CALLING.split()),
        frozenset(_NEXTCLOUD_CALLING_APPS.split()),
    ),
    "mattermost": _Known(
        "Mattermost",
        frozenset(_MATTERMOST_MANAGED.split()),
        frozenset(),
        quiet=MATTERMOST_QUIET | dict.fromkeys(_MATTERMOST_CALLING.split(), False),
    ),
    "jitsi": _Known("Jitsi Meet", frozenset(_JITSI_MANAGED.split()), frozenset()),
}
_SECRET_SETTING = re.compile(r"(?:pass(?:word|wd)?|secret|salt|token|key)\Z", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"://[^\s/:@]*:[^\s/@]+@")
_GENERATED_SECRETS = frozenset(
    [
        *("nextcloud_admin_password", "mattermost_admin_password"),
        *("jitsi_app_secret", "jicofo_password", "jitsi_videobridge_password", "coturn_secret"),
        "tls_acme_eab_hmac_key",
        "tls_ca_certificate",
        "tls_ca_key",
    ]
)


def check(profile: Profile) -> Iterator[Finding]:
    """Hold the free settings of every service against what the deployment does itself."""
    for purpose, service in profile.services.placed():
        known, path = _KNOWN[service.app], ("services", purpose)
        yield from _check_managed(service, known, path)
        yield from _check_secrets(service, known, path)
        if profile.sovereignty.level != "none":
            yield from _check_calls(profile, service, path)
        yield from _check_reasons(profile, service, known, path)


@dataclass(frozen=True)
class Call:
    """What has an application, or the browsers of those who use it, call its vendor or others.

    Attributes:
        name: The setting, app or plugin.
        place: Where it stands in the service.
        what: What it does.
        reason: Why it is there all the same; empty where the profile does not say.
    """

    name: str
    place: ValuePath
    what: str
    reason: str


def calls(profile: Profile, service: Service) -> Iterator[Call]:
    """Return what the profile turns on that calls others."""
    known = _KNOWN[service.app]
    what = f"makes {known.name} call its vendor or others"
    for group, key, value in switches.given(service):
        if known.calls(key, value):
            yield Call(key, (group, key), what, service.reasons.get(key, ""))
    if isinstance(service, NextcloudService):
        for index, app in enumerate(service.apps_enabled):
            if app in known.calling_apps:
                yield Call(app, ("apps_enabled", index), what, service.reasons.get(app, ""))
    if isinstance(service, MattermostService):
        for plugin in service.plugins:
            yield Call(
                plugin,
                ("plugins", plugin),
                "is a plugin, which may call others, and opens Mattermost's unit for that",
                service.reasons.get(plugin, ""),
            )
    if isinstance(service, JitsiService):
        own = frozenset({service.hostname, media.turn_hostname(profile, service)})
        free = {key: value for key, value in service.settings.items() if key not in known.managed}
        leads = "leads browsers to {}, which is no name of these meetings"
        found = [(path, what) for path in browser_settings.switches(service.settings)]
        found += [(path, leads.format(host)) for path, host in browser_settings.hosts(free, own)]
        for path, does in found:
            name = dotted(tuple(takewhile(lambda part: isinstance(part, str), path)))
            reason = service.reasons.get(name) or service.reasons.get(str(path[0]), "")
            yield Call(name, ("settings", *path), does, reason)


def calls_out(service: MattermostService) -> bool:
    """Tell whether a setting or a plugin needs others than the server's own host and database."""
    known, meeting = _KNOWN[service.app], _MATTERMOST_MEETING.split()
    return bool(service.plugins or service.reasons) or any(
        known.calls(key, value) or (key in meeting and switches.may_be_on(value))
        for _, key, value in switches.given(service)
    )


def _check_managed(service: Service, known: _Known, path: ValuePath) -> Iterator[Finding]:
    for group, given in (("settings", service.settings), ("secret_settings", service.secret_settings)):
        for key in known.managed.intersection(given):
            yield Finding(
                (*path, group, key),
                "is set by the deployment itself",
                "Remove it; its value follows from other parts of the profile.",
                at_key=True,
            )


def _check_secrets(service: Service, known: _Known, path: ValuePath) -> Iterator[Finding]:
    for key, value in service.settings.items():
        if key not in known.managed and ((value and _SECRET_SETTING.search(key)) or _holds_password(value)):
            yield Finding(
                (*path, "settings", key),
                "looks like a secret, and whoever may read the profile reads it",
                "Move it to secret_settings, which names its place in secrets.yml."
                if "secret_settings" in type(service).model_fields
                else "Remove it: every browser that opens the page reads it, too.",
                Severity.WARNING,
                at_key=True,
            )
    for key, name in service.secret_settings.items():
        if name in _GENERATED_SECRETS:
            yield Finding((*path, "secret_settings", key), f"{name} is a secret of the deployment itself")


def _holds_password(value: object) -> bool:
    """Tell whether a URL with a password in it stands anywhere in a value."""
    if isinstance(value, Mapping):
        return any(map(_holds_password, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_password, value))
    return isinstance(value, str) and _PASSWORD_IN_URL.search(value) is not None


def _check_calls(profile: Profile, service: Service, path: ValuePath) -> Iterator[Finding]:
    level = profile.sovereignty.level
    for call in calls(profile, service):
        yield Finding(
            (*path, *call.place),
            f"{call.what}; the reason given is: {call.reason}"
            if call.reason
            else f"{call.what}, sovereignty.level is {level}, and no reason is given",
            ""
            if call.reason
            else f"Remove it, or say why it is needed: {dotted((*path, 'reasons'))}: {{ {call.name}: ... }}.",
            Severity.WARNING if call.reason else Severity.ERROR,
            because=(("sovereignty", "level"), (*path, "reasons")),
        )


def _check_reasons(profile: Profile, service: Service, known: _Known, path: ValuePath) -> Iterator[Finding]:
    """Every reason is one for something that is there; whether a setting that nobody knows calls is not judged."""
    found = list(calls(profile, service))
    calling = {call.name for call in found} | {str(call.place[1]) for call in found}
    quiet = known.calling | known.calling_apps | known.quiet.keys()
    there = {key for _, key, _ in switches.given(service)} - quiet | calling
    for name in sorted(service.reasons.keys() - there):
        yield Finding(
            (*path, "reasons", name),
            f"is a reason for something that does not make {known.name} call others here",
            suggest(name, there - service.reasons.keys()) or "Remove it.",
            Severity.WARNING,
            because=(
                (*path, "settings"),
                (*path, "secret_settings"),
                (*path, "apps_enabled"),
                (*path, "plugins"),
            ),
            at_key=True,
        )
