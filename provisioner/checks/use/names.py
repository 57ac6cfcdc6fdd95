"""Names of what a verification makes for itself: recognisable, unique, and telling whose it is and how old."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

PREFIX = "sovstack-use-"
_OLD_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one controller's runs.

    Attributes:
        owner: Stands for the deployment on this controller, of which one run at a time holds the lock: letters and
            digits.
    """

    owner: str

    def make(self) -> str:
        """Return a new name: ``sovstack-use-<owner>-<seconds since the epoch>-<8 hex>``, at most 40 characters."""
        return f"{PREFIX}{self.owner}-{int(time.time())}-{secrets.token_hex(4)}"

    def is_left_over(self, name: str) -> bool:
        """Tell whether a killed run left it.

        Of ours, no other one runs now; another controller's may, for an hour.
        """
        owner, _, rest = name.removeprefix(PREFIX).partition("-")
        made = rest.partition("-")[0]
        if not name.startswith(PREFIX) or not made.isdecimal():
            return False
        return owner == self.owner or time.time() - int(made) > _OLD_SECONDS
