"""Which settings of Jitsi Meet lead the browsers of its participants elsewhere. Pure.

The role's own settings, which ask nobody else, are under those of the profile: a mapping keeps what it does not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from provisioner.profile.problem import ValuePath

# Read in config.js and react/features of jitsi-meet: with any of them the page asks somebody, unless it is off.
_CALLING = """
analytics analytics.rtcstatsEnabled analytics.watchRTCEnabled callStatsID conferenceMapperUrl dialInConfCodeUrl
dialInNumbersUrl dropbox enableCalendarIntegration giphy googleApiApplicationClientID jaasFeedbackMetadataURL
liveStreaming liveStreamingEnabled microsoftApiApplicationClientID peopleSearchUrl rtcstatsEnabled
"""
# Without any of them it does.
_SILENCING = "disableThirdPartyRequests gravatar.disabled p2p.stunServers"
# What people may follow, and no page asks by itself.
_LINKS = frozenset({"helpCentreURL", "legalUrls"})
# By which schemes a browser asks somebody; those of STUN and TURN have no slashes.
_ADDRESS = re.compile(
    r"(?:(?:\b(?:https?|wss?):|(?<![\w:/]))//(?:[^/\s@]*@)?|\b(?:stun|turn)s?:)(\[[0-9a-f:.]+\]|[\w.-]+)",
    re.IGNORECASE,
)


def switches(settings: Mapping[str, object]) -> Iterator[ValuePath]:
    """Return the switches that let the page ask somebody by itself, as paths below the settings."""
    for name in _CALLING.split():
        path = tuple(name.split("."))
        found, value = _look_up(settings, path)
        if found == path and not _is_off(value):
            yield path
    for name in _SILENCING.split():
        path = tuple(name.split("."))
        found, value = _look_up(settings, path)
        if _is_lost(value) if found == path else not isinstance(value, Mapping):
            yield found


def hosts(settings: Mapping[str, object], own: frozenset[str]) -> Iterator[tuple[ValuePath, str]]:
    """Return where an address stands that is of no own name, and whose it is."""
    for key, value in settings.items():
        if key not in _LINKS:
            yield from _foreign((key,), value, own)


def _look_up(settings: Mapping[str, object], path: ValuePath) -> tuple[ValuePath, object]:
    """Return the longest part of a path that leads to something, and what is there."""
    value: object = settings
    for depth, key in enumerate(path):
        if not isinstance(value, Mapping) or key not in value:
            return path[:depth], value
        value = value[key]
    return path, value


def _is_off(value: object) -> bool:
    if isinstance(value, Mapping):
        return value.get("enabled") is False or value.get("disabled") is True or not value
    return not value


def _is_lost(value: object) -> bool:
    """Tell whether a browser takes a value for none; an empty list is one."""
    return not value and not isinstance(value, Mapping | list | tuple)


def _foreign(path: ValuePath, value: object, own: frozenset[str]) -> Iterator[tuple[ValuePath, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _foreign((*path, key), part, own)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _foreign((*path, index), part, own)
    elif isinstance(value, str):
        for host in sorted({found.lower() for found in _ADDRESS.findall(value)} - own):
            yield path, host
