"""One deployment for the whole module: its tests follow each other, as an operator's days do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from stack.deployment import Deployment, deploying


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """A bare lab machine and a profile. ``SOVSTACK_TEST_ARCHIVE`` is ``auto``, ``real`` or ``double``."""
    with deploying("stack", os.environ.get("SOVSTACK_TEST_ARCHIVE", "auto")) as made:
        yield made
