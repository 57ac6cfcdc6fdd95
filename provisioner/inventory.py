"""From a profile to the variables of the roles: the only place where the two meet.

Pure: no file, no network, no clock. Secrets go by reference to ``stack_secrets``, which Ansible reads from
the vaulted file itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from provisioner.profile import colours, values
from provisioner.profile.model import Host, Profile
from provisioner.profile.portal import Portal
from provisioner.profile.services import MattermostService, NextcloudService

#: Roles that each host carries, whatever runs on it.
BASE_ROLES = ("base", "firewall")
#: Roles that an application needs on its host, in the order in which they are applied.
APPLICATION_ROLES: Mapping[str, tuple[str, ...]] = {
    "nextcloud": ("tls", "postgresql", "redis", "php_fpm", "nginx", "nextcloud"),
    "mattermost": ("tls", "postgresql", "nginx", "mattermost"),
    "portal": ("tls", "nginx", "portal"),
}
#: Mattermost's languages, by ISO 639-1, as its locales are named (server/i18n).
_MATTERMOST_LOCALES = {
    **{
        code: code
        for code in ("bg", "de", "en", "es", "fa", "fr", "hu", "it", "ja", "ko", "nl", "pl", "ro", "ru")
    },
    **{"pt": "pt-BR", "sv": "sv", "tr": "tr", "uk": "uk", "vi": "vi", "zh": "zh-CN"},
}


@dataclass(frozen=True)
class ReleaseRef:
    """A release archive that was obtained and checked.

    Attributes:
        version: Whole version, ``34.0.1``.
        archive_path: Where it lies on the controller, absolute.
        sha256: Its digest, 64 hexadecimal digits.
    """

    version: str
    archive_path: str
    sha256: str


@dataclass(frozen=True)
class Inventory:
    """What Ansible is told.

    Attributes:
        groups: Host names by group; ``role_<role>`` lists the hosts that carry the role.
        group_vars_all: Variables of all hosts.
        host_vars: Variables of one host, by host.
    """

    groups: Mapping[str, tuple[str, ...]]
    group_vars_all: Mapping[str, Any]
    host_vars: Mapping[str, Mapping[str, Any]]

    def files(self) -> dict[str, dict[str, Any]]:
        """Return the content of Ansible's inventory files, by their paths below the inventory folder."""
        children: dict[str, Any] = {
            group: {"hosts": {host: {} for host in hosts}} for group, hosts in sorted(self.groups.items())
        }
        hosts = {name: dict(variables) for name, variables in self.host_vars.items()}
        return {
            "hosts.yml": {"all": {"hosts": hosts, "children": children}},
            "group_vars/all/main.yml": dict(self.group_vars_all),
        }


