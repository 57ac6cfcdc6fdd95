"""How much longer a run will take, learned from how long its steps took before. Pure.

A step is a phase of the pipeline, or a task of a playbook. Each has two figures, because a task that finds
everything in place and the same task on a bare host have little in common: seconds when it changed something,
and seconds when it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.engine import events
from provisioner.engine.events import Event, Outcome

#: Seconds by whether something changed ("changed", "unchanged"), for each step, in the order of the last run.
Durations = Mapping[str, Mapping[str, float]]

_NEWEST_WEIGHT = 0.5


@dataclass(slots=True)
class Forecaster:
    """The forecast of one run; ``past`` is what ``learned`` gave at the end of earlier ones."""

    past: Durations
    _seen: dict[str, dict[str, float]] = field(default_factory=dict)
    _step: str = ""
    _began: float = 0.0
    _changed: bool = False
    _turns: list[bool] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Take one event into account."""
        match event:
            case events.PhaseStarted(phase=phase):
                self._begin(f"phase {phase}", event.time)
            case events.TaskStarted():
                self._begin(f"task {event.play} | {event.role} | {event.task}", event.time)
            case events.TaskFinished(outcome=Outcome.CHANGED):
                self._changed = True
            case events.PhaseFinished(failed=failed):
                if not failed:
                    self._end(event.time)
                self._step = ""

    def remaining(self, now: float) -> float | None:
        """Return the seconds that are left, or None when nothing is known about this kind of run."""
        if not self.past:
            return None
        ahead = sum(
            self._estimate(known)
            for step, known in self.past.items()
            if step not in self._seen and step != self._step
        )
        if current := self.past.get(self._step):
            ahead += max(0.0, self._estimate(current) - (now - self._began))
        return ahead

    def learned(self, *, finished: bool) -> dict[str, dict[str, float]]:
        """Return what is known after this run: its own figures, averaged with the earlier ones.

        The first run teaches nothing unless it ``finished``: the steps that it did not come to would be no work.
        """
        if not self.past and not finished:
            return {}
        known = {step: dict(seconds) for step, seconds in self.past.items()}
        for step, seconds in self._seen.items():
            old = known.setdefault(step, {})
            for kind, value in seconds.items():
                before = old.get(kind, value)
                old[kind] = round(before + _NEWEST_WEIGHT * (value - before), 2)
        return known

    def _begin(self, step: str, time: float) -> None:
        self._end(time)
        self._step, self._began, self._changed = step, time, False

    def _end(self, time: float) -> None:
        if self._step:
            kind = "changed" if self._changed else "unchanged"
            self._seen[self._step] = {kind: time - self._began}
            if "changed" in self.past.get(self._step, {}):
                self._turns.append(self._changed)
        self._step = ""

    def _estimate(self, known: Mapping[str, float]) -> float:
        # Of the steps that are known to change something: do most of them, this time?
        changing = sum(self._turns) * 2 > len(self._turns)
        wanted, other = ("changed", "unchanged") if changing else ("unchanged", "changed")
        return known.get(wanted, known.get(other, 0.0))
