"""From a profile on disk to a ``Profile``, with every problem at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from provisioner.errors import ProfileError
from provisioner.profile import document, explain, rules, salvage, surroundings
from provisioner.profile.finding import Finding
from provisioner.profile.model import Profile
from provisioner.profile.problem import InvalidProfile, Problem, Severity
from provisioner.profile.sovereignty import Registry
from provisioner.releases.catalogue import Catalogue

FILE_NAME = "profile.yml"
_ROUNDS = 4


@dataclass(frozen=True)
class ProfileReading:
    """A profile that can be used, and what was noticed on the way.

    Attributes:
        profile: The profile.
        warnings: Problems of severity warning, in the order of the file.
        folder: The deployment's folder, absolute; its name is the deployment's name.
    """

    profile: Profile
    warnings: tuple[Problem, ...]
    folder: Path

    @property
    def deployment(self) -> str:
        """The deployment's name."""
        return self.folder.name


def load_profile(path: Path) -> Profile:
    """Read a profile; the shorthand of ``read_profile`` for callers that do not show warnings."""
    return read_profile(path).profile


def read_profile(path: Path) -> ProfileReading:
    """Read, check and return a profile.

    Args:
        path: The profile file, or the folder that holds ``profile.yml``.

    Raises:
        ProfileError: The file cannot be read at all.
        InvalidProfile: It was read, and has errors; all of them are in ``problems``.
    """
    file = path / FILE_NAME if path.is_dir() else path
    folder = file.parent.absolute()
    try:
        parsed = document.parse(str(file), _read(file))
    except document.UnreadableDocument as error:
        raise InvalidProfile(str(file), [error.problem]) from None
    profile, problems = _check(parsed, folder)
    problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
    if profile is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidProfile(str(file), problems)
    return ProfileReading(profile, tuple(problems), folder)


def _read(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():  # opening a pipe or a device could wait for ever
            raise ProfileError(f"{file} is not an ordinary file", hint="Give a deployment's profile.yml.")
        with file.open("rb") as stream:
            return stream.read(document.MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(f"there is no profile {file}", hint="`sovstack init NAME` writes one.") from None
    except (OSError, ValueError) as error:
        raise ProfileError(f"cannot read {str(file)!r}", details=str(error)) from None


def _check(parsed: document.Document, folder: Path) -> tuple[Profile | None, list[Problem]]:
    """Return the profile, unless it has malformed values, and the problems of text, values and rules."""
    context = {"folder": str(folder)}
    data = parsed.data
    doubtful = set(parsed.refused)
    malformed: list[Finding] = []
    profile: Profile | None = None
    # Malformed values are replaced by examples, so that the rules can look at the others; a replacement can
    # uncover another malformed value, hence the rounds.
    for _ in range(_ROUNDS):
        try:
            profile = Profile.model_validate(data, context=context)
            break
        except ValidationError as error:
            found = explain.explain(error)
        malformed += [item.finding for item in found if not item.finding.rests_on(doubtful)]
        data = copy.deepcopy(data)
        for item in found:
            doubtful.add(salvage.mend(data, item.finding.path, remove=item.unwanted))
            if item.meant and item.meant not in parsed.keys:
                doubtful.add(item.meant)
    findings = malformed
    if profile is not None:
        ruled = [
            *rules.check(profile, Catalogue.load(), Registry.load()),
            *surroundings.check(profile),
        ]
        findings = [*malformed, *(finding for finding in ruled if not finding.rests_on(doubtful))]
    problems = [*parsed.problems, *(parsed.locate(finding) for finding in findings)]
    return (None if malformed else profile), problems
