"""What happens as JSON, one object per line: for programs, and as the run's own log."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TextIO

from provisioner.checks.result import Check
from provisioner.engine.events import Event, to_dict
from provisioner.reporting.report import Happening
from provisioner.sizing import Budget


class JsonLinesRenderer:
    """Write every happening to a stream as one line of JSON with its kind under ``event``."""

    def __init__(self, stream: TextIO) -> None:
        """Take where to write."""
        self._stream = stream

    def add(self, happening: Happening) -> None:
        """Write one line."""
        self._stream.write(json.dumps(as_dict(happening), default=str) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End; the stream belongs to the caller."""


def as_dict(happening: Happening) -> dict[str, Any]:
    """Return a happening as JSON-like data."""
    if isinstance(happening, Event):
        return to_dict(happening)
    if isinstance(happening, Check):
        return {"event": "Check", **happening.as_json()}
    kind = "Budget" if isinstance(happening, Budget) else "Release"
    return {"event": kind, **dataclasses.asdict(happening)}
