"""What the real server has, as facts in ``interface.json``, and how this double says no to the rest."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INTERFACE: dict[str, Any] = json.loads((ROOT / "lib/double/interface.json").read_text())
_RELEASE: dict[str, Any] = json.loads((ROOT / "lib/double/release.json").read_text())
VERSION: str = _RELEASE["version"]
# Without a licence: from how many active users on the server warns, and how many there are at most.
WARN_FROM_USERS: int | None = _RELEASE["warn_from_users"]
MOST_USERS: int = _RELEASE["most_users"]
# The alphabet of Mattermost's identifiers: z-base-32.
_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"


class Refusal(Exception):
    """Something that the real Mattermost does not have, or has and this double does not play."""


class ApiError(Exception):
    """An answer of the API that says no: identifier, what happened in words, HTTP status."""

    def __init__(self, identifier: str, status: int = 400, message: str = "", detail: str = "") -> None:
        super().__init__(message or identifier)
        self.identifier, self.status, self.detail = identifier, status, detail

    def as_json(self, request: str) -> dict[str, object]:
        return {
            "id": self.identifier,
            "message": str(self),
            "detailed_error": self.detail,
            "request_id": request,
            "status_code": self.status,
        }


def invalid(name: str) -> ApiError:
    """Return the answer to a request whose body lacks something, or has it in the wrong form."""
    return ApiError(
        "api.context.invalid_body_param.app_error", 400, f"Invalid or missing {name} in request body."
    )


def new_id() -> str:
    """Return an identifier as Mattermost makes them: 26 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(26))


def is_id(text: str) -> bool:
    return len(text) == 26 and text.isalnum()


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
