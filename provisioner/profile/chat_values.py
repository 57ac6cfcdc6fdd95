"""What names and numbers of Mattermost's own must look like, by its source; as ``values``, whose errors they raise."""

from __future__ import annotations

import re

from provisioner.profile.values import MalformedValue, check_text

SITE_NAME_BYTES = 30
# ``restrictedUsernames`` in Mattermost's server/public/model/user.go.
_RESERVED_PERSON_NAMES = ("all", "channel", "matterbot", "system")
# ``reservedName`` in Mattermost's server/public/model/team.go: no team's name may begin so.
_RESERVED_TEAM_NAMES = (
    *(
        "admin",
        "api",
        "boards",
        "channel",
        "claim",
        "error",
        "files",
        "help",
        "landing",
        "login",
        "mfa",
        "oauth",
    ),
    *("playbooks", "plug", "post", "signup"),
)


def check_site_name(text: str) -> str:
    """A name of a Mattermost site (``SitenameMaxLength`` in its ``server/public/model/config.go``)."""
    if len(check_text(text).encode()) > SITE_NAME_BYTES:
        raise MalformedValue(
            f"is longer than {SITE_NAME_BYTES} bytes", "Write a shorter name for people to see."
        )
    return check_text(text)


def check_team_name(text: str) -> str:
    """A Mattermost team's name in addresses (``IsValidTeamName`` in its ``server/public/model/team.go``)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]", text):
        raise MalformedValue(
            "is not the name of a team",
            "Use 2 to 64 lower-case letters, digits and hyphens, such as afdeling-ict.",
        )
    if reserved := next((word for word in _RESERVED_TEAM_NAMES if text.startswith(word)), None):
        raise MalformedValue(
            f"begins with {reserved}, which Mattermost keeps for itself",
            "Choose another; the name that people see is display_name.",
        )
    return text


def check_channel_name(text: str) -> str:
    """A Mattermost channel's name in addresses (``IsValidChannelIdentifier`` in ``server/public/model/utils.go``)."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", text):
        raise MalformedValue(
            "is not the name of a channel",
            "Use at most 64 lower-case letters, digits, - and _, such as algemeen.",
        )
    return text


def check_person_name(text: str) -> str:
    """Whom Mattermost can have as a user (``IsValidUsername`` in its ``server/public/model/user.go``)."""
    if not re.fullmatch(r"[a-z][a-z0-9._-]{0,63}", text):
        raise MalformedValue(
            "is not a log-in name",
            "Begin with a letter; use at most 64 lower-case letters, digits, ., - and _, such as anna.devries.",
        )
    if text in _RESERVED_PERSON_NAMES:
        raise MalformedValue("is a name that Mattermost keeps for itself", "Choose another.")
    return text


def check_plugin_id(text: str) -> str:
    """A Mattermost plugin's id (``IsValidPluginId`` in ``server/public/model/plugin_valid.go``)."""
    # It knows all of them in lower case (``FindManifest`` in manifest.go).
    if not re.fullmatch(r"[a-z0-9_.-]{3,190}", text) or not any(letter.isalnum() for letter in text):
        raise MalformedValue("is not the id of a plugin", "Copy it from its plugin.json, in lower case.")
    return text


def check_plugin_version(text: str) -> str:
    """A Mattermost plugin's version, a semantic one (``IsValid`` in ``server/public/model/manifest.go``)."""
    if not re.fullmatch(r"(?:[0-9]{1,9}\.){2}[0-9]{1,9}(?:[-+][0-9A-Za-z.+-]{1,60})?", text):
        raise MalformedValue("is not the version of a plugin", "Copy it from its plugin.json, such as 1.2.3.")
    return text


def check_setting_name(text: str) -> str:
    """A Mattermost setting, as its documentation and ``mmctl config get`` name it."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*Settings(?:\.[A-Z][A-Za-z0-9]*)+", text):
        raise MalformedValue(
            "is not the name of a setting",
            "Write section and name, such as ServiceSettings.EnableLinkPreviews.",
        )
    return text
