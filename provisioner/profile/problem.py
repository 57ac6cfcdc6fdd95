"""What is wrong with a profile, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from provisioner.errors import ProfileError

#: Where a value stands in the profile: ``("hosts", "main", "address")``; list items by their index.
ValuePath = tuple[str | int, ...]
MAX_SHOWN = 100


class Severity(StrEnum):
    """Whether the profile can be used all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One thing to mend.

    Attributes:
        file: The profile file, as the caller named it.
        line: Counted from 1; 0 when the problem is the file as a whole.
        column: Counted from 1, in characters; 0 when the problem is the file as a whole.
        path: Dotted path of the value, ``hosts.main.address``; empty for the file as a whole.
        message: What is wrong.
        hint: How to mend it; empty when the message says it all.
        severity: An error stops every command; a warning is printed and stops none.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """Return ``file:line:column: severity: path: message`` and the hint; editors jump to it."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        subject = f"{self.path}: " if self.path else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{place}: {self.severity}: {subject}{self.message}{hint}"

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as plain data for ``--output json``."""
        return asdict(self)


class InvalidProfile(ProfileError):
    """The profile was read, and at least one problem in it is an error.

    Attributes:
        problems: Every problem that was found, errors and warnings, in the order of the file.
    """

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        errors = sum(problem.severity is Severity.ERROR for problem in self.problems)
        super().__init__(
            f"{file}: {errors} {'problem' if errors == 1 else 'problems'} to mend",
            details=list_problems(self.problems),
        )


def list_problems(problems: Collection[Problem]) -> str:
    """Return problems one below the other; of very many only the first, since nobody mends so many at once."""
    more = len(problems) - MAX_SHOWN
    shown = [str(problem) for problem in islice(problems, MAX_SHOWN)]
    return "\n".join([*shown, f"and {more} more"] if more > 0 else shown)


def dotted(path: Sequence[str | int]) -> str:
    """Return a value's path as people write it: ``network.resolvers[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
