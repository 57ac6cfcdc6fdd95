"""What an ``apply`` recorded of a host: the roles it carries, and those it carried before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Declaration:
    """The roles in ``/etc/sovstack/declared.json``, which the role ``base`` writes.

    Attributes:
        roles: What the host carried when ``apply`` was there last.
        retired: What it carried before that, and whose data may still be there.
    """

    roles: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        """All roles of which something is on the host."""
        return (*self.roles, *self.retired)


def parse(text: str) -> Declaration:
    """Return the declaration in the text of the file; what cannot be read names nothing."""
    try:
        found = json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return Declaration()
    retired = found.get("retired") if isinstance(found, dict) else None
    return Declaration(_names(found), _names(retired))


def _names(part: Any) -> tuple[str, ...]:  # noqa: ANN401  whatever stands there
    roles = part.get("roles") if isinstance(part, dict) else None
    return tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else ()
