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
        because: What the finding rests on besides: values, and mappings for which entries they have. When one
            of them is malformed, nothing is concluded.
        at_key: Whether the place to show is the key rather than the value.
    """

    path: ValuePath
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    because: tuple[ValuePath, ...] = ()
    at_key: bool = False

    def rests_on(self, doubtful: Iterable[ValuePath]) -> bool:
        """Tell whether the finding rests on a value that is in doubt, or stands in one."""
        return any(
            self.path[: len(doubt)] == doubt
            or any(reason[: len(doubt)] == doubt or reason == doubt[:-1] for reason in self.because)
            for doubt in doubtful
        )


def nearest(word: str, known: Collection[str]) -> str | None:
    """Return the known word that is most like a word, or None when none is near."""
    return next(iter(difflib.get_close_matches(word[:100], known, n=1, cutoff=0.6)), None)


def suggest(word: str, known: Collection[str]) -> str:
    """Return ``Did you mean x?`` for the nearest known word, or nothing when none is near."""
    near = nearest(word, known)
    return f"Did you mean {near}?" if near else ""
