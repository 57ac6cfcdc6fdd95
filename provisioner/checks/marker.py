"""The identity of a test, ``@pytest.mark.check(id=, title=, grade=, remedy=)``: read and enforced.

Used by ``tests/infra/conftest.py`` (every way to run the tests) and by the plugin of ``sovstack verify``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from provisioner.checks.result import Grade

_REQUIRED = ("id", "title", "grade", "remedy")
_OPTIONAL = ("unit",)


class NotApplicable(pytest.skip.Exception):  # type: ignore[misc,valid-type,name-defined,unused-ignore]
    """The promise does not exist in this deployment, so that there is nothing to hold it against."""


def declare_not_applicable(reason: str) -> NoReturn:
    """End the running test: it says nothing about this deployment, neither good nor bad."""
    raise NotApplicable(reason)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the ``check`` marker of a test says."""

    id: str
    title: str
    grade: Grade
    remedy: str
    unit: str | None = None


def read_identity(item: pytest.Item) -> Identity:
    """Return the identity of a collected test.

    Raises:
        ValueError: No marker, a field missing, empty or unknown, or a grade that does not exist.
    """
    marker = item.get_closest_marker("check")
    if marker is None:
        raise ValueError("no @pytest.mark.check")
    given: Mapping[str, Any] = marker.kwargs
    missing = [name for name in _REQUIRED if not str(given.get(name, "")).strip()]
    unknown = sorted(set(given) - {*_REQUIRED, *_OPTIONAL})
    if missing or unknown or marker.args:
        raise ValueError(
            f"check marker: missing {missing}, unknown {unknown}, positional {list(marker.args)}"
        )
    return Identity(
        id=given["id"],
        title=given["title"],
        grade=Grade.read(given["grade"]),
        remedy=given["remedy"],
        unit=given.get("unit"),
    )


def require_identities(items: Iterable[pytest.Item]) -> None:
    """Refuse the session when a test has no identity, or two test functions share one.

    Raises:
        pytest.UsageError: Names every such test.
    """
    problems: list[str] = []
    owners: dict[str, str] = {}
    for item in items:
        function = item.nodeid.partition("[")[0]
        try:
            identity = read_identity(item)
        except ValueError as error:
            problems.append(f"{function}: {error}")
            continue
        if owners.setdefault(identity.id, function) != function:
            problems.append(f"{function}: id {identity.id} belongs to {owners[identity.id]}")
    if problems:
        raise pytest.UsageError("tests/infra: " + "; ".join(dict.fromkeys(problems)))
