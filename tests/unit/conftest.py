"""How Hypothesis works in all unit tests."""

from __future__ import annotations

from hypothesis import settings

# No limit on the time of one example: on a busy computer it fails tests that have nothing wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
