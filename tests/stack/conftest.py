"""One deployment for the whole module: its tests follow each other, as an operator's days do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from stack.deployment import Deployment, deploying
from stack.router import leading_to


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """A bare machine behind NAT, and a profile. ``SOVSTACK_TEST_ARCHIVE`` is ``auto``, ``real`` or ``double``."""
    archive = os.environ.get("SOVSTACK_TEST_ARCHIVE", "auto")
    with deploying("stack", archive, is_behind_nat=True) as made, leading_to(made.machine):
        yield made
