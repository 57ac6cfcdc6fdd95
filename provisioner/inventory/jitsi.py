"""Jitsi's variables: of its pages, of Prosody, Jicofo and the videobridges, and of coturn, which relays media."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from provisioner.inventory.model import ReleaseRef
from provisioner.inventory.references import secret
from provisioner.profile import media
from provisioner.profile.model import Profile
from provisioner.profile.services import JitsiService

#: Which role installs which package of a release.
_PACKAGES: Mapping[str, str] = {
    "jitsi_meet": "jitsi-meet-web",
    "prosody": "jitsi-meet-prosody",
    "jicofo": "jicofo",
    "jitsi_videobridge": "jitsi-videobridge2",
}
_LOOPBACK = "127.0.0.1"


def variables(profile: Profile, service: JitsiService, releases: Mapping[str, ReleaseRef]) -> dict[str, Any]:
    """Return the variables of all of Jitsi's roles that are the same on every host."""
    found: dict[str, Any] = {}
    for role, package in _PACKAGES.items():
        release = releases[package]
        found[f"{role}_package_version"] = release.version
        found[f"{role}_package_path"] = release.archive_path
        found[f"{role}_package_sha256"] = release.sha256
    for role in ("prosody", "jitsi_meet"):
        found[f"{role}_guests"] = service.guests
        found[f"{role}_turn_hostname"] = media.turn_hostname(profile, service)
        found[f"{role}_turn_port"] = media.TURN_PORT
    return found | _signalling(profile, service) | _media(profile, service)


def host_variables(profile: Profile, service: JitsiService, name: str) -> dict[str, Any]:
    """Return the variables of the videobridge and of coturn on one host, where it has them."""
    host = profile.hosts[name]
    # Both tell others their addresses; behind NAT the host itself does not know those.
    public = [address for address in host.public_addresses if address != host.address]
    found: dict[str, Any] = {}
    if name in media.videobridge_hosts(profile, service):
        near = name == profile.host_of(service)
        found |= {
            "jitsi_videobridge_nickname": name,
            "jitsi_videobridge_xmpp_host": _LOOPBACK if near else f"auth.{service.hostname}",
            "jitsi_videobridge_local_address": host.address,
            "jitsi_videobridge_public_addresses": public,
        }
    if name == media.turn_host(profile, service):
        # A router translates addresses of one family; one of the other family is the host's own, beside its address.
        translated, own = _by_family(host.address, public)
        found |= {"coturn_addresses": [host.address, *own], "coturn_public_addresses": translated}
    if media.answers_acme(profile, name):
        found["tls_acme_authenticator"] = "standalone"
    return found


def _by_family(address: str, others: list[str]) -> tuple[list[str], list[str]]:
    """Return those of some addresses that are of the same family as ``address``, and those that are not."""
    version = ip_address(address).version
    same = [other for other in others if ip_address(other).version == version]
    return same, [other for other in others if other not in same]


def _signalling(profile: Profile, service: JitsiService) -> dict[str, Any]:
    home = profile.host_of(service)
    return {
        "jitsi_meet_hostname": service.hostname,
        "jitsi_meet_language": profile.organisation.language.partition("_")[0],
        "jitsi_meet_legal_urls": _legal_urls(profile),
        "jitsi_meet_settings": dict(service.settings),
        "prosody_domain": service.hostname,
        "prosody_lobby": service.lobby,
        "prosody_app_secret": secret("jitsi_app_secret"),
        "prosody_jicofo_password": secret("jicofo_password"),
        "prosody_videobridge_password": secret("jitsi_videobridge_password"),
        "prosody_turn_secret": secret("coturn_secret"),
        "prosody_turn_tls_port": service.turn.tls_port,
        "prosody_client_sources": [
            profile.hosts[name].address for name in media.videobridge_hosts(profile, service) if name != home
        ],
        "jicofo_domain": service.hostname,
        "jicofo_password": secret("jicofo_password"),
        # Prosody shows its clients a certificate of the deployment's own authority, whoever signs for the sites.
        "jicofo_ca_certificate": secret("tls_ca_certificate"),
        "jitsi_videobridge_ca_certificate": secret("tls_ca_certificate"),
    }


def _legal_urls(profile: Profile) -> dict[str, str]:
    links = profile.portal.links if profile.portal else None
    return {"privacy": links.privacy} if links and links.privacy else {}


def _media(profile: Profile, service: JitsiService) -> dict[str, Any]:
    bridges = [profile.hosts[name] for name in media.videobridge_hosts(profile, service)]
    return {
        "jitsi_videobridge_domain": service.hostname,
        "jitsi_videobridge_password": secret("jitsi_videobridge_password"),
        "jitsi_videobridge_port": service.media_port,
        "coturn_hostname": media.turn_hostname(profile, service),
        "coturn_secret": secret("coturn_secret"),
        "coturn_port": media.TURN_PORT,
        "coturn_tls_port": service.turn.tls_port,
        "coturn_peer_ports": [service.media_port],
        "coturn_allowed_peers": list(
            dict.fromkeys(address for host in bridges for address in (host.address, *host.public_addresses))
        ),
    }
