"""pydantic's errors in the profile's own words."""

from __future__ import annotations

from pydantic import ValidationError

from provisioner.profile.document import Document
from provisioner.profile.problem import Problem


def explain(error: ValidationError, parsed: Document) -> list[Problem]:
    """Return one problem for each error of the model."""
    return [parsed.problem(item["loc"], item["msg"]) for item in error.errors(include_url=False)]
