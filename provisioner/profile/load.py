"""From a profile on disk to a ``Profile``, with every problem at once."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from provisioner.errors import ProfileError
from provisioner.profile import document, explain
from provisioner.profile.model import Profile
from provisioner.profile.problem import InvalidProfile, Problem, Severity

FILE_NAME = "profile.yml"


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
    except document.Unreadable as error:
        raise InvalidProfile(str(file), [error.problem]) from None
    profile, problems = _check(parsed, folder)
    problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
    if profile is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidProfile(str(file), problems)
    return ProfileReading(profile, tuple(problems), folder)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            if not stat.S_ISREG(file.stat().st_mode):
                raise ProfileError(
                    f"{file} is not an ordinary file", hint="Give the profile.yml of a deployment."
                )
            return stream.read(document.MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(f"there is no profile {file}", hint="`sovstack init NAME` writes one.") from None
    except (OSError, ValueError) as error:
        raise ProfileError(f"cannot read {str(file)!r}", details=str(error)) from None


def _check(parsed: document.Document, folder: Path) -> tuple[Profile | None, list[Problem]]:
    problems = list(parsed.problems)
    try:
        return Profile.model_validate(parsed.data, context={"folder": str(folder)}), problems
    except ValidationError as error:
        return None, problems + explain.explain(error, parsed)
