"""How the checks meet a deployment's meetings: with tokens of its own, and with some that are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from provisioner.checks.outside import MediaTarget, MeetingsTarget, RelayTarget, WebTarget
from provisioner.deployment.steps import Vault
from provisioner.profile import Profile, media
from provisioner.profile.meeting import invite
from provisioner.profile.secrets import Secret

_VALID = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Makes tokens for the rooms of one deployment."""

    hostname: str
    key: Secret

    def good(self, room: str, moderator: bool) -> str:
        """Return one that lets its bearer in."""
        return self._make(room, self.key, moderator=moderator)

    def bad(self, room: str) -> Mapping[str, str]:
        """Return some that must not, by what is wrong with them."""
        return {
            "one of another key": self._make(room, Secret(f"{self.key.reveal()}-")),
            "one that expired": self._make(room, self.key, ago=timedelta(hours=1)),
            "one for another room": self._make(f"{room}-other", self.key),
        }

    def _make(self, room: str, key: Secret, *, moderator: bool = True, ago: timedelta = timedelta()) -> str:
        now = datetime.now(UTC) - ago
        return invite(
            self.hostname, room, name="Verification", moderator=moderator, now=now, valid=_VALID
        ).token(key)


def meetings_targets(profile: Profile, web: Mapping[str, WebTarget], vault: Vault) -> list[MeetingsTarget]:
    """Return how participants come in."""
    service = profile.services.meet
    if service is None:
        return []
    tokens = _Tokens(service.hostname, vault.values["jitsi_app_secret"])
    return [
        MeetingsTarget(
            web["meet"],
            turn_hostname=media.turn_hostname(profile, service),
            guests=service.guests,
            lobby=service.lobby,
            token=tokens.good,
            bad_tokens=tokens.bad,
        )
    ]


def relay_targets(profile: Profile, web: Mapping[str, WebTarget], vault: Vault) -> list[RelayTarget]:
    """Return the TURN server, whose certificate comes from where the site's does."""
    service = profile.services.meet
    if service is None:
        return []
    turn = WebTarget(
        media.turn_hostname(profile, service),
        profile.hosts[media.turn_host(profile, service)].address,
        web["meet"].ca_file,
        port=service.turn.tls_port,
    )
    bridges = [profile.hosts[name].address for name in media.videobridge_hosts(profile, service)]
    return [RelayTarget(turn, media.TURN_PORT, vault.values["coturn_secret"], tuple(bridges))]


def media_targets(profile: Profile) -> list[MediaTarget]:
    """Return the videobridges."""
    service = profile.services.meet
    names = media.videobridge_hosts(profile, service) if service else ()
    return [MediaTarget(name, profile.hosts[name].address, service.media_port) for name in names if service]
