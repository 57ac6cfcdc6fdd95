"""From a profile on disk to a ``Profile``, with every problem at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from provisioner.errors import ProfileError
from provisioner.profile import document, explain, rules, salvage, surroundings
from provisioner.profile.finding import Finding, suggest
from provisioner.profile.model import Profile
from provisioner.profile.problem import InvalidProfile, Problem, Severity
from provisioner.profile.sovereignty import Registry
from provisioner.releases.catalogue import Catalogue

FILE_NAME = "profile.yml"
INVENTORIES = Path("inventories")
_ROUNDS = 4


@dataclass(frozen=True)
class ProfileReading:
    """A profile that can be used, and what was noticed on the way.

    Attributes:
        profile: The profile.
        warnings: Problems of severity warning, in the order of the file.
        folder: The deployment's folder, absolute and without symbolic links; its name is the deployment's name.
        file: The profile's name for messages.
    """

    profile: Profile
    warnings: tuple[Problem, ...]
    folder: Path
    file: str

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
    return read_content(displayed(file), _read(file), file.parent.resolve())


def read_content(file: str, content: bytes, folder: Path, today: date | None = None) -> ProfileReading:
    """Check the bytes of a profile.

    Args:
        file: Name for the messages.
        content: What the file holds.
        folder: The deployment's folder, absolute; relative paths in the profile count from it.
        today: The day that ends of support are held against; by default the present one.

    Raises:
        InvalidProfile: The profile has errors; all of them are in ``problems``.
    """
    try:
        parsed = document.parse(file, content)
    except document.UnreadableDocument as error:
        raise InvalidProfile(file, [error.problem]) from None
    profile, problems = _check(parsed, folder, today or datetime.now(UTC).date())
    problems.sort(key=lambda problem: (problem.line, problem.column))
    if profile is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidProfile(file, problems)
    return ProfileReading(profile, tuple(problems), folder, file)


def find_profile(argument: str) -> Path:
    """Return the path that a command line means: a file, a folder, or the name of a deployment.

    Raises:
        ProfileError: There is none of the three.
    """
    path = Path(argument)
    named = INVENTORIES / argument
    try:
        if path.exists() or "/" in argument:
            return path
        if named.is_dir():
            return named
        known = sorted(found.parent.name for found in INVENTORIES.glob(f"*/{FILE_NAME}"))
    except OSError as error:  # too long for a name
        raise ProfileError(f"cannot read {displayed(path)}", details=error.strerror) from None
    hint = suggest(argument, known) or "`sovstack init NAME` begins one"
    raise ProfileError(f"there is no profile and no deployment {displayed(path)}", hint=hint)


def displayed(path: Path) -> str:
    """Return a path for messages: bytes that are not UTF-8 and control characters escaped, not too long."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= 1000 else f"{text[:100]}..."


def _read(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():  # opening a pipe or a device could wait for ever
            raise ProfileError(
                f"{displayed(file)} is not an ordinary file", hint="Give a deployment's profile.yml."
            )
        with file.open("rb") as stream:
            return stream.read(document.MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(
            f"there is no profile {displayed(file)}", hint="`sovstack init NAME` writes one."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        raise ProfileError(
            f"cannot read {displayed(file)}", details=getattr(error, "strerror", str(error))
        ) from None


def _check(parsed: document.Document, folder: Path, today: date) -> tuple[Profile | None, list[Problem]]:
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
    ruled: list[Finding] = []
    if profile is not None:
        ruled += rules.check(profile, Catalogue.load(), Registry.load(), today)
        ruled += surroundings.check(profile)
    findings = malformed + [finding for finding in ruled if not finding.rests_on(doubtful)]
    return (None if malformed else profile), [*parsed.problems, *map(parsed.locate, findings)]
