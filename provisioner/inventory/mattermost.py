"""Mattermost's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.inventory import platform
from provisioner.inventory.model import ReleaseRef
from provisioner.inventory.references import content_of, secret
from provisioner.profile import chat_values, people, settings
from provisioner.profile.model import Profile
from provisioner.profile.platform import links
from provisioner.profile.services import MattermostService
from provisioner.releases.catalogue import Release, plugins

#: Mattermost's languages, by ISO 639-1, as its locales are named (server/i18n).
_LOCALES = {
    **{
        code: code
        for code in ("bg", "de", "en", "es", "fa", "fr", "hu", "it", "ja", "ko", "nl", "pl", "ro", "ru")
    },
    **{"pt": "pt-BR", "sv": "sv", "tr": "tr", "uk": "uk", "vi": "vi", "zh": "zh-CN"},
}


def variables(
    profile: Profile, service: MattermostService, releases: Mapping[str, ReleaseRef]
) -> dict[str, Any]:
    """Return the variables of the role ``mattermost``."""
    release = releases["mattermost"]
    organisation = profile.organisation
    fits = len(organisation.name.encode()) <= chat_values.SITE_NAME_BYTES
    return {
        "mattermost_hostname": service.hostname,
        "mattermost_version": release.version,
        "mattermost_archive_path": release.archive_path,
        "mattermost_archive_sha256": release.sha256,
        "mattermost_edition": service.archive_edition,
        "mattermost_license": content_of(service.license_file) if service.license_file else "",
        "mattermost_admin_user": people.ADMINISTRATOR,
        "mattermost_admin_email": organisation.contact,
        "mattermost_admin_password": secret("mattermost_admin_password"),
        "mattermost_site_name": service.site_name or (organisation.name if fits else "Mattermost"),
        "mattermost_links": _links(profile),
        "mattermost_default_language": _locale(organisation.language),
        "mattermost_data_dir": service.data_directory,
        "mattermost_upload_limit": service.upload_limit,
        "mattermost_teams": [
            {
                "name": name,
                "display_name": team.display_name,
                "channels": [
                    {"name": name, "display_name": channel.display_name, "private": channel.private}
                    for name, channel in team.channels.items()
                ],
            }
            for name, team in service.teams.items()
        ],
        "mattermost_users": [
            {
                "name": name,
                "email": person.email,
                "first_name": person.first_name or "",
                "last_name": person.last_name or "",
                "password": secret(service.password_of(name)),
                "teams": [
                    {"name": team, "channels": list(channels)} for team, channels in person.teams.items()
                ],
            }
            for name, person in service.users.items()
        ],
        "mattermost_plugins": [
            {
                "id": plugin.plugin,
                "version": own.version,
                "archive_path": own.archive_path,
                "sha256": own.sha256,
            }
            for plugin in plugin_releases(service)
            for own in [releases[plugin.name]]
        ],
        "mattermost_settings": dict(service.settings),
        "mattermost_secret_settings": {key: secret(name) for key, name in service.secret_settings.items()},
        "mattermost_peers": _peers(profile, service),
        "mattermost_calls_out": settings.calls_out(service),
        **platform.database(profile, "mattermost"),
    }


def plugin_releases(service: MattermostService) -> Iterator[Release]:
    """Yield what the profile's plugins are installed from."""
    for name, plugin in service.plugins.items():
        yield plugins.make_release(name, plugin.version, plugin.sha256)


def _peers(profile: Profile, service: MattermostService) -> list[str]:
    """Return the addresses that the server talks to: its own, by which it finds its site, and the database's."""
    servers = [link.server for link in links(profile) if (link.part, link.app) == ("database", service.app)]
    return [profile.hosts[name].address for name in (profile.host_of(service), *servers)]


def _links(profile: Profile) -> dict[str, str]:
    """Return the organisation's pages that Mattermost's own links lead to."""
    own = profile.portal.links if profile.portal else None
    pages = {"about": own.imprint, "privacy": own.privacy} if own else {}
    return {name: address for name, address in pages.items() if address}


def _locale(language: str) -> str:
    """Return Mattermost's name of a language, or English where it does not speak it."""
    return _LOCALES.get(language.partition("_")[0], "en")
