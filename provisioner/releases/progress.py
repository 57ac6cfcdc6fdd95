"""How obtaining a release says what it is doing, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One thing to show.

    Attributes:
        text: What is being done, such as ``downloading nextcloud-34.0.1.tar.bz2``.
        done: How much of it is done, in ``unit``; None when it is not counted.
        total: How much there is, where that is known.
        unit: ``bytes`` or ``files``.
    """

    text: str
    done: int | None = None
    total: int | None = None
    unit: str = "bytes"


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Show nothing."""
