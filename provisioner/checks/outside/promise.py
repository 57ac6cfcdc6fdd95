"""A promise, the probe that holds a target against it, and what keeps a broken probe from being a pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from provisioner.checks.result import Check, Grade, Verdict
from provisioner.errors import ProvisionerError

Target = TypeVar("Target")


class NoEvidence(Exception):
    """The probe could not look: the service does not answer, or this computer lacks what is needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe saw.

    Attributes:
        verdict: What it means for the promise.
        actual: What was seen, in a line or a few.
        details: Longer evidence; may be empty.
        screenshots: Pictures of it: paths in the run's directory.
    """

    verdict: Verdict
    actual: str
    details: str = ""
    screenshots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promise(Generic[Target]):
    """A check before it is made: identity, criterion, remedy, and the probe.

    ``probe`` returns a finding, or raises ``NoEvidence`` or ``OSError`` when it could not look.
    """

    id: str
    title: str
    expected: str
    remedy: str
    probe: Callable[[Target], Finding]

    def hold(self, target: Target, name: str) -> Check:
        """Hold the promise against ``target``; whatever the probe raises becomes ``not_assessed``."""
        started = time.monotonic()
        try:
            finding = self.probe(target)
        except (NoEvidence, OSError) as error:
            finding = Finding(Verdict.NOT_ASSESSED, str(error) or type(error).__name__)
        except ProvisionerError as error:
            finding = Finding(Verdict.NOT_ASSESSED, error.message, error.details or "")
        except Exception as error:  # noqa: BLE001  one broken probe must not take the others' evidence away
            finding = Finding(
                Verdict.NOT_ASSESSED, f"the probe itself broke: {type(error).__name__}: {error}"
            )
        return Check(
            id=self.id,
            title=self.title,
            target=name,
            grade=Grade.OBSERVED_FROM_OUTSIDE,
            verdict=finding.verdict,
            remedy=self.remedy,
            expected=self.expected,
            actual=finding.actual,
            duration_seconds=time.monotonic() - started,
            details=finding.details,
            screenshots=finding.screenshots,
        )


def judge(problems: list[str], fine: str, *, as_problem: Verdict = Verdict.FAIL) -> Finding:
    """Return a pass that says ``fine`` when there are no ``problems``, otherwise these."""
    if problems:
        return Finding(as_problem, "; ".join(problems))
    return Finding(Verdict.PASS, fine)
