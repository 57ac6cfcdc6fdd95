"""A profile with malformed values, made whole enough for the rules to look at the rest of it."""

from __future__ import annotations

import copy
from typing import Any

from provisioner.profile.problem import ValuePath

#: A small valid profile; Its values appear in hints and stand in for malformed ones.
EXAMPLE: dict[str, Any] = {
    "version": 1,
    "organisation": {
        "name": "Gemeente Zonnedael",
        "domain": "zonnedael.example",
        "country": "NL",
        "contact": "ict@zonnedael.example",
        "users": 180,
    },
    "hosts": {"main": {"address": "192.0.2.10", "provider": "on-premise", "location": "NL"}},
    "services": {"files": {"app": "nextcloud", "hostname": "cloud.zonnedael.example"}},
    "secrets": {"vault_password": {"file": "~/.config/sovstack/zonnedael.vault-password"}},
}
_ELSEWHERE: dict[ValuePath, Any] = {
    ("services", "chat", "app"): "mattermost",
    ("services", "chat", "hostname"): "chat.zonnedael.example",
    ("services", "meet", "app"): "jitsi",
    ("services", "meet", "hostname"): "meet.zonnedael.example",
    ("tls", "acme", "directory_url"): "https://ca.zonnedael.example/directory",
    ("tls", "provided", "certificate_file"): "certificate.pem",
    ("tls", "provided", "key_file"): "key.pem",
}


# By their last key, for what stands below names of people's own choice: services.chat.teams.NAME.display_name.
_BELOW_NAMES: dict[str, Any] = {
    "display_name": "Afdeling ICT",
    "version": "1.2.3",
    "email": "anna.devries@zonnedael.example",
}


def example_at(path: ValuePath) -> Any:  # noqa: ANN401  any YAML value
    """Return an example for the value at a path, or None when the value is optional or unknown."""
    if path in _ELSEWHERE:
        return _ELSEWHERE[path]
    if path[:2] == ("services", "chat") and len(path) > 3 and path[-1] in _BELOW_NAMES:
        return _BELOW_NAMES[path[-1]]
    value: Any = EXAMPLE
    for depth, part in enumerate(path):
        if not isinstance(value, dict):
            return None
        value = value.get("main" if path[:depth] == ("hosts",) else part)
    return copy.deepcopy(value)


def mend(data: Any, path: ValuePath, *, remove: bool) -> ValuePath:  # noqa: ANN401  any YAML value
    """Put an example in the place of a value, or take it out where the model can do without.

    Args:
        data: The profile's data; it is changed.
        path: The malformed value.
        remove: Take it out in any case.

    Returns:
        The path that was changed: the value's, or that of the list it stands in.
    """
    numbered = next((depth for depth, part in enumerate(path) if isinstance(part, int)), len(path))
    path = path[:numbered]
    for depth, part in enumerate(path[:-1]):
        if part not in data:  # what held the value was taken out as malformed itself
            return path[: depth + 1]
        data = data[part]
    example = None if remove else example_at(path)
    if example is None:
        data.pop(path[-1], None)
    else:
        data[path[-1]] = example
    return path
