"""Version numbers and ranges of them, as catalogues and ``version.php`` write them."""

from __future__ import annotations

from dataclasses import dataclass


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a dotted version, for comparison.

    Raises:
        ValueError: ``text`` is not decimal numbers joined by dots.
    """
    parts = text.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"not a version number: {text!r}")
    return tuple(int(part) for part in parts)


def major(text: str) -> int:
    """Return the first number of a dotted version."""
    return parse_version(text)[0]


def is_of_line(version: str, line: str) -> bool:
    """Say whether a version begins with the numbers of a line: 11.7.9 is of the lines 11 and 11.7."""
    numbers = parse_version(line)
    return parse_version(version)[: len(numbers)] == numbers


@dataclass(frozen=True)
class VersionRange:
    """Versions from ``start`` (accepted) up to ``below`` (not accepted)."""

    start: str
    below: str

    def __contains__(self, version: str) -> bool:
        return parse_version(self.start) <= parse_version(version) < parse_version(self.below)

    def __str__(self) -> str:
        return f">= {self.start} and < {self.below}"
