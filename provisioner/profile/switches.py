"""Whether a free setting of a service is on, as its application reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from provisioner.profile.services import Service

Group = Literal["settings", "secret_settings"]
#: Stands for the value of a secret setting, which the profile does not know.
UNKNOWN: Final = object()
# What strconv.ParseBool takes; Mattermost passes over everything else (server/config/environment.go).
_WORDS = {
    **dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("0", "f", "F", "false", "False", "FALSE"), False),
}


def given(service: Service) -> Iterator[tuple[Group, str, object]]:
    """Return every free setting: the part of the profile, the name and the value, which of a secret is not known."""
    for key, value in service.settings.items():
        yield "settings", key, value
    for key in service.secret_settings:
        yield "secret_settings", key, UNKNOWN


def mattermost(value: object) -> bool | None:
    """Return what Mattermost makes of a switch's value; None where it is not known, or none of its words."""
    return _WORDS.get(str(value))


def may_be_on(value: object) -> bool:
    """Tell whether a switch of Mattermost's may be on: what is not known may be."""
    return bool(value) and mattermost(value) is not False
