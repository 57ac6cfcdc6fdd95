"""What happens during a run, as typed values: the one language between engine, report and renderers.

Ansible's events come from ansible-runner as dictionaries (its ``awx_display`` callback, release 2.4.3) and
are translated by :mod:`provisioner.engine.translation`; the pipeline adds its own phases. Unknown kinds are
kept, never dropped.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Outcome(enum.StrEnum):
    """How a task ended on a host."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    IGNORED = "ignored"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that happened; ``time`` is seconds since the epoch."""

    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began; ``directory`` is where it leaves its report."""

    deployment: str
    verb: str
    run: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(Event):
    """The pipeline began one of its own steps, such as ``connect`` or ``verify``."""

    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished(Event):
    """The pipeline ended a step; ``summary`` is one line about it, ``failed`` tells that it ends the run."""

    phase: str
    summary: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(Event):
    """A long step of the pipeline moved on: ``done`` of ``total`` in ``unit``, where they are counted."""

    text: str
    done: int | None = None
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast(Event):
    """How many seconds the run will still take, as earlier runs went."""

    remaining: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Event):
    """Something the reader should know: a warning of a tool or of the pipeline itself."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayStarted(Event):
    """A play of the playbook began."""

    play: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(Event):
    """A task, or a handler, began on the hosts of its play."""

    play: str
    role: str
    task: str
    handler: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTaskStarted(Event):
    """A task began on one host."""

    host: str
    role: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(Event):
    """A task ended on one host, after ``seconds`` there; ``output`` is what it printed if it failed."""

    host: str
    play: str
    role: str
    task: str
    outcome: Outcome
    seconds: float
    message: str = ""
    output: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFinished(Event):
    """One turn of a loop ended; its task's own result follows."""

    host: str
    role: str
    task: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(Event):
    """A task is tried again."""

    host: str
    role: str
    task: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff(Event):
    """What a task changed, or in check mode would change, as a unified diff."""

    host: str
    role: str
    task: str
    diff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """A line that Ansible printed outside any task."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Event):
    """Ansible's own recap: for each host, how many tasks ended how."""

    hosts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookFinished(Event):
    """ansible-playbook ended; ``status`` is ansible-runner's word for it, ``code`` its exit code."""

    playbook: str
    status: str
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Event):
    """An event of a kind this version does not know."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


def to_dict(event: Event) -> dict[str, Any]:
    """Return the event as JSON-like data, with its kind under ``event``."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}
