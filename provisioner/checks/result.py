"""What a check found: one model for on-host, outside-in and, later, sovereignty checks.

Pure: no I/O. ``infra`` and ``outside`` make ``Check`` objects, ``reporting`` shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

#: The check whether a host answers at all: said once, however many of its roles are tested.
REACHABLE_ID = "HOST-REACHABLE"


class Grade(StrEnum):
    """How near to the running service the evidence was taken, weakest first."""

    DECLARED = "declared"
    CONFIGURED = "configured"
    OBSERVED_ON_HOST = "observed_on_host"
    OBSERVED_FROM_OUTSIDE = "observed_from_outside"

    @property
    def label(self) -> str:
        """Return the grade as people write it: ``observed on host``."""
        return self.value.replace("_", " ")

    @classmethod
    def read(cls, text: str) -> Grade:
        """Return the grade that ``text`` names, with spaces or underscores.

        Raises:
            ValueError: ``text`` names no grade.
        """
        return cls(text.strip().lower().replace(" ", "_"))


class Verdict(StrEnum):
    """What the evidence says. ``not_assessed`` is the absence of evidence and never counts as a pass."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    NOT_ASSESSED = "not_assessed"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, held against one target.

    Attributes:
        id: Stable identity, for example ``TLS-VER``; the same promise on two hosts has the same id.
        title: The promise in one sentence, true when the verdict is ``pass``.
        target: Host name of the inventory, service host name, or URL that was looked at.
        grade: How near to the running service the evidence was taken.
        verdict: What the evidence says.
        remedy: What to do when the verdict is not ``pass``.
        expected: The criterion, in the words of its source.
        actual: What was seen; for ``not_assessed`` the reason why nothing was.
        duration_seconds: Wall time of the check.
        details: Longer evidence, for example the journal of a failed unit; may be empty.
        screenshots: Pictures of what was seen: paths in the run's directory.
    """

    id: str
    title: str
    target: str
    grade: Grade
    verdict: Verdict
    remedy: str
    expected: str = ""
    actual: str = ""
    duration_seconds: float = 0.0
    details: str = ""
    screenshots: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the check as plain JSON data; ``from_json`` gives the same check back."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        return data | {
            "grade": self.grade.value,
            "verdict": self.verdict.value,
            "duration_seconds": round(self.duration_seconds, 3),
            "screenshots": list(self.screenshots),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Check:
        """Return the check that ``as_json`` wrote.

        Raises:
            ValueError: A grade or verdict that this version does not know.
            TypeError: A missing or an unknown field.
        """
        check = cls(**data)
        return replace(
            check,
            grade=Grade(check.grade),
            verdict=Verdict(check.verdict),
            screenshots=tuple(check.screenshots),
        )


def roll_up(checks: Iterable[Check]) -> Verdict:
    """Return the verdict over all ``checks``: the worst one, and ``not_assessed`` when there are none.

    A failure outranks missing evidence, because it is known; missing evidence outranks a warning.
    """
    seen = {check.verdict for check in checks}
    for verdict in (Verdict.FAIL, Verdict.NOT_ASSESSED, Verdict.WARN, Verdict.PASS):
        if verdict in seen:
            return verdict
    return Verdict.NOT_ASSESSED
