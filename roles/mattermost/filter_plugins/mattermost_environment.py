"""Filter: Mattermost's settings as the environment that its unit starts with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any


def text_of(value: Any) -> str:
    """A value as Mattermost reads it from a variable (config/environment.go): lists by blanks, mappings as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, (list, tuple)):
        return " ".join(text_of(item) for item in value)
    return str(value)


def quoted(text: str) -> str:
    """Text in double quotes, as systemd.exec(5) takes it back out of an EnvironmentFile."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", text) + '"'


def environment(settings: Mapping[str, Any]) -> str:
    """Lines of an EnvironmentFile, sorted: `ServiceSettings.SiteURL` is `MM_SERVICESETTINGS_SITEURL`."""
    lines = {f"MM_{name.upper().replace('.', '_')}": text_of(value) for name, value in settings.items()}
    return "\n".join(f"{name}={quoted(lines[name])}" for name in sorted(lines))


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"mattermost_environment": environment}
