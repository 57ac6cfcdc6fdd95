"""The variables of what every host or every application stands on."""

from __future__ import annotations

from typing import Any

from provisioner.inventory import placement
from provisioner.inventory.references import content_of, secret
from provisioner.profile.model import Profile
from provisioner.profile.platform import has_authority, internal_hostname, links


def variables(profile: Profile) -> dict[str, Any]:
    """Return the variables of the roles that serve other roles."""
    network = profile.network
    return {
        "base_timezone": profile.organisation.timezone,
        "base_time_servers": list(network.time_servers),
        "base_hosts_entries": placement.hosts_entries(profile),
        "firewall_ssh_sources": list(network.ssh_sources),
        **_tls(profile),
        **_placed(profile),
    }


def database(profile: Profile, app: str) -> dict[str, Any]:
    """Return how an application reaches its database on another host; nothing where it is on its own."""
    for link in links(profile):
        if (link.part, link.app) == ("database", app):
            return {
                f"{app}_database_host": internal_hostname(profile, link.server),
                f"{app}_database_password": secret(link.secret),
                f"{app}_database_sources": [profile.hosts[link.client].address],
            }
    return {}


def cache(profile: Profile, app: str) -> dict[str, Any]:
    """Return how an application reaches the key-value store on another host; nothing where it is on its own."""
    for link in links(profile):
        if (link.part, link.app) == ("cache", app):
            return {
                f"{app}_redis_host": internal_hostname(profile, link.server),
                f"{app}_redis_password": secret(link.secret),
                f"{app}_redis_sources": [profile.hosts[link.client].address],
            }
    return {}


def _placed(profile: Profile) -> dict[str, Any]:
    placed = dict(profile.platform.placed())
    variables: dict[str, Any] = {"stack_platform": placed} if placed else {}
    if any(link.part == "cache" for link in links(profile)):
        variables["redis_operator_password"] = secret("redis_operator_password")
    return variables


def _tls(profile: Profile) -> dict[str, Any]:
    tls = profile.tls
    variables: dict[str, Any] = {"tls_issuer": tls.issuer}
    if has_authority(profile):
        variables["tls_ca_certificate"] = secret("tls_ca_certificate")
        variables["tls_ca_key"] = secret("tls_ca_key")
    if tls.issuer == "acme" and tls.acme:
        variables["tls_acme_directory_url"] = tls.acme.directory_url
        variables["tls_acme_contact"] = tls.acme.contact or profile.organisation.contact
        if tls.acme.eab_key_id:
            variables["tls_acme_eab_key_id"] = tls.acme.eab_key_id
            variables["tls_acme_eab_hmac_key"] = secret("tls_acme_eab_hmac_key")
    elif tls.issuer == "provided" and tls.provided:
        variables["tls_provided_certificate_path"] = tls.provided.certificate_file
        variables["tls_provided_key_path"] = tls.provided.key_file
    if tls.issuer != "internal" and tls.ca_certificate_file:
        variables["tls_external_ca_certificate"] = content_of(tls.ca_certificate_file)
    return variables
