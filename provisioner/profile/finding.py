"""What a rule found, before it is given its place in the file."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from provisioner.profile.problem import Severity, ValuePath


@dataclass(frozen=True)
class Finding:
    """A problem with values that are each well-formed.

    Attributes:
        path: The value to mend.
        message: What is wrong; it follows the value's path.
        hint: How to mend it.
        severity: Error or warning.
        because: Other values that the finding rests on. When one of them is malformed, nothing is concluded.
        at_key: Whether the place to show is the key rather than the value.
    """

    path: ValuePath
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    because: tuple[ValuePath, ...] = ()
    at_key: bool = False

    def rests_on(self, doubtful: Iterable[ValuePath]) -> bool:
        """Tell whether the finding rests on one of the given values, on a part of it, or on what holds it."""
        own = (self.path, *self.because)
        return any(path[: len(other)] == other[: len(path)] for path in own for other in doubtful)


def suggest(word: str, known: Collection[str]) -> str:
    """Return ``Did you mean x?`` for the nearest of the known words, or nothing when none is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""