def dump(content: Mapping[str, Any]) -> str:
    """Return the YAML text of an inventory file."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(dict(content), Dumper=dumper, sort_keys=False, allow_unicode=True)


def build(profile: Profile, releases: Mapping[str, ReleaseRef], *, deployment: str) -> Inventory:
    """Return the inventory of a deployment.

    Args:
        profile: A profile without errors.
        releases: By application, what is installed; every application of the profile is in it.
        deployment: The deployment's name.
    """
    return Inventory(
        groups=_groups(profile),
        group_vars_all=_group_vars_all(profile, releases, deployment),
        host_vars={name: _host_vars(host) for name, host in profile.hosts.items()},
    )


def roles_of(profile: Profile, host: str) -> tuple[str, ...]:
    """Return the roles that a host carries, in the order in which they are applied."""
    wanted = dict.fromkeys(BASE_ROLES)
    for site in profile.sites():
        if profile.host_of(site) == host:
            wanted |= dict.fromkeys(APPLICATION_ROLES[site.app])
    return tuple(wanted)


def _groups(profile: Profile) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for host in profile.hosts:
        for role in roles_of(profile, host):
            groups[f"role_{role}"] = (*groups.get(f"role_{role}", ()), host)
    return groups


def _host_vars(host: Host) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "ansible_host": host.address,
        "ansible_port": host.ssh.port,
        "ansible_user": host.ssh.user,
        "ansible_become": host.ssh.user != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "firewall_ssh_port": host.ssh.port,
    }
    if host.ssh.key_file:
        variables["ansible_ssh_private_key_file"] = host.ssh.key_file
    return variables


def _group_vars_all(profile: Profile, releases: Mapping[str, ReleaseRef], deployment: str) -> dict[str, Any]:
    organisation, network = profile.organisation, profile.network
    services = profile.services.placed()
    variables: dict[str, Any] = {
        "stack_deployment": deployment,
        "stack_organisation": organisation.model_dump(mode="json"),
        "stack_applications": [site.app for site in profile.sites()],
        "stack_services": {
            purpose: {
                "app": service.app,
                "hostname": service.hostname,
                "host": profile.host_of(service),
                "address": profile.hosts[profile.host_of(service)].address,
            }
            for purpose, service in services
        },
        "stack_network": {"resolvers": list(network.resolvers), "time_servers": list(network.time_servers)},
        "base_timezone": organisation.timezone,
        "base_time_servers": list(network.time_servers),
        "base_hosts_entries": _hosts_entries(profile),
        "firewall_ssh_sources": list(network.ssh_sources),
        **_tls_vars(profile),
    }
    if profile.services.files:
        variables |= _nextcloud_vars(profile, profile.services.files, releases["nextcloud"])
    if profile.services.chat:
        variables |= _mattermost_vars(profile, profile.services.chat, releases["mattermost"])
    if profile.portal:
        variables |= _portal_vars(profile, profile.portal)
    return variables


def _hosts_entries(profile: Profile) -> list[dict[str, Any]]:
    """Return address and names for /etc/hosts, so that services find each other without DNS."""
    entries = []
    for name, host in profile.hosts.items():
        hostnames = [site.hostname for site in profile.sites() if profile.host_of(site) == name]
        if hostnames:
            entries.append({"address": host.address, "names": hostnames})
    return entries


def _tls_vars(profile: Profile) -> dict[str, Any]:
    tls = profile.tls
    variables: dict[str, Any] = {"tls_issuer": tls.issuer}
    if tls.issuer == "internal":
        variables["tls_ca_certificate"] = _secret("tls_ca_certificate")
        variables["tls_ca_key"] = _secret("tls_ca_key")
    elif tls.issuer == "acme" and tls.acme:
        variables["tls_acme_directory_url"] = tls.acme.directory_url
        variables["tls_acme_contact"] = tls.acme.contact or profile.organisation.contact
        if tls.acme.eab_key_id:
            variables["tls_acme_eab_key_id"] = tls.acme.eab_key_id
            variables["tls_acme_eab_hmac_key"] = _secret("tls_acme_eab_hmac_key")
    elif tls.provided:
        variables["tls_provided_certificate_path"] = tls.provided.certificate_file
        variables["tls_provided_key_path"] = tls.provided.key_file
    if tls.issuer != "internal" and tls.ca_certificate_file:
        variables["tls_external_ca_certificate"] = _content_of(tls.ca_certificate_file)
    return variables


def _nextcloud_vars(profile: Profile, service: NextcloudService, release: ReleaseRef) -> dict[str, Any]:
    organisation = profile.organisation
    language = organisation.language
    return {
        "nextcloud_hostname": service.hostname,
        "nextcloud_version": release.version,
        "nextcloud_archive_path": release.archive_path,
        "nextcloud_archive_sha256": release.sha256,
        "nextcloud_admin_password": _secret("nextcloud_admin_password"),
        "nextcloud_data_dir": service.data_directory,
        "nextcloud_default_language": language,
        "nextcloud_default_locale": language if "_" in language else f"{language}_{organisation.country}",
        "nextcloud_default_phone_region": organisation.country,
        "nextcloud_default_timezone": organisation.timezone,
        "nextcloud_maintenance_window_start": service.maintenance_window_start,
        "nextcloud_trashbin_days": service.trashbin_days,
        "nextcloud_activity_days": service.activity_days,
        "nextcloud_log_days": service.log_days,
        "nextcloud_upload_limit": service.upload_limit,
        "nextcloud_trusted_proxies": list(service.trusted_proxies),
        "nextcloud_apps_enabled": list(service.apps_enabled),
        "nextcloud_apps_disabled": list(service.apps_disabled),
        "nextcloud_settings": dict(service.settings),
        "nextcloud_secret_settings": {key: _secret(name) for key, name in service.secret_settings.items()},
    }


def _mattermost_vars(profile: Profile, service: MattermostService, release: ReleaseRef) -> dict[str, Any]:
    organisation = profile.organisation
    fits = len(organisation.name.encode()) <= values.SITE_NAME_BYTES
    return {
        "mattermost_hostname": service.hostname,
        "mattermost_version": release.version,
        "mattermost_archive_path": release.archive_path,
        "mattermost_archive_sha256": release.sha256,
        "mattermost_edition": service.archive_edition,
        "mattermost_license": _content_of(service.license_file) if service.license_file else "",
        "mattermost_admin_email": organisation.contact,
        "mattermost_admin_password": _secret("mattermost_admin_password"),
        "mattermost_site_name": service.site_name or (organisation.name if fits else "Mattermost"),
        "mattermost_default_language": _mattermost_locale(organisation.language),
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
        "mattermost_plugins": [
            {"id": name, "archive_path": plugin.archive_file, "sha256": plugin.sha256}
            for name, plugin in service.plugins.items()
        ],
        "mattermost_settings": dict(service.settings),
        "mattermost_secret_settings": {key: _secret(name) for key, name in service.secret_settings.items()},
    }


def _portal_vars(profile: Profile, portal: Portal) -> dict[str, Any]:
    return {
        "portal_hostname": next(site.hostname for site in profile.sites() if site.name == "portal"),
        "portal_organisation": profile.organisation.name,
        "portal_languages": list(portal.languages),
        "portal_services": [
            {"purpose": purpose, "hostname": service.hostname}
            for purpose, service in profile.services.placed()
        ],
        "portal_links": portal.links.model_dump(exclude_none=True),
        "portal_logo_path": portal.logo_file or "",
        "portal_colours": asdict(colours.paint(portal.colours.accent, portal.colours.background)),
        "portal_security_contact": f"mailto:{portal.security_contact or profile.organisation.contact}",
    }


def _mattermost_locale(language: str) -> str:
    """Return Mattermost's name of a language, or English where it does not speak it."""
    return _MATTERMOST_LOCALES.get(language.partition("_")[0], "en")


def _content_of(file: str) -> str:
    """Return an expression for the text of a file on the controller."""
    quoted = file.replace("\\", "\\\\").replace("'", "\\'")
    return "{{ lookup('ansible.builtin.file', '" + quoted + "') }}"


def _secret(name: str) -> str:
    return "{{ stack_secrets." + name + " }}"
