"""What a release archive says it is, held against what was asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """What an archive says of itself.

    Attributes:
        said: What it is by its own words, such as ``nextcloud 34.0.1 stable``.
        mistake: Why that is not the release that was asked for; empty when it is.
    """

    said: str
    mistake: str = ""
